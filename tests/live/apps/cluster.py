"""A server of a cluster that does what a test posts to ``/do``; ``js/node_server.cjs`` is an official one that does.

Values are JSON with bytes as ``{"$bytes": base64}``, as in ``tests/live/jsclient.py``. No application should do this.
"""

from flask import Flask, jsonify, request

from flask_socketio_py import BroadcastTimeoutError, SocketIO
from tests.live.apps.package import OPTIONS
from tests.live.jsclient import pack, unpack

NAMESPACES = ("/", "/chat", "/*?")
app = Flask(__name__)
NAME = OPTIONS.pop("name")
socketio = SocketIO(app, **OPTIONS)
heard = []


@app.route("/")
def index():
    return "ready"


@app.route("/do", methods=["POST"])
def do():
    return jsonify(pack(OPERATIONS[request.args["operation"]](**unpack(request.get_json()))))


def listen(namespace):
    @socketio.on("connect", namespace=namespace)
    def connected(auth):
        pass

    @socketio.on_server_side_emit("note", namespace=namespace)
    def note(*args):
        heard.append([namespace, *args])

    @socketio.on_server_side_emit("ask", namespace=namespace)
    def ask(*args):
        return NAME if not args else args[0]


for name in NAMESPACES:
    listen(name)


def operator(namespace, rooms, excepted):
    found = socketio.of(namespace).to(*rooms) if rooms else socketio.of(namespace)
    return found.except_(*excepted)


def everything(flags):
    return flags.get("namespace", "/"), flags.get("rooms", ()), flags.get("excepted", ())


def emit(args, volatile=False, compress=True, **whom):
    found = operator(*everything(whom)).compress(compress)
    (found.volatile if volatile else found).emit(*args)


def emit_with_ack(args, timeout, **whom):
    try:
        return {"complete": True, "answers": operator(*everything(whom)).timeout(timeout).emit_with_ack(*args)}
    except BroadcastTimeoutError as error:
        return {"complete": False, "answers": error.responses}


def fetch(**whom):
    found = operator(*everything(whom)).fetch_sockets()
    return [{"id": one.id, "rooms": list(one.rooms), "data": one.data, "url": url_of(one.handshake)} for one in found]


def url_of(handshake):
    return handshake["url"] if isinstance(handshake, dict) else handshake.url


def room_sizes(namespace="/"):
    return core(namespace).shared.room_sizes()


def core(namespace):
    return operator(namespace, (), ()).namespace


def set_data(sid, data):
    core("/").sockets[sid].data = data


def server_call(args, namespace="/"):
    return list(socketio.of(namespace).server_side_emit_with_ack(*args))


OPERATIONS = {
    "emit": emit,
    "emit_with_ack": emit_with_ack,
    "fetch": fetch,
    "count": lambda **whom: operator(*everything(whom)).count(),
    "room_sizes": room_sizes,
    "servers": lambda namespace="/": core(namespace).shared.cluster.others(namespace) + 1,
    "join": lambda moved, **whom: operator(*everything(whom)).sockets_join(*moved),
    "leave": lambda moved, **whom: operator(*everything(whom)).sockets_leave(*moved),
    "disconnect": lambda close=False, **whom: operator(*everything(whom)).disconnect_sockets(close),
    "data": set_data,
    "server_emit": lambda args, namespace="/": socketio.of(namespace).server_side_emit(*args),
    "server_call": server_call,
    "heard": lambda: heard,
}
