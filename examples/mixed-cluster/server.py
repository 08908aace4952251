"""The Python half of one cluster of two languages. server.js is the other half and does the same.

    python examples/mixed-cluster/server.py [--host 127.0.0.1] [--port 5000]

REDIS_URL is where the two meet, by default redis://localhost:6379/0.
"""

from gevent import monkey

monkey.patch_all()  # before anything else is imported

import argparse
import os

from flask import Flask

from flask_socketio_py import BroadcastTimeoutError, ConnectionRefusedError, SocketIO, current_socket

NAME = "python"

app = Flask(__name__, static_folder="public")
socketio = SocketIO(app, message_queue=os.environ.get("REDIS_URL", "redis://localhost:6379/0"))


def text(value):
    """What a client sends may be anything."""
    return value[:200] if isinstance(value, str) else ""


@app.route("/")
def index():
    return app.send_static_file("index.html")


@socketio.on("connect")
def connect(auth=None):
    name = auth.get("name") if isinstance(auth, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 24:
        raise ConnectionRefusedError("A name of 1 to 24 characters, please.")
    current_socket.data = {"name": name, "server": NAME}


@socketio.on("say")
def say(said=None):
    """To everybody, whichever server they are at."""
    socketio.emit("said", {**current_socket.data, "text": text(said)})


@socketio.on("who")
def who():
    """Everybody, of all servers."""
    return [{"id": each.id, **each.data} for each in socketio.fetch_sockets()]


@socketio.on("nudge")
def nudge(sid=None):
    """Ask one client, whichever server it is at, and give its answer to the one who asked."""
    try:
        answers = socketio.to(text(sid)).timeout(2).emit_with_ack("nudge", current_socket.data["name"])
    except BroadcastTimeoutError:
        answers = []
    return {"answer": answers[0] if answers else None}


@socketio.on("servers")
def servers():
    """Who the servers are: this one, and the answers of the others."""
    return [NAME, *socketio.server_side_emit_with_ack("name?")]


@socketio.on_server_side_emit("name?")
def name():
    return NAME


@socketio.on("note")
def note(said=None):
    """Something between servers: each of the others tells its own clients."""
    socketio.server_side_emit("note", NAME, text(said))


@socketio.on_server_side_emit("note")
def noted(sender, said):
    socketio.local.emit("noted", {"by": NAME, "from": sender, "text": said})


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="The Python half of a mixed cluster.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=5000)
    chosen = options.parse_args()
    print(f"Python: http://{chosen.host}:{chosen.port}/  (Ctrl+C stops it)", flush=True)
    socketio.run(app, host=chosen.host, port=chosen.port)
