"""Owns the promises of Emitter, of SocketIO without an application, and of `... emit`: they reach clients of servers.

A server of ours in this process, over each dialect; the emitters in threads or processes of their own, as in real life.
"""

import io
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import wait_until
from flask import Flask
from redis_server import RedisServer

from flask_socketio_py import ClusterError, Emitter, SocketIO
from flask_socketio_py.__main__ import main
from flask_socketio_py.configured import DIALECTS
from flask_socketio_py.socketio.adapters.redis.urls import parse

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


@pytest.fixture(params=DIALECTS, ids=str)
def url(request, redis):
    return redis.url.replace("redis", f"redis+{request.param}" if request.param else "redis", 1)


class Serving(Application):
    def __init__(self):
        super().__init__(("/", "/chat"))
        self.heard = []

    def server_event_handler(self, namespace, event):
        return lambda *args: self.heard.append((namespace, event, *args))


@pytest.fixture
def server(url):
    application = Serving()
    server = serve(application, dialect=DIALECTS[parse(url).dialect](url))
    server.application = application
    server.of("/chat")
    server.cluster.start()
    yield server
    server.close()


@pytest.fixture
def client(url, server):
    """Connected, and reached by who is outside."""
    peer = Peer(server)
    peer.socket = peer.join()
    with Emitter(url) as emitter:
        for place in (emitter, emitter.to(peer.socket.id), emitter.to("a", "b").to(peer.socket.id)):
            wait_until(lambda place=place: outside(place.emit, "ready") or peer.events(), "the server listens")
    return peer


def events(peer, count=1):
    found = []

    def enough():
        found.extend(event for event in peer.events() if event[0] != "ready")
        return len(found) >= count

    wait_until(enough, f"{count} events")
    return found


def outside(function, *args, **options):
    """Call a function in a thread of its own, without a hub that runs, and return what it returns."""
    return gevent.get_hub().threadpool.apply(function, args, options)


# --- Emitter ---------------------------------------------------------------------------------------------------------


def test_it_emits_to_everybody_and_to_a_choice(url, client):
    client.socket.join("red")

    def emit():
        with Emitter(url) as emitter:
            emitter.emit("all", 1, {"a": b"\0\xff"})
            emitter.send("text")
            emitter.to("red", "nobody").emit("red")
            emitter.to("blue").emit("blue")
            emitter.in_("red", "blue").volatile.compress(False).emit("both")
            emitter.except_("red").emit("not red")
            emitter.of("chat").emit("in another namespace")
            emitter.to(client.socket.id).emit("last")

    outside(emit)
    assert events(client, 5) == [["all", 1, {"a": b"\0\xff"}], ["message", "text"], ["red"], ["both"], ["last"]]


def test_it_is_a_value(url):
    emitter = Emitter(url)
    red = emitter.to("red")
    blue = red.to("blue")
    assert (emitter._operator().rooms, red.rooms, blue.rooms) == ((), ("red",), ("red", "blue"))
    assert emitter.of("/chat").of("/")._operator().namespace.name == "/"


def test_it_moves_and_disconnects(url, server, client):
    emitter = Emitter(url)
    outside(emitter.sockets_join, "red", "blue")
    wait_until(lambda: {"red", "blue"} < set(client.socket.rooms), "joined")
    outside(emitter.to("red").sockets_leave, "blue")
    wait_until(lambda: "blue" not in client.socket.rooms, "left")
    outside(emitter.server_side_emit, "tick", 1)
    wait_until(lambda: server.application.heard == [("/", "tick", 1)], "heard")
    outside(emitter.to("red").disconnect_sockets)
    wait_until(lambda: client.socket.disconnected, "disconnected")
    emitter.close()


