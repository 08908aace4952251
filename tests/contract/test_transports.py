"""Owns what every transport must do, whatever carries it: order, adjacency, back-pressure, one end with one reason."""

import gevent
import pytest

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import State

from .carriers import CARRIERS, InProcess, Polling, Recording, WebSocket
from .waiting import turn, wait_until


@pytest.fixture(params=CARRIERS, ids=lambda kind: kind.__name__)
def carrier(request):
    carrier = request.param()
    yield carrier
    carrier.stop()


#: The test client waits for handlers by itself: its transport reads no less when told to pause.
with_back_pressure = pytest.mark.parametrize(
    "carrier", [kind for kind in CARRIERS if kind is not InProcess], ids=lambda kind: kind.__name__, indirect=True
)


def text(data):
    return PreparedMessage(b"4" + data.encode())


def received(carrier, expected):
    """Wait for the messages, and see that it is these and in this order."""
    wait_until(lambda: len(carrier.messages) >= len(expected), f"{len(expected)} messages")
    assert carrier.messages == expected


SIZES = [0, 1, 125, 126, 65535, 65536, 100_000]


def test_messages_arrive_in_order_and_whole(carrier):
    sent = []
    for number, size in enumerate(SIZES * 2):
        carrier.session.send(text(f"{number}:{'é' * size}"))
        sent.append(f"{number}:{'é' * size}")
        if number % 3 == 0:
            turn()
    received(carrier, sent)


def test_attachments_follow_their_message_whoever_sends_meanwhile(carrier):
    def send(name):
        for number in range(10):
            carrier.session.send(PreparedMessage(f"452-{name}{number}".encode(), (name.encode(), b"\0" * 70_000)))
            carrier.session.send(text(f"2{name}{number}"))
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(send, name) for name in "abc"], raise_error=True)
    wait_until(lambda: len(carrier.messages) == 120)
    messages = carrier.messages
    for index, message in enumerate(messages):
        if isinstance(message, str) and message.startswith("52-"):
            assert messages[index + 1 : index + 3] == [message[3].encode(), b"\0" * 70_000]
    for name in "abc":
        own = [message for message in messages if isinstance(message, str) and message.startswith(f"52-{name}")]
        assert own == [f"52-{name}{number}" for number in range(10)]


def test_what_the_client_sends_arrives_in_order(carrier):
    expected = []
    for number, size in enumerate(SIZES):
        carrier.send(f"4{number}" + "é" * size, bytes([number]) * size, "4", f"4{number}")
        expected += [f"{number}" + "é" * size, bytes([number]) * size, "", f"{number}"]
        size = len(expected)
        wait_until(lambda size=size: len(carrier.handler.messages) == size, "what was sent so far")
    assert carrier.handler.messages == expected


def test_an_answer_is_sent_from_within_a_handler(carrier):
    carrier.handler.react = lambda session, data: session.send(text(f"re: {data}"))
    carrier.send("4a", "4b")
    carrier.send("4c")
    received(carrier, ["re: a", "re: b", "re: c"])


@with_back_pressure
def test_a_paused_client_is_not_read_and_nothing_is_lost(carrier):
    carrier.session.pause()
    carrier.send("4a", b"b", "4c")
    turn(5)
    assert carrier.handler.messages == []
    carrier.session.send(text("meanwhile"))
    received(carrier, ["meanwhile"])
    carrier.session.resume()
    if isinstance(carrier, Recording):
        carrier.pump()
    wait_until(lambda: len(carrier.handler.messages) == 3)
    carrier.send("4d")
    wait_until(lambda: len(carrier.handler.messages) == 4)
    assert carrier.handler.messages == ["a", b"b", "c", "d"]


@with_back_pressure
def test_pausing_in_a_handler_holds_the_very_next_message(carrier):
    carrier.handler.react = lambda session, data: session.pause()
    carrier.send("4a", "4b", b"c", "4d")
    turn(5)
    for number in range(1, 5):
        wait_until(lambda number=number: len(carrier.handler.messages) == number)
        turn(5)
        assert len(carrier.handler.messages) == number
        carrier.session.resume()
        if isinstance(carrier, Recording):
            carrier.pump()
    assert carrier.handler.messages == ["a", "b", b"c", "d"]


