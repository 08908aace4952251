"""Long-polling clients: each POSTs an event and GETs its acknowledgement, over one HTTP connection that is kept alive.

Knows nothing of the server but its port.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from typing import NamedTuple

from loadtests.compare.loop import Loop
from loadtests.compare.wire import MOST, PERIOD, PING, PONG, LoadError

_HEAD = (
    "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n"
    "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
)
_BETWEEN = b"\x1e"


class Response(NamedTuple):
    """An answer that has come whole."""

    status: int
    body: bytes
    closes: bool


def parse(data: bytes) -> Response | None:
    """The one response that the data holds; None: not all of it is here yet.

    Raises:
        LoadError: this is no response that ends with its length
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return None
    first, *lines = head.split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    closes = fields.get(b"connection", b"").lower() == b"close"
    if b"content-length" in fields:
        if len(body) < int(fields[b"content-length"]):
            return None
    elif fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        whole = _unchunked(body)
        if whole is None:
            return None
        body = whole
    else:
        raise LoadError(f"a response without a length: {head[:200]!r}")
    return Response(int(first.split()[1]), body, closes)


def _unchunked(data: bytes) -> bytes | None:
    whole, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        length = int(data[at:end], 16)
        start, at = end + 2, end + 4 + length
        if len(data) < at:
            return None
        if not length:
            return whole
        whole += data[start : start + length]
    return None


class Poller:
    """One session and its connection."""

    def __init__(self, crowd: Pollers, loop: Loop, port: int) -> None:
        self._crowd = crowd
        self._loop = loop
        self._port = port
        self._data = b""
        self._query = ""
        self._waiting = False
        self._sock: socket.socket = loop.connect(port, self._readable)
        self._script = self._open()
        self._request(next(self._script))

    def go(self) -> None:
        """Begin to exchange; ends with a whole round trip when the crowd stops."""
        self._script = self._exchange()
        self._request(next(self._script))

    def _open(self) -> Generator[bytes | None, bytes, None]:
        body = yield None
        self._query = "&sid=" + json.loads(body.partition(_BETWEEN)[0][1:])["sid"]
        yield b"40"
        body = yield None
        if not body.startswith(b"40"):
            raise LoadError(f"not connected but {body[:40]!r}")
        self._crowd.ready += 1

    def _exchange(self) -> Generator[bytes | None, bytes, None]:
        sent = 0
        while self._crowd.going:
            number = 10 + sent % PERIOD
            yield b'42%d["echo","%s"]' % (number, self._crowd.text)
            wanted = b'43%d["%s"]' % (number, self._crowd.text)
            while (packets := (yield None).split(_BETWEEN)) != [wanted]:
                if packets not in ([PING], [PING, wanted], [wanted, PING]):
                    raise LoadError(f"{packets[0][:40]!r} and not {wanted[:40]!r}")
                yield PONG
                if wanted in packets:
                    break
            sent += 1
            self._crowd.received += 1
        self._crowd.busy -= 1

    def _request(self, body: bytes | None) -> None:
        """GET for None, or POST."""
        method, body = ("GET", b"") if body is None else ("POST", body)
        head = _HEAD.format(method=method, sid=self._query, port=self._port, length=len(body))
        self._sock.sendall(head.encode() + body)
        self._waiting = True

    def _readable(self) -> None:
        try:
            data = self._sock.recv(MOST)
        except OSError as error:
            raise LoadError(f"a connection broke: {error}") from None
        if not data:
            if self._waiting:
                raise LoadError("the server ended a connection instead of answering")
            # Nobody needs it: a server keeps an idle connection for some seconds only.
            self._connect_again()
            return
        self._data += data
        response = parse(self._data)
        if response is None:
            return
        self._data = b""
        self._waiting = False
        if response.status != 200:
            raise LoadError(f"answered {response.status}: {response.body[:80]!r}")
        if response.closes:
            self._connect_again()
        try:
            request = self._script.send(response.body)
        except StopIteration:
            return
        self._request(request)

    def _connect_again(self) -> None:
        self._loop.release(self._sock)
        self._sock = self._loop.connect(self._port, self._readable)


class Pollers:
    """The clients of one run."""

    def __init__(self, loop: Loop, port: int, count: int, size: int) -> None:
        self._loop = loop
        self.text = b"x" * size
        self.ready = 0
        self.received = 0
        self.going = False
        #: Clients that still exchange.
        self.busy = 0
        self._clients = [Poller(self, loop, port) for _ in range(count)]
        loop.until(lambda: self.ready == count, "all sessions are open")

    def go(self, seconds: float) -> int:
        """Exchange for that long and to the end of what was begun; how many round trips that were.

        Raises:
            LoadError: an answer is missing, wrong or twice
        """
        before = self.received
        self.going, self.busy = True, len(self._clients)
        for client in self._clients:
            client.go()
        self._loop.run(seconds)
        self.going = False
        self._loop.until(lambda: not self.busy, "the last answers come")
        return self.received - before
