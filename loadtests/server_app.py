"""The application of the load scenarios: rooms, shouts, echoes, pictures. What uses what stands in ``scenarios.py``.

It serves by itself, for runs from locust's web page or from another machine:

    python -m flask_socketio_py run loadtests.server_app:app
    gunicorn -k flask_socketio_py.workers.SocketIOWorker -w 4 loadtests.server_app:app

Options of ``SocketIO(app, ...)`` may be given as JSON in ``SOCKETIO_OPTIONS``: a cluster needs a ``message_queue``.
"""

import json
import os
from collections import Counter

from flask import Flask

from flask_socketio_py import SocketIO, emit, join_room

app = Flask(__name__)
socketio = SocketIO(app, **json.loads(os.environ.get("SOCKETIO_OPTIONS", "{}")))
#: Of this process: how often a client went, by the reason.
REASONS: Counter[str] = Counter()


@app.get("/")
def index():
    return "ready"


@app.get("/reasons")
def reasons():
    return dict(REASONS)


@socketio.on("disconnect")
def gone(reason):
    REASONS[str(reason)] += 1


@socketio.on("join")
def join(room):
    join_room(room)
    return room


@socketio.on("say")
def say(room, message):
    emit("said", message, to=room)
    return True


@socketio.on("shout")
def shout(message):
    emit("heard", message, broadcast=True)
    return True


@socketio.on("show")
def show(message):
    """A picture for the gallery, except who shows it."""
    emit("picture", message, to="gallery", include_self=False)
    return True


@socketio.on("echo")
def echo(*values):
    return values


# One for each size, since a name is a row of locust's table.
for name in ("echo 1 kB", "echo 16 kB"):
    socketio.on_event(name, echo)
