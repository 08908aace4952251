"""Owns rooms and membership: whatever happens, the adapter is a plain dict of sets; and who a broadcast is for."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flask_socketio_py.socketio.adapters.local import LocalAdapter

IDS = ["s0", "s1", "s2", "s3", "s4"]
ROOMS = ["red", "blue", "", 7, ("a", 1), None]


class Member:
    """Implements ``Recipient``."""

    def __init__(self, name):
        self.id = name
        self.got = []

    def deliver(self, message, volatile=False):
        self.got.append((message, volatile))


class Model(RuleBasedStateMachine):
    """Rooms are sets of ids; a socket is always in the room of its id."""

    def __init__(self):
        super().__init__()
        self.adapter = LocalAdapter()
        self.members = {}
        self.rooms = {}

    def room(self, name):
        return {name} if name in self.members else self.rooms.get(name, set())

    @rule(sid=st.sampled_from(IDS))
    def add(self, sid):
        if sid not in self.members:
            self.members[sid] = Member(sid)
            self.adapter.add(self.members[sid])

    @rule(sid=st.sampled_from(IDS))
    def remove(self, sid):
        self.adapter.remove(self.members.pop(sid, None) or Member(sid))
        for members in self.rooms.values():
            members.discard(sid)

    @rule(sid=st.sampled_from(IDS), room=st.sampled_from(ROOMS))
    def join(self, sid, room):
        self.adapter.join(sid, room)
        if sid in self.members:
            self.rooms.setdefault(room, set()).add(sid)

    @rule(sid=st.sampled_from(IDS), other=st.sampled_from(IDS))
    def join_the_room_of_a_socket(self, sid, other):
        if sid in self.members and other in self.members and sid != other:
            with pytest.raises(ValueError, match="sid room"):
                self.adapter.join(sid, other)
        elif sid == other:
            self.adapter.join(sid, other)

    @rule(sid=st.sampled_from(IDS), room=st.sampled_from(ROOMS + IDS))
    def leave(self, sid, room):
        self.adapter.leave(sid, room)
        if room not in IDS:
            self.rooms.get(room, set()).discard(sid)

    @rule(room=st.sampled_from(ROOMS))
    def close_room(self, room):
        self.adapter.close_room(room)
        self.rooms.pop(room, None)

    @rule(
        rooms=st.lists(st.sampled_from(ROOMS + IDS), max_size=3),
        excepted=st.lists(st.sampled_from(ROOMS + IDS), max_size=2),
    )
    def targets(self, rooms, excepted):
        wanted = set().union(*map(self.room, rooms)) if rooms else set(self.members)
        wanted -= set().union(*map(self.room, excepted))
        got = [member.id for member in self.adapter.targets(rooms, excepted)]
        assert sorted(got) == sorted(wanted)
        assert all(self.members[member.id] is member for member in self.adapter.targets(rooms, excepted))

    @invariant()
    def the_same_members(self):
        assert set(self.adapter.sockets) == set(self.members)
        for room in ROOMS + IDS:
            members = self.adapter.members(room)
            assert sorted(members) == sorted(self.room(room))

    @invariant()
    def the_same_rooms_seen_from_each_socket(self):
        for sid in IDS:
            rooms = self.adapter.rooms_of(sid)
            if sid not in self.members:
                assert rooms == []
            else:
                assert rooms[0] == sid
                assert len(rooms) == len(set(rooms))
                assert set(rooms[1:]) == {room for room, members in self.rooms.items() if sid in members}

    @invariant()
    def nothing_empty_is_kept(self):
        assert all(self.adapter.rooms.values())
        assert set(self.adapter.rooms) == {room for room, members in self.rooms.items() if members}


TestModel = Model.TestCase
TestModel.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)


@pytest.fixture
def adapter():
    adapter = LocalAdapter()
    for sid in IDS:
        adapter.add(Member(sid))
    return adapter


def test_the_own_room_of_a_socket_cannot_be_closed_or_left(adapter):
    with pytest.raises(ValueError, match="sid room"):
        adapter.close_room("s1")
    adapter.leave("s1", "s1")
    assert adapter.members("s1") == ["s1"]
    assert adapter.rooms_of("s1") == ["s1"]


@pytest.mark.parametrize("act", [LocalAdapter.join, LocalAdapter.leave])
def test_a_room_that_can_be_no_key_is_the_callers_mistake(adapter, act):
    adapter.join("s1", "red")
    with pytest.raises(TypeError):
        act(adapter, "s1", ["red"])
    assert adapter.members("red") == ["s1"]


def test_a_socket_that_left_the_namespace_joins_nothing(adapter):
    adapter.remove(adapter.sockets["s1"])
    adapter.join("s1", "red")
    assert (adapter.rooms, adapter.rooms_of("s1"), adapter.members("red")) == ({}, [], [])


def test_targets_are_a_list_that_later_changes_do_not_touch(adapter):
    adapter.join("s1", "red")
    for rooms in ([], ["red"], ["red", "s2"]):
        chosen = adapter.targets(rooms)
        names = [member.id for member in chosen]
        adapter.join("s3", "red")
        adapter.leave("s1", "red")
        assert [member.id for member in chosen] == names
        adapter.close_room("red")
        adapter.join("s1", "red")


def test_a_socket_in_several_rooms_is_one_target(adapter):
    for room in ("red", "blue"):
        adapter.join("s1", room)
        adapter.join("s2", room)
    assert [member.id for member in adapter.targets(["red", "blue", "s1"], ["s2"])] == ["s1"]
