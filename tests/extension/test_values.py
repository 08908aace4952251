"""Values on their way: arguments of events, answers, what expands and what stays one argument, binary."""

import gevent
import pytest

from extension.wire import Wire, wait_for
from flask_socketio_py import emit, send

# What a handler returns, and the arguments of the acknowledgement.
ANSWERS = [
    (None, "[]"),
    ("one", '["one"]'),
    (0, "[0]"),
    (False, "[false]"),
    ("", '[""]'),
    ([], "[[]]"),
    ([1, 2], "[[1,2]]"),
    ({"a": 1}, '[{"a":1}]'),
    ((), "[]"),
    ((1,), "[1]"),
    ((1, "two", [3]), '[1,"two",[3]]'),
    ((None,), "[null]"),
    (([1, 2],), "[[1,2]]"),
]
# What an emit is given, and the packet after the event's name.
EMITTED = [
    ((), ""),
    ((None,), ""),
    ((0,), ",0"),
    ((False,), ",false"),
    (("text",), ',"text"'),
    (([1, 2],), ",[1,2]"),
    (({"a": None},), ',{"a":null}'),
    (((1, 2),), ",1,2"),
    (((),), ""),
    (((1,),), ",1"),
    ((((1, 2), 3),), ",[1,2],3"),
    (((None, 1),), ",null,1"),
]


@pytest.fixture
def wire(app, socketio):
    wire = Wire(app)
    wire.join()
    wire.received.clear()
    yield wire
    wire.vanish()


@pytest.mark.parametrize(("value", "expected"), ANSWERS, ids=repr)
def test_acknowledgement(socketio, wire, value, expected):
    socketio.on("ask")(lambda: value)
    wire.push('27["ask"]')
    wire.wait("37" + expected)
    assert wire.received == ["37" + expected]


def test_no_acknowledgement_is_sent_where_none_was_asked_for(socketio, wire):
    socketio.on("ask")(lambda: "answer")
    wire.push('2["ask"]', '21["ask"]')
    wire.wait('31["answer"]')
    assert wire.received == ['31["answer"]']


@pytest.mark.parametrize(("args", "expected"), EMITTED, ids=repr)
def test_arguments_of_an_emit(socketio, wire, args, expected):
    socketio.on("ask")(lambda: emit("x", *args))
    wire.push('2["ask"]')
    wire.wait(f'2["x"{expected}]')
    wire.received.clear()
    socketio.emit("x", *args)
    assert wire.received == [f'2["x"{expected}]']


def test_several_arguments_need_no_tuple(socketio, wire):
    socketio.emit("x", 1, [2], None)
    assert wire.received == ['2["x",1,[2],null]']


def test_send_expands_like_emit(socketio, wire):
    socketio.on("ask")(lambda: send((1, 2)))
    socketio.send([1, 2])
    wire.push('2["ask"]')
    wire.wait('2["message",1,2]')
    assert wire.received == ['2["message",[1,2]]', '2["message",1,2]']


@pytest.mark.parametrize("args", [[], [None], [1, "two", [3], {"four": 4.5}], [True, False], ["ü😀\ud800"], [[[[]]]]])
def test_arguments_reach_the_handler_as_they_were_sent(socketio, connect, args):
    seen = []
    socketio.on("x")(lambda *given: seen.append(list(given)))
    connect().emit("x", *args)
    assert seen == [args]


BINARY = [
    ([b"\x00\xff"], b"1"),
    ([b""], b""),
    (["text", b"1", {"deep": [b"2", {"er": b"3"}]}, 4], {"a": [b"x", b"y"]}),
    ([b"1", b"2"], (b"3", "text", [b"4"])),
]


@pytest.mark.parametrize(("args", "answer"), BINARY, ids=repr)
def test_binary_both_ways(socketio, connect, args, answer):
    seen = []

    @socketio.on("x")
    def handle(*given):
        seen.append(list(given))
        emit("back", answer)
        return answer

    client = connect()
    expected = list(answer) if isinstance(answer, tuple) else answer
    assert client.emit("x", *args, callback=True) == expected
    assert seen == [args]
    assert all(type(item) is bytes for item in seen[0] if isinstance(item, bytes))
    assert client.get_received()[0]["args"] == (list(answer) if isinstance(answer, tuple) else [answer])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_everything_like_bytes_can_be_sent(socketio, connect, kind):
    client = connect()
    socketio.emit("x", {"data": kind(b"\x01\x02")})
    assert client.get_received()[0]["args"] == [{"data": b"\x01\x02"}]


def test_data_given_to_emit_is_not_changed(socketio, connect):
    client = connect()
    data = {"a": [b"x", {"b": b"y"}], "c": (1, b"z")}
    socketio.emit("x", data)
    assert data == {"a": [b"x", {"b": b"y"}], "c": (1, b"z")}
    assert client.get_received()[0]["args"] == [{"a": [b"x", {"b": b"y"}], "c": [1, b"z"]}]


@pytest.mark.parametrize(
    "event", ["connect", "disconnect", "connect_error", "disconnecting", "newListener", "removeListener"]
)
def test_a_reserved_name_cannot_be_emitted(socketio, connect, event):
    client = connect()
    with pytest.raises(ValueError, match=f"'{event}' is a reserved event name"):
        socketio.emit(event, 1)
    assert client.get_received() == []


@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_a_reserved_name_from_a_client_reaches_no_handler(socketio, wire, event):
    called = []
    socketio.on(event)(lambda *args: called.append(args))
    wire.push(f'2["{event}",{{"forged":true}}]')
    wait_for(lambda: not wire.is_open, "the client is closed")
    gevent.sleep(0.01)
    assert called == ([] if event == "connect" else [("forced close",)])


@pytest.mark.parametrize("event", [None, 1, b"x", ["x"]])
def test_the_name_of_an_event_is_a_string(socketio, connect, event):
    with pytest.raises(TypeError, match="name of an event must be a string"):
        socketio.emit(event, 1)
    with pytest.raises(TypeError, match="name of an event must be a string"):
        socketio.on(event)(lambda: None)


def test_a_data_structure_that_holds_itself_is_an_error_at_the_call(socketio, connect):
    client = connect()
    data = []
    data.append(data)
    with pytest.raises((TypeError, ValueError)):
        socketio.emit("x", data)
    assert client.get_received() == []
