"""Owns the log and the saved states: whatever happens, who comes back gets just what he missed, or starts anew."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio.adapters import recovery as module
from flask_socketio_py.socketio.adapters.recovery import Recovery, RecoveryOptions, SavedState

AWAY = 100.0
ROOMS = ["red", "blue", ("a", 1), None]
#: Room for five small messages.
SMALL = 5 * (module._OVERHEAD + 2 * 10)


def message(offset):
    return PreparedMessage(b"x" * 10, (offset.encode(),))


def emit(recovery, rooms=(), excepted=(), now=0.0, size=10):
    """Record a message; returns its offset."""
    offsets = []

    def encode(offset):
        offsets.append(offset)
        return PreparedMessage(b"x" * size)

    recovery.record(encode, rooms, excepted, now)
    return offsets[-1]


def save(recovery, presence, rooms=(), sid="sid", now=0.0, data=None):
    recovery.save(SavedState(sid, presence, dict.fromkeys(rooms, 0), data), now)


class Visitor:
    """A client as the model has it: what it was sent, in order, and the rooms it is in."""

    def __init__(self, sid, presence, since):
        self.sid = sid
        self.presence = presence
        self.since = since
        #: Room -> the position at which it joined.
        self.rooms = {}
        #: (position, offset) of what was sent to it, and how many of them it has received.
        self.sent = []
        self.received = 0
        self.away_since = None
        self.away_from = 0


class Model(RuleBasedStateMachine):
    """The whole history in a list that nothing ever leaves, and what each client has seen of it."""

    def __init__(self):
        super().__init__()
        self.recovery = Recovery(RecoveryOptions(AWAY, max_buffer_size=SMALL))
        self.history = []
        self.visitors = []
        self.now = 1000.0

    def concerns(self, visitor, entry):
        rooms, excepted = entry
        mine = {visitor.sid, *visitor.rooms}
        return (not rooms or bool(mine & set(rooms))) and not mine & set(excepted)

    def addressed(self, visitor, position):
        """Whether a message was for everybody, or for a room in which the visitor was then."""
        rooms, _ = self.history[position]
        return (
            not rooms
            or visitor.sid in rooms
            or any(visitor.rooms.get(room, position + 1) <= position for room in rooms)
        )

    @rule(seconds=st.sampled_from([1.0, 30.0, 99.0, 101.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def expire(self):
        self.recovery.expire(self.now)

    @rule()
    def somebody_comes(self):
        sid = f"sid{len(self.visitors)}"
        self.visitors.append(Visitor(sid, self.recovery.enter(sid), len(self.history)))

    @rule(data=st.data(), rooms=st.lists(st.sampled_from(ROOMS), max_size=2), excepted=st.sampled_from([(), ("red",)]))
    def somebody_emits(self, data, rooms, excepted):
        everyone = [visitor.sid for visitor in self.visitors]
        if everyone and data.draw(st.booleans()):
            rooms = [*rooms, data.draw(st.sampled_from(everyone))]
        entry = (tuple(rooms), excepted)
        position = len(self.history)
        offset = emit(self.recovery, *entry, now=self.now)
        self.history.append(entry)
        for visitor in self.visitors:
            if visitor.away_since is None and self.concerns(visitor, entry):
                visitor.sent.append((position, offset))

    @rule(data=st.data(), room=st.sampled_from(ROOMS))
    def somebody_joins(self, data, room):
        here = [visitor for visitor in self.visitors if visitor.away_since is None]
        if here:
            data.draw(st.sampled_from(here)).rooms.setdefault(room, len(self.history))

    @rule(data=st.data(), lost=st.integers(0, 3))
    def a_connection_breaks(self, data, lost):
        here = [visitor for visitor in self.visitors if visitor.away_since is None]
        if not here:
            return
        visitor = data.draw(st.sampled_from(here))
        # The last ones were sent, and never arrived.
        visitor.received = max(visitor.received, len(visitor.sent) - lost)
        visitor.away_since, visitor.away_from = self.now, len(self.history)
        self.recovery.save(SavedState(visitor.sid, visitor.presence, dict(visitor.rooms), visitor), self.now)

    @rule(data=st.data())
    def somebody_comes_back(self, data):
        away = [visitor for visitor in self.visitors if visitor.away_since is not None]
        if not away:
            return
        visitor = data.draw(st.sampled_from(away))
        last, offset = visitor.sent[visitor.received - 1] if visitor.received else (visitor.since - 1, None)
        found = self.recovery.restore(visitor.presence.pid, offset, self.now)
        gone = range(last + 1, min(self.recovery._first, len(self.history)))
        if self.now - visitor.away_since > AWAY:
            assert found is None
        elif not any(self.addressed(visitor, position) for position in gone):
            assert found is not None
        if found is None:
            self.visitors.remove(visitor)
            return
        state, missed = found
        assert (state.sid, state.rooms, state.data) == (visitor.sid, visitor.rooms, visitor)
        assert state.presence.recovered
        assert state.presence.pid == visitor.presence.pid
        # What was sent and never arrived, and what would have been sent while it was away: no more, no less.
        wanted = [position for position, _ in visitor.sent[visitor.received :]]
        wanted += [
            position
            for position in range(visitor.away_from, len(self.history))
            if self.concerns(visitor, self.history[position])
        ]
        log = {id(entry.message): self.recovery._first + index for index, entry in enumerate(self.recovery._log)}
        assert [log[id(one)] for one in missed] == wanted
        visitor.sent[visitor.received :] = [(index, f"{self.recovery._epoch}{index:x}") for index in wanted]
        visitor.presence, visitor.since, visitor.away_since = state.presence, state.presence.since, None
        # Nobody comes back twice with one state.
        assert self.recovery.restore(visitor.presence.pid, offset, self.now) is None

    @invariant()
    def what_is_kept_is_bounded(self):
        recovery = self.recovery
        assert recovery._size == sum(entry.size for entry in recovery._log) <= SMALL
        assert recovery._first + len(recovery._log) == len(self.history)


TestModel = Model.TestCase
TestModel.settings = settings(deadline=None, max_examples=80, stateful_step_count=40)


@pytest.fixture
def recovery():
    return Recovery(RecoveryOptions(AWAY))


# --- what clients claim ----------------------------------------------------------------------------------------------


def test_an_offset_that_is_none_of_ours_starts_anew(recovery):
    for number in range(20):
        offset = emit(recovery)
        if number == 0:
            first = offset
    presence = recovery.enter("sid")
    epoch = recovery._epoch
    last = offset[len(epoch) :]
    for bad in (
        "", "0", epoch, epoch[:-1], f"{epoch}-1", f"{epoch}+1", f"{epoch} 1", f"{epoch}1 ", f"{epoch}1\n",
        f"{epoch}0x1",
        f"{epoch}1_0", f"{epoch}\u0661", f"{epoch}\uff11", f"{epoch}A", f"{epoch}{'f' * 15}", f"{epoch}{'1' * 100_000}",
        f"{epoch}14", f"00000000-{last}", f"{epoch}{epoch}1", f"{epoch}1\x00", f"{epoch}1.0", f"{epoch}1e1",
    ):  # fmt: skip
        save(recovery, presence)
        assert recovery.restore(presence.pid, bad, 0.0) is None, bad
    for good in (first, offset, f"{epoch}0000{last}"):
        save(recovery, presence)
        assert recovery.restore(presence.pid, good, 0.0) is not None, good


def test_an_offset_of_another_server_is_unknown(recovery):
    other = Recovery(RecoveryOptions(AWAY))
    emit(recovery)
    presence = recovery.enter("sid")
    save(recovery, presence)
    assert recovery.restore(presence.pid, emit(other), 0.0) is None


@pytest.mark.parametrize("claims", ["nothing", "the first offset"])
def test_nobody_gets_what_was_sent_before_he_came(recovery, claims):
    first = emit(recovery)
    emit(recovery)
    presence = recovery.enter("sid")
    emit(recovery)
    save(recovery, presence)
    _, missed = recovery.restore(presence.pid, first if claims == "the first offset" else None, 0.0)
    assert missed == [recovery._log[2].message]


def test_a_private_id_serves_once_and_is_unknown_until_its_owner_left(recovery):
    presence = recovery.enter("sid")
    assert recovery.restore(presence.pid, None, 0.0) is None
    assert recovery.restore("sid", None, 0.0) is None
    save(recovery, presence)
    state, _ = recovery.restore(presence.pid, None, 0.0)
    assert recovery.restore(presence.pid, None, 0.0) is None
    save(recovery, state.presence)
    assert recovery.restore(presence.pid, None, 0.0) is not None


def test_private_ids_are_long_and_all_different(recovery):
    ids = {recovery.enter("sid").pid for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(pid) for pid in ids} == {20}


def test_nobody_gets_what_was_sent_to_a_room_before_he_joined_it(recovery):
    presence = recovery.enter("sid")
    for _ in range(2):
        emit(recovery, ("red",))
        emit(recovery, ("red", "blue"))
    emit(recovery, (), ("red",))
    joined = recovery.position
    emit(recovery, ("red",))
    emit(recovery, (), ("red",))
    recovery.save(SavedState("sid", presence, {"red": joined, "blue": 3}, None), 0.0)
    _, missed = recovery.restore(presence.pid, None, 0.0)
    log = [entry.message for entry in recovery._log]
    assert [log.index(one) for one in missed] == [3, 4, 5]


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_state_is_kept_for_so_long_and_no_longer(recovery):
    for away, found in ((AWAY, True), (AWAY + 0.1, False)):
        presence = recovery.enter("sid")
        save(recovery, presence, now=1000.0)
        assert (recovery.restore(presence.pid, None, 1000.0 + away) is not None) is found
    save(recovery, presence, now=1000.0)
    emit(recovery, now=1050.0)
    recovery.expire(1000.0 + AWAY)
    assert not recovery.empty
    recovery.expire(1000.1 + AWAY)
    assert (list(recovery._states), len(recovery._log)) == ([], 1)
    recovery.expire(1050.1 + AWAY)
    assert recovery.empty


def test_a_quiet_connection_survives_that_its_offset_left_the_log():
    recovery = Recovery(RecoveryOptions(AWAY, max_buffer_size=SMALL))
    presence = recovery.enter("sid")
    offset = emit(recovery, ("red",))
    for _ in range(20):
        emit(recovery, ("blue",))
    emit(recovery, ("red",))
    save(recovery, presence, ["red"])
    _, missed = recovery.restore(presence.pid, offset, 0.0)
    assert missed == [recovery._log[-1].message]
    for room in ("red", "sid"):
        save(recovery, presence, ["red"])
        emit(recovery, (room,))
        for _ in range(20):
            emit(recovery, ("blue",))
        assert recovery.restore(presence.pid, offset, 0.0) is None


def test_a_message_above_the_limit_is_sent_and_not_kept():
    recovery = Recovery(RecoveryOptions(AWAY, max_buffer_size=SMALL))
    presence = recovery.enter("sid")
    before = emit(recovery)
    large = emit(recovery, size=10_000)
    assert recovery._size == 0
    for offset, found in ((before, None), (large, [])):
        save(recovery, presence)
        result = recovery.restore(presence.pid, offset, 0.0)
        assert (result and result[1]) == found


def test_the_number_of_states_is_bounded(recovery, monkeypatch):
    monkeypatch.setattr(module, "MAX_STATES", 10)
    presences = [recovery.enter("sid") for _ in range(15)]
    for presence in presences:
        save(recovery, presence)
    found = [recovery.restore(presence.pid, None, 0.0) is not None for presence in presences]
    assert found == [False] * 5 + [True] * 10


def test_of_how_many_rooms_is_known_what_left_the_log_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROOMS", 10)
    recovery = Recovery(RecoveryOptions(AWAY, max_buffer_size=1))
    presence = recovery.enter("sid")
    for number in range(30):
        emit(recovery, (number,))
    assert len(recovery._left) == 10
    save(recovery, presence, ["never used"])
    assert recovery.restore(presence.pid, None, 0.0) is None  # one of those forgotten may have been its own
    late = recovery.enter("late")
    emit(recovery, (1000,))
    save(recovery, late, ["never used"])
    assert recovery.restore(late.pid, None, 0.0) is not None


# --- encoders that do more -------------------------------------------------------------------------------------------


def test_an_encoder_that_lets_others_emit_is_asked_again(recovery):
    positions = []

    def encode(offset):
        if not positions:
            emit(recovery)
        positions.append(int(offset.split("-")[1], 16))
        return message(offset)

    kept = recovery.record(encode, (), (), 0.0)
    assert positions == [0, 1]
    assert recovery._log[1].message is kept


def test_an_encoder_that_fails_leaves_nothing(recovery):
    with pytest.raises(ZeroDivisionError):
        recovery.record(lambda offset: 1 / 0, (), (), 0.0)
    assert (len(recovery._log), recovery._size) == (0, 0)
    assert emit(recovery).endswith("-0")


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "expected"), [
    (None, None), (False, None), (True, RecoveryOptions()), ({}, RecoveryOptions()),
    ({"max_disconnection_duration": 5, "skip_middlewares": False}, RecoveryOptions(5, False)),
])  # fmt: skip
def test_what_turns_it_on(value, expected):
    assert RecoveryOptions.of(value) == expected


@pytest.mark.parametrize("value", [1, "yes", [], {"maxDisconnectionDuration": 1}, {"max_disconnection_duration": 0},
    {"max_disconnection_duration": True}, {"max_buffer_size": -1}, {"max_disconnection_duration": float("inf")},
    {"max_buffer_size": "1"}, {"skip_middlewares": "no"}])  # fmt: skip
def test_what_can_not_be_meant_is_an_error(value):
    with pytest.raises((TypeError, ValueError), match="connection_state_recovery"):
        RecoveryOptions.of(value)