@pytest.mark.parametrize("dialect", ["redis", "redis+sharded", "redis+streams", "redis+queue"])
def test_what_needs_an_answer_says_why_it_is_not_there(dialect):
    emitter = Emitter(f"{dialect}://127.0.0.1:1")
    for use in (
        lambda: emitter.emit("x", callback=print),
        lambda: emitter.timeout(1).emit("x", callback=print),
        lambda: emitter.emit_with_ack("x"),
        lambda: emitter.timeout(1).emit_with_ack("x"),
        lambda: emitter.to("a").fetch_sockets(),
        lambda: emitter.count(),
        lambda: emitter.local.emit("x"),
    ):
        with pytest.raises(RuntimeError, match="only a server has clients"):
            use()
    for use in (lambda: emitter.emit("x"), lambda: emitter.sockets_join("r"), lambda: emitter.server_side_emit("x")):
        with pytest.raises(ClusterError):
            use()
    for wrong in ("disconnect", "connect_error"):
        with pytest.raises(ValueError, match="reserved"):
            emitter.emit(wrong)
    with pytest.raises(ValueError, match="reserved"):
        emitter.server_side_emit("connection")
    for wrong in (1, None, b"x"):
        with pytest.raises(TypeError, match="name of an event"):
            emitter.emit(wrong)
        with pytest.raises(TypeError, match="name of an event"):
            emitter.server_side_emit(wrong)


def test_a_url_that_cannot_be_meant():
    for wrong in ("amqp://localhost", "redis+classical://localhost", "localhost"):
        with pytest.raises(ValueError, match="the URL of the message queue"):
            Emitter(wrong)
    with pytest.raises(TypeError):
        Emitter(None)


