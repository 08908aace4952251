"""Owns one connection on the hub: order through partial writes, back-pressure; over TCP and TLS."""

import pytest
from contract.waiting import turn, wait_until
from gevent import socket

from flask_socketio_py.websocket.frames import encode_frame

from .client_frames import masked
from .peer import BINARY, CLOSE, PING, PONG, TEXT, closing, fill


def test_messages_both_ways(sockets):
    connection, told, peer = sockets.connect()
    expected = []
    for size in (0, 1, 125, 126, 65535, 65536, 300_000):
        peer.text("a" * size, "é")
        peer.send(masked(BINARY, b"\0" * size))
        expected += ["a" * size, "é", b"\0" * size]
        wait_until(lambda last=expected[-1]: told.messages[-1:] == [last])
        assert told.messages == expected
        connection.send(encode_frame(b"b" * size) + encode_frame(b"c" * size, BINARY))
        assert [peer.frame(), peer.frame()] == [(TEXT, b"b" * size), (BINARY, b"c" * size)]
        wait_until(lambda: connection.writable)
    assert told.ends == []


def test_nothing_is_read_before_the_start_and_what_was_read_already_comes_first(sockets):
    connection, told, peer = sockets.connect(start=False)
    peer.text("third")
    turn()
    assert told.messages == []
    leftover = masked(TEXT, b"first") + masked(TEXT, b"second")
    peer.text("fourth")
    connection.start(leftover)
    wait_until(lambda: len(told.messages) == 4)
    assert told.messages == ["first", "second", "third", "fourth"]


def test_a_message_begun_in_the_leftover_ends_on_the_socket(sockets):
    connection, told, peer = sockets.connect(start=False)
    whole = masked(TEXT, b"x" * 1000)
    connection.start(whole[:500])
    peer.send(whole[500:], masked(TEXT, b"next"))
    wait_until(lambda: len(told.messages) == 2)
    assert told.messages == ["x" * 1000, "next"]


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_partial_write_keeps_its_rest_in_front(sockets):
    connection, told, peer = sockets.connect(small=True)
    taken = fill(connection)
    assert not connection.writable
    assert connection.send(encode_frame(b"refused")) is False
    waiting = [encode_frame(b"%06d" % number + b"y" * 50_000) for number in range(taken, taken + 20)]

    def drain():
        while waiting and connection.send(waiting[0]):
            waiting.pop(0)

    told.react_to_drain = drain
    for number in range(taken + 20):
        opcode, payload = peer.frame()
        assert (opcode, payload[:6]) == (TEXT, b"%06d" % number)
        assert set(payload[6:]) == set(b"x" if number < taken else b"y")
    wait_until(lambda: connection.writable)
    assert told.drains >= 1
    assert connection.send(encode_frame(b"after"))
    assert peer.frame() == (TEXT, b"after")


def test_a_peer_that_does_not_read_holds_up_nobody(sockets):
    connection, _, _ = sockets.connect()
    other, told, peer = sockets.connect()
    fill(connection)
    for number in range(5):
        peer.text(f"{number}")
        wait_until(lambda number=number: told.messages[-1:] == [f"{number}"])
        other.send(encode_frame(b"answer"))
        assert peer.frame() == (TEXT, b"answer")
        assert connection.send(encode_frame(b"x")) is False


def test_a_pong_waits_behind_the_rest_and_splits_no_frame(sockets):
    connection, told, peer = sockets.connect(small=True)
    taken = fill(connection)
    peer.send(masked(PING, b"1"), masked(TEXT, b"message"), masked(PING, b"2"))
    wait_until(lambda: told.messages == ["message"])
    frames = [peer.frame() for _ in range(taken + 2)]
    assert [payload[:6] for _, payload in frames[:taken]] == [b"%06d" % number for number in range(taken)]
    assert frames[taken:] == [(PONG, b"1"), (PONG, b"2")]


