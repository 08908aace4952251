"""Owns a session's outbox over a whole life: order, bounds, volatile messages, and silence after the end."""

import pytest
from contract.recording import DirectTransport, FetchedTransport, open_session
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import Event, State

LIMIT = 40
SIZES = st.sampled_from([0, 20, 50])
LIVE = (State.OPEN, State.UPGRADING)


def message(number, size=5):
    """A numbered message of about this size."""
    return PreparedMessage(b"4%d:" % number, (b"x" * size,))


def numbers(messages):
    """The numbers of messages; control packets have none."""
    return [int(item.text[1:-1]) for item in messages if item.text.startswith(b"4")]


class Life(RuleBasedStateMachine):
    """A session from polling over WebSocket to its end; the model knows only the numbers of the messages."""

    def __init__(self):
        super().__init__()
        self.start(None)
        self.sent = 0
        self.largest = 0
        self.kept = set()  # what must arrive while the session lives
        self.dropped = set()  # volatile messages that had to be dropped

    @initialize(room=st.none() | st.integers(0, 3))
    def start(self, room):
        """Over polling, or over a WebSocket from the first."""
        self.transports = [FetchedTransport() if room is None else DirectTransport(room)]
        self.session = open_session(self.transports[0], LIMIT)

    @property
    def arrived(self):
        return [number for transport in self.transports for number in numbers(transport.taken)]

    @property
    def transport(self):
        return self.session.transport

    # -- what the application does ------------------------------------------------------------------------------------

    @rule(
        burst=st.lists(st.tuples(SIZES, st.sampled_from([False, False, True]), st.sampled_from([0, 0, 5])), max_size=4)
    )
    def send(self, burst):
        for size, volatile, room in burst:
            if self.transport.name == "websocket":
                self.transport.room += room  # the client reads, but the hub had no turn to notice
            self.send_one(size, volatile)

    def send_one(self, size, volatile):
        session = self.session
        self.sent += 1
        sent = message(self.sent, size)
        lived = session.state in LIVE
        waiting, writable = bool(session.outbox), session.transport.writable
        full = session.outbox_size >= LIMIT
        self.largest = max(self.largest, sent.size)
        session.send(sent, volatile)
        if lived and session.state not in LIVE:
            assert full
            assert not volatile
            assert session.handler.reasons == [Reason.OUTBOX_FULL]
            assert session.state is State.CLOSED
        elif lived and volatile and (waiting or not writable):
            self.dropped.add(self.sent)
        elif lived and not volatile:
            self.kept.add(self.sent)

    @rule(discard=st.booleans())
    @precondition(lambda self: self.sent > 8)
    def close(self, discard):
        self.session.close(discard=discard)

    @rule()
    def pause(self):
        self.session.pause()

    @rule()
    def resume(self):
        self.session.resume()

    # -- what the client and the network do ---------------------------------------------------------------------------

    @rule(data=st.sampled_from(["4hi", b"hi", "3", "6", "0"]))
    def receive(self, data):
        before = len(self.session.handler.messages)
        self.session.receive(data)
        delivered = len(self.session.handler.messages) - before
        assert delivered == (self.session.state in LIVE and data in ("4hi", b"hi"))

    @rule(room=st.integers(1, 3))
    def read(self, room):
        if isinstance(self.transport, FetchedTransport):
            self.transport.fetch()
        else:
            self.transport.make_room(room)

    @rule(room=st.integers(1, 4))
    @precondition(lambda self: self.transport.name == "polling")
    def probe(self, room):
        probing = DirectTransport(room)
        probing.session = self.session
        if self.session.apply(Event.PROBE, probing):
            self.transports.append(probing)

    @rule(event=st.sampled_from([Event.UPGRADE, Event.UPGRADE, Event.PROBE_LOST]))
    def end_of_the_probe(self, event):
        lost = self.session.probing if event is Event.PROBE_LOST else None
        if self.session.apply(event) and lost is not None:
            self.transports.remove(lost)
            assert numbers(lost.taken) == []

    @rule(end=st.sampled_from(["1", "2", "x", Event.TRANSPORT_CLOSED, Event.TRANSPORT_FAILED, Event.PING_TIMED_OUT]))
    @precondition(lambda self: self.sent > 8)
    def end(self, end):
        if isinstance(end, Event):
            self.session.apply(end)
        else:
            self.session.receive(end)

    # -- what is always true ------------------------------------------------------------------------------------------

    @invariant()
    def one_order_for_all(self):
        order = self.arrived + numbers(self.session.outbox or ())
        assert order == sorted(set(order))

    @invariant()
    def nothing_is_lost_while_it_lives(self):
        if self.session.state in LIVE:
            assert self.kept <= {*self.arrived, *numbers(self.session.outbox or ())}

    @invariant()
    def a_volatile_message_that_could_not_leave_never_does(self):
        assert self.dropped.isdisjoint(self.arrived)

    @invariant()
    def the_outbox_is_counted_and_bounded(self):
        assert self.session.outbox_size == sum(item.size for item in self.session.outbox or ())
        assert self.session.outbox_size < LIMIT + max(self.largest, 1)

    @invariant()
    def the_end_is_told_once(self):
        assert len(self.session.handler.reasons) == (self.session.state not in LIVE)
        assert self.session.owner.calls.count("forget") == (self.session.state is State.CLOSED)

    @invariant()
    def nothing_is_written_after_the_end(self):
        assert all(transport.late == [] for transport in self.transports)
        if self.session.state is State.CLOSED:
            assert self.session.outbox is None
            assert self.session.probing is None


