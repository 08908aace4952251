"""A feed that shows which host and which worker serves whom. The code is the same for one worker and for several hosts.

    gunicorn --chdir examples/scaling -k flask_socketio_py.workers.SocketIOWorker -w 4 app:app

With SOCKETIO_MESSAGE_QUEUE in the environment all workers, of all hosts, are one cluster. HOST_NAME is what this host
is called on the page. Nothing is kept: who is connected is asked of the cluster, what is said goes to who is there.
"""

import os
import socket
from collections import Counter

from flask import Flask

from flask_socketio_py import SocketIO, current_socket, emit, join_room, leave_room

LONGEST = {"text": 200, "room": 32}

app = Flask(__name__)
app.config["SOCKETIO_MESSAGE_QUEUE"] = os.environ.get("SOCKETIO_MESSAGE_QUEUE")
socketio = SocketIO(app, max_http_buffer_size=10_000)


def here():
    return {"host": os.environ.get("HOST_NAME") or socket.gethostname(), "worker": os.getpid()}


def checked(name, value):
    """What a client sent as a text, or ValueError."""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST[name]:
        raise ValueError(f"The {name} must be a text of 1 to {LONGEST[name]} characters.")
    return value


@app.route("/")
def index():
    return app.send_static_file("index.html")


@app.route("/where")
def where():
    """A plain request: which worker answers is the kernel's choice, whoever has the session."""
    return here()


@socketio.on("connect")
def on_connect(auth=None):
    current_socket.data = here()
    emit("welcome", {**here(), "cluster": app.config["SOCKETIO_MESSAGE_QUEUE"] is not None})


@socketio.on("say")
def on_say(text=None, room=None):
    """To everybody or to a room; without a message queue that is everybody of this worker."""
    room = None if room is None else checked("room", room)
    message = {"text": checked("text", text), "room": room, "from": here()}
    # A prefix, so that no room can be named like somebody's private one.
    socketio.emit("said", message, to=room and f"room:{room}")
    return message


@socketio.on("join")
def on_join(room=None):
    join_room(f"room:{checked('room', room)}")
    return room


@socketio.on("leave")
def on_leave(room=None):
    leave_room(f"room:{checked('room', room)}")
    return room


@socketio.on("who")
def on_who():
    """How many clients each worker has, as far as this one can know."""
    count = Counter((each.data["host"], each.data["worker"]) for each in socketio.fetch_sockets() if each.data)
    return [{"host": host, "worker": worker, "clients": count[host, worker]} for host, worker in sorted(count)]


@socketio.on_error_default
def on_error(error):
    """What an error handler returns becomes the ack: a refusal is an answer, anything else is a defect."""
    if isinstance(error, ValueError):
        return {"error": str(error)}
    raise error
