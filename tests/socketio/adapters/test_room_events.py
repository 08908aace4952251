"""Owns what the adapter tells of rooms (Node's tests of adapter events, by name), and what it does to many sockets."""

import pytest

from flask_socketio_py.socketio.adapters.local import LocalAdapter


class Member:
    """Implements ``Recipient``."""

    def __init__(self, name, connected=True):
        self.id = name
        self.connected = connected
        self.ended = []

    def deliver(self, message, volatile=False):
        """Nothing is sent here."""

    def disconnect(self, *, close=False):
        self.ended.append(close)


class Told:
    """What an adapter told, in order."""

    def __init__(self, *sids):
        self.adapter = LocalAdapter()
        self.events = []
        self.adapter.on_room = self.listen
        self.react = lambda event, room, sid: None
        for sid in sids:
            self.adapter.add(Member(sid))
        self.events.clear()

    def listen(self, event, room, sid):
        self.events.append((event, room) if sid is None else (event, room, sid))
        self.react(event, room, sid)


def test_should_emit_a_create_room_event():
    told = Told("s1")
    told.adapter.join("s1", "r1")
    assert told.events[0] == ("create-room", "r1")


def test_should_not_emit_a_create_room_event_if_the_room_already_exists():
    told = Told("s1", "s2")
    told.adapter.join("s1", "r1")
    told.adapter.join("s2", "r1")
    assert [event for event in told.events if event[0] == "create-room"] == [("create-room", "r1")]


def test_should_emit_a_join_room_event():
    told = Told("s1")
    told.adapter.join("s1", "r1")
    assert told.events == [("create-room", "r1"), ("join-room", "r1", "s1")]


def test_should_not_emit_a_join_room_event_if_the_sid_is_already_in_the_room():
    told = Told("s1", "s2")
    for sid in ("s1", "s1", "s2", "s1"):
        told.adapter.join(sid, "r1")
    assert [event for event in told.events if event[0] == "join-room"] == [
        ("join-room", "r1", "s1"),
        ("join-room", "r1", "s2"),
    ]


def test_should_emit_a_leave_room_event_with_del():
    told = Told("s1")
    told.adapter.join("s1", "r1")
    told.adapter.leave("s1", "r1")
    assert told.events[2] == ("leave-room", "r1", "s1")


def test_should_not_emit_a_leave_room_event_with_del():
    told = Told("s1", "s2")
    told.adapter.join("s2", "r1")
    told.events.clear()
    told.adapter.leave("s1", "r1")
    told.adapter.leave("nobody", "r1")
    told.adapter.leave("s1", "never")
    assert told.events == []


def test_should_emit_a_leave_room_event_with_del_all():
    told = Told("s1")
    told.adapter.join("s1", "r1")
    told.adapter.join("s1", "r2")
    told.events.clear()
    told.adapter.remove(told.adapter.sockets["s1"])
    assert sorted(told.events[:4]) == [
        ("delete-room", "r1"), ("delete-room", "r2"), ("leave-room", "r1", "s1"), ("leave-room", "r2", "s1"),
    ]  # fmt: skip
    assert told.events[4:] == [("leave-room", "s1", "s1"), ("delete-room", "s1")]


def test_should_emit_a_delete_room_event():
    told = Told("s1")
    told.adapter.join("s1", "r1")
    told.adapter.leave("s1", "r1")
    assert told.events[3] == ("delete-room", "r1")


def test_should_not_emit_a_delete_room_event_if_there_is_another_sid_in_the_room():
    told = Told("s1", "s2")
    told.adapter.join("s1", "r1")
    told.adapter.join("s2", "r1")
    told.adapter.leave("s1", "r1")
    assert told.events[-1] == ("leave-room", "r1", "s1")


def test_a_socket_and_its_own_room():
    told = Told()
    told.adapter.add(Member("s1"))
    assert told.events == [("create-room", "s1"), ("join-room", "s1", "s1")]
    told.adapter.remove(Member("s1"))  # another object of this id: it was recovered
    assert "s1" in told.adapter.sockets
    assert len(told.events) == 2


