"""A real server in a greenlet of this process, and clients over gevent's sockets: HTTP, long-polling, WebSocket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import gevent
from flask import Flask
from gevent import socket
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.uri import parse_uri

from extension.wire import wait_for
from flask_socketio_py import SocketIO

DEADLINE = 20.0
#: Sockets of WebSocket clients, which a failed test may have left open.
_open: list[Any] = []


@contextmanager
def running(app: Flask, **options: Any) -> Iterator[int]:
    """The application served by ``socketio.run`` on a free port, which is the value; stopped at the end."""
    extension: SocketIO = app.extensions["socketio"]
    options.setdefault("port", 0)
    server = gevent.spawn(extension.run, app, **options)
    try:
        wait_for(
            lambda: server.dead or (extension.wsgi_server is not None and extension.wsgi_server.started), "it serves"
        )
        if server.dead:
            server.get()
        yield extension.wsgi_server.server_port
    finally:
        if extension.wsgi_server is not None:
            extension.stop()
        while _open:
            _open.pop().close()
        server.join(DEADLINE)
        assert server.dead, "the server ended"


class Answer(NamedTuple):
    status: int
    headers: Any
    body: bytes


def request(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    """One HTTP request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Polling:
    """A long-polling client. Each method is one request."""

    def __init__(self, port: int, join: bool = True) -> None:
        self.port = port
        self.url = "/socket.io/?EIO=4&transport=polling"
        self.opened = json.loads(self.get().body[1:])
        self.sid = self.opened["sid"]
        self.url += "&sid=" + self.sid
        if join:
            self.post("40")
            assert self.poll()[0].startswith('40{"sid"')

    def get(self) -> Answer:
        return request(self.port, "GET", self.url)

    def poll(self) -> list[str]:
        """Packets of one GET."""
        answer = self.get()
        assert answer.status == 200, answer
        return answer.body.decode().split("\x1e")

    def post(self, *packets: str) -> Answer:
        return request(self.port, "POST", self.url, "\x1e".join(packets).encode(), {"Content-Type": "text/plain"})

    def close(self) -> None:
        """Say goodbye, so that a server that stops need not wait."""
        self.post("1")

    def receive(self, count: int) -> list[str]:
        """At least `count` packets that are no pings."""
        packets: list[str] = []
        while len(packets) < count:
            for packet in self.poll():
                if packet == "2":
                    self.post("3")
                else:
                    packets.append(packet)
        return packets


class WebSocket:
    """A WebSocket client, its frames by the `websockets` package."""

    def __init__(self, port: int, join: bool = True) -> None:
        self.protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"))
        self.sock = socket.create_connection(("127.0.0.1", port), DEADLINE)
        _open.append(self.sock)
        self.protocol.send_request(self.protocol.connect())
        self._messages: list[str | bytes] = []
        self._flush()
        self.opened = json.loads(str(self.receive())[1:])
        if join:
            self.send("40")
            self.sid = json.loads(str(self.receive())[2:])["sid"]

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.sock.sendall(data)

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self._flush()

    def receive(self) -> str | bytes:
        """The next message that is no ping; pings are answered."""
        while True:
            while not self._messages:
                data = self.sock.recv(65536)
                assert data, "the server closed the connection"
                self.protocol.receive_data(data)
                for event in self.protocol.events_received():
                    if getattr(event, "opcode", None) is Opcode.TEXT:
                        self._messages.append(event.data.decode())
                    elif getattr(event, "opcode", None) is Opcode.BINARY:
                        self._messages.append(bytes(event.data))
                self._flush()
            message = self._messages.pop(0)
            if message != "2":
                return message
            self.send("3")

    def close(self) -> None:
        self.sock.close()