def test_a_ping_is_answered(sockets):
    _, told, peer = sockets.connect()
    peer.send(masked(PING, b"?"), masked(PONG), masked(PING, b"x" * 125))
    assert [peer.frame(), peer.frame()] == [(PONG, b"?"), (PONG, b"x" * 125)]
    assert told.messages == []


def test_pings_of_a_peer_that_reads_nothing_do_not_pile_up(pairs):
    connection, told, peer = pairs.connect(small=True)
    peer.sock.settimeout(0.5)
    flood = masked(PING, b"x" * 125) * 1000
    try:
        for _ in range(100):
            peer.send(flood)
    except OSError:
        pass  # read no more, or closed: either protects the server
    waiting = 0 if connection._remainder is None else len(connection._remainder)
    assert waiting < 1_000_000
    assert len(told.ends) <= 1


# --- back-pressure ---------------------------------------------------------------------------------------------------


def test_a_pause_holds_the_rest_of_the_segment(sockets):
    connection, told, peer = sockets.connect()
    told.react = lambda message: connection.pause()
    peer.text("1", "2", "3")
    for number in range(1, 4):
        wait_until(lambda number=number: len(told.messages) == number)
        turn(5)
        assert len(told.messages) == number
        if number == 2:
            peer.text("4", "5")
        connection.resume()
    told.react = lambda message: None
    wait_until(lambda: len(told.messages) == 5)
    assert told.messages == ["1", "2", "3", "4", "5"]


def test_a_paused_connection_stops_its_peer(sockets):
    connection, told, peer = sockets.connect(max_payload=10_000_000)
    connection.pause()
    peer.sock.settimeout(0.3)
    with pytest.raises(OSError, match="timed out"):
        peer.send(masked(TEXT, b"x" * 100_000) * 200)
    turn()
    assert told.messages == []


def test_a_pause_in_the_leftover_holds_what_is_on_the_socket(sockets):
    connection, told, peer = sockets.connect(start=False)
    told.react = lambda message: connection.pause()
    peer.text("4")
    connection.start(masked(TEXT, b"1") + masked(TEXT, b"2") + masked(TEXT, b"3"))
    for number in range(1, 5):
        wait_until(lambda number=number: len(told.messages) >= number)
        turn(5)
        assert told.messages == ["1", "2", "3", "4"][:number]
        connection.resume()


def test_pause_and_resume_can_be_repeated_and_undo_each_other(sockets):
    connection, told, peer = sockets.connect()
    for _ in range(3):
        connection.pause()
        connection.pause()
        connection.resume()
        connection.resume()
    connection.pause()
    connection.resume()
    connection.pause()
    peer.text("held")
    turn(5)
    assert told.messages == []
    connection.resume()
    wait_until(lambda: told.messages == ["held"])


def test_a_paused_connection_still_writes(sockets):
    connection, told, peer = sockets.connect(small=True)
    connection.pause()
    taken = fill(connection)
    assert [peer.frame()[1][:6] for _ in range(taken)] == [b"%06d" % number for number in range(taken)]
    wait_until(lambda: told.drains)


@pytest.mark.parametrize("end", [masked(CLOSE, closing(1001)), None], ids=["close frame", "end of stream"])
def test_what_was_held_is_delivered_before_the_end(sockets, end):
    connection, told, peer = sockets.connect()
    told.react = lambda message: connection.pause()
    peer.send(masked(TEXT, b"1"), masked(TEXT, b"2"), masked(TEXT, b"3"), end or b"")
    wait_until(lambda: told.messages == ["1"])
    if end is None:
        peer.sock.shutdown(socket.SHUT_WR)
    for number in range(2, 4):
        assert told.ends == []
        connection.resume()
        wait_until(lambda number=number: len(told.messages) == number)
    connection.resume()
    wait_until(lambda: told.ends)
    assert told.messages == ["1", "2", "3"]
    assert told.ends[0][0] == (None if end is None else 1001)
