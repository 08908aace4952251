"""A WebSocket client over every kind of socket, and a receiver that remembers: for the tests of the connection."""

from __future__ import annotations

import _socket
import gc
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from contract.waiting import PATIENCE
from gevent import socket, ssl

from flask_socketio_py.websocket.connection import Connection
from flask_socketio_py.websocket.frames import encode_frame

from .client_frames import masked

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Told:
    """Implements ``Receiver``. ``react(message)`` runs on each message."""

    def __init__(self) -> None:
        self.messages: list[str | bytes] = []
        self.drains = 0
        self.ends: list[tuple[int | None, bool]] = []
        self.react: Callable[[Any], Any] = lambda message: None
        self.react_to_drain: Callable[[], Any] = lambda: None

    def on_message(self, message: str | bytes) -> None:
        self.messages.append(message)
        self.react(message)

    def on_drain(self) -> None:
        self.drains += 1
        self.react_to_drain()

    def on_close(self, code: int | None, error: bool) -> None:
        self.ends.append((code, error))


def closing(code: int, reason: bytes = b"") -> bytes:
    """The payload of a close frame."""
    return struct.pack("!H", code) + reason


def fill(connection: Connection) -> int:
    """Send numbered frames until one is refused; returns their number."""
    number = 0
    while connection.send(encode_frame(b"%06d" % number + b"x" * 9_000)):
        number += 1
        assert number < 5_000, "the kernel takes everything"
    return number


def make_connection(sock: Any, told: Told, max_payload: int = 1_000_000) -> Connection:
    """A connection over the server's end."""
    return Connection(sock, told, max_payload=max_payload)


class Peer:
    """The client's end, with a deadline on everything."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE)
        self._buffer = b""

    def send(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(frames))

    def text(self, *texts: str) -> None:
        """Send text messages, all in one segment."""
        self.send(*[masked(TEXT, text.encode()) for text in texts])

    def frame(self) -> tuple[int, bytes] | None:
        """The next frame as (opcode, payload); ``None`` at the end of the stream."""
        try:
            first, length = self._take(2)
            if length >= 126:
                length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
            return first & 15, self._take(length)
        except EOFError:
            return None

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.sock.recv(262_144)
            if not data:
                assert not self._buffer, "the stream ends in the midst of a frame"
                raise EOFError
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def frames(self) -> list[tuple[int, bytes]]:
        """All frames up to the end of the stream."""
        return list(iter(self.frame, None))

    def close(self) -> None:
        self.sock.close()


class Sockets:
    """Makes pairs of connected sockets of a kind: ``pair``, ``tcp`` or ``tls``."""

    def __init__(self, kind: str, certificate: Path) -> None:
        self.kind = kind
        self._certificate = certificate
        self._peers: list[Peer] = []
        self._connections: list[Connection] = []

    def open(self, small: bool = False) -> tuple[Any, Peer]:
        """The server's end as the package takes it over, and the client. ``small``: the kernel takes little."""
        if self.kind == "pair":
            ours, theirs = socket.socketpair()
        else:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen()
                theirs = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
                ours, _ = listener.accept()
        if small:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        if self.kind == "tls":
            ours, theirs = self._encrypt(ours, theirs)
            ours.settimeout(0.0)
        else:
            # As the take-over makes it: the standard library's own socket, whose calls never switch greenlets.
            ours = _socket.socket(ours.family, ours.type, ours.proto, fileno=ours.detach())
            ours.setblocking(False)
        self._peers.append(Peer(theirs))
        return ours, self._peers[-1]

    def _encrypt(self, ours: Any, theirs: Any) -> tuple[Any, Any]:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(self._certificate / "cert.pem", self._certificate / "key.pem")
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(str(self._certificate / "cert.pem"))
        shaking = gevent.spawn(server.wrap_socket, ours, server_side=True)
        theirs = client.wrap_socket(theirs, server_hostname="localhost")
        return shaking.get(timeout=PATIENCE), theirs

    def connect(self, *, small: bool = False, start: bool = True, max_payload: int = 1_000_000) -> Any:
        """(connection, receiver, peer)"""
        sock, peer = self.open(small)
        told = Told()
        connection = make_connection(sock, told, max_payload)
        self._connections.append(connection)
        if start:
            connection.start()
        return connection, told, peer

    def stop(self) -> None:
        for connection in self._connections:
            connection.abort()
        for peer in self._peers:
            peer.close()


def make_certificate(folder: Path) -> None:
    """A key and a certificate for localhost, signed by itself."""
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def count(*kinds: type) -> int:
    """Objects of these types that are alive."""
    gc.collect()
    return sum(issubclass(type(item), kinds) for item in gc.get_objects())
