"""A WebSocket echo server on nothing but the websocket package: what the Autobahn cases run against.

Started like app.py, with one JSON argument: `{"port": …, "options": {…}}`; its one option is `deflate`, the
settings of permessage-deflate. What came in is sent back compressed where that was agreed and makes it smaller.
"""

from __future__ import annotations

import _socket
import io
import json
import signal
import sys
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer

from flask_socketio_py.websocket import handshake
from flask_socketio_py.websocket.connection import Connection
from flask_socketio_py.websocket.extensions import Agreement, Deflate
from flask_socketio_py.websocket.frames import BINARY, TEXT, encode_frame

#: The largest message of the Autobahn cases.
MAX_PAYLOAD = 16 * 2**20
MAX_FRAGMENTS = 4 * 2**20 // 64


class Echo:
    """Sends back what it receives, and reads no further while the peer does not take it."""

    def __init__(self, sock: Any, agreed: Agreement | None) -> None:
        self.deflates = agreed is not None
        self.waiting: list[bytes] = []
        # Two cases send 4 MiB in fragments of 64 bytes: more fragments than a connection otherwise takes.
        self.connection = Connection(
            sock,
            self,
            max_payload=MAX_PAYLOAD,
            max_fragments=MAX_FRAGMENTS,
            window_bits=agreed.window_bits if agreed else 0,
        )

    def on_message(self, message: str | bytes) -> None:
        payload, opcode = (message.encode(), TEXT) if isinstance(message, str) else (message, BINARY)
        compressed = deflate.compress(payload) if deflate and self.deflates else None
        self.send(encode_frame(payload if compressed is None else compressed, opcode, rsv1=compressed is not None))

    def send(self, frame: bytes) -> None:
        if self.waiting or not self.connection.send(frame):
            self.waiting.append(frame)
            self.connection.pause()

    def on_drain(self) -> None:
        waiting, self.waiting = self.waiting, []
        for frame in waiting:
            self.send(frame)
        if not self.waiting:
            self.connection.resume()

    def on_close(self, code: int | None, error: bool) -> None:
        self.waiting.clear()


def serve(sock: Any, address: Any) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = sock.recv(65536)
        if not chunk:
            return
        received += chunk
    head, _, leftover = received.partition(b"\r\n\r\n")
    try:
        environ = parse(head)
        headers = handshake.accept(environ)
    except handshake.HandshakeError as error:
        sock.sendall(f"HTTP/1.1 {error.status}\r\nContent-Length: 0\r\n\r\n".encode())
        return
    agreed = deflate.negotiate(environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", "")) if deflate else None
    if agreed:
        headers.append(("Sec-WebSocket-Extensions", agreed.header))
    ours = _socket.socket(fileno=sock.detach())
    ours.setblocking(False)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    echo = Echo(ours, agreed)
    echo.connection.send(handshake.response_head([*headers, ("Server", "echo")]))
    echo.connection.start(leftover)


def parse(head: bytes) -> dict[str, str]:
    """The head of a request as the part of a WSGI environment that a handshake looks at."""
    lines = io.StringIO(head.decode("latin-1"))
    method, _, version = next(lines).split()
    environ = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": version}
    for line in lines:
        name, _, value = line.partition(":")
        environ["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()
    return environ


settings = json.loads(sys.argv[1])
deflate = Deflate(**settings["options"]["deflate"]) if "deflate" in settings["options"] else None

if __name__ == "__main__":
    server = StreamServer(("127.0.0.1", settings["port"]), serve)
    gevent.signal_handler(signal.SIGTERM, server.stop)
    server.serve_forever()
