"""The application of the capacity measurements: echo, everybody, rooms, questions. Run by gunicorn, or by ``flames``.

``MESSAGE_QUEUE`` in the environment makes it one of a cluster.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from flask_socketio_py import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, message_queue=os.environ.get("MESSAGE_QUEUE"))


@app.get("/pid")
def pid() -> dict[str, int]:
    return {"pid": os.getpid(), "sessions": len(socketio.engine.sessions)}


@socketio.on("echo")
def echo(data: Any) -> Any:
    return data


@socketio.on("all")
def to_all(data: Any) -> None:
    emit("news", data, broadcast=True)


@socketio.on("join")
def join(rooms: list[str]) -> None:
    for room in rooms:
        join_room(room)


@socketio.on("room")
def to_room(room: str, data: Any) -> None:
    emit("news", data, to=room)


@socketio.on("fetch")
def fetch() -> int:
    return len(socketio.fetch_sockets())
