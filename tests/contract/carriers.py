"""One way to drive each transport from its client's side, so that one suite can run over all of them.

Polling and WebSocket run through the real WSGI application: polling by requests, the WebSocket over a real socket pair.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket

from flask_socketio_py.config import Options
from flask_socketio_py.engineio import payload
from flask_socketio_py.engineio.server import EngineServer
from flask_socketio_py.testing import InProcessTransport

from .recording import DirectTransport, FetchedTransport, RecordingHandler, request
from .waiting import PATIENCE, turn, wait_until

Message = str | bytes


class Carrier:
    """A session and its client, who keeps the packets it got in ``received``."""

    #: Whether the client is told that the server closes.
    tells_the_end = True

    def __init__(self, **options: Any) -> None:
        self.handler = RecordingHandler()
        self.engine = EngineServer(Options(cors_allowed_origins=[], **options), self.handler)
        self.received: list[Message] = []
        self.ended = False

    @property
    def session(self) -> Any:
        return self.handler.opened[0]

    @property
    def messages(self) -> list[Message]:
        return [
            item if isinstance(item, bytes) else item[1:]
            for item in self.received
            if item[:1] not in ("0", "1", "2", "6")
        ]

    def send(self, *packets: Message) -> None:
        """The client sends packets: text with its digit, or binary data."""
        raise AssertionError("each carrier has its own way")

    def leave(self) -> None:
        """The client goes away without a word."""
        raise AssertionError("each carrier has its own way")

    def stop(self) -> None:
        self.engine.close()
        turn()


class Polling(Carrier):
    """Requests to the WSGI application; a greenlet polls as the official client does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.request()
        self.statuses: list[str] = []
        self.poller = gevent.spawn(self._poll)
        turn()

    def request(self, method: str = "GET", body: bytes = b"") -> str:
        sid = f"&sid={self.session.sid}" if self.handler.opened else ""
        environ = {
            "REQUEST_METHOD": method, "QUERY_STRING": "EIO=4&transport=polling" + sid, "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http",
        }  # fmt: skip
        statuses: list[str] = []
        answer = b"".join(self.engine(environ, lambda status, headers: statuses.append(status)))
        if method == "GET" and statuses[0].startswith("200"):
            self.received += payload.decode(answer)
        return statuses[0]

    def _poll(self) -> None:
        while not self.ended:
            self.ended = not self.request().startswith("200") or "1" in self.received

    def send(self, *packets: Message) -> None:
        body = payload.join(
            [payload.encode_binary(item) if isinstance(item, bytes) else item.encode() for item in packets]
        )
        gevent.spawn(lambda: self.statuses.append(self.request("POST", body)))
        turn()

    def leave(self) -> None:
        self.send("1")

    def stop(self) -> None:
        super().stop()
        self.poller.kill()


class WebSocket(Carrier):
    """A client of the standard library's sockets at the other end of a pair that the WSGI application takes over."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        theirs, self.sock = socket.socketpair()
        self.sock.settimeout(PATIENCE)
        environ = {
            "REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=websocket", "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade", "HTTP_SEC_WEBSOCKET_VERSION": "13",
            "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(os.urandom(16)).decode(), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(), "gunicorn.socket": theirs,
        }  # fmt: skip
        self.engine(environ, lambda status, headers: None)
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self.sock.recv(65536)
        self._buffer = self._buffer.partition(b"\r\n\r\n")[2]
        self.reader = gevent.spawn(self._read)
        wait_until(lambda: self.received, "the open packet")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _read(self) -> None:
        try:
            while True:
                first, length = self._take(2)
                if length >= 126:
                    length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
                data = self._take(length)
                if first & 15 == 8:
                    break
                self.received.append(data.decode() if first & 15 == 1 else data)
        except OSError:
            return
        finally:
            self.ended = True

    def send(self, *packets: Message) -> None:
        frames = b""
        for item in packets:
            data = item if isinstance(item, bytes) else item.encode()
            first = b"\x82" if isinstance(item, bytes) else b"\x81"
            head = bytes([128 | len(data)]) if len(data) < 126 else b"\xff" + len(data).to_bytes(8, "big")
            if 126 <= len(data) < 65536:
                head = b"\xfe" + len(data).to_bytes(2, "big")
            frames += first + head + bytes(4) + data
        self.sock.sendall(frames)
        turn()

    def leave(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        super().stop()
        self.reader.kill()
        self.sock.close()
        turn()


class InMemory(Carrier):
    """A transport without a wire; what its client sends is received at once."""

    transport: Any

    def send(self, *packets: Message) -> None:
        for item in packets:
            self.session.receive(item)

    def leave(self) -> None:
        self.session.receive("1")

    def take(self, message: Any) -> None:
        self.received += [message.text.decode(), *message.attachments]


class InProcess(InMemory):
    """The test client's transport."""

    tells_the_end = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.transport = InProcessTransport(self.take)
        self.engine.adopt(request(), self.transport)


class Recording(InMemory):
    """The recording transports of this folder: what other tests rely on keeps the contract too."""

    kind: Callable[[], DirectTransport] = DirectTransport

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.transport = type(self).kind()
        self.engine.adopt(request(), self.transport)
        self.transport.session = self.session
        self._waiting: list[Message] = []

    @property
    def messages(self) -> list[Message]:
        if isinstance(self.transport, FetchedTransport):
            self.transport.fetch()
        self.received = []
        for message in self.transport.taken:
            self.take(message)
        self.ended = self.transport.over or self.session.transport is not self.transport
        return super().messages

    def send(self, *packets: Message) -> None:
        self._waiting += packets
        self.pump()

    def pump(self) -> None:
        while self._waiting and not self.transport.paused:
            self.session.receive(self._waiting.pop(0))


class Fetched(Recording):
    kind = FetchedTransport


CARRIERS = [Polling, WebSocket, InProcess, Recording, Fetched]
