"""Callbacks of acknowledgements: in whichever way they are asked for, they run in the context of who asked."""

import pytest
from flask import request

from extension.wire import wait_for
from flask_socketio_py import current_socket, emit

ASK = {
    "emit": lambda socketio, callback: emit("question", callback=callback),
    "socketio.emit": lambda socketio, callback: socketio.emit("question", to=request.sid, callback=callback),
    "socket": lambda socketio, callback: current_socket.emit("question", callback=callback),
    "socket, in time": lambda socketio, callback: current_socket.timeout(20).emit("question", callback=callback),
    "room": lambda socketio, callback: socketio.of("/n").to(request.sid).emit("question", callback=callback),
    "room, in time": lambda socketio, callback: (
        socketio.of("/n").to(request.sid).timeout(20).emit("question", callback=callback)
    ),
    "namespace": lambda socketio, callback: socketio.of("/n").emit("question", callback=callback),
}
ANSWERS = {"socket, in time": (None, 1, 2), "room, in time": (None, [1])}


@pytest.mark.parametrize("way", [way for way in ASK if way != "socketio.emit"])
def test_a_callback_runs_in_the_context_of_the_handler_that_asked(socketio, connect, way):
    seen = []

    @socketio.on("ask", namespace="/n")
    def ask():
        ASK[way](socketio, lambda *answer: seen.append((answer, request.sid, request.namespace, current_socket.id)))
        return request.sid

    client = connect("/n")
    client.answer("question", lambda: (1, 2))
    sid = client.emit("ask", namespace="/n", callback=True)
    wait_for(lambda: seen, "the callback runs")
    assert seen[0] == (ANSWERS.get(way, (1, 2)), sid, "/n", sid)


def test_a_callback_for_a_room_of_the_main_namespace(socketio, connect):
    seen = []
    socketio.on("ask")(lambda: ASK["socketio.emit"](socketio, lambda *answer: seen.append((answer, request.sid))))
    client = connect()
    client.answer("question", lambda: "yes")
    client.emit("ask")
    wait_for(lambda: seen, "the callback runs")
    assert seen == [(("yes",), next(iter(socketio.sockets)))]


def test_also_when_the_time_is_up(socketio, connect):
    seen = []

    def callback(error, *_answers):
        seen.append((type(error).__name__, request.sid))

    @socketio.on("ask")
    def ask():
        current_socket.timeout(0.01).emit("question", callback=callback)
        socketio.timeout(0.01).emit("question", callback=callback)

    connect().emit("ask")
    wait_for(lambda: len(seen) == 2, "both callbacks run")
    sid = next(iter(socketio.sockets))
    assert sorted(seen) == [("BroadcastTimeoutError", sid), ("TimeoutError", sid)]


def test_outside_of_a_handler_there_is_no_context(socketio, connect):
    seen = []
    client = connect()
    client.answer("question", lambda: 1)
    socketio.of("/").emit("question", callback=lambda answer: seen.append((answer, bool(request))))
    wait_for(lambda: seen, "the callback runs")
    assert seen == [(1, False)]
