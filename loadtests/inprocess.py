"""A server and its clients in one process: a way through all layers without a network, a port or another process.

The clients are the far ends of socket pairs. Work is done step by step (fill the sockets; let the hub run; look at what
came), so that only the server's step is on the clock. Knows nothing of what is measured.
"""

from __future__ import annotations

import resource
import select
import socket as plain
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import gevent
from flask import Flask
from gevent import socket

from flask_socketio_py import SocketIO, wsgi_server
from flask_socketio_py.websocket.frames import TEXT, encode_frame, unmask

REQUEST = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
#: Seconds a turn of the hub may wait for descriptors: no price where the clock is CPU time. (``gevent.sleep(0)``
#: would run again and again without a look at them.)
TURN = 0.0001
#: Turns after which what should have come will not come any more.
PATIENCE = 5000


def masked(payload: bytes, opcode: int = TEXT, key: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A frame as a client sends it."""
    frame = encode_frame(payload, opcode)
    start = len(frame) - len(payload)
    return frame[:1] + bytes([frame[1] | 128]) + frame[2:start] + key + unmask(payload, key)


CONNECT = masked(b"40")


class Rig:
    """An application, its server, and clients; closed with the stack that it is given."""

    def __init__(self, stack: ExitStack) -> None:
        stack.callback(self.close)
        self.app = Flask("loadtests")
        self.app.secret_key = "of a benchmark"
        self.socketio = SocketIO(self.app, cors_allowed_origins="*")
        self.clients: list[plain.socket] = []
        self._server = wsgi_server.Server(("127.0.0.1", 0), self.app, log=None)
        self._server.start()
        self._server.stop_accepting()
        self._poll = select.epoll()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))

    # -- steps ---------------------------------------------------------------------------------------------------------

    def accept(self, count: int) -> Timing:
        """New clients send their request; the server answers it."""
        pairs = [plain.socketpair() for _ in range(count)]
        ours = [socket.socket(plain.AF_UNIX, fileno=one.detach()) for one, _ in pairs]
        fresh = [other for _, other in pairs]
        for client in fresh:
            client.setblocking(False)
            client.send(REQUEST)
            self._poll.register(client.fileno(), select.EPOLLIN)
        self.clients += fresh

        def take() -> None:
            while ours:
                self._server.do_handle(ours.pop(), ("127.0.0.1", 1))

        return Timing(self, take, fresh)

    def send(self, data: bytes, clients: list[plain.socket]) -> Timing:
        """Clients send something; the server answers each."""
        for client in clients:
            client.send(data)
        return Timing(self, lambda: None, clients)

    def connect(self, count: int) -> list[plain.socket]:
        """New clients in the main namespace."""
        timing = self.accept(count)
        timing.run()
        self.send(CONNECT, timing.clients).run(b"40")
        return timing.clients

    def disconnect(self, clients: list[plain.socket]) -> None:
        """They go, and the server forgets them."""
        sessions = self.socketio.engine.sessions
        left = len(sessions) - len(clients)
        for client in clients:
            self._poll.unregister(client.fileno())
            client.close()
        gone = set(clients)
        self.clients = [client for client in self.clients if client not in gone]
        self.wait(lambda: len(sessions) == left)

    def close(self) -> None:
        """The clients go, then the server."""
        self.disconnect(self.clients)
        self._server.stop()
        self._poll.close()

    def readable(self) -> int:
        """Clients to which something has come."""
        return len(self._poll.poll(0, len(self.clients) + 1))

    def drain(self) -> int:
        """Read whatever has come; to how many clients."""
        by_fd = {client.fileno(): client for client in self.clients}
        events = self._poll.poll(0, len(self.clients) + 1)
        for fd, _ in events:
            by_fd[fd].recv(65536)
        return len(events)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let the hub run until it holds."""
        for _ in range(PATIENCE):
            gevent.sleep(TURN)
            if condition():
                return
        raise RuntimeError("the server did not do in time what it should")


class Timing:
    """One step of the server."""

    def __init__(self, rig: Rig, begin: Callable[[], Any], clients: list[plain.socket]) -> None:
        self.clients = clients
        self._rig = rig
        self._begin = begin

    def run(self, beginning: bytes = b"") -> float:
        """CPU seconds until each of the clients has its answer, of which the payload's beginning is checked."""
        rig, count = self._rig, len(self.clients)
        started = time.process_time()
        self._begin()
        rig.wait(lambda: rig.readable() >= count)
        spent = time.process_time() - started
        for client in self.clients:
            received = client.recv(65536)
            if beginning and received[2 : 2 + len(beginning)] != beginning:
                raise RuntimeError(f"a client received {received[:80]!r}")
        return spent