@pytest.mark.parametrize(
    ("packet", "reason"),
    [("1", Reason.TRANSPORT_CLOSE), ("2", Reason.TRANSPORT_ERROR), ("x", Reason.PARSE_ERROR)],
)
def test_a_packet_that_ends_the_session(carrier, packet, reason):
    carrier.send("4before", packet, "4after")
    wait_until(lambda: carrier.handler.reasons)
    turn(5)
    assert carrier.handler.reasons == [reason]
    assert carrier.handler.messages == ["before"]
    assert carrier.engine.sessions == {}


def test_a_client_that_leaves(carrier):
    carrier.leave()
    wait_until(lambda: carrier.handler.reasons)
    assert carrier.handler.reasons == [Reason.TRANSPORT_CLOSE]
    assert carrier.engine.sessions == {}


def test_a_close_is_told_once_after_what_was_sent(carrier):
    sent = [str(number) for number in range(5)]
    for data in sent:
        carrier.session.send(text(data))
    carrier.session.close(Reason.FORCED_CLOSE)
    carrier.session.send(text("too late"))
    carrier.session.close(Reason.SERVER_SHUTTING_DOWN)
    received(carrier, sent)
    wait_until(lambda: carrier.session.state is State.CLOSED, "the session is closed")
    if carrier.tells_the_end:
        wait_until(lambda: carrier.messages == sent and carrier.ended, "the client knows")
    assert carrier.messages == sent
    assert carrier.handler.reasons == [Reason.FORCED_CLOSE]
    assert carrier.handler.messages == []
    assert carrier.engine.sessions == {}


def test_a_close_within_a_handler_ends_the_reading(carrier):
    carrier.handler.react = lambda session, data: session.close()
    carrier.send("4a", "4b", b"c")
    wait_until(lambda: carrier.handler.reasons)
    turn(5)
    assert carrier.handler.messages == ["a"]
    assert carrier.handler.reasons == [Reason.FORCED_CLOSE]


def test_a_close_that_discards_is_over_at_once(carrier):
    carrier.session.close(Reason.OUTBOX_FULL, discard=True)
    assert carrier.session.state is State.CLOSED
    carrier.session.send(text("too late"))
    turn(5)
    assert carrier.messages == []
    assert carrier.handler.reasons == [Reason.OUTBOX_FULL]
    assert carrier.engine.sessions == {}


@pytest.mark.parametrize("kind", [Polling, WebSocket])
def test_a_client_that_does_not_read_is_cut_off_with_its_reason(kind):
    carrier = kind(max_outbox_size=1_000_000)
    (carrier.poller if kind is Polling else carrier.reader).kill()
    other = kind()
    sent = 0
    while not carrier.handler.reasons:
        assert sent < 50_000_000, "the outbox has no bound"
        carrier.session.send(PreparedMessage(b"4" + b"x" * 100_000))
        sent += 100_000
        waiting = carrier.session.outbox_size
        assert waiting <= 1_100_002
        turn(1)
    assert carrier.handler.reasons == [Reason.OUTBOX_FULL]
    assert carrier.engine.sessions == {}
    other.send("4served meanwhile")
    wait_until(lambda: other.handler.messages == ["served meanwhile"])
    for ended in (carrier, other):
        ended.stop()


def test_volatile_messages_to_a_slow_websocket_are_dropped_and_nothing_else():
    carrier = WebSocket(max_outbox_size=100_000_000)
    carrier.reader.kill()
    for _ in range(60):
        carrier.session.send(PreparedMessage(b"4" + b"x" * 100_000))
    assert carrier.session.outbox
    for _ in range(5):
        carrier.session.send(text("volatile"), volatile=True)
    carrier.session.send(text("last"))
    carrier.reader = gevent.spawn(carrier._read)
    wait_until(lambda: "last" in carrier.messages)
    assert len(carrier.messages) == 61
    carrier.session.send(text("volatile"), volatile=True)
    wait_until(lambda: carrier.messages[-1] == "volatile")
    carrier.stop()
