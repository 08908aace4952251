"""Owns deadlines: queues in pure time, one timer for all of them, and clients that a blocked hub must not kill."""

import gc
import itertools
import time
import weakref

import gevent
import pytest
from contract.recording import RecordingHandler
from contract.waiting import wait_until
from gevent import socket
from gevent.pywsgi import WSGIServer
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.heartbeat import DeadlineQueue, Timekeeper
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.server import EngineServer

FAR = 3600.0


def queue(delay=10.0):
    return DeadlineQueue(delay, lambda item: None)


def test_items_are_due_a_delay_after_they_were_added():
    deadlines = queue()
    assert deadlines.next_due() is None
    assert deadlines.add("a", 100.0) == 110.0
    assert deadlines.add("b", 101.0) == 111.0
    assert (deadlines.next_due(), len(deadlines)) == (110.0, 2)
    assert deadlines.take_due(109.999) == []
    assert deadlines.take_due(110.0) == ["a"]
    assert deadlines.take_due(110.0) == []
    assert deadlines.take_due(1000.0) == ["b"]
    assert (deadlines.next_due(), len(deadlines)) == (None, 0)


def test_an_item_is_there_once_and_added_again_is_due_later():
    deadlines = queue()
    for now in (0.0, 1.0, 2.0):
        deadlines.add("again", now)
        deadlines.add(now, now)
    assert len(deadlines) == 4
    assert deadlines.take_due(11.9) == [0.0, 1.0]
    assert deadlines.take_due(12.0) == ["again", 2.0]


def test_what_is_discarded_is_never_due():
    deadlines = queue()
    deadlines.add("a", 0.0)
    deadlines.discard("a")
    deadlines.discard("a")
    deadlines.discard("never there")
    assert (deadlines.take_due(100.0), deadlines.next_due()) == ([], None)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("aadt"), st.integers(0, 5), st.floats(0, 3))))
def test_a_queue_is_a_dict_of_deadlines(steps):
    deadlines, model, now = queue(5.0), {}, 0.0
    for action, item, passed in steps:
        now += passed
        if action == "a":
            model.pop(item, None)
            model[item] = deadlines.add(item, now)
        elif action == "d":
            model.pop(item, None)
            deadlines.discard(item)
        else:
            due = [name for name, at in model.items() if at <= now]
            assert deadlines.take_due(now) == due
            model = {name: at for name, at in model.items() if at > now}
        assert len(deadlines) == len(model)
        assert deadlines.next_due() == min(model.values(), default=None)


def test_a_hundred_thousand_items_cost_their_number_and_not_its_square():
    deadlines = queue()
    for item in range(100_000):
        deadlines.add(item, item / 1000)
    for item in range(0, 100_000, 2):
        deadlines.discard(item)
    taken = [deadlines.take_due(10 + now) for now in range(101)]
    assert list(itertools.chain(*taken)) == list(range(1, 100_000, 2))


# --- the timer -------------------------------------------------------------------------------------------------------


def test_each_deadline_comes_in_its_time_and_order():
    keeper, due = Timekeeper(), []
    late, soon = keeper.queue(0.06, due.append), keeper.queue(0.02, due.append)
    started = time.monotonic()
    keeper.add(late, "late")
    keeper.add(soon, "soon")
    keeper.add(keeper.queue(FAR, due.append), "never")
    wait_until(lambda: len(due) == 2)
    assert due == ["soon", "late"]
    assert time.monotonic() - started >= 0.06


def test_the_timer_survives_an_action_that_fails_and_one_that_adds(caplog):
    keeper, due = Timekeeper(), []

    def act(item):
        due.append(item)
        if item == 0:
            raise ValueError("an action that fails")
        if item < 4:
            keeper.add(queue, item + 1)

    queue = keeper.queue(0.01, act)
    keeper.add(queue, 0)
    keeper.add(queue, 1)
    wait_until(lambda: len(due) == 5)
    assert due == [0, 1, 2, 3, 4]
    assert [record.message for record in caplog.records] == ["a deadline's action failed"]


def test_an_item_discarded_by_another_that_is_due_with_it_does_no_harm():
    keeper, due = Timekeeper(), []
    queue = keeper.queue(0.01, lambda item: (due.append(item), queue.discard("b")))
    keeper.add(queue, "a")
    keeper.add(queue, "b")
    wait_until(lambda: "a" in due)
    gevent.sleep(0.05)
    assert due[0] == "a"
    assert len(queue) == 0


def test_thousands_of_deadlines_own_one_timer():
    def timers():
        return sum(type(item).__name__ == "timer" for item in gc.get_objects())

    keeper = Timekeeper()
    deadlines = keeper.queue(FAR, lambda item: None)
    keeper.add(deadlines, "first")
    gc.collect()
    before = timers()
    for item in range(5000):
        keeper.add(deadlines, item)
    assert timers() == before
    assert len(deadlines) == 5001


# --- clients ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def serve():
    """A function that serves Engine.IO with these options and returns server, handler and port."""
    servers = []

    def start(**options):
        engine = EngineServer(Options(cors_allowed_origins=[], **options), handler := RecordingHandler())
        server = WSGIServer(("127.0.0.1", 0), engine, log=None, error_log=None)
        server.start()
        servers.append((server, engine))
        return engine, handler, server.server_port

    yield start
    for server, engine in servers:
        engine.close()
        server.stop(timeout=1)


def open_websocket(port):
    """A client over TCP whose server has answered 101 and sent the open packet."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    received = b""
    while b"maxPayload" not in received:
        received += client.recv(4096)
    return client


PONG = b"\x81\x81\0\0\0\0" + b"3"


def test_a_client_that_answers_lives_and_one_that_does_not_ends(serve):
    engine, handler, port = serve(ping_interval=0.1, ping_timeout=1.2)
    with open_websocket(port) as silent, open_websocket(port) as lively:
        while not handler.reasons:
            assert lively.recv(100)[:2] == b"\x81\x01"
            lively.sendall(PONG)
        gevent.sleep(0.1)
        assert handler.reasons == [Reason.PING_TIMEOUT]
        assert len(engine.sessions) == 1
        assert silent.recv(100).startswith(b"\x81\x01")


def test_a_pong_that_lies_unread_while_the_hub_is_blocked_counts(serve):
    engine, handler, port = serve(ping_interval=0.1, ping_timeout=0.3)
    with open_websocket(port) as client:
        assert client.recv(100)[:2] == b"\x81\x01"
        client.sendall(PONG)
        time.sleep(1.2)  # a handler that computes: neither the pong nor the clock is looked at
        gevent.sleep(0.02)
        assert handler.reasons == []
        assert client.recv(100)[:2] == b"\x81\x01"
        assert len(engine.sessions) == 1


def test_a_paused_client_is_not_given_up(serve):
    engine, handler, port = serve(ping_interval=0.1, ping_timeout=0.1)
    with open_websocket(port) as client:
        [session] = engine.sessions.values()
        session.pause()
        assert client.recv(100)[:2] == b"\x81\x01"
        client.sendall(PONG)
        gevent.sleep(0.5)
        assert handler.reasons == []
        session.resume()
        assert client.recv(100)[:2] == b"\x81\x01"


def test_a_session_that_ends_leaves_no_deadline_behind(serve):
    engine, handler, port = serve()
    with open_websocket(port):
        [session] = engine.sessions.values()
        session.close()
    assert handler.reasons == [Reason.FORCED_CLOSE]
    ended = weakref.ref(session)
    del session
    handler.opened.clear()
    wait_until(lambda: gc.collect() is not None and ended() is None, "nothing refers to the session")
