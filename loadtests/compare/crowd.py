"""Many WebSocket clients in one process: they open, they exchange, they are idle; and nothing may be lost.

The law of the exchange: a client has one message on its way, and sends the next one as soon as the answer is complete.
Each message is one send() and so a segment of its own. Knows nothing of the server but its port.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from loadtests.compare.loop import PATIENCE, Loop
from loadtests.compare.wire import MOST, PERIOD, PING, PONG, Expected, LoadError, Stream, masked, split

#: Connections that are being opened at the same time: less than any server's backlog.
AT_ONCE = 100
_UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)
_KEY = "MDEyMzQ1Njc4OWFiY2RlZg=="
_CONNECT, _PONG = masked(b"40"), masked(PONG)


class Client:
    """One connection, from its upgrade on."""

    __slots__ = ("_crowd", "_loop", "_requests", "_rest", "_sock", "expected", "going", "sent")

    def __init__(self, crowd: Crowd, loop: Loop, port: int) -> None:
        self._crowd = crowd
        self._loop = loop
        self._rest = b""
        self._requests: Sequence[bytes] = ()
        self.expected: Expected | None = None
        self.sent = 0
        #: Whether an answer leads to the next message.
        self.going = False
        self._sock: socket.socket = loop.connect(port, self._readable)
        self._send(_UPGRADE.format(port=port, key=_KEY).encode())

    def exchange(self, stream: Stream, requests: Sequence[bytes]) -> None:
        """From now on the stream is what has to come; a client with requests sends them in turn."""
        self.expected = Expected(stream)
        self._requests = requests
        self.sent = 0

    @property
    def sends(self) -> bool:
        return bool(self._requests)

    def send_next(self) -> None:
        self._send(self._requests[self.sent % PERIOD])
        self.sent += 1

    def _readable(self) -> None:
        try:
            data = self._sock.recv(MOST)
        except OSError as error:
            raise LoadError(f"a connection broke: {error}") from None
        if not data:
            raise LoadError("the server ended a connection")
        expected = self.expected
        if expected is None:
            self._opening(data)
            return
        if whole := expected.feed(data):
            self._crowd.received += whole
            if self.going:
                self.send_next()
        if expected.pings:
            self._send(_PONG * expected.pings)
            expected.pings = 0

    def _opening(self, data: bytes) -> None:
        self._rest += data
        if self._rest.startswith(b"HTTP/"):
            head, blank, rest = self._rest.partition(b"\r\n\r\n")
            if not blank:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                raise LoadError(f"no upgrade: {head[:80]!r}")
            self._rest = rest
        payloads, self._rest = split(self._rest)
        for payload in payloads:
            if payload[:1] == b"0":
                self._send(_CONNECT)
            elif payload[:2] == b"40":
                self._crowd.ready += 1
            elif payload == PING:
                self._send(_PONG)
            else:
                raise LoadError(f"unexpected while opening: {payload[:40]!r}")

    def _send(self, data: bytes) -> None:
        sent = self._sock.send(data)
        if sent < len(data):
            # With one message on its way there is always room, unless it is larger than what the kernel holds.
            self._sock.settimeout(PATIENCE)
            self._sock.sendall(data[sent:])
            self._sock.setblocking(False)


class Crowd:
    """The clients of one run, spread evenly over the ports of its servers."""

    def __init__(self, loop: Loop, ports: Sequence[int]) -> None:
        self._loop = loop
        self._ports = ports
        self.clients: list[Client] = []
        self.ready = 0
        self.received = 0

    def open(self, count: int) -> None:
        """Open that many more, some at a time; returns when all are connected."""
        for _ in range(count):
            port = self._ports[len(self.clients) % len(self._ports)]
            self.clients.append(Client(self, self._loop, port))
            self._loop.until(lambda: len(self.clients) - self.ready < AT_ONCE, "connections open")
        self._loop.until(lambda: self.ready == len(self.clients), "all connections are open")

    def begin_echo(self, size: int) -> None:
        """Prepare: every client sends an event of `size` bytes and gets them back as its acknowledgement."""
        texts = [b"x" * size] * PERIOD
        requests = [masked(b'42%d["echo","%s"]' % (number, text)) for number, text in enumerate(texts, 10)]
        answers = Stream([b'43%d["%s"]' % (number, text) for number, text in enumerate(texts, 10)])
        for client in self.clients:
            client.exchange(answers, requests)

    def begin_fanout(self, size: int) -> None:
        """Prepare: the first client sends, and everybody receives."""
        texts = [(b"%d" % number).ljust(size, b"x") for number in range(10, 10 + PERIOD)]
        answers = Stream([b'42["told","%s"]' % text for text in texts])
        requests = [masked(b'42["tell everybody","%s"]' % text) for text in texts]
        for client in self.clients:
            client.exchange(answers, requests if client is self.clients[0] else ())

    def go(self, seconds: float) -> int:
        """Exchange for that long, then wait for what is on its way; how many messages were received.

        Raises:
            LoadError: a message is missing, wrong or twice
        """
        before = self.received
        senders = [client for client in self.clients if client.sends]
        for client in senders:
            client.going = True
            client.send_next()
        self._loop.run(seconds)
        for client in senders:
            client.going = False
        self._loop.until(self._all_is_there, "what was sent comes back")
        return self.received - before

    @property
    def swapped(self) -> int:
        """How many messages have come at the place of another one."""
        return sum(client.expected.swapped for client in self.clients if client.expected)

    def _all_is_there(self) -> bool:
        """Whether each client has received what it is owed: its own answers, or the sender's messages."""
        sent = self.clients[0].sent
        expected = [(client.expected, client.sent or sent) for client in self.clients if client.expected]
        return all(one.count == count and not one.balance for one, count in expected)
