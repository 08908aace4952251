"""A chat: rooms, presence, typing, history and reconnection, written as for Flask-SocketIO.

    python examples/chat/app.py [--host 127.0.0.1] [--port 5000]
    gunicorn --chdir examples/chat -k gevent app:app

Everything is kept in the memory of one process and is bounded. What a client sends is checked here, whatever the page
has checked already; the page shows it as text only.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import argparse
import hashlib
import os
import secrets
import time
import unicodedata
from collections import deque

from flask import Flask, Response, make_response, render_template, request, session

from flask_socketio_py import ConnectionRefusedError, SocketIO, emit, join_room, leave_room

LIMITS = {"name": 24, "room": 32, "text": 2000, "key": 64, "token": 64, "history": 100, "rooms": 50}
ALWAYS_THERE = ("general", "ideas", "random")

socketio = SocketIO(max_http_buffer_size=100_000)


class Refused(ValueError):
    """What the client asked for is not possible; the text is for the person in front of it."""


class Room:
    """Who is in a room, and the last messages said there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.channel = f"room:{name}"  # a prefix, so that no room can be named like somebody's private one
        self.members: dict[str, dict[str, str]] = {}
        self.history: deque[dict] = deque(maxlen=LIMITS["history"])
        self.last_id = 0
        self.epoch = secrets.token_hex(4)  # ids start again with the process; who comes back compares this first

    def people(self) -> list[dict[str, str]]:
        """One entry a person, however many tabs are open, or still closing, for the same one."""
        unique = {person["id"]: person for person in self.members.values()}
        return sorted(unique.values(), key=lambda person: person["name"].casefold())

    def add(self, author: dict[str, str], text: str, key: str) -> tuple[dict, bool]:
        """The message, and whether it is new: after a lost ack the page sends the same key again."""
        for message in self.history:
            if message["key"] == key and message["author"]["id"] == author["id"]:
                return message, False
        self.last_id += 1
        at = int(time.time() * 1000)
        message = {"id": self.last_id, "room": self.name, "author": author, "text": text, "at": at, "key": key}
        self.history.append(message)
        return message, True

    def since(self, last_id: int) -> list[dict]:
        return [message for message in self.history if message["id"] > last_id]


rooms = {name: Room(name) for name in ALWAYS_THERE}


def field(data: object, name: str, lines: bool = False) -> str:
    """One text of a client's message, tidied, or Refused."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise Refused(f"The {name} is missing.")
    if len(value) > LIMITS[name]:
        raise Refused(f"The {name} may have at most {LIMITS[name]} characters.")
    value = "".join(c for c in value if unicodedata.category(c) not in ("Cc", "Cs") or (lines and c in "\n\t")).strip()
    if not value:
        raise Refused(f"The {name} must not be empty.")
    return value if lines else " ".join(value.split())


def find_or_create(name: str) -> Room:
    if name not in rooms and len(rooms) >= LIMITS["rooms"]:
        empty = [room.name for room in rooms.values() if not room.members and room.name not in ALWAYS_THERE]
        if not empty:
            raise Refused("There are too many rooms already.")
        del rooms[empty[0]]
    return rooms.setdefault(name, Room(name))


def announce(room: Room) -> None:
    """Tell the room who is there, and everybody how full the rooms are."""
    socketio.emit("people", {"room": room.name, "people": room.people()}, to=room.channel)
    socketio.emit("rooms", [{"name": each.name, "people": len(each.people())} for each in rooms.values()])


def leave_current() -> None:
    room = rooms.get(session.pop("room", ""))
    if room is not None and room.members.pop(request.sid, None):
        leave_room(room.channel)
        announce(room)


def current_room() -> Room:
    room = rooms.get(session.get("room", ""))
    if room is None:
        raise Refused("Join a room first.")
    return room


@socketio.on("connect")
def on_connect(auth=None):
    try:
        # The token is the tab's secret; what others see as the id of its person is derived from it.
        public_id = hashlib.sha256(field(auth, "token").encode()).hexdigest()[:12]
        session["person"] = {"id": public_id, "name": field(auth, "name")}
    except Refused as error:
        raise ConnectionRefusedError(str(error)) from error


@socketio.on("join")
def on_join(data=None):
    room = find_or_create(field(data, "room"))
    after = data.get("after") if data.get("epoch") == room.epoch else 0
    if session.get("room") != room.name:
        leave_current()
        join_room(room.channel)
        session["room"] = room.name
        room.members[request.sid] = session["person"]
        announce(room)
    missed = room.since(after if isinstance(after, int) else 0)
    you = session["person"]["id"]
    return {"room": room.name, "epoch": room.epoch, "messages": missed, "people": room.people(), "you": you}


@socketio.on("message")
def on_message(data=None):
    room = current_room()
    message, new = room.add(session["person"], field(data, "text", lines=True), field(data, "key"))
    if new:
        emit("message", message, to=room.channel, include_self=False)
    return {"message": message}


@socketio.on("typing")
def on_typing(on=None):
    room = current_room()
    typing = {"room": room.name, "person": session["person"], "on": on is True}
    emit("typing", typing, to=room.channel, include_self=False)


@socketio.on("disconnect")
def on_disconnect(reason=None):
    leave_current()


@socketio.on_error_default
def on_error(error):
    """What an error handler returns becomes the ack: a refusal is an answer, anything else is a defect."""
    if isinstance(error, Refused):
        return {"error": str(error)}
    raise error


def index() -> Response:
    response = make_response(render_template("index.html", limits=LIMITS, first_room=ALWAYS_THERE[0]))
    response.headers["Content-Security-Policy"] = "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'"
    return response


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.token_hex()
    app.add_url_rule("/", view_func=index)
    socketio.init_app(app)
    return app


app = create_app()

if __name__ == "__main__":
    options = argparse.ArgumentParser(description="The chat example of flask_socketio_py.")
    options.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    options.add_argument("--port", type=int, default=int(os.environ.get("PORT", "5000")))
    chosen = options.parse_args()
    print(f"Chat: http://{chosen.host}:{chosen.port}/  (Ctrl+C stops it)", flush=True)
    socketio.run(app, host=chosen.host, port=chosen.port)
