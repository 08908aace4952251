"""What the Node surface adds for attackers to reach for: dynamic namespaces, middleware, questions to everybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from flask_socketio_py import ConnectionRefusedError, SocketIO
from flask_socketio_py.socketio.socket import Socket


def behave(auth: Mapping[str, Any], socket: Socket | None = None) -> bool | None:
    """What the client asks for, as long as it is a way to behave."""
    behaviour = auth.get("behaviour")
    if behaviour == "slow":
        gevent.sleep(0.3)
    elif behaviour == "raise":
        raise RuntimeError("on purpose")
    elif behaviour == "refuse":
        raise ConnectionRefusedError("no", auth)
    elif behaviour == "no":
        return False
    elif behaviour == "leave" and socket is not None:
        socket.disconnect()
    return None


def install(socketio: SocketIO, note: Callable[[str], None]) -> None:
    """Add it to the application under attack."""
    by_pattern = socketio.of(re.compile("/dyn-([a-z]+-?)+"))

    def by_function(name: str, auth: Any) -> bool:
        return name.startswith("/ask-") and behave(auth or {}) is not False

    for parent in (by_pattern, socketio.of(by_function)):

        @parent.use
        def guard(socket: Socket) -> bool | None:
            note("guard")
            return behave(socket.handshake.auth, socket)

        @parent.on("connect")
        def connect() -> None:
            note("dynamic connect")

        @parent.on("disconnect")
        def disconnect() -> None:
            note("dynamic disconnect")

        parent.on("echo")(lambda *args: args)

    @socketio.on("poll")
    def poll() -> None:
        socketio.timeout(0.3).emit("question", callback=lambda error, answers: note("polled"))

    @socketio.on("news")
    def news() -> None:
        socketio.emit("news")
