"""``call``: ask one client and wait, from handlers, callbacks, tasks and other threads; what ends the waiting."""

import builtins

import gevent
import pytest
from flask import request

from extension.wire import Wire, wait_for
from flask_socketio_py import DisconnectedError, SocketIO, SocketIOError, TimeoutError, call

ANSWERS = [
    (None, None),
    ("one", "one"),
    ((1, 2), (1, 2)),
    ([1, 2], [1, 2]),
    ((), None),
    (b"x", b"x"),
    ({"a": 1}, {"a": 1}),
]


@pytest.mark.parametrize(("given", "returned"), ANSWERS, ids=repr)
def test_from_outside(socketio, connect, given, returned):
    socketio.on("sid")(lambda: request.sid)
    client = connect()
    client.answer("question", lambda: given)
    assert socketio.call("question", to=client.emit("sid", callback=True), timeout=20) == returned


def test_arguments(socketio, connect):
    socketio.on("sid")(lambda: request.sid)
    client = connect()
    seen = []
    client.answer("question", lambda *args: seen.append(args))
    sid = client.emit("sid", callback=True)
    for args in [(), (None,), (1, "two"), ((3, 4),), ([5],)]:
        socketio.call("question", *args, room=sid, timeout=20)
    assert seen == [(), (), (1, "two"), (3, 4), ([5],)]


def test_in_a_handler_it_asks_the_client_whose_event_is_handled(socketio, connect):
    @socketio.on("start", namespace="/n")
    def start():
        return [call("question", 1, timeout=20), request.namespace]

    clients = [connect("/n") for _ in range(2)]
    for number, client in enumerate(clients):
        client.answer("question", lambda given, number=number: [number, given])
    for number, client in enumerate(clients):
        assert client.emit("start", callback=True, namespace="/n") == [[number, 1], "/n"]


def test_in_a_handler_it_may_ask_another(socketio, connect):
    socketio.on("sid")(lambda: request.sid)
    socketio.on("ask")(lambda sid: call("question", to=sid, timeout=20))
    client, other = connect(), connect()
    other.answer("question", lambda: "from the other")
    assert client.emit("ask", other.emit("sid", callback=True), callback=True) == "from the other"


def test_two_calls_of_one_handler_and_calls_at_once(socketio, connect):
    @socketio.on("start")
    def start():
        tasks = [gevent.spawn(socketio.call, "double", number, to=request.sid, timeout=20) for number in range(5)]
        return [call("double", 10, timeout=20), call("double", 20, timeout=20), *[task.get() for task in tasks]]

    client = connect()
    client.answer("double", lambda number: number * 2)
    assert client.emit("start", callback=True) == [20, 40, 0, 2, 4, 6, 8]


def test_inside_a_handler_when_one_runs_after_another(app):
    socketio = SocketIO(app, async_handlers=False)
    socketio.on("start")(lambda: call("question", timeout=20))
    client = socketio.test_client(app)
    client.answer("question", lambda: "settled in the reader")
    assert client.emit("start", callback=True) == "settled in the reader"
    client.close()


def test_in_the_connect_handler_of_a_client_that_may_answer_before_connect_is_not_possible(app, socketio):
    """What is asked before CONNECT is held back until CONNECT: the call can only time out, and harms nobody."""
    ended = []

    @socketio.on("connect")
    def ask():
        try:
            call("question", timeout=0.01)
        except TimeoutError as error:
            ended.append(type(error))

    wire = Wire(app)
    wire.join()
    assert ended == [TimeoutError]
    assert wire.is_open
    wire.vanish()


def test_timeout(socketio, connect):
    socketio.on("sid")(lambda: request.sid)
    client = connect()
    sid = client.emit("sid", callback=True)
    with pytest.raises(TimeoutError, match=r"no acknowledgement within 0\.01 s"):
        socketio.call("question", to=sid, timeout=0.01)
    assert issubclass(TimeoutError, builtins.TimeoutError)
    assert issubclass(TimeoutError, SocketIOError)
    assert client.get_received() == [{"name": "question", "args": [], "namespace": "/"}]


def test_a_timeout_in_a_handler_is_the_handlers_error(socketio, connect):
    @socketio.on("start")
    def start():
        return call("question", timeout=0.01)

    socketio.on_error_default(lambda error: type(error).__name__)
    assert connect().emit("start", callback=True) == "TimeoutError"


def test_a_late_answer_is_ignored(app, socketio):
    socketio.on("ask")(lambda: "fine")
    wire = Wire(app)
    sid = wire.join()
    with pytest.raises(TimeoutError):
        socketio.call("question", to=sid, timeout=0.01)
    ack_id = str(wire.received[-1])[1:].partition("[")[0]
    wire.push(f"3{ack_id}[1]", '27["ask"]')
    wire.wait('37["fine"]')
    wire.vanish()


@pytest.mark.parametrize("how", ["vanish", "leave"])
def test_a_client_that_goes_ends_the_waiting_at_once(app, socketio, how):
    wire = Wire(app)
    sid = wire.join()
    waiting = gevent.spawn(socketio.call, "question", to=sid, timeout=3600)
    wait_for(lambda: len(wire.received) == 2, "the question arrives")
    if how == "leave":
        wire.push("1")
    else:
        wire.vanish()
    with pytest.raises(DisconnectedError, match="disconnected before it acknowledged"):
        waiting.get(timeout=20)
    wire.vanish()


def test_an_unknown_client_is_an_error_at_once(socketio, connect):
    client = connect()
    with pytest.raises(DisconnectedError, match="no client 'nobody' is connected"):
        socketio.call("question", to="nobody", timeout=3600)
    with pytest.raises(DisconnectedError, match="is connected"):
        socketio.call("question", to=client.eio_sid, timeout=3600)
    with pytest.raises(DisconnectedError):
        socketio.call("question", to="nobody", namespace="/unknown", timeout=3600)
    assert issubclass(DisconnectedError, TimeoutError), "who catches Flask-SocketIO's error catches this one"


def test_it_asks_exactly_one_client(socketio):
    with pytest.raises(ValueError, match="call\\(\\) needs to=<sid>"):
        socketio.call("question")


def test_from_a_real_thread(socketio, connect):
    socketio.on("sid")(lambda: request.sid)
    client = connect()
    client.answer("question", lambda number: number + 1)
    sid = client.emit("sid", callback=True)

    def ask():
        return [socketio.call("question", number, to=sid, timeout=20) for number in range(3)]

    assert gevent.get_hub().threadpool.spawn(ask).get(timeout=20) == [1, 2, 3]


def test_a_thread_is_told_too_when_its_client_goes(app, socketio):
    wire = Wire(app)
    sid = wire.join()
    result = gevent.get_hub().threadpool.spawn(socketio.call, "question", to=sid, timeout=60)
    wait_for(lambda: len(wire.received) == 2, "the question arrives")
    wire.vanish()
    with pytest.raises(DisconnectedError):
        result.get(timeout=20)
