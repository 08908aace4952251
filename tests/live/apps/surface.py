"""The Node surface at a test's command: a client sends chains of names and arguments, and the server follows them.

``tests/live/remote.py`` writes such chains. Namespaces with middleware, and dynamic ones, are in ``surface_spaces``. No
application should do this: whoever connects may do everything.
"""

import re
from collections.abc import KeysView

from flask import Flask, jsonify, request

from flask_socketio_py import EventRefusedError, current_socket
from flask_socketio_py.socketio.handshake import Handshake
from flask_socketio_py.socketio.socket import Socket
from tests.live.apps import surface_spaces
from tests.live.apps.extension import journal, note, socketio
from tests.live.apps.package import OPTIONS

app = Flask(__name__)
app.register_blueprint(surface_spaces.routes)
ROOTS = {"io": lambda: socketio, "socket": lambda: current_socket._get_current_object()}


@app.route("/")
def index():
    return "ready"


@app.route("/journal/<key>")
def read_journal(key):
    return jsonify(journal[key])


@socketio.on("connect")
def connected(auth):
    note({"connect": request.sid, "recovered": current_socket.recovered, "rooms": sorted(current_socket.rooms)})
    if "waits when it comes back" in current_socket.data:
        surface_spaces.gates[request.args["key"]].wait(20)


@socketio.on("disconnect")
def disconnected(reason):
    note({"disconnect": request.sid, "reason": reason, "rooms": sorted(set(current_socket.rooms) - {request.sid})})
    if "waits at the end" in current_socket.data:
        surface_spaces.gates[request.args["key"]].wait(20)


@socketio.on("echo", namespace="*")
def echo(*args):
    return args


@socketio.on("note", namespace="*")
def note_down(*args):
    note(["note", *args])


# -- what a chain may name -----------------------------------------------------------------------------------------


def watch(event, *args):
    note(["watch", event, *args])


def watch_first(event, *args):
    note(["first", event, *args])


def watch_outgoing(event, *args):
    note(["outgoing", event, *describe(args)])


def guard(event, args):
    note(["guard", event, *args])
    if event == "forbidden":
        raise EventRefusedError("not for you")
    if event == "echo":
        args.append("from the guard")
    return "the guard's answer" if event == "answered" else None


def own(*args):
    note(["own", *args])
    return "own answer"


def fail(*args):
    raise RuntimeError("on purpose")


FUNCTIONS = {function.__name__: function for function in (watch, watch_first, watch_outgoing, guard, own, fail)}


def called_back(socket, name):
    return lambda *args: socket.emit("called back", name, *describe(args))


def argument(value):
    if isinstance(value, dict) and "$function" in value:
        return FUNCTIONS[value["$function"]]
    if isinstance(value, dict) and "$pattern" in value:
        return re.compile(value["$pattern"])
    if isinstance(value, dict) and "$callback" in value:
        return called_back(current_socket._get_current_object(), value["$callback"])
    return value


def follow(root, *steps):
    value = ROOTS[root]()
    for kind, *rest in steps:
        if kind == "get":
            value = getattr(value, rest[0])
        elif kind == "set":
            setattr(value, *rest)
        elif kind == "item":
            value = value[rest[0]]
        else:
            args, kwargs = rest
            value = value(*map(argument, args), **{name: argument(given) for name, given in kwargs.items()})
    return value


def describe(value):
    if isinstance(value, Socket):
        return value.id
    if isinstance(value, Handshake):
        return value.as_dict()
    if isinstance(value, BaseException):
        more = {name: getattr(value, name) for name in ("responses", "missing") if hasattr(value, name)}
        return {"error": type(value).__name__, "text": str(value), **more}
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | KeysView):
        return [describe(item) for item in value]
    return None if callable(value) else value


def outcome(chain):
    try:
        return {"value": describe(follow(*chain))}
    except Exception as error:
        return describe(error)


@socketio.on("do", namespace="*")
def do(*chains):
    return [outcome(chain) for chain in chains]


@socketio.on("fill")
def fill_the_connection(sid):
    """Emit until the client's connection takes no more."""
    socket = socketio.sockets[sid]
    for count in range(1, 200):
        socket.emit("filler", "x" * 100_000)
        if not socket.conn.transport.writable:
            return count
    return None


@socketio.on("stream")
def stream(count, pause):
    """Emit numbers to a room, as many as asked for."""
    for number in range(count):
        socketio.to("crowd").emit("number", number)
        socketio.sleep(pause)


socketio.init_app(app, **OPTIONS)
