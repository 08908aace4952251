"""Namespaces of the Node surface: one behind middleware, and dynamic ones of which a client makes the first use."""

import re
from collections import defaultdict

from flask import Blueprint, request
from gevent.event import Event

from flask_socketio_py import ConnectionRefusedError, current_socket
from tests.live.apps.extension import note, socketio

routes = Blueprint("gates", __name__)
gates = defaultdict(Event)
guarded = socketio.of("/guarded")


@routes.route("/open/<key>")
def open_gate(key):
    gates[key].set()
    return "open"


@socketio.on_new_namespace
def made(namespace):
    note(namespace.name, "namespaces")


@guarded.use
def first(socket):
    note(["first", socket.connected])
    wish = socket.handshake.auth.get("wish")
    socket.join("early birds")
    if wish == "emit":
        socket.emit("early", "from the middleware")
        socketio.of("/guarded").to("early birds").emit("early", "to the room")
    if wish == "wait":
        gates[request.args["key"]].wait(20)
    if wish == "refuse":
        socket.emit("early", "never arrives")
        raise ConnectionRefusedError("not today", {"code": 7})
    if wish == "fail":
        raise RuntimeError("on purpose")
    if wish == "leave":
        socket.disconnect()
    if wish == "close":
        socket.conn.close()


@guarded.use
def second(socket):
    note(["second", socket.connected])
    if socket.handshake.auth.get("wish") == "refuse later":
        return False
    return None


@guarded.on("connect")
def connected(auth):
    note(["connect", current_socket.connected, sorted(set(current_socket.rooms) - {request.sid})])


@guarded.on("disconnect")
def disconnected(reason):
    note(["disconnect", reason])


# -- dynamic -------------------------------------------------------------------------------------------------------


def is_tenant(name, auth):
    note(["asked", name])
    socketio.sleep(0.05)
    return name.startswith("/tenant-") and (auth or {}).get("token") == "good"


rooms = socketio.of(re.compile(r"/room-\d+"))
tenants = socketio.of(is_tenant)
others = socketio.of(re.compile(r"/room-.*"))


def refuse_if_asked(socket):
    note(["middleware", socket.namespace.name])
    wish = socket.handshake.auth.get("wish")
    if wish == "wait":
        gates[request.args["key"]].wait(20)
    if wish in ("refuse", "wait"):
        raise ConnectionRefusedError("not today")


rooms.use(refuse_if_asked)
tenants.use(refuse_if_asked)


@rooms.on("connect")
@tenants.on("connect")
def child_connected(auth):
    note(["connect", request.namespace])


@rooms.on("which")
def a_room():
    return "a room"


@tenants.on("which")
def a_tenant():
    return "a tenant"


@others.on("which")
def another():
    return "another"


@rooms.on_adapter_event("join-room")
def joined(room, sid):
    note(["join-room", room, sid], "rooms")


for kind in ("create-room", "delete-room"):
    rooms.on_adapter_event(kind)(lambda room, kind=kind: note([kind, room], "rooms"))
rooms.on_adapter_event("leave-room")(lambda room, sid: note(["leave-room", room, sid], "rooms"))
