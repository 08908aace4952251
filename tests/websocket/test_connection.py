"""Owns one connection on the hub: order through partial writes, back-pressure, its end from either side; over TCP and TLS."""

import struct

import gevent
import pytest
from contract.waiting import in_hub, turn, wait_until
from flask_socketio_py.websocket import connection as module
from flask_socketio_py.websocket.frames import encode_frame
from gevent import socket

from .client_frames import head, masked
from .peer import BINARY, CLOSE, PING, PONG, TEXT


def closing(code, reason=b""):
    return struct.pack("!H", code) + reason


def test_messages_both_ways(sockets):
    connection, told, peer = sockets.connect()
    expected = []
    for size in (0, 1, 125, 126, 65535, 65536, 300_000):
        peer.text("a" * size, "é")
        peer.send(masked(BINARY, b"\0" * size))
        expected += ["a" * size, "é", b"\0" * size]
        wait_until(lambda: len(told.messages) == len(expected))
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


# --- writing ------------------------------------------------------------------------------------------------------------


def fill(connection):
    """Send numbered frames until one is refused; returns their number."""
    number = 0
    while connection.send(encode_frame(b"%06d" % number + b"x" * 9_000)):
        number += 1
        assert number < 5_000, "the kernel takes everything"
    return number


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


# --- back-pressure -------------------------------------------------------------------------------------------------------


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
        for _ in range(1000):
            peer.text("x" * 100_000)
    turn()
    assert told.messages == []


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


# --- the end --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "code", "answer"),
    [(closing(1000, b"bye"), 1000, closing(1000)), (b"", 1005, b""), (closing(4001), 4001, closing(4001))],
)
def test_the_peer_closes(sockets, payload, code, answer):
    _, told, peer = sockets.connect()
    peer.send(masked(TEXT, b"last"), masked(CLOSE, payload), masked(TEXT, b"after the close"))
    assert peer.frames() == [(CLOSE, answer)]
    wait_until(lambda: told.ends)
    assert (told.messages, told.ends) == (["last"], [(code, False)])


def test_we_close_and_the_peer_answers(sockets):
    connection, told, peer = sockets.connect()
    connection.close(1001, "leaving")
    assert peer.frame() == (CLOSE, closing(1001, b"leaving"))
    peer.send(masked(TEXT, b"crossed"), masked(PING), masked(CLOSE, closing(1001)))
    wait_until(lambda: told.ends)
    assert (told.messages, told.ends) == ([], [(1001, False)])
    assert all(opcode == PONG for opcode, _ in peer.frames())


def test_we_close_and_the_peer_says_nothing(sockets, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.05)
    connection, told, peer = sockets.connect()
    connection.close()
    connection.close()
    wait_until(lambda: told.ends)
    assert told.ends == [(None, False)]
    assert peer.frames() == [(CLOSE, closing(1000))]


def test_after_our_close_nothing_more_is_sent(sockets):
    connection, _, peer = sockets.connect()
    connection.close()
    connection.send(encode_frame(b"too late"))
    peer.send(masked(CLOSE, closing(1000)))
    assert peer.frames() == [(CLOSE, closing(1000))]


def test_our_close_frame_waits_behind_the_rest(sockets):
    connection, told, peer = sockets.connect(small=True)
    taken = fill(connection)
    connection.close(1008)
    assert told.ends == []
    frames = [peer.frame() for _ in range(taken + 1)]
    assert frames[taken] == (CLOSE, closing(1008))
    peer.send(masked(CLOSE, closing(1008)))
    wait_until(lambda: told.ends)
    assert told.ends == [(1008, False)]


def test_a_paused_connection_can_close(sockets):
    connection, told, peer = sockets.connect()
    told.react = lambda message: connection.pause()
    peer.text("1", "2")
    wait_until(lambda: told.messages)
    connection.close()
    assert peer.frame() == (CLOSE, closing(1000))
    peer.send(masked(CLOSE, closing(1000)))
    wait_until(lambda: told.ends)
    assert told.messages == ["1"]


@pytest.mark.parametrize("from_greenlet", [True, False])
def test_the_peer_vanishes(sockets, from_greenlet):
    connection, told, peer = sockets.connect()
    peer.text("last")
    wait_until(lambda: told.messages)
    peer.close()
    if from_greenlet:
        gevent.sleep(0)
    wait_until(lambda: told.ends)
    assert told.ends == [(None, False)]
    assert connection.send(encode_frame(b"nobody")) is True
    assert not connection.writable
    connection.close()
    connection.pause()
    connection.resume()
    turn()
    assert len(told.ends) == 1


