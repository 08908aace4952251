"""Owns what Flask-SocketIO's own functions do with a client of another server: two applications, one cluster."""

import pytest
from contract.waiting import wait_until
from flask import Flask, request

from flask_socketio_py import SocketIO, close_room, disconnect, emit, join_room, leave_room, rooms
from flask_socketio_py.errors import DisconnectedError
from flask_socketio_py.socketio.adapters.memory import Hall, MemoryDialect


class Side:
    """One server, and one client of it."""

    def __init__(self, hall):
        self.app = Flask("one of two")
        self.socketio = SocketIO(self.app, client_manager=MemoryDialect(hall), requests_timeout=2.0)
        self.jobs = []
        self.socketio.on("do")(lambda: self.jobs.pop()())
        self.client = self.socketio.test_client(self.app)
        [self.sid] = self.socketio.sockets

    def do(self, function):
        """Runs in a handler of the client's; what it returned."""
        done = []
        self.jobs.append(lambda: done.append(function()))
        self.client.emit("do")
        wait_until(lambda: done, "it is done")
        return done[0]

    def got(self):
        return [event["name"] for event in self.client.get_received()]

    def joined(self):
        return {*self.socketio.server.manager.get_rooms(self.sid, "/")} - {self.sid}


@pytest.fixture
def sides():
    hall = Hall()
    here, there = Side(hall), Side(hall)
    yield here, there
    for side in (here, there):
        side.client.close()
        side.socketio.shutdown()


@pytest.mark.parametrize("inside", [True, False])
def test_rooms_of_a_client_elsewhere(sides, inside):
    here, there = sides
    server = here.socketio.server
    enter = join_room if inside else lambda room, sid: server.enter_room(sid, room)
    leave = leave_room if inside else lambda room, sid: server.leave_room(sid, room)
    close = close_room if inside else server.close_room
    ask = rooms if inside else server.rooms
    run = here.do if inside else lambda function: function()
    run(lambda: enter("red", sid=there.sid))
    run(lambda: enter("blue", sid=there.sid))
    run(lambda: enter("red", sid=here.sid))
    wait_until(lambda: there.joined() == {"red", "blue"}, "it has joined")
    assert {*run(lambda: ask(there.sid))} == {there.sid, "red", "blue"}
    run(lambda: leave("blue", sid=there.sid))
    wait_until(lambda: there.joined() == {"red"}, "it has left")
    run(lambda: close("red"))
    wait_until(lambda: there.joined() == here.joined() == set(), "all have left")
    assert run(lambda: ask("nobody")) == []


@pytest.mark.parametrize("inside", [True, False])
def test_a_client_elsewhere_is_disconnected(sides, inside):
    here, there = sides
    if inside:
        here.do(lambda: disconnect(there.sid))
    else:
        here.socketio.server.disconnect(there.sid)
    wait_until(lambda: not there.client.is_connected(), "it is disconnected")
    assert here.client.is_connected()


def test_whom_an_emit_is_for(sides):
    here, there = sides
    here.do(lambda: emit("all", broadcast=True))
    here.do(lambda: emit("others", broadcast=True, include_self=False))
    here.do(lambda: emit("you", to=there.sid))
    here.socketio.emit("not you", skip_sid=there.sid)
    here.socketio.emit("nobody", skip_sid=[there.sid, here.sid])
    here.socketio.emit("mine", ignore_queue=True)
    here.socketio.server.emit("mine", ignore_queue=True)
    here.socketio.start_background_task(here.socketio.emit, "background").join()
    here.do(lambda: here.socketio.emit("not me", skip_sid=request.sid))
    here.socketio.emit("the end")
    heard = []
    wait_until(lambda: heard.extend(there.got()) or "the end" in heard, "it is heard")
    assert heard == ["all", "others", "you", "background", "not me", "the end"]
    assert here.got() == ["all", "not you", "mine", "mine", "background", "the end"]


def test_a_client_elsewhere_answers(sides):
    here, there = sides
    there.client.answer("question", lambda number: number + 1)
    called = []
    here.socketio.emit("question", 1, to=there.sid, callback=called.append)
    wait_until(lambda: called == [2], "it is called")
    assert here.socketio.call("question", 2, to=there.sid, timeout=20) == 3
    assert here.do(lambda: here.socketio.call("question", 3, to=there.sid, timeout=20)) == 4
    with pytest.raises(DisconnectedError):
        here.socketio.call("question", 4, to="nobody", timeout=20)
    for ask in (here.socketio.call, here.socketio.server.call):
        with pytest.raises(DisconnectedError):
            ask("question", 5, to=there.sid, ignore_queue=True)
    here.socketio.server.disconnect(there.sid, ignore_queue=True)
    assert here.socketio.call("question", 6, to=there.sid, timeout=20) == 7, "it is still there"
