"""Owns the promise of ``redis+queue://``: our workers and Flask-SocketIO's are one fleet, both ways, for its clients.

Flask-SocketIO runs in an environment of its own (``.ci/peers.sh``): without it skipped on a laptop, failed in CI.
"""

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from redis_server import RedisServer

from flask_socketio_py import Emitter
from tests.live.servers import ROOT, Server, wait_for

PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
#: Far beyond the patience of the test: a question must not wait for who never answers.
OURS = {"requests_timeout": 300}


class Worker(Server):
    """A worker of the fleet, whose methods can be called."""

    def __init__(self, queue, python=sys.executable, package="flask_socketio_py", **options):
        env = {"SOCKETIO_PACKAGE": package}
        super().__init__("tests.live.apps.fleet:app", options={"message_queue": queue, **options}, env=env)
        self.python = python

    def command(self):
        return [str(self.python), *super().command()[1:]]

    def do(self, name, *args, **kwargs):
        return self.get_json("/do?what=" + quote(json.dumps([name, args, kwargs])))

    def wait_note(self, note):
        wait_for(lambda: note in self.get_json("/notes"), f"{note} is noted")


@pytest.fixture(scope="module")
def peers_python():
    if not PEERS_PYTHON.exists():
        message = "Flask-SocketIO is not installed: bash .ci/peers.sh"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return PEERS_PYTHON


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def queue(redis):
    return redis.url.replace("redis://", "redis+queue://")


@pytest.fixture(scope="module")
def fleet(redis, queue, peers_python):
    """Two workers of ours and one of Flask-SocketIO."""
    with (
        Worker(queue, **OURS) as ours,
        Worker(redis.url, peers_python, "flask_socketio") as theirs,
        Worker(queue, **OURS) as second,
    ):
        yield ours, theirs, second


@pytest.fixture
def clients(js, fleet, redis):
    """A client of each worker. Each listens to the queue, Flask-SocketIO since its first client."""
    found = [js.open(worker.url, transports=["websocket"]) for worker in fleet]
    for client in found:
        client.sid()
    wait_for(lambda: redis.ask("PUBSUB", "NUMSUB", "flask-socketio")[1] == 3, "all listen")
    return found


@pytest.fixture(params=["ours to theirs", "theirs to ours"])
def pair(request, fleet, clients):
    """Who speaks, and the worker and the client spoken to."""
    (ours, theirs, _), (our_client, their_client, _) = fleet, clients
    return (ours, theirs, their_client) if request.param == "ours to theirs" else (theirs, ours, our_client)


def test_emits_arrive_everywhere_in_every_form(fleet, clients):
    for number, worker in enumerate(fleet):
        worker.do("emit", f"one {number}", {"a": [1, None, "é😀"]})
        worker.do("emit", f"several {number}", {"tuple": ["a", 2]})
        worker.do("emit", f"list {number}", [1, 2])
        worker.do("emit", f"nothing {number}", None)
        worker.do("emit", f"binary {number}", {"hex": "00ff"})
        for client in clients:
            assert client.wait_event(f"one {number}") == [{"a": [1, None, "é😀"]}]
            assert client.wait_event(f"several {number}") == ["a", 2]
            assert client.wait_event(f"list {number}") == [[1, 2]]
            assert client.wait_event(f"nothing {number}") == []
            assert client.wait_event(f"binary {number}") == [b"\0\xff"]


def test_whom_an_emit_is_for(pair, js):
    speaker, listener, client = pair
    other = js.open(listener.url, transports=["websocket"])
    chat = js.open(listener.url, "/chat", transports=["websocket"])
    assert client.call("join", "red") == other.call("join", "blue") == "joined"
    chat.sid()
    speaker.do("emit", "red", to="red")
    speaker.do("emit", "both", to=["red", "blue"])
    speaker.do("emit", "you", to=client.sid())
    speaker.do("emit", "not you", skip_sid=client.sid())
    speaker.do("emit", "neither", skip_sid=[client.sid(), other.sid()])
    speaker.do("emit", "chat", namespace="/chat")
    speaker.do("emit", "end")
    chat.wait_event("chat")
    for one, expected in ((client, ["red", "both", "you", "end"]), (other, ["both", "not you", "end"])):
        one.wait_event("end")
        assert [entry["event"] for entry in one.found("event")][-len(expected) :] == expected
    assert [entry["event"] for entry in chat.found("event")] == ["chat"]


