"""The client's side of HTTP and WebSocket, over gevent's sockets. Owns connections; knows neither Engine.IO nor more.

As strict as a test must be: what RFC 9112 or RFC 6455 forbids a server is a :class:`ViolationError`, what may happen on
the way (a refused or broken connection, an answer that is not what was asked for) a :class:`TransportError`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import select
import socket as _socket
from collections.abc import Iterator

from gevent import socket
from gevent.lock import BoundedSemaphore

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame_head, unmask

MAX_HEAD = 65536
MAX_BODY = 100_000_000
#: Seconds without a byte after which a connection counts as broken: longer than any poll may hang.
SILENCE = 90.0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class TransportError(Exception):
    """The server or the way to it failed; ``status`` is that of an HTTP answer, if there was one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ClosedError(TransportError):
    """The peer closed the connection properly."""


class ViolationError(Exception):
    """The server broke a protocol."""


class Connection:
    """One TCP connection that is read in pieces of known length."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        try:
            self.sock = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise TransportError(f"no connection: {error}") from error
        self.sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        self.sock.settimeout(SILENCE)
        self._buffer = bytearray()

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise TransportError(f"broken while sending: {error}") from error

    def until(self, mark: bytes, most: int = MAX_HEAD) -> bytes:
        """What comes before ``mark``, which is consumed too."""
        start = 0
        while (end := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > most:
                raise ViolationError(f"{most} bytes without {mark!r}")
            start = max(0, len(self._buffer) - len(mark))
            self._fill()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    def exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._fill()
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found

    def _fill(self) -> None:
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise TransportError(f"broken while reading: {error}") from error
        if not data:
            raise TransportError("ended by the server")
        self._buffer += data

    @property
    def usable(self) -> bool:
        """Whether nothing has come, not even its end, since the last answer: browsers look, too, before they reuse."""
        readable = select.poll()
        readable.register(self.sock.fileno(), select.POLLIN)
        return not self._buffer and not readable.poll(0)

    def close(self) -> None:
        self.sock.close()

    # -- HTTP --------------------------------------------------------------------------------------------------------

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers (names in lower case) of an answer."""
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version != "HTTP/1.1" or not rest[:3].isdigit():
            raise ViolationError(f"not the head of an HTTP answer: {first[:80]!r}")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ViolationError(f"not a header: {line[:80]!r}")
            headers[name.lower()] = value.strip()
        return int(rest[:3]), headers

    def body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            raise ViolationError(f"an answer with the Content-Length {length!r}")
        return self.exactly(int(length))

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                length = int(self.until(b"\r\n"), 16)
            except ValueError as error:
                raise ViolationError("a chunk without a length") from error
            yield self.exactly(length)
            if self.exactly(2) != b"\r\n":
                raise ViolationError("a chunk longer than it says")
            if not length:
                return


