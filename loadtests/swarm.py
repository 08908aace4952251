"""A swarm: very many WebSocket clients in one process, over epoll, for loads where only the server's price matters.

Owns the sockets, their frames, and the answers to pings. A client is a number. It knows of Socket.IO what a load needs:
CONNECT, an event with an acknowledgement id, and to count what comes. It is not strict, and checks nothing that a test
should check.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from flask_socketio_py.websocket.frames import TEXT, frame_head

#: Connections in one step of opening, so that the backlog never overflows.
BATCH = 50
#: Connections from one address, 127.0.0.x: the kernel has some 28,000 ports for each, and looks long for the last ones.
PORTS = 10_000
#: Seconds without anything after which the server is given up.
SILENCE = 60.0
IP_BIND_ADDRESS_NO_PORT = 24
_REQUEST = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(payload: bytes) -> bytes:
    """A text frame as a client sends it, masked with zeros: that is allowed, and costs nothing here."""
    head = bytearray(frame_head(len(payload), TEXT))
    head[1] |= 128
    return bytes(head) + b"\0\0\0\0" + payload


CONNECT, PONG = frame(b"40"), frame(b"3")


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of complete frames from a server, and what is left of the data."""
    payloads, start, end = [], 0, len(data)
    while end - start >= 2:
        length, head = data[start + 1], 2
        if length > 125:
            head = 4 if length == 126 else 10
            if end - start < head:
                break
            length = int.from_bytes(data[start + 2 : start + head], "big")
        if end - start < head + length:
            break
        payloads.append(data[start + head : start + head + length])
        start += head + length
    return payloads, data[start:]


class Swarm:
    """Clients of one server."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._request = _REQUEST.format(port=port).encode()
        self._sockets: list[socket.socket] = []
        self._by_fd: dict[int, socket.socket] = {}
        self._rests: dict[int, bytes] = {}
        self._epoll = select.epoll()
        #: What has come.
        self.pings = self.events = self.acks = 0

    def __len__(self) -> int:
        return len(self._sockets)

    # -- coming and going ----------------------------------------------------------------------------------------------

    def open(self, count: int, progress: Callable[[int], None] | None = None) -> None:
        """More clients, in the main namespace."""
        wanted = len(self._sockets) + count
        while len(self._sockets) < wanted:
            batch = [self._connect() for _ in range(min(BATCH, wanted - len(self._sockets)))]
            for sock in batch:
                sock.sendall(self._request)
            for sock in batch:
                self._expect(sock, b"pingInterval")
                sock.sendall(CONNECT)
            for sock in batch:
                self._expect(sock, b'40{"sid"')
                sock.setblocking(False)
                self._by_fd[sock.fileno()] = sock
                self._epoll.register(sock.fileno(), select.EPOLLIN)
            self._sockets += batch
            self.pump(0)
            if progress is not None:
                progress(len(self._sockets))

    def _connect(self) -> socket.socket:
        sock = socket.socket()
        number = len(self._by_fd) // PORTS
        if number:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((f"127.0.0.{number + 1}", 0))
        sock.settimeout(SILENCE)
        sock.connect(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    @staticmethod
    def _expect(sock: socket.socket, needle: bytes) -> None:
        received = b""
        while needle not in received:
            data = sock.recv(65536)
            if not data:
                raise SystemExit("the server closed a connection")
            received += data

    def close(self) -> None:
        """All of them at once."""
        self._epoll.close()
        for sock in self._sockets:
            sock.close()
        self._sockets, self._by_fd = [], {}

    # -- traffic -------------------------------------------------------------------------------------------------------

    def send(self, client: int, data: bytes) -> None:
        """A client sends a frame; what does not fit is a defect of the load, not of the server."""
        if self._sockets[client].send(data) != len(data):
            raise SystemExit("a client's socket took only a part of a frame")

    def pump(self, timeout: float) -> int:
        """Take what has come within some seconds; how many frames that were."""
        by_fd, rests, taken = self._by_fd, self._rests, 0
        for fd, _ in self._epoll.poll(timeout, 4096):
            data = by_fd[fd].recv(65536)
            if not data:
                raise SystemExit("the server closed a connection")
            payloads, rest = split(rests.pop(fd, b"") + data)
            if rest:
                rests[fd] = rest
            taken += len(payloads)
            for payload in payloads:
                kind = payload[:2]
                if kind == b"42":
                    self.events += 1
                elif kind == b"43":
                    self.acks += 1
                elif payload == b"2":
                    self.pings += 1
                    by_fd[fd].send(PONG)
        return taken

    def idle(self, seconds: float) -> int:
        """Only answer pings for a while; how many."""
        before, end = self.pings, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pump(min(left, 1.0))
        return self.pings - before

    def until(self, done: Callable[[], bool]) -> None:
        """Take what comes until something holds."""
        last = time.monotonic()
        while not done():
            if self.pump(1.0):
                last = time.monotonic()
            elif time.monotonic() - last > SILENCE:
                raise SystemExit("the server answers no more")

    def exchange(
        self, data: Callable[[int], bytes], count: int, window: int, answers: int = 1, clients: int = 0
    ) -> None:
        """``count`` messages, each from the next client, ``window`` of them under way at any moment.

        ``data(client)`` is the frame; each is answered by an acknowledgement and ``answers - 1`` events, to anybody.
        Only the first so many ``clients`` send, by default all.
        """
        size, sent, before = clients or len(self._sockets), 0, self.acks + self.events
        while True:
            got = self.acks + self.events - before
            if got >= count * answers:
                return
            room = min(count - sent, window - (sent - got // answers))
            for number in range(sent, sent + room):
                self.send(number % size, data(number % size))
            sent += max(0, room)
            self.until(lambda got=got: self.acks + self.events - before > got)  # type: ignore[misc]