def test_rooms_are_changed_from_afar(pair):
    speaker, _, client = pair

    def hears(event, heard):
        speaker.do("emit", event, to="far")
        speaker.do("emit", f"after {event}")
        client.wait_event(f"after {event}")
        assert bool(client.received(event)) == heard

    hears("before", False)
    speaker.do("server.enter_room", client.sid(), "far", namespace="/")
    hears("entered", True)
    speaker.do("server.leave_room", client.sid(), "far", namespace="/")
    hears("left", False)
    client.call("join", "far")
    speaker.do("close_room", "far", namespace="/")
    hears("closed", False)


def test_acknowledgements_come_back(pair):
    speaker, _, client = pair
    client.answer("question", "yes", {"n": 2})
    client.answer("plain", "yes")
    sid = client.sid()
    speaker.do("emit", "question", 1, to=sid, callback=True)
    speaker.wait_note(["yes", {"n": 2}])
    assert speaker.do("call", "plain", 1, to=sid, timeout=20) == "yes"


def test_a_client_is_disconnected_from_afar(pair):
    speaker, _, client = pair
    speaker.do("server.disconnect", client.sid(), namespace="/")
    client.wait("disconnect")


def test_questions_do_not_wait_for_who_never_answers(fleet, clients):
    ours, _, second = fleet
    first_client, _, third_client = clients
    for worker in (ours, second):
        found = worker.get_json("/sids")
        assert {first_client.sid(), third_client.sid()} <= set(found)
    third_client.answer("question", "from the other of ours")
    assert ours.do("call", "question", to=third_client.sid(), timeout=100) == "from the other of ours"


@pytest.mark.parametrize("package", ["flask_socketio", "flask_socketio_py"])
def test_a_process_that_only_emits(redis, queue, clients, peers_python, package):
    url, python = (redis.url, peers_python) if package == "flask_socketio" else (queue, sys.executable)
    code = f"""
from {package} import SocketIO
socketio = SocketIO(message_queue={url!r})
socketio.emit("from {package}", ("a", 2))
socketio.emit("to one", b"x", to={clients[0].sid()!r})
socketio.emit("to one", b"x", to={clients[1].sid()!r})
"""
    run = subprocess.run([str(python), "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    for client in clients:
        assert client.wait_event(f"from {package}") == ["a", 2]
    for client in clients[:2]:
        assert client.wait_event("to one") == [b"x"]


def test_the_emitter_reaches_and_moves_all(queue, clients):
    with Emitter(queue) as emitter:
        emitter.except_(clients[1].sid()).emit("not theirs")
        for client in clients:
            emitter.to(client.sid()).sockets_join("emitted")
        emitter.to("emitted").emit("in the room", 1)
        for client in clients:
            assert client.wait_event("in the room") == [1]
        assert [bool(client.received("not theirs")) for client in clients] == [True, False, True]
        emitter.to(clients[1].sid()).disconnect_sockets()
        clients[1].wait("disconnect")


def test_pickles_and_rubbish_are_refused(redis, fleet, clients):
    ours = fleet[0]
    bomb = b"\x80\x04cos\nsystem\n(S'touch /nowhere/at/all'\ntR."
    for message in (pickle.dumps({"method": "emit", "event": "pickled", "namespace": "/", "data": [1]}), bomb):
        redis.ask("PUBLISH", "flask-socketio", message)
    for message in (b"", b"{", b"null", b"[1]", b"\xff", b'{"method": "flask_socketio_py"}', b'{"method": 5}'):
        redis.ask("PUBLISH", "flask-socketio", message)
    ours.do("emit", "still here")
    for client in clients:
        client.wait_event("still here")
    # Flask-SocketIO since 5.14 does not unpickle either.
    assert not any(client.received("pickled") for client in clients)
    wait_for(lambda: "it is pickled: upgrade its emitter" in ours.log(), "it is said")
    assert Path(ours.log_path).read_text().count("it is pickled") == 1


def test_a_worker_at_a_time(redis, queue, fleet, js, clients):
    """The fleet changes under those who ask: who joins and leaves is counted anew."""
    ours = fleet[0]
    with Worker(queue, **OURS) as fourth:
        client = js.open(fourth.url, transports=["websocket"])
        sid = client.sid()
        wait_for(lambda: sid in ours.get_json("/sids"), "its client is seen")
        client.disconnect()
    before = time.monotonic()
    assert sid not in ours.get_json("/sids")
    assert time.monotonic() - before < OURS["requests_timeout"]