class Pool:
    """Requests to one server: over connections that are kept, as a browser does, or each over a new one."""

    def __init__(self, host: str, port: int, *, keep_alive: bool, timeout: float) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._keep_alive = keep_alive
        self._idle: list[Connection] = []
        self._closed = False

    def request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of the answer.

        Raises:
            TransportError: there was none, or it has not the status 200.
            ViolationError: it is none of HTTP.
        """
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAccept: */*\r\n"
        if body is not None:
            head += f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
        if not self._keep_alive:
            head += "Connection: close\r\n"
        connection = self._take()
        try:
            connection.send(f"{head}\r\n".encode() + (body or b""))
            status, headers = connection.head()
            content = connection.body(headers)
        except BaseException:
            connection.close()
            raise
        if self._keep_alive and not self._closed and headers.get("connection", "").lower() != "close":
            self._idle.append(connection)
        else:
            connection.close()
        if status != 200:
            raise TransportError(f"{method}: {status} {content[:200].decode('utf-8', 'replace')}", status)
        return content

    def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return Connection(self._host, self._port, self._timeout)

    def close(self) -> None:
        """Close what is not in use; what is will not be kept."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class WebSocket:
    """One WebSocket, opened by the constructor."""

    def __init__(self, host: str, port: int, path: str, timeout: float) -> None:
        self._connection = Connection(host, port, timeout)
        self._lock = BoundedSemaphore(1)
        self._closing = False
        try:
            self._open(f"{host}:{port}", path)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, host: str, path: str) -> None:
        key = base64.b64encode(os.urandom(16))
        self._connection.send(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n\r\n".encode()
        )
        status, headers = self._connection.head()
        if status != 101:
            content = self._connection.body(headers)
            raise TransportError(f"WebSocket: {status} {content[:200].decode('utf-8', 'replace')}", status)
        expected = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if headers.get("sec-websocket-accept") != expected or headers.get("upgrade", "").lower() != "websocket":
            raise ViolationError("a 101 answer that accepts no WebSocket")
        for name in ("sec-websocket-extensions", "sec-websocket-protocol"):
            if name in headers:
                raise ViolationError(f"{name} was not asked for")

    def send(self, message: PreparedMessage) -> None:
        """Send a text packet and what belongs to it."""
        frames = [_masked(message.text, TEXT)] if message.text else []
        self._write(b"".join([*frames, *(_masked(attachment, BINARY) for attachment in message.attachments)]))

    def receive(self) -> str | bytes:
        """The next message; blocks.

        Raises:
            ClosedError: the server closed the WebSocket.
            TransportError: the connection broke.
            ViolationError: it sent what it may not.
        """
        kind, parts = CONTINUATION, []
        while True:
            first, second = self._connection.exactly(2)
            opcode, final = first & 15, first & 128
            if first & 0x70 or second & 128:
                raise ViolationError("a frame that is masked, or has reserved bits")
            length = second
            if length > 125:
                length = int.from_bytes(self._connection.exactly(2 if length == 126 else 8), "big")
            if length > MAX_BODY:
                raise ViolationError(f"a frame of {length} bytes")
            payload = self._connection.exactly(length)
            if opcode >= CLOSE:
                if second > 125 or not final:
                    raise ViolationError("a control frame that is fragmented or too long")
                self._control(opcode, payload)
                continue
            if (opcode == CONTINUATION) != bool(kind) or opcode > BINARY:
                raise ViolationError(f"a frame with the opcode {opcode} in the wrong place")
            kind = kind or opcode
            parts.append(payload)
            if final:
                data = b"".join(parts)
                try:
                    return data.decode() if kind == TEXT else data
                except UnicodeDecodeError as error:
                    raise ViolationError("a text that is not UTF-8") from error

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._write(_masked(payload, PONG))
        elif opcode == CLOSE:
            if len(payload) == 1:
                raise ViolationError("half a close code")
            if not self._closing:
                self._closing = True
                with contextlib.suppress(TransportError):
                    self._write(_masked(payload[:2], CLOSE))
            code = int.from_bytes(payload[:2], "big") if payload else 1005
            raise ClosedError(f"WebSocket: closed with {code} {payload[2:].decode('utf-8', 'replace')}")
        elif opcode != PONG:
            raise ViolationError("a reserved opcode")

    def _write(self, data: bytes) -> None:
        with self._lock:
            self._connection.send(data)

    def close(self) -> None:
        """Say good-bye; the server closes the connection."""
        if not self._closing:
            self._closing = True
            with contextlib.suppress(TransportError):
                self._write(_masked((1000).to_bytes(2, "big"), CLOSE))

    def drop(self) -> None:
        """The connection is gone."""
        self._connection.close()


def _masked(payload: bytes, opcode: int) -> bytes:
    head = bytearray(frame_head(len(payload), opcode))
    head[1] |= 128
    key = os.urandom(4)
    return bytes(head) + key + unmask(payload, key)
