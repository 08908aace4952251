"""The application under attack: handlers of every kind an attacker may reach for, and its own numbers at /stats.

Run as a program with one JSON argument: `{"port": 5000, "options": {…}}`; options as `SocketIO` takes them, but for
`run`, an object of arguments for `SocketIO.run`, and `surface`, which adds what surface.py has.
"""

from gevent import monkey

monkey.patch_all()

import gc
import json
import os
import sys
from typing import Any

import gevent
import greenlet
from flask import Flask, request

from flask_socketio_py import Namespace, SocketIO, disconnect, emit, join_room

settings = json.loads(sys.argv[1])
run_options = settings["options"].pop("run", {})
with_surface = settings["options"].pop("surface", False)
app = Flask(__name__)
app.secret_key = "hostile"
socketio = SocketIO(app, **settings["options"])
reached: dict[str, int] = {}
reasons: dict[str, str] = {}


def note(handler: str) -> None:
    reached[handler] = reached.get(handler, 0) + 1


def is_waiting_for_work(candidate: Any) -> bool:
    """Whether this greenlet is an idle one of the handler pool, which is kept on purpose."""
    frame = candidate.gr_frame
    return frame is not None and frame.f_code.co_filename.endswith("dispatch.py") and frame.f_code.co_name == "_work"


@app.get("/stats")
def stats() -> dict[str, Any]:
    rooms = socketio.server.manager.rooms
    greenlets = [item for item in gc.get_objects() if isinstance(item, greenlet.greenlet) and not item.dead]
    return {
        "sessions": len(socketio.server.eio.sockets),
        "sockets": sum(len(sids) for name in list(rooms) for sids in list(rooms[name].values())),
        "greenlets": sum(not is_waiting_for_work(item) for item in greenlets),
        "fds": len(os.listdir("/proc/self/fd")),
        "namespaces": len(socketio.engine.handler.namespaces),  # type: ignore[attr-defined]
        "reached": reached,
        "reasons": reasons,
    }


@app.get("/memory")
def memory() -> dict[str, int]:
    with open("/proc/self/statm") as file:
        return {"resident": int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")}


@socketio.on("connect")
def connect(auth: Any) -> None:
    note("connect")
    behaviour = auth.get("behaviour") if isinstance(auth, dict) else None
    if behaviour == "slow":
        gevent.sleep(0.5)
    elif behaviour == "raise":
        raise RuntimeError("on purpose")
    elif behaviour == "leave":
        disconnect()


@socketio.on("disconnect")
def note_reason(reason: str) -> None:
    note("disconnect")
    reasons[request.sid] = reason  # type: ignore[attr-defined]


@socketio.on("echo")
def echo(*args: Any) -> Any:
    return args


@socketio.on("reply")
def reply(*args: Any) -> None:
    emit("reply", args)


@socketio.on("strict")
def strict_on_purpose(argument: Any) -> Any:
    return argument


@socketio.on("ask")
def ask(*args: Any) -> None:
    emit("question", callback=lambda *answers: note("answer"))


@socketio.on("join")
def join(*args: Any) -> None:
    if args and isinstance(args[0], str):
        join_room(args[0])


@socketio.on("nap")
def nap(*args: Any) -> str:
    gevent.sleep(0.2 if args == (0.2,) else 0.1)
    return "awake"


@socketio.on("flood")
def flood(*args: Any) -> None:
    count, size = args if len(args) == 2 else (1, 1)
    for _ in range(count):
        emit("flood", "x" * size)
        gevent.sleep(0)


@socketio.on("raise")
def fail(*args: Any) -> None:
    raise RuntimeError("on purpose")


class Classy(Namespace):
    """Events of the wire become method names here: only `on_…` methods may be reached by it."""

    on_secret = "not a method"

    def on_echo(self, *args: Any) -> Any:
        return args

    def _private(self, *args: Any) -> None:
        note("_private")

    def error(self, *args: Any) -> None:
        note("error")

    def helper(self, *args: Any) -> None:
        note("helper")

    def on__hidden(self, *args: Any) -> None:
        note("hidden")


socketio.on_namespace(Classy("/class"))
if with_surface:
    from surface import install  # beside this program

    install(socketio, note)

if __name__ == "__main__":
    socketio.run(app, host="127.0.0.1", port=settings["port"], **run_options)
