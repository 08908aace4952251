"""A client inside the process that speaks packets as they are on the wire, which the test client hides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import gevent
from flask import Flask
from werkzeug.test import EnvironBuilder

from flask_socketio_py import SocketIO
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.request import EngineIORequest
from flask_socketio_py.engineio.session import Event
from flask_socketio_py.testing import InProcessTransport


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 20.0) -> Any:
    """The first true value of `condition()`, while other greenlets run; fails with `what` after a generous deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout} s in vain: {what}"
        gevent.sleep(0.002)


class Wire:
    """One Engine.IO session. ``received`` holds Socket.IO packets as text, and attachments, in the order of sending."""

    def __init__(self, app: Flask, query: str = "") -> None:
        extension: SocketIO = app.extensions["socketio"]
        self.received: list[str | bytes] = []
        environ = EnvironBuilder("/socket.io/", query_string=query).get_environ()
        request = EngineIORequest(environ, "websocket", None, "4", False)
        self.engine = extension.engine
        self.session = extension.engine.adopt(request, InProcessTransport(self._receive))

    def _receive(self, message: PreparedMessage) -> None:
        text = message.text.decode()
        if text[0] == "4":
            self.received.append(text[1:])
            self.received.extend(message.attachments)

    def push(self, *packets: str | bytes) -> None:
        """Send packets: texts without Engine.IO's own type, and attachments."""
        for packet in packets:
            self.session.receive("4" + packet if isinstance(packet, str) else packet)

    def join(self, namespace: str = "/") -> str:
        """Join a namespace; returns the sid."""
        start = "0" if namespace == "/" else f"0{namespace},"
        self.push(start)
        answer = wait_for(
            lambda: [item for item in self.received if str(item).startswith(start)], "CONNECT is answered"
        )
        return str(json.loads(answer[-1][len(start) :])["sid"])

    def wait(self, packet: str | bytes) -> None:
        """Until the server has sent this packet."""
        wait_for(lambda: packet in self.received, f"{packet!r} arrives")

    def vanish(self) -> None:
        """Go away without a word."""
        self.session.apply(Event.TRANSPORT_CLOSED)

    @property
    def is_open(self) -> bool:
        return self.session.sid in self.engine.sessions
