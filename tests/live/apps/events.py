"""Handlers of the default namespace: arguments, acks, rooms, errors, order, streams."""

from flask import request

from tests.live.apps.extension import note, socketio
from tests.live.apps.package import call, close_room, disconnect, emit, join_room, leave_room, rooms, send

VALUES = {
    "none": None,
    "string": "one",
    "number": 7,
    "false": False,
    "list": [1, 2],
    "dict": {"a": [None, True, 1.5]},
    "tuple": (1, "two", {"three": 3}),
    "empty list": [],
    "empty tuple": (),
    "bytes": b"\x00\x01\xfe\xff",
    "nested bytes": {"a": b"a", "deep": [{"b": b""}, b"\x00" * 3]},
}
streams = {}


@socketio.on("connect")
def connected(auth):
    note({"connect": request.sid, "auth": auth})


@socketio.on("disconnect")
def disconnected(reason):
    note({"disconnect": request.sid, "reason": reason, "rooms": sorted(set(rooms()) - {request.sid})})
    emit("somebody left", request.args.get("key"), to="watchers")


@socketio.on("who am I")
def who_am_i(*args):
    event = request.event
    return {"sid": request.sid, "namespace": request.namespace, "event": event["message"], "args": list(event["args"])}


@socketio.on("echo")
def echo(*args):
    return args


@socketio.on("bounce")
def bounce(*args):
    emit("bounced", args)


@socketio.event
def named_by_its_function(value):
    return ["event", value]


def added_with_on_event(value):
    return ["on_event", value]


@socketio.on("return")
def return_value(name):
    return VALUES[name]


@socketio.on("emit")
def emit_value(name):
    emit("value", VALUES[name])


@socketio.on("message")
def receive_message(data):
    send(data)


@socketio.on("json")
def receive_json(data):
    send(data, json=True)


@socketio.on("ask with callback")
def ask_with_callback():
    def answered(*args):
        emit("answered", {"args": list(args), "sid": request.sid})

    emit("question", 42, callback=answered)


@socketio.on("ask and wait")
def ask_and_wait(question):
    return call("question", question)


@socketio.on("ask another and wait")
def ask_another_and_wait(sid, question):
    return socketio.call("question", question, to=sid)


@socketio.on("ask in vain")
def ask_in_vain():
    try:
        return call("never answered", timeout=0.2)
    except Exception as error:
        return type(error).__name__


@socketio.on("join")
def join(room, sid=None):
    join_room(room, sid=sid)
    return sorted(rooms(sid))


@socketio.on("leave")
def leave(room):
    leave_room(room)
    return sorted(rooms())


@socketio.on("close")
def close(room):
    close_room(room)


@socketio.on("tell")
def tell(data, options):
    """`options` are those of the context's emit, or of the extension's with ``"extension": True``."""
    options = dict(options)
    (socketio.emit if options.pop("extension", False) else emit)("told", data, **options)


@socketio.on("kick")
def kick(sid=None):
    disconnect(sid)


@socketio.on("note")
def take_note(value):
    note(value)


@socketio.on("slow note")
def take_slow_note(value):
    note(["start", value])
    socketio.sleep(0.05 if value % 2 == 0 else 0)
    note(["end", value])
    return value


@socketio.on("fail")
def fail(kind):
    note(kind)
    raise {"type": TypeError, "value": ValueError}[kind]("on purpose")


@socketio.on_error()
def failed(error):
    return {"error": type(error).__name__, "event": request.event["message"], "args": list(request.event["args"])}


@socketio.on("start stream")
def start_stream():
    """Ticks 1, 2, 3... to the caller until it asks for an end, which comes at the tick it names or later."""
    sid = request.sid
    streams[sid] = None
    socketio.start_background_task(stream, sid)


@socketio.on("end stream")
def end_stream(least):
    streams[request.sid] = least


def stream(sid):
    tick = 0
    while streams[sid] is None or tick < streams[sid]:
        for _ in range(10):
            tick += 1
            socketio.emit("tick", tick, to=sid)
        socketio.sleep(0.002)
    socketio.emit("end of stream", tick, to=sid)
    del streams[sid]


@socketio.on("burst")
def burst(count):
    for number in range(1, count + 1):
        emit("tick", number)
