"""One worker of a fleet, for Flask-SocketIO and for ours alike: what a test asks for over HTTP, it does.

``GET /do?what=[name, args, kwargs]`` calls a method of ``socketio`` or of ``socketio.server``; the argument
``callback: true`` notes what the callback is called with, for ``GET /notes``.
"""

import json

from flask import Flask, jsonify, request

from tests.live.apps.package import OPTIONS, SocketIO, join_room

app = Flask(__name__)
socketio = SocketIO(app, **OPTIONS)
notes = []


@app.route("/")
def index():
    return "a worker"


@app.route("/do")
def do():
    name, args, kwargs = json.loads(request.args["what"])
    target = socketio
    for part in name.split("."):
        target = getattr(target, part)
    if kwargs.get("callback"):
        kwargs["callback"] = lambda *answer: notes.append(list(answer))
    for place, value in enumerate(args):
        if isinstance(value, dict) and "hex" in value:
            args[place] = bytes.fromhex(value["hex"])
        elif isinstance(value, dict) and "tuple" in value:
            args[place] = tuple(value["tuple"])
    result = target(*args, **kwargs)
    return jsonify(result if isinstance(result, (list, tuple, str, int, dict, type(None))) else str(result))


@app.route("/notes")
def all_notes():
    return jsonify(notes)


@app.route("/sids")
def sids():
    return jsonify([socket.id for socket in socketio.fetch_sockets()])


@socketio.on("join")
def join(room):
    join_room(room)
    return "joined"


@socketio.on("connect", namespace="/chat")
def connect():
    pass
