"""The application under test: the events that the conformance tests send, and numbers about itself at /stats.

Run as a program with one JSON argument: `{"port": 5000, "options": {…}}`, options as `SocketIO` takes them.
"""

from gevent import monkey

monkey.patch_all()

import json
import sys
from typing import Any

from flask import Flask, request

from flask_socketio_py import ConnectionRefusedError, SocketIO, disconnect, emit

settings = json.loads(sys.argv[1])
app = Flask(__name__)
app.secret_key = "conformance"
socketio = SocketIO(app, **settings["options"])
reasons: dict[str, str] = {}


@app.get("/stats")
def stats() -> dict[str, Any]:
    rooms = socketio.server.manager.rooms
    return {
        "sessions": len(socketio.server.eio.sockets),
        "sockets": sum(len(rooms[name].get(None, ())) for name in list(rooms)),
        "reasons": reasons,
    }


def register(namespace: str) -> None:
    def on(event: str) -> Any:
        return socketio.on(event, namespace=namespace)

    @on("connect")
    def connect(auth: Any) -> None:
        if auth and "refuse" in auth:
            raise ConnectionRefusedError(auth["refuse"], {"code": 7})
        emit("auth", auth or {})

    @on("disconnect")
    def note_reason(reason: str) -> None:
        reasons[request.sid] = reason  # type: ignore[attr-defined]

    @on("message")
    def message(*args: Any) -> None:
        emit("message-back", args)

    @on("message-with-ack")
    def message_with_ack(*args: Any) -> Any:
        return args

    @on("ask")
    def ask(data: Any) -> None:
        emit("question", data, callback=lambda *args: emit("answered", args))

    @on("burst")
    def burst(count: int) -> None:
        for number in range(count):
            emit("burst", number)

    @on("big")
    def big(size: int) -> None:
        emit("big", "x" * size)

    @on("mixed")
    def mixed() -> None:
        emit("one", 1)
        emit("two", (b"\x01", b"\x02"))
        emit("three", 3)

    @on("shout")
    def shout(*args: Any) -> None:
        emit("shout", args, broadcast=True)

    @on("leave-me")
    def leave_me() -> None:
        disconnect()

    @on("eleven")
    def eleven() -> str:
        try:
            emit("eleven", [bytes([number]) for number in range(11)])
        except ValueError as error:
            return type(error).__name__
        return "sent"


for name in ("/", "/custom"):
    register(name)

if __name__ == "__main__":
    socketio.run(app, host="127.0.0.1", port=settings["port"])
