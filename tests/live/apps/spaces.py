"""Handlers of the other namespaces: class-based and legacy ones, refusals, emits while connecting, default errors."""

import builtins

from flask import request, session

from tests.live.apps.extension import note, socketio
from tests.live.apps.package import ConnectionRefusedError, Namespace, emit, join_room, rooms, send


class Chat(Namespace):
    def on_connect(self, auth):
        note({"connect": request.namespace, "auth": auth})

    def on_disconnect(self, reason):
        note({"disconnect": request.namespace, "reason": reason})

    def on_say(self, text):
        self.emit("said", {"text": text, "sid": request.sid}, room="lobby")
        return "heard"

    def on_enter(self, *args):
        self.enter_room(request.sid, "lobby")
        return sorted(set(self.rooms(request.sid)) - {request.sid})

    def on_exit(self):
        self.leave_room(request.sid, "lobby")

    def on_close(self):
        self.close_room("lobby")

    def on_message(self, data):
        self.send(data)

    def on_remember(self, value):
        session["remembered"] = value

    def on_recall(self):
        return session.get("remembered")

    def on_ask(self, question):
        return self.call("question", question, sid=request.sid)

    def on_leave_me(self):
        self.disconnect(request.sid)


@socketio.on("connect", namespace="/legacy")
def legacy_connect():
    note({"connect": request.namespace, "args": list(request.args)})


@socketio.on("disconnect", namespace="/legacy")
def legacy_disconnect():
    note({"disconnect": request.namespace})


@socketio.on("echo", namespace="/legacy")
def legacy_echo(value):
    return value


@socketio.event(namespace="/legacy")
def shout(value):
    return value.upper()


@socketio.on("connect", namespace="/early")
def early_connect(auth=None):
    join_room("early birds")
    emit("early", {"namespace": request.namespace})
    emit("early bytes", b"\x01\x02")
    send("early message")
    note({"rooms": sorted(set(rooms()) - {request.sid})})


@socketio.on("*", namespace="/all")
def catch_all(event, *args):
    return ["caught", event, *args]


@socketio.on("known", namespace="/all")
def known(value):
    return ["known", value]


@socketio.on("connect", namespace="/refuse/false")
def refuse_with_false(auth):
    return False


@socketio.on("connect", namespace="/refuse/nothing")
def do_not_refuse(auth):
    return None


@socketio.on("connect", namespace="/refuse/data")
def refuse_with_data(auth):
    raise ConnectionRefusedError("not today", {"code": 7})


@socketio.on("connect", namespace="/refuse/more")
def refuse_with_more(auth):
    raise ConnectionRefusedError("not today", 1, [2])


@socketio.on("connect", namespace="/refuse/message")
def refuse_with_message(auth):
    raise ConnectionRefusedError("not today")


@socketio.on("connect", namespace="/refuse/bare")
def refuse_without_a_word(auth):
    raise ConnectionRefusedError()


@socketio.on("connect", namespace="/refuse/builtin")
def refuse_with_builtin(auth):
    raise builtins.ConnectionRefusedError("secret")


@socketio.on("connect", namespace="/refuse/error")
def fail_to_connect(auth=None):
    note("called")
    raise TypeError("on purpose: a secret")


@socketio.on("disconnect", namespace="/refuse/error")
def never_connected(reason):
    note("disconnect of a client that never was connected")
