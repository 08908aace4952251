"""Owns the end of a connection: from either side, by a violation, a defect or a reset; told once, nothing after it."""

import struct

import gevent
import pytest
from contract.waiting import in_hub, turn, wait_until
from gevent import socket

from flask_socketio_py.websocket import connection as module
from flask_socketio_py.websocket.frames import encode_frame

from .client_frames import head, masked
from .peer import BINARY, CLOSE, PING, PONG, TEXT, closing, fill


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
    # Python's ssl module hides some resets behind an ordinary end of the stream.
    assert told.ends in ([[(None, True)], [(None, False)]] if sockets.kind == "tls" else [[(None, True)]])


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


# --- violations and defects ------------------------------------------------------------------------------------------


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
    ids=["a reserved opcode", "no UTF-8", "a continuation of nothing", "half a close code"],
)
def test_a_violation_ends_with_its_code(sockets, frames, code):
    _, told, peer = sockets.connect()
    peer.send(masked(TEXT, b"before"), frames)
    assert [(opcode, payload[:2]) for opcode, payload in peer.frames()] == [(CLOSE, closing(code))]
    peer.close()
    wait_until(lambda: told.ends)
    assert (told.messages, told.ends) == (["before"], [(code, True)])


@pytest.mark.parametrize("how", ["one message", "several", "leftover", "after a pause"])
def test_an_error_of_the_receiver_ends_this_connection_only(sockets, caplog, how, monkeypatch):
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 60.0)  # it is the peer's answer that ends it
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