def test_it_needs_no_patch_and_no_hub(url, client):
    code = f"""
import socket, threading
from flask_socketio_py import Emitter
with Emitter({url!r}, "/") as emitter:
    emitter.to({client.socket.id!r}).emit("from another process", 1)
import gevent.monkey, gevent, sys
assert not gevent.monkey.is_module_patched("socket")
assert gevent._hub_local.get_hub_if_exists() is None
assert "flask" not in sys.modules
"""
    command = [sys.executable, "-W", "error", "-c", code]
    run = outside(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert events(client) == [["from another process", 1]]


# --- SocketIO without an application ---------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True], ids=["constructor", "init_app(None)"])
def test_socketio_without_an_application_emits(url, server, client, late):
    if late:
        socketio = SocketIO()
        socketio.init_app(None, message_queue=url)
    else:
        socketio = SocketIO(message_queue=url)
    chat = client.join("/chat")

    def emit():
        socketio.emit("all", {"a": 1})
        socketio.emit("many", ("a", 2), broadcast=True)
        socketio.emit("nothing", None)
        socketio.emit("not you", skip_sid=client.socket.id)
        socketio.emit("red", to="red")
        socketio.send("text", room=client.socket.id)
        socketio.emit("there", namespace="/chat", to=[chat.id, "x"])
        socketio.of("/chat").to(chat.id).emit("bound")
        socketio.except_("x").emit("last")

    outside(emit)
    expected = [["all", {"a": 1}], ["many", "a", 2], ["nothing"], ["message", "text"], ["there"], ["bound"], ["last"]]
    assert events(client, len(expected)) == expected
    outside(socketio.server.enter_room, client.socket.id, "red")
    wait_until(lambda: "red" in client.socket.rooms, "it is in the room")
    outside(socketio.close_room, "red")
    wait_until(lambda: "red" not in client.socket.rooms, "the room is closed")
    outside(socketio.server_side_emit, "tick")
    wait_until(lambda: ("/", "tick") in server.application.heard, "servers hear")
    outside(socketio.server.disconnect, chat.id, namespace="/chat")
    wait_until(lambda: chat.disconnected and client.socket.connected, "disconnected from one namespace")


def test_what_needs_clients_says_so(url):
    socketio = SocketIO(message_queue=url)
    for use in (
        lambda: socketio.call("x", to="sid"),
        lambda: socketio.call("x", to="sid", timeout=1),
        lambda: socketio.emit("x", to="sid", callback=print),
        lambda: socketio.emit("x", ignore_queue=True),
        lambda: socketio.emit_with_ack("x"),
        lambda: socketio.fetch_sockets(),
        lambda: socketio.count(),
        lambda: socketio.sockets,
        lambda: socketio.room_sizes(),
        lambda: socketio.server_side_emit_with_ack("x"),
        lambda: socketio.engine,
        lambda: socketio.server.rooms("sid"),
    ):
        with pytest.raises(RuntimeError, match="only a server has clients"):
            use()


def test_it_is_none_of_the_servers(url):
    socketio = SocketIO(message_queue=url)
    assert socketio.cluster is None
    socketio.on_cluster_status(print)


def test_it_may_get_an_application_later(url):
    socketio = SocketIO(message_queue=url, ping_interval=3)
    app = Flask("late")
    socketio.init_app(app)
    assert socketio.engine.options.ping_interval == 3
    assert app.extensions["socketio"] is socketio
    socketio.server.shutdown()


@pytest.mark.parametrize("queue", [None, ""])
def test_without_a_queue_nothing_changes(queue):
    with pytest.raises(RuntimeError, match="not attached"):
        SocketIO(message_queue=None).emit("x")
    for options in ({"message_queue": queue}, {}):
        with pytest.raises(ValueError, match="needs the URL of a message_queue"):
            SocketIO().init_app(None, **options)


def test_redis_that_is_away_is_an_error():
    socketio = SocketIO(message_queue="redis+queue://127.0.0.1:1")
    with pytest.raises(ClusterError):
        socketio.emit("x")


class RedisManager:
    """Stands where python-socketio's class does, which need not be installed."""


RedisManager.__module__ = "socketio.redis_manager"


def test_a_manager_of_python_socketio_is_refused_with_what_to_write_instead():
    for options in ({"client_manager": RedisManager()}, {"message_queue": RedisManager()}):
        with pytest.raises(ValueError, match=r"a RedisManager of python-socketio.*message_queue='redis\+queue://"):
            SocketIO(Flask("x"), **options)


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_emits(url, client, capsys, monkeypatch):
    client.socket.join("red")
    assert outside(main, ["emit", "news", '{"a": [1, null]}', '"é"', "--queue", url]) == 0
    monkeypatch.setenv("SOCKETIO_MESSAGE_QUEUE", url)
    assert outside(main, ["emit", "red", "--room", "red", "--room", "blue"]) == 0
    assert outside(main, ["emit", "not red", "--except", "red"]) == 0
    assert outside(main, ["emit", "chat", "--namespace", "/chat"]) == 0
    assert outside(main, ["emit", "elsewhere", "--channel", "other"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO('{"long": true}\n'))
    assert outside(main, ["emit", "last", "-1", "-"]) == 0
    assert events(client, 3) == [["news", {"a": [1, None]}, "é"], ["red"], ["last", -1, {"long": True}]]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x"], "--queue is missing"),
        (["x", "text", "--queue", "redis://"], "'text' is not JSON; a text has quotes of its own, as in '\"text\"'"),
        (["x", "NaN", "--queue", "redis://"], "'NaN' is not JSON"),
        (["x", "--queue", "amqp://:secret@h"], "the URL of the message queue: "),
        (["disconnect", "--queue", "redis://"], "'disconnect' is a reserved event name"),
        (["x", "--queue", "redis://:secret@127.0.0.1:1"], "PUBLISH failed"),
    ],
)
def test_a_mistake_in_the_command_is_one_line(capsys, monkeypatch, arguments, message):
    monkeypatch.delenv("SOCKETIO_MESSAGE_QUEUE", raising=False)
    assert main(["emit", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert "secret" not in err


# --- an application in a process that does not serve -----------------------------------------------------------------


def test_an_application_in_a_task_queue_emits_too(url, client):
    """Celery's way with an application factory: no hub runs there, and the process ends at once."""
    code = f"""
from decimal import Decimal
from flask import Flask
from flask_socketio_py import SocketIO
socketio = SocketIO(Flask("task"), message_queue={url!r})
socketio.emit("from a task", Decimal("1.5"))
socketio.to({client.socket.id!r}).emit("to one")
socketio.server.enter_room({client.socket.id!r}, "red")
try:
    socketio.emit("asks", to="red", callback=print)
except RuntimeError as error:
    print(error)
"""
    command = [sys.executable, "-W", "error", "-c", code]
    run = outside(subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert "only a server can ask" in run.stdout
    assert events(client, 2) == [["from a task", "1.5"], ["to one"]]
    wait_until(lambda: "red" in client.socket.rooms, "it is moved")


def test_there_too_a_redis_that_is_away_is_an_error():
    code = """
from flask import Flask
from flask_socketio_py import SocketIO, ClusterError
socketio = SocketIO(Flask("task"), message_queue="redis://127.0.0.1:1")
try:
    socketio.emit("x")
except ClusterError as error:
    print("told")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "told\n", "")