# --- listeners that lead to further changes --------------------------------------------------------------------------


def consistent(adapter):
    """Both maps say the same."""
    by_room = {(sid, room) for room, members in adapter.rooms.items() for sid in members}
    by_sid = {(sid, room) for sid, rooms in adapter._memberships.items() for room in rooms}
    return by_room == by_sid and all(adapter.rooms.values()) and all(adapter._memberships.values())


REACTIONS = {
    "when one leaves all leave": lambda adapter, event, room, sid: (
        event == "leave-room" and room not in adapter.sockets and adapter.close_room(room)
    ),
    "a room that is created is closed": lambda adapter, event, room, sid: (
        event == "create-room" and room not in adapter.sockets and adapter.close_room(room)
    ),
    "who joins leaves": lambda adapter, event, room, sid: event == "join-room" and adapter.leave(sid, room),
    "who leaves comes back": lambda adapter, event, room, sid: (
        event == "leave-room" and sid == "s1" and room == "r1" and adapter.join("s2", room)
    ),
    "who joins joins another": lambda adapter, event, room, sid: (
        event == "join-room" and room == "r1" and adapter.join(sid, "r2")
    ),
    "who joins is removed": lambda adapter, event, room, sid: (
        event == "join-room" and room == "r1" and sid in adapter.sockets and adapter.remove(adapter.sockets[sid])
    ),
}


@pytest.mark.parametrize("reaction", REACTIONS)
def test_a_listener_may_change_rooms(reaction):
    told = Told("s1", "s2", "s3")
    adapter = told.adapter
    told.react = lambda event, room, sid: REACTIONS[reaction](adapter, event, room, sid)
    for sid in ("s1", "s2", "s1", "s3"):
        adapter.join(sid, "r1")
        assert consistent(adapter)
    adapter.join("s1", "r2")
    adapter.leave("s1", "r1")
    assert consistent(adapter)
    for socket in list(adapter.sockets.values()):
        adapter.remove(socket)
        assert consistent(adapter)
    assert (adapter.rooms, adapter._memberships) == ({}, {})


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter():
    adapter = LocalAdapter()
    for number in range(4):
        adapter.add(Member(f"s{number}", connected=number != 3))
        adapter.join(f"s{number}", "red" if number % 2 else "blue")
    adapter.join("s0", "red")
    return adapter


def test_only_who_is_connected_is_fetched_and_counted(adapter):
    assert [socket.id for socket in adapter.fetch_sockets((), ())] == ["s0", "s1", "s2"]
    assert [socket.id for socket in adapter.fetch_sockets(("red", "blue"), ())] == ["s1", "s0", "s2"]
    assert [socket.id for socket in adapter.fetch_sockets(("red", "s2"), ("blue",))] == ["s1"]
    assert (adapter.count((), ()), adapter.count(("red",), ()), adapter.count(("nobody",), ())) == (3, 2, 0)


def test_they_join_and_leave(adapter):
    adapter.add_sockets(("red",), ("s0",), iter(["x", "y"]))
    assert (adapter.members("x"), adapter.members("y")) == (["s1"], ["s1"])
    adapter.add_sockets((), (), ["x"])
    assert sorted(adapter.members("x")) == ["s0", "s1", "s2"]
    adapter.del_sockets(("red",), (), iter(["x", "red", "never"]))
    assert (adapter.members("x"), adapter.members("red")) == (["s2"], ["s3"])


def test_nobody_joins_anything_where_one_room_is_a_sockets_own(adapter):
    with pytest.raises(ValueError, match="sid room"):
        adapter.add_sockets((), (), ["x", "s1"])
    assert "x" not in adapter.rooms


@pytest.mark.parametrize("close", [False, True])
def test_they_are_disconnected(adapter, close):
    adapter.disconnect_sockets(("red",), (), close)
    assert [adapter.sockets[f"s{number}"].ended for number in range(4)] == [[close], [close], [], []]


def test_alone_nobody_answers_from_other_servers(adapter):
    assert adapter.server_side_emit(["e"]) == []
