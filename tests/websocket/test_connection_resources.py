"""Owns what a connection costs and leaves: no greenlet while it lives; no descriptor, watcher or object after it."""

import gc
import os
import struct

import pytest
from contract.waiting import turn, wait_until
from gevent import socket
from greenlet import greenlet

from flask_socketio_py.websocket.connection import Connection
from flask_socketio_py.websocket.frames import encode_frame

from .client_frames import masked
from .peer import CLOSE, TEXT, Told, count

BYE = masked(CLOSE, struct.pack("!H", 1000))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class Mine(Told):
    """The receivers of one test: what other tests left in the hub doesn't count."""


def watchers(connection):
    """The hub's active watchers that call this connection."""
    gc.collect()
    alive = [item for item in gc.get_objects() if str(type(item).__module__).startswith("gevent.lib")]
    return [
        type(item).__name__
        for item in alive
        if type(item).__name__ in ("io", "timer")
        and item.active
        and getattr(item.callback, "__self__", None) is connection
    ]


def test_open_connections_cost_no_greenlets_and_no_timers(pairs):
    turn()
    before = count(greenlet)
    opened = [pairs.connect() for _ in range(200)]
    for number, (connection, told, peer) in enumerate(opened):
        peer.text(f"{number}")
        wait_until(lambda told=told: told.messages)
        connection.send(encode_frame(b"answer"))
        assert peer.frame() == (TEXT, b"answer")
    assert count(greenlet) < before + 20
    assert watchers(opened[0][0]) == ["io"]


def end_by_peer(connection, peer):
    peer.send(masked(TEXT, b"last"), BYE)


def end_by_us(connection, peer):
    connection.close()
    peer.send(BYE)


def end_by_abort(connection, peer):
    connection.pause()
    connection.abort()


def end_by_vanishing(connection, peer):
    peer.close()


def end_with_data_under_way(connection, peer):
    while connection.send(encode_frame(b"x" * 100_000)):
        continue
    peer.close()


ENDS = [end_by_peer, end_by_us, end_by_abort, end_by_vanishing, end_with_data_under_way]


def test_a_thousand_connections_leave_nothing_behind():
    def cycle(end):
        ours, theirs = socket.socketpair()
        theirs.settimeout(20)
        ours.setblocking(False)
        told = Mine()
        connection = Connection(ours, told, max_payload=1000)
        connection.start()
        end(connection, Client(theirs))
        wait_until(lambda: told.ends)
        theirs.close()

    for end in ENDS:
        cycle(end)
    turn()
    files, greenlets = descriptors(), count(greenlet)
    for number in range(1000):
        cycle(ENDS[number % len(ENDS)])
    turn()
    assert descriptors() <= files
    assert count(Mine) == 0  # nor a connection, which holds its receiver
    assert count(greenlet) < greenlets + 20


class Client:
    """The least of a peer: frames out."""

    def __init__(self, sock):
        self._sock = sock

    def send(self, *frames):
        self._sock.sendall(b"".join(frames))

    def close(self):
        self._sock.close()


@pytest.mark.parametrize("end", ENDS)
def test_no_watcher_stays_active(sockets, end):
    connection, told, peer = sockets.connect()
    assert watchers(connection) == ["io"]
    end(connection, peer)
    wait_until(lambda: told.ends)
    wait_until(lambda: watchers(connection) == [], "the watchers are stopped")
