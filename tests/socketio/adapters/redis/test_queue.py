"""Owns whom the queue dialect waits for, between servers of ours and strangers, and what it refuses to read.

A stranger is here what Flask-SocketIO is to us: one who listens to the channel, and answers with callbacks only.
"""

import json
import logging
import pickle

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import wait_until

from flask_socketio_py import BroadcastTimeoutError
from flask_socketio_py.socketio.adapters.redis import queue
from flask_socketio_py.socketio.adapters.redis.queue import QueueDialect
from flask_socketio_py.socketio.broadcast import BroadcastOperator

SID = "A_-456789012345678xy"


@pytest.fixture
def start(server, opened):
    """``start(**options)``: a server of the fleet."""

    def start(**options):
        made = serve(Application(("/",)), dialect=QueueDialect(server.url, **options), requests_timeout=60)
        made.of("/")
        made.cluster.start()
        dialect = made.cluster.dialect
        assert dialect.bus.subscriber.ready(10), "it listens"
        wait_until(lambda: dialect.status.state == "connected", "it is connected")
        return opened(made)

    return start


class Stranger:
    """Answers every question with ``values``."""

    def __init__(self, server, subscribe):
        self.server, self.values = server, []
        self.subscriber = subscribe(server, "flask-socketio")

    def asked(self):
        messages = [json.loads(data) for _, data in self.subscriber.heard]
        return [message for message in messages if message.get("callback")]

    def answer(self, *values):
        [message] = self.asked()
        room, namespace, request_id = message["callback"]
        for value in values:
            answer = {"method": "callback", "host_id": message["host_id"], "sid": room, "namespace": namespace}
            self.server.ask("PUBLISH", "flask-socketio", json.dumps({**answer, "id": request_id, "args": [value]}))


@pytest.fixture
def stranger(server, subscribe):
    return Stranger(server, subscribe)


def to(server, *rooms):
    return BroadcastOperator(server.of("/"), rooms)


def test_strangers_are_told_apart(start, server, subscribe):
    first = start()
    assert first.cluster.others("/") == 0
    second = start()
    assert first.cluster.others("/") == second.cluster.others("/") == 1
    subscribe(server, "flask-socketio")
    assert first.cluster.others("/") == second.cluster.others("/") == 2, "strangers are one more, however many"
    subscribe(server, "flask-socketio")
    assert first.cluster.others("/") == 2
    second.close()
    wait_until(lambda: first.cluster.others("/") == 1, "it has left")


def test_no_question_but_one_for_acknowledgements_waits_for_strangers(start, stranger):
    first, second = start(), start()
    peer = Peer(second)
    socket = peer.join()
    found = to(first).fetch_sockets()
    assert ([each.id for each in found], found.complete) == ([socket.id], True)
    assert to(first).count() == 1
    second.close()
    wait_until(lambda: first.cluster.others("/") == 1, "the stranger alone is left")
    answers = first.of("/").shared.server_side_emit(["x"], wait=True)
    assert (answers, answers.complete) == ([], True)


def test_a_client_of_a_stranger_answers(start, stranger):
    first = start()
    start()
    asking = gevent.spawn(to(first, SID).timeout(50).emit_with_ack, "question")
    wait_until(stranger.asked, "the stranger is asked")
    stranger.answer("yes")
    assert asking.get(timeout=20) == ["yes"]


def test_a_client_of_ours_is_not_waited_for_at_strangers(start, stranger):
    first, second = start(), start()
    peer = Peer(second)
    socket = peer.join()
    asking = gevent.spawn(to(first, socket.id).timeout(50).emit_with_ack, "question")
    [text] = wait_until(lambda: [text for text in peer.texts() if "question" in text], "the client is asked")
    peer.push(f'3{text[1:].split("[")[0]}["yes"]')
    assert asking.get(timeout=20) == ["yes"]


def test_strangers_never_say_how_many_they_asked(start, stranger):
    first = start()
    asking = gevent.spawn(to(first, "room").timeout(2).emit_with_ack, "question")
    wait_until(stranger.asked, "the stranger is asked")
    stranger.answer("one", "two")
    with pytest.raises(BroadcastTimeoutError) as error:
        asking.get(timeout=20)
    assert error.value.responses == ["one", "two"]
    assert error.value.silent_servers == 1


def test_a_callback_gets_all_arguments_of_each_answer(start, server, stranger):
    first = start()
    called = []
    to(first, SID).emit("question", callback=lambda *args: called.append(args))
    wait_until(stranger.asked, "the stranger is asked")
    stranger.answer("yes")
    wait_until(lambda: called == [("yes",)], "it is called")