TestLife = Life.TestCase
TestLife.settings = settings(deadline=None, max_examples=120, stateful_step_count=40)


def test_what_a_transport_takes_leaves_in_one_order_with_what_waits():
    session = open_session(transport := DirectTransport(room=2))
    for number in range(6):
        session.send(message(number))
    assert (numbers(transport.taken), numbers(session.outbox)) == ([0, 1], [2, 3, 4, 5])
    transport.room = 1
    session.send(message(6))  # there is room again, but others came first
    assert numbers(transport.taken) == [0, 1]
    transport.make_room(2)
    session.send(message(7))
    assert (numbers(transport.taken), numbers(session.outbox)) == ([0, 1, 2, 3, 4], [5, 6, 7])
    transport.make_room(10)
    assert numbers(transport.taken) == list(range(8))
    assert (session.outbox, session.outbox_size) == (None, 0)


@pytest.mark.parametrize("closed_by", ["outbox", "close"])
def test_nothing_is_sent_after_the_close(closed_by):
    session = open_session(transport := DirectTransport(room=0), max_outbox_size=10)
    session.send(message(1, 20))
    if closed_by == "outbox":
        session.send(message(2, 20))
        assert session.handler.reasons == [Reason.OUTBOX_FULL]
        assert transport.closed is Reason.OUTBOX_FULL
    else:
        session.close(discard=True)
    transport.room = None
    session.send(message(3))
    session.flush()
    assert transport.taken == transport.late == []


def test_a_full_outbox_is_tried_once_more_before_the_client_is_cut_off():
    # The kernel may have taken everything while a handler that emits gave the hub no turn. Nobody flushes after that.
    session = open_session(transport := DirectTransport(room=0), max_outbox_size=10)
    session.send(message(1, 20))
    transport.room = 5
    session.send(message(2, 20))
    assert (numbers(transport.taken), session.handler.reasons) == ([1, 2], [])


def test_one_message_larger_than_the_limit_may_wait():
    session = open_session(transport := DirectTransport(room=0), max_outbox_size=10)
    session.send(message(1, 1000))
    assert session.handler.reasons == []
    assert session.congested
    transport.make_room(1)
    assert (numbers(transport.taken), session.congested) == ([1], False)


def test_a_volatile_message_neither_waits_nor_overtakes():
    session = open_session(transport := DirectTransport(room=1))
    session.send(message(1), volatile=True)
    session.send(message(2), volatile=True)
    session.send(message(3))
    transport.room = 1
    session.send(message(4), volatile=True)
    transport.make_room(5)
    session.send(message(5), volatile=True)
    assert numbers(transport.taken) == [1, 3, 5]