def test_a_reset(sockets):
    if sockets.kind == "pair":
        # Data that nobody read resets a socket pair.
        connection, told, peer = sockets.connect()
        connection.send(encode_frame(b"unread"))
        peer.close()
    else:
        connection, told, peer = sockets.connect()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    wait_until(lambda: told.ends)
    assert told.ends == [(None, True)]


def test_a_write_to_a_peer_that_is_gone_tells_it_later(sockets):
    connection, told, peer = sockets.connect(start=False)
    peer.close()
    sent = 0
    while not told.ends and sent < 100:
        before = len(told.ends)
        connection.send(encode_frame(b"x" * 1000))
        assert len(told.ends) == before  # not from within a send: the caller may be in the middle of a broadcast
        sent += 1
        turn()
    assert told.ends == [(None, True)]


def test_an_abort_is_the_end_at_once(sockets):
    connection, told, peer = sockets.connect()
    connection.abort()
    connection.abort()
    assert told.ends == [(None, True)]
    assert peer.frames() == []


def test_an_abort_in_a_message_is_the_last_thing_heard(sockets):
    connection, told, peer = sockets.connect()
    told.react = lambda message: connection.abort()
    peer.text("1", "2", "3")
    wait_until(lambda: told.ends)
    turn(5)
    assert told.messages == ["1"]


# --- violations and defects ------------------------------------------------------------------------------------------------


def test_a_message_that_is_too_big_is_refused_while_the_peer_still_sends(sockets):
    _, told, peer = sockets.connect(max_payload=1000)
    peer.text("before")
    sending = gevent.spawn(lambda: [peer.send(head(BINARY, 3_000_000) + b"key!", *[b"x" * 100_000] * 30)])
    frames = []
    try:
        frames = peer.frames()
    finally:
        sending.kill()
    assert [(opcode, payload[:2]) for opcode, payload in frames] == [(CLOSE, closing(1009))]
    wait_until(lambda: told.ends)
    assert (told.messages, told.ends) == (["before"], [(1009, True)])


@pytest.mark.parametrize(
    ("frames", "code"),
    [(b"\xff" * 10, 1002), (masked(TEXT, b"\xff"), 1007), (masked(0, b"x"), 1002), (masked(CLOSE, b"x"), 1002)],
)
def test_a_violation_ends_with_its_code(sockets, frames, code):
    _, told, peer = sockets.connect()
    peer.send(masked(TEXT, b"before"), frames)
    assert [(opcode, payload[:2]) for opcode, payload in peer.frames()] == [(CLOSE, closing(code))]
    peer.close()
    wait_until(lambda: told.ends)
    assert (told.messages, told.ends) == (["before"], [(code, True)])


@pytest.mark.parametrize("how", ["one message", "several", "leftover", "after a pause"])
def test_an_error_of_the_receiver_ends_this_connection_only(sockets, caplog, how):
    connection, told, peer = sockets.connect(start=False)
    _, other, lively = sockets.connect()

    def fail(message):
        if message == "fail":
            raise ValueError("a defect of ours")
        connection.pause()

    told.react = fail
    frames = [masked(TEXT, b"fail")] if how == "one message" else [masked(TEXT, b"fail"), masked(TEXT, b"next")]
    if how == "after a pause":
        frames.insert(0, masked(TEXT, b"first"))
    connection.start(b"".join(frames) if how == "leftover" else b"")
    if how != "leftover":
        peer.send(*frames)
    if how == "after a pause":
        wait_until(lambda: told.messages)
        connection.resume()
    assert peer.frame() == (CLOSE, closing(1011))
    peer.send(masked(CLOSE, closing(1011)))
    wait_until(lambda: told.ends)
    assert "a defect of ours" in caplog.text
    assert "next" not in told.messages
    lively.text("alive")
    wait_until(lambda: other.messages == ["alive"])


def test_an_error_of_the_receiver_at_the_end_is_logged(sockets, caplog):
    connection, told, peer = sockets.connect()

    def fail(code, error):
        raise ValueError("a defect of ours")

    told.on_close = fail
    in_hub(connection.abort)
    assert "a defect of ours" in caplog.text
    assert peer.frames() == []