def test_what_is_too_large_is_refused_on_both_sides(start, server, caplog):
    first = start(max_size=1000)
    peer = Peer(first)
    peer.join()
    with pytest.raises(ValueError, match="max_cluster_message_size is 1000"):
        to(first).emit("x", "y" * 1000)
    message = {"method": "emit", "event": "large", "data": ["y" * 1000], "namespace": "/"}
    server.ask("PUBLISH", "flask-socketio", json.dumps(message))
    server.ask("PUBLISH", "flask-socketio", json.dumps({**message, "event": "small", "data": []}))
    assert wait_until(peer.events, "an event") == [["small"]]
    [text] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "can't be read: it is larger than the option max_cluster_message_size" in text


def test_refused_messages_are_logged_without_a_flood_or_their_text(start, server, caplog):
    first = start()
    peer = Peer(first)
    peer.join()
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            server.ask("PUBLISH", "flask-socketio", pickle.dumps({"method": "emit", "secret": "S3CRET"}))
            server.ask("PUBLISH", "flask-socketio", b'{"method": "emit", "event": 5, "namespace": "/", "x": "S3CRET"}')
            server.ask(
                "PUBLISH", "flask-socketio", b'{"method": "emit", "event": "disconnect", "namespace": "/", "data": 1}'
            )
        server.ask("PUBLISH", "flask-socketio", b'{"method": "emit", "event": "end", "namespace": "/", "data": [1]}')
        assert wait_until(peer.events, "an event") == [["end", 1]]
    texts = [record.getMessage() for record in caplog.records]
    assert sum("pickled" in text for text in texts) == 1
    assert sum("event or namespace is no string" in text for text in texts) == 1
    assert "S3CRET" not in caplog.text
    assert "Traceback" not in caplog.text


def test_a_server_that_starts_anew_has_another_id(start):
    """As each of several forked workers does: with one id they would not hear each other."""
    first = start()
    dialect = first.cluster.dialect
    before = dialect._codec.host_id
    dialect.start(first.cluster.receive)
    assert dialect._codec.host_id != before


def test_a_late_answer_to_the_roll_call_counts(start, monkeypatch):
    first, second = start(), start()
    monkeypatch.setattr(queue, "ROLL_CALL", 0.0)
    first.cluster.others("/")
    wait_until(lambda: first.cluster.dialect._ours, "the other is known")
    assert first.cluster.dialect._strangers == 0
    assert second.cluster.others("/") in (0, 1)


def test_a_roll_call_that_is_given_up_leaves_nothing(start, stranger, monkeypatch):
    first = start()
    monkeypatch.setattr(queue, "ROLL_CALL", 60.0)
    asking = gevent.spawn(first.cluster.others, "/")
    wait_until(lambda: first.cluster.dialect._rolls, "the roll is called")
    asking.kill()
    assert first.cluster.dialect._rolls == []


def test_there_are_no_more_servers_than_listeners(start, server, stranger):
    first = start()
    first.cluster.others("/")
    for number in range(50):
        message = {"method": "flask_socketio_py", "kind": "here", "namespace": "/", "host_id": f"invented {number}"}
        server.ask("PUBLISH", "flask-socketio", json.dumps({**message, "rooms": [], "except": []}))
    peer = Peer(first)
    peer.join()
    message = {"method": "emit", "event": "end", "data": [], "namespace": "/"}
    server.ask("PUBLISH", "flask-socketio", json.dumps(message))
    assert wait_until(peer.events, "an event") == [["end"]]
    assert len(first.cluster.dialect._ours) == 1


def test_the_hub_itself_can_close(start, stranger):
    """What blocks a greenlet must not be done there."""
    first, closed = start(), []
    to(first).emit("waits to be sent")
    gevent.get_hub().loop.run_callback(lambda: closed.append(first.cluster.close()))
    wait_until(lambda: closed, "it is closed")
    to(first).emit("nobody hears it, and nobody minds")


@pytest.mark.parametrize("timeout", ["1" + "0" * 400, "1e400", "1e300", "-1", "0", "true", '"1"', "[]"])
def test_a_time_that_is_none(start, server, caplog, timeout):
    first = start()
    peer = Peer(first)
    peer.join()
    message = {"method": "emit", "event": "asked", "data": [1], "namespace": "/", "callback": ["a", "/", "1"]}
    text = json.dumps({**message, "host_id": "x", "counts": True})[:-1] + f', "timeout": {timeout}}}'
    server.ask("PUBLISH", "flask-socketio", text)
    server.ask("PUBLISH", "flask-socketio", json.dumps({**message, "callback": None, "event": "end"}))
    assert wait_until(peer.events, "an event") == [["end", 1]]
    assert "Traceback" not in caplog.text
