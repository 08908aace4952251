"""Owns what is written at the end of the hub's turn: together, in order, at once where it may not wait."""

import threading

import gevent
import pytest
from contract.waiting import turn, wait_until

from flask_socketio_py.websocket.connection import MAX_PENDING
from flask_socketio_py.websocket.frames import CloseCode, encode_frame
from flask_socketio_py.websocket.turn import BATCH, turn_of

from .client_frames import masked
from .peer import CLOSE, PING, PONG, TEXT, closing, fill


def received(peer):
    """What has arrived by now."""
    peer.sock.setblocking(False)
    try:
        return peer.sock.recv(1 << 20)
    except BlockingIOError:
        return b""
    finally:
        peer.sock.setblocking(True)


def test_what_is_sent_in_one_turn_leaves_together(pairs):
    connection, _, peer = pairs.connect()
    frames = [encode_frame(b"%d" % number) for number in range(5)]
    for frame in frames:
        assert connection.send(frame)
    assert received(peer) == b"", "the turn has not ended"
    turn()
    assert received(peer) == b"".join(frames)
    connection.send(frames[0])
    turn()
    assert received(peer) == frames[0], "the next turn is another one"


def test_a_sender_that_never_waits_fills_no_memory(pairs):
    """More than a turn may hold is written before; what the kernel does not take is refused, as ever."""
    connection, _, peer = pairs.connect()
    sent = 0
    frame = encode_frame(b"x" * 1000)
    while connection.send(frame):
        sent += 1
        assert len(connection._pending or b"") <= MAX_PENDING
        assert sent < 100_000, "the kernel takes everything"
    assert sent * len(frame) > MAX_PENDING
    for _ in range(sent):
        assert peer.frame() == (TEXT, b"x" * 1000)


def test_a_large_frame_is_not_copied(pairs):
    connection, _, peer = pairs.connect()
    large = encode_frame(b"x" * MAX_PENDING)
    assert connection.send(encode_frame(b"first"))
    assert connection.send(large)
    assert connection._pending is large
    assert connection.send(encode_frame(b"last"))
    assert [peer.frame()[1][:5] for _ in range(3)] == [b"first", b"xxxxx", b"last"]


def test_order_through_a_full_kernel(sockets):
    connection, told, peer = sockets.connect(small=True)
    taken = fill(connection)
    told.react_to_drain = lambda: connection.send(encode_frame(b"the end"))
    for number in range(taken):
        assert peer.frame()[1][:6] == b"%06d" % number
    assert peer.frame() == (TEXT, b"the end")


ENDS = {
    "close": [(CLOSE, closing(CloseCode.NORMAL))],
    "abort": [],
    "the peer's close frame": [(CLOSE, closing(CloseCode.NORMAL))],
    "a violation": [(CLOSE, closing(CloseCode.PROTOCOL_ERROR, b"reserved bits are set"))],
}


@pytest.mark.parametrize("end", ENDS)
def test_what_was_sent_before_the_end_is_received(pairs, end):
    connection, told, peer = pairs.connect()
    if end in ("close", "abort"):
        connection.send(encode_frame(b"last words"))
        getattr(connection, end)()
    else:
        told.react = lambda message: connection.send(encode_frame(b"last words"))
        peer.text("speak")
        wait_until(lambda: told.messages)
        peer.send(masked(CLOSE, closing(CloseCode.NORMAL)) if "peer" in end else b"\xf1\x80\0\0\0\0")
        wait_until(lambda: told.ends)
    assert [peer.frame() for _ in range(1 + len(ENDS[end]))] == [(TEXT, b"last words"), *ENDS[end]]


def test_what_a_closing_message_leads_to_is_received_before_the_close(pairs):
    """The peer's last message and its close frame arrive in one piece."""
    connection, told, peer = pairs.connect()
    told.react = lambda message: connection.send(encode_frame(b"last words"))
    peer.send(masked(TEXT, b"speak"), masked(PING, b""), masked(CLOSE, closing(CloseCode.NORMAL)))
    assert sorted(peer.frames()) == sorted([(TEXT, b"last words"), (PONG, b""), (CLOSE, closing(CloseCode.NORMAL))])


def test_a_peer_that_has_gone_costs_the_others_nothing(pairs):
    some = [pairs.connect() for _ in range(3)]
    some[1][2].close()
    for connection, _, _ in some:
        connection.send(encode_frame(b"hello"))
    turn()
    assert received(some[0][2]) == received(some[2][2]) == encode_frame(b"hello")
    wait_until(lambda: some[1][1].ends)


class Remembered:
    """Writes to a list."""

    def __init__(self, written, number):
        self.written, self.number = written, number

    def write_pending(self):
        self.written.append(self.number)


def test_many_writers_let_the_hub_have_its_turns():
    written, seen = [], []
    mine = turn_of(gevent.get_hub())
    for number in range(3 * BATCH + 1):
        mine.add(Remembered(written, number))
    gevent.get_hub().loop.run_callback(lambda: seen.append(len(written)))
    wait_until(lambda: len(written) == 3 * BATCH + 1)
    assert written == list(range(3 * BATCH + 1))
    assert seen == [BATCH], "others came in between"


def test_a_writer_that_is_added_meanwhile_is_not_forgotten():
    written = []
    mine = turn_of(gevent.get_hub())

    class Adds(Remembered):
        def write_pending(self):
            super().write_pending()
            mine.add(Remembered(self.written, "later"))

    mine.add(Adds(written, "first"))
    wait_until(lambda: written == ["first", "later"])


def test_each_hub_has_its_own_turn():
    turns = [turn_of(gevent.get_hub())]

    def elsewhere():
        hub = gevent.get_hub()
        turns.append(turn_of(hub))
        hub.destroy()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert turns[0] is turn_of(gevent.get_hub())
    assert turns[1] is not turns[0]
