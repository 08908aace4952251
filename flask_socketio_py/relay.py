"""A TLS connection for another process: its keys are here, so what it carries is passed on in the clear, both ways.

The other process has one end of a socket pair and treats it as the client's connection. Knows no HTTP.
"""

from __future__ import annotations

import logging
import weakref
from typing import Any

import gevent
from gevent import socket

log = logging.getLogger(__name__)

#: Seconds a client may take to read what it was sent, before its connection ends.
SEND_TIMEOUT = 60.0
_CHUNK = 65536

_running: weakref.WeakSet[Relay] = weakref.WeakSet()


class Relay:
    """Passes bytes on between a client's TLS socket and our end of a socket pair."""

    def __init__(self, client: Any) -> None:
        self._client = client
        ours, self.theirs = socket.socketpair()
        #: The descriptor for the other process is ``theirs``.
        self._ours: Any = ours

    def run(self) -> None:
        """Relay until the other process (or, after it has read everything, the client) ends the connection."""
        self.theirs.close()
        _running.add(self)
        self._client.settimeout(None)
        upwards = gevent.spawn(_pump, self._client, self._ours, None)
        try:
            _pump(self._ours, self._client, SEND_TIMEOUT)
        finally:
            _running.discard(self)
            upwards.kill()
            self._ours.close()

    def end(self) -> None:
        """End the connection."""
        _shut(self._ours, socket.SHUT_RDWR)

    def abandon(self) -> None:
        """Nobody took the other end."""
        self._ours.close()
        self.theirs.close()


def end_all() -> None:
    """End every relayed connection of this process: it stops."""
    for relay in list(_running):
        relay.end()


def _pump(source: Any, target: Any, timeout: float | None) -> None:
    try:
        while data := source.recv(_CHUNK):
            with gevent.Timeout(timeout, TimeoutError("the client does not read")):
                target.sendall(data)
    except OSError as error:
        log.debug("a relayed connection ended: %s", error)
    if timeout is None:
        _shut(target, socket.SHUT_WR)


def _shut(sock: Any, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        log.debug("a relayed connection had already ended")
