"""Rooms, and leaving, from inside handlers: join_room, leave_room, close_room, rooms, disconnect."""

import pytest
from flask import request

from extension.wire import Wire, wait_for
from flask_socketio_py import ConnectionRefusedError, close_room, disconnect, emit, join_room, leave_room, rooms


@pytest.fixture(autouse=True)
def handlers(socketio):
    for namespace in ("/", "/n"):
        socketio.on("sid", namespace=namespace)(lambda: request.sid)
        socketio.on("rooms", namespace=namespace)(lambda *args: rooms(*args))
        socketio.on("join", namespace=namespace)(lambda *args: join_room(*args))
        socketio.on("leave", namespace=namespace)(lambda *args: leave_room(*args))
        socketio.on("close", namespace=namespace)(lambda *args: close_room(*args))
        socketio.on("kick", namespace=namespace)(lambda *args: disconnect(*args))


def sid_of(client, namespace=None):
    return client.emit("sid", callback=True, namespace=namespace)


def test_everybody_starts_in_a_room_of_ones_own(connect):
    client = connect()
    assert client.emit("rooms", callback=True) == [sid_of(client)]


def test_join_and_leave(connect):
    client = connect()
    for room in ("a", "b", "a"):
        client.emit("join", room)
    assert sorted(client.emit("rooms", callback=True)) == sorted([sid_of(client), "a", "b"])
    client.emit("leave", "a")
    client.emit("leave", "never joined")
    assert client.emit("rooms", callback=True) == [sid_of(client), "b"]


@pytest.mark.parametrize("room", ["room", "", "ü", 7, 1.5, True, None])
def test_whatever_can_be_a_key_can_name_a_room(socketio, connect, room):
    client, other = connect(), connect()
    socketio.server.enter_room(sid_of(client), room)
    if room is not None:  # which stands for everybody
        socketio.emit("news", 1, to=[room])
        assert (len(client.get_received()), len(other.get_received())) == (1, 0)
    socketio.server.leave_room(sid_of(client), room)
    assert client.emit("rooms", callback=True) == [sid_of(client)]


def test_another_client_by_its_sid(connect):
    client, other = connect(), connect()
    client.emit("join", "r", sid_of(other))
    assert other.emit("rooms", callback=True) == [sid_of(other), "r"]
    assert client.emit("rooms", sid_of(other), callback=True) == [sid_of(other), "r"]
    client.emit("leave", "r", sid_of(other))
    assert other.emit("rooms", callback=True) == [sid_of(other)]


def test_another_namespace(connect):
    client = connect()
    client.connect("/n")
    there = sid_of(client, "/n")
    client.emit("join", "r", there, "/n")
    assert client.emit("rooms", callback=True) == [sid_of(client)]
    assert client.emit("rooms", there, "/n", callback=True) == [there, "r"]


def test_rooms_of_the_same_name_in_two_namespaces_are_two(socketio, connect):
    client = connect()
    client.connect("/n")
    client.emit("join", "r")
    client.emit("join", "r", namespace="/n")
    socketio.emit("news", 1, to="r", namespace="/n")
    assert client.get_received() == []
    assert len(client.get_received("/n")) == 1


def test_close_room(socketio, connect):
    clients = [connect() for _ in range(3)]
    for client in clients:
        client.emit("join", "r")
    clients[0].emit("close", "r")
    assert "r" not in socketio.server.manager.rooms["/"]
    clients[0].emit("join", "r")
    socketio.close_room("r")
    socketio.close_room("r")
    assert "r" not in socketio.server.manager.rooms["/"]
    assert all(client.is_connected() for client in clients)


def test_the_room_of_another_client_can_be_neither_entered_nor_closed(socketio, connect):
    client, other = connect(), connect()
    with pytest.raises(ValueError, match="cannot enter a sid room"):
        socketio.server.enter_room(sid_of(client), sid_of(other))
    with pytest.raises(ValueError, match="cannot close a sid room"):
        socketio.close_room(sid_of(other))
    socketio.server.enter_room(sid_of(other), sid_of(other))
    assert other.emit("rooms", callback=True) == [sid_of(other)]


def test_rooms_can_be_joined_in_the_connect_handler(socketio, connect):
    @socketio.on("connect")
    def enter(auth):
        join_room("everybody")
        if auth:
            raise ConnectionRefusedError
        emit("welcome", sorted(rooms()[1:]))

    client = connect()
    assert client.get_received() == [{"name": "welcome", "args": [["everybody"]], "namespace": "/"}]
    connect(auth={"refuse": "me"})
    assert list(socketio.server.manager.rooms["/"]["everybody"]) == [sid_of(client)]


def test_rooms_are_empty_when_their_members_have_gone(socketio, connect):
    client, other = connect(), connect()
    client.emit("join", "r")
    client.disconnect()
    assert "r" not in socketio.server.manager.rooms["/"]
    assert len(socketio.server.manager.rooms["/"][None]) == 1
    other.disconnect()
    assert socketio.server.manager.rooms == {}


def test_disconnect_ends_the_namespace_and_not_the_connection(connect):
    client = connect()
    client.connect("/n")
    client.emit("kick")
    assert not client.is_connected()
    assert client.is_connected("/n")
    assert client.emit("rooms", callback=True, namespace="/n") == [sid_of(client, "/n")]
    client.connect()
    assert client.is_connected()


def test_disconnecting_another_client_and_another_namespace(connect):
    client, other = connect(), connect("/n")
    client.emit("kick", sid_of(other, "/n"), "/n")
    assert not other.is_connected("/n")
    assert client.is_connected()


def test_silent_and_unknown_are_no_errors(socketio, connect, caplog):
    socketio.on("silently")(lambda: disconnect(silent=True))
    client, other = connect(), connect()
    client.emit("kick", "nobody")
    client.emit("leave", "r", "nobody")
    client.emit("join", "r", "nobody")
    client.emit("rooms", "nobody")
    assert "r" not in socketio.server.manager.rooms["/"]
    assert client.is_connected()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    other.emit("silently")
    assert not other.is_connected()


def test_the_client_is_told_of_its_disconnect(app):
    wire = Wire(app)
    wire.join()
    wire.join("/n")
    wire.push('2["kick"]', '2/n,["kick"]')
    wire.wait("1/n,")
    assert wire.received[-2:] == ["1", "1/n,"]
    assert wire.is_open
    wire.vanish()


def test_a_handler_that_disconnected_its_client_goes_on_and_hurts_nobody(app, socketio, connect):
    ended = []

    @socketio.on("end")
    def end():
        disconnect()
        emit("too late")
        join_room("too late")
        ended.append(rooms())
        return "too late"

    wire = Wire(app)
    wire.join()
    wire.push('21["end"]')
    wait_for(lambda: ended, "the handler ended")
    assert wire.received[1] == "1"
    assert not [item for item in wire.received if str(item).startswith("2")]
    assert "too late" not in socketio.server.manager.rooms.get("/", {})
    wire.vanish()
