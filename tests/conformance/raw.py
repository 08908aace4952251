"""A blocking client over raw sockets: HTTP with exact bytes, WebSocket frames, Engine.IO sessions.

Owns nothing but bytes: it neither hides nor repairs what the server says, and it can say what no honest client would.
It shares no code with the package, so that a fault in ours can't cancel out here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SEPARATOR = "\x1e"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATIENCE = 20.0

Headers = Sequence[tuple[str, str]]
Body = str | bytes


class Closed(ConnectionError):
    """The server ended the connection where more bytes were due."""


class Response:
    """One HTTP answer, as it was on the wire."""

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes) -> None:
        self.status, self.reason, self.headers, self.body = status, reason, headers, body

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.reason} {self.headers} {self.body[:200]!r}>"


class Connection:
    """One TCP connection; requests on it are kept alive."""

    def __init__(self, address: tuple[str, int], timeout: float = PATIENCE) -> None:
        self.sock = socket.create_connection(address, timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def request(self, method: str, target: str, headers: Headers = (), body: bytes | str = b"") -> Response:
        self.send_request(method, target, headers, body)
        return self.read_response(method)

    def send_request(self, method: str, target: str, headers: Headers = (), body: bytes | str = b"") -> None:
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {target} HTTP/1.1"]
        names = {name.lower() for name, _ in headers}
        if "host" not in names:
            lines.append("Host: {}:{}".format(*self.sock.getpeername()[:2]))
        lines += [f"{name}: {value}" for name, value in headers]
        if (body or method in ("POST", "PUT")) and not names & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def read_head(self) -> tuple[int, str, Headers]:
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        _, status, reason = (status_line + " ").split(" ", 2)
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return int(status), reason.strip(), headers

    def read_response(self, method: str = "GET") -> Response:
        status, reason, headers = self.read_head()
        response = Response(status, reason, headers, b"")
        length = response.header("content-length")
        if method == "HEAD" or status in (101, 204, 304):
            return response
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            response.body = b"".join(self.read_chunks())
        elif length is not None:
            response.body = self.read(int(length))
        else:
            response.body = self.read_to_end()
        return response

    def read_chunks(self) -> Iterator[bytes]:
        while size := int(self.read_until(b"\r\n"), 16):
            yield self.read(size)
            self.read(2)
        self.read_until(b"\r\n")

    def receive_more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Closed(f"the server closed after {self.buffer[:200]!r}")
        self.buffer += data

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.receive_more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.receive_more()
        end = self.buffer.index(mark) + len(mark)
        return self.read(end)

    def read_to_end(self) -> bytes:
        """Everything up to the server's end of the connection; a reset counts as an end."""
        try:
            while True:
                self.receive_more()
        except ConnectionError:
            data, self.buffer = self.buffer, b""
            return data

    def has_input(self, seconds: float) -> bool:
        """Whether bytes (or the end) arrive within this time. For proving that a request hangs."""
        if self.buffer:
            return True
        self.sock.settimeout(seconds)
        try:
            self.receive_more()
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)
        return True

    def reset(self) -> None:
        """Goes away with RST, as a crashed client's machine would."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


def encode_frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    """One client frame. `rsv` is the three reserved bits as a number from 0 to 7."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65536:
        head += struct.pack("!BH", mask_bit | 126, size)
    else:
        head += struct.pack("!BQ", mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = b"\x12\x34\x56\x78"
    stream = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + mixed.to_bytes(size, "big")


class WebSocket:
    """A WebSocket after its 101, and Engine.IO packets on it."""

    def __init__(self, connection: Connection, sid: str | None = None) -> None:
        self.connection = connection
        self.sid = sid
        self.handshake: dict[str, Any] = {}

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.connection.close()

    def send(self, data: str | bytes) -> None:
        opcode, payload = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
        self.connection.send(encode_frame(opcode, payload))

    def send_close(self, code: int = 1000) -> None:
        self.connection.send(encode_frame(CLOSE, struct.pack("!H", code)))

    def receive_frame(self) -> tuple[int, bytes]:
        first, second = self.connection.read(2)
        assert first & 0xF0 == 0x80, f"a server frame is final and has no reserved bits: {first:#x}"
        assert second < 128, "a server frame is not masked"
        size = second
        if size == 126:
            (size,) = struct.unpack("!H", self.connection.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.connection.read(8))
        return first & 0x0F, self.connection.read(size)

    def receive(self) -> str | bytes:
        """The next message; heartbeats of Engine.IO are answered on the way, as an honest client would."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "nothing but heartbeats arrives"
            opcode, payload = self.receive_frame()
            if opcode == CLOSE:
                raise Closed(f"close frame {payload!r}")
            assert opcode in (TEXT, BINARY), opcode
            if (opcode, payload) == (TEXT, b"2"):
                self.send("3")
                continue
            return payload.decode() if opcode == TEXT else payload

    def receive_close(self, *, alive: bool = True) -> int | None:
        """Reads on to the close frame and answers it: its code, or None where the connection just ended.

        An `alive` client answers heartbeats meanwhile, so that the end it waits for is not just their timeout.
        """
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                assert time.monotonic() < deadline, "the connection is not closed"
                opcode, payload = self.receive_frame()
                if alive and (opcode, payload) == (TEXT, b"2"):
                    self.send("3")
                if opcode == CLOSE:
                    self.connection.send(encode_frame(CLOSE, payload[:2]))
                    return struct.unpack("!H", payload[:2])[0] if payload else 1005
        except ConnectionError:
            return None

    def is_alive(self) -> bool:
        """Whether the other side still answers, by a WebSocket ping."""
        try:
            self.connection.send(encode_frame(PING, b"alive?"))
            while True:
                opcode, payload = self.receive_frame()
                if opcode == CLOSE:
                    return False
                if (opcode, payload) == (PONG, b"alive?"):
                    return True
        except ConnectionError:
            return False


class Polling:
    """A long-polling session: one kept-alive connection for GET, one for POST."""

    def __init__(self, target: Target, response: Response, getter: Connection) -> None:
        assert response.status == 200, response
        self.target, self.getter, self.poster = target, getter, target.connect()
        self.opening = response
        first, *rest = response.text.split(SEPARATOR)
        assert first[0] == "0", response
        self.handshake: dict[str, Any] = json.loads(first[1:])
        self.sid: str = self.handshake["sid"]
        self.backlog = rest
        self.url = target.url(sid=self.sid)

    def __enter__(self) -> Polling:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.getter.close()
        self.poster.close()

    def post(self, body: str | bytes, headers: Headers = ()) -> Response:
        return self.poster.request("POST", self.url, headers or [("Content-Type", "text/plain;charset=UTF-8")], body)

    def send(self, *packets: str) -> None:
        response = self.post(SEPARATOR.join(packets))
        assert (response.status, response.body) == (200, b"ok"), response

    def start_poll(self) -> None:
        self.getter.send_request("GET", self.url)

    def finish_poll(self) -> Response:
        return self.getter.read_response()

    def poll(self, headers: Headers = ()) -> Response:
        return self.getter.request("GET", self.url, headers)

    def receive(self) -> str:
        """The next packet; heartbeats are answered on the way."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "nothing but heartbeats arrives"
            while not self.backlog:
                response = self.poll()
                if response.status != 200:
                    raise Closed(repr(response))
                self.backlog = response.text.split(SEPARATOR)
            packet = self.backlog.pop(0)
            if packet != "2":
                return packet
            self.send("3")

    def is_alive(self) -> bool:
        """Whether the server still knows the session."""
        return self.post("6").status == 200


class Target:
    """Where a server listens, and the ways in."""

    def __init__(self, host: str, port: int, path: str = "/socket.io/") -> None:
        self.address, self.path = (host, port), path

    def connect(self) -> Connection:
        return Connection(self.address)

    def url(self, *, transport: str = "polling", sid: str | None = None, revision: int | str = 4) -> str:
        return f"{self.path}?EIO={revision}&transport={transport}" + (f"&sid={sid}" if sid else "")

    def request(self, method: str, target: str, headers: Headers = (), body: bytes | str = b"") -> Response:
        with self.connect() as connection:
            return connection.request(method, target, headers, body)

    def open_polling(self, headers: Headers = ()) -> Polling:
        getter = self.connect()
        return Polling(self, getter.request("GET", self.url(), headers), getter)

    def handshake_headers(self, key: bytes = b"x3JJHMbDL1EzLkh9GBhXDw==") -> list[tuple[str, str]]:
        return [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key.decode()),
        ]

    def upgrade(self, url: str, headers: Headers = ()) -> tuple[Response, Connection]:
        """Asks for a WebSocket and leaves it to the caller to judge the answer."""
        key = base64.b64encode(os.urandom(16))
        connection = self.connect()
        response = connection.request("GET", url, self.handshake_headers(key) + list(headers))
        if response.status == 101:
            expected = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
            assert response.header("sec-websocket-accept") == expected
        return response, connection

    def open_websocket(self, sid: str | None = None, headers: Headers = ()) -> WebSocket:
        response, connection = self.upgrade(self.url(transport="websocket", sid=sid), headers)
        assert response.status == 101, response
        websocket = WebSocket(connection, sid)
        if sid is None:
            packet = websocket.receive()
            assert isinstance(packet, str)
            assert packet[0] == "0"
            websocket.handshake = json.loads(packet[1:])
            websocket.sid = websocket.handshake["sid"]
        return websocket

    def stats(self) -> dict[str, Any]:
        """What the application under test says of itself."""
        response = self.request("GET", "/stats")
        assert response.status == 200, response
        return response.json()  # type: ignore[no-any-return]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Waits generously for a condition and returns what it gave."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain until {what}"
        time.sleep(0.02)
    return result
