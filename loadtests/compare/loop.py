"""The loop of the load generator: level-triggered epoll, a callback for each connection, nothing else.

Knows nothing of what is sent. A program that only waits and calls back is the fastest that Python has for this.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from loadtests.compare.wire import LoadError

#: Ready connections that are looked at in one turn.
BATCH = 256
#: Seconds after which a run is given up, because what has to happen does not.
PATIENCE = 60.0


class Loop:
    """Calls back when a connection can be read; `close` ends them all."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readable: dict[int, Callable[[], None]] = {}
        self._socks: dict[int, socket.socket] = {}

    def connect(self, port: int, readable: Callable[[], None]) -> socket.socket:
        """A connection to the loopback, non-blocking, without Nagle's delay.

        Raises:
            LoadError: nobody listens, or accepts
        """
        try:
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        except OSError as error:
            raise LoadError(f"no connection to port {port}: {error}") from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._socks[sock.fileno()] = sock
        self._readable[sock.fileno()] = readable
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        return sock

    def release(self, sock: socket.socket) -> None:
        """Close one connection."""
        del self._socks[sock.fileno()], self._readable[sock.fileno()]
        sock.close()

    def run(self, seconds: float) -> None:
        """Call back for that long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._turn(left)

    def until(self, done: Callable[[], bool], what: str) -> None:
        """Call back until something is so.

        Raises:
            LoadError: it took too long
        """
        deadline = time.monotonic() + PATIENCE
        while not done():
            # Not the silence counts: a server that lost a message still sends its pings.
            if (left := deadline - time.monotonic()) <= 0:
                raise LoadError(f"waited {PATIENCE:g} s in vain: {what}")
            self._turn(left)

    def _turn(self, timeout: float) -> None:
        readable = self._readable
        for fd, _ in self._epoll.poll(timeout, BATCH):
            readable[fd]()

    def close(self) -> None:
        for sock in self._socks.values():
            sock.close()
        self._epoll.close()
