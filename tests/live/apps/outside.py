"""Emits from where no event is being handled: background tasks, copied contexts, real threads, HTTP routes."""

import gevent
from flask import Blueprint, copy_current_request_context, jsonify, request
from gevent import monkey

from tests.live.apps.extension import socketio
from tests.live.apps.package import emit

routes = Blueprint("outside", __name__)
start_native_thread = monkey.get_original("_thread", "start_new_thread")


@socketio.on("background")
def background(value):
    def task(sid, value):
        socketio.sleep(0.01)
        socketio.emit("from background", value, to=sid)
        return "done"

    socketio.start_background_task(task, request.sid, value=value)


@socketio.on("join background")
def join_background():
    results = []
    task = socketio.start_background_task(results.append, "done")
    task.join()
    return results


@socketio.on("copied context")
def copied_context():
    @copy_current_request_context
    def task():
        socketio.sleep(0.01)
        emit("from copy", {"sid": request.sid, "namespace": request.namespace, "event": request.event["message"]})

    socketio.start_background_task(task)


@socketio.on("gevent thread")
def gevent_thread(count):
    """From a thread of gevent's pool, while the hub runs on."""
    sid = request.sid
    gevent.get_hub().threadpool.spawn(emit_numbers, sid, count)


@socketio.on("native thread")
def native_thread(count):
    """From a thread that gevent knows nothing of."""
    start_native_thread(emit_numbers, (request.sid, count))


def emit_numbers(sid, count):
    for number in range(1, count + 1):
        socketio.emit("from thread", number, to=sid)
    socketio.emit("bytes from thread", {"ident": b"\x07" * 3}, to=sid)


@routes.route("/tell/<room>/<text>")
def tell(room, text):
    socketio.emit("from http", text, to=room)
    return "told"


@routes.route("/everyone/<text>")
def everyone(text):
    socketio.send(text)
    return "sent"


@routes.route("/members/<room>")
def members(room):
    """Through the internals that public applications reach for."""
    manager = socketio.server.manager
    return jsonify(
        {
            "rooms": sorted(manager.rooms.get("/", {}).get(room, {})),
            "participants": sorted(sid for sid, _ in manager.get_participants("/", room)),
            "everyone": len(manager.rooms.get("/", {}).get(None, {})),
        }
    )


@routes.route("/waiting/<path:namespace>")
def waiting(namespace):
    """How many clients the namespace still holds, connected or not."""
    return jsonify(len(socketio.server.manager.rooms.get("/" + namespace, {}).get(None, {})))


@routes.route("/enter/<room>/<sid>")
def enter(room, sid):
    socketio.server.enter_room(sid, room, namespace="/")
    return "entered"


@routes.route("/close/<room>")
def close(room):
    socketio.close_room(room)
    return "closed"


@routes.route("/disconnect/<sid>")
def disconnect(sid):
    socketio.server.disconnect(sid)
    return "disconnected"
