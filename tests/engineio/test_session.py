"""Owns the table of states: every state with every event, and what a packet does in each."""

import pytest
from contract.recording import DirectTransport, FetchedTransport, open_session

from flask_socketio_py.engineio.message import PING, PONG, PROBE_PONG, PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import TRANSITIONS, Event, State

OPEN, UPGRADING, CLOSING, CLOSED = State.OPEN, State.UPGRADING, State.CLOSING, State.CLOSED
HELLO = PreparedMessage(b"4hello")
ENDS = {
    Event.CLOSE_PACKET: Reason.TRANSPORT_CLOSE,
    Event.BAD_PACKET: Reason.PARSE_ERROR,
    Event.TRANSPORT_CLOSED: Reason.TRANSPORT_CLOSE,
    Event.TRANSPORT_FAILED: Reason.TRANSPORT_ERROR,
    Event.PING_TIMED_OUT: Reason.PING_TIMEOUT,
}
#: The next state, once more and by state: the package's table has to say the same.
EXPECTED = {
    OPEN: {Event.MESSAGE: OPEN, Event.PONG: OPEN, Event.PROBE: UPGRADING, Event.CLOSE: CLOSING}
    | dict.fromkeys(ENDS, CLOSED),
    UPGRADING: {
        Event.MESSAGE: UPGRADING,
        Event.PONG: UPGRADING,
        Event.PROBE_LOST: OPEN,
        Event.UPGRADE: OPEN,
        Event.CLOSE: CLOSING,
    }
    | dict.fromkeys(ENDS, CLOSED),
    CLOSING: dict.fromkeys([Event.CLOSE_PACKET, Event.TRANSPORT_CLOSED, Event.TRANSPORT_FAILED, Event.FLUSHED], CLOSED),
    CLOSED: {},
}
PAIRS = [(state, event) for state in State for event in Event]
KNOWN = [(state, event) for state, event in PAIRS if event in EXPECTED[state]]
UNKNOWN = [(state, event) for state, event in PAIRS if event not in EXPECTED[state]]


def session_in(state):
    """A polling session that has come to this state by events, with something in its outbox if it lives."""
    session = open_session(FetchedTransport())
    session.send(HELLO)
    if state is UPGRADING:
        assert session.apply(Event.PROBE, DirectTransport())
    elif state is CLOSING:
        session.close()
    elif state is CLOSED:
        assert session.apply(Event.TRANSPORT_CLOSED)
    assert session.state is state
    return session


def apply(session, event):
    values = {Event.MESSAGE: "data", Event.PROBE: DirectTransport(), Event.CLOSE: Reason.FORCED_CLOSE}
    return session.apply(event, values.get(event))


def everything(session):
    """All that an event could change."""
    transports = [transport for transport in (session.transport, session.probing) if transport is not None]
    return (
        session.state, session.transport, session.probing, list(session.outbox or ()), session.outbox_size,
        session.awaiting_pong, session.extended, session.paused,
        list(session.owner.calls), list(session.handler.messages), list(session.handler.reasons),
        [(list(item.taken), list(item.late), item.closed, item.discarded, item.paused) for item in transports],
    )  # fmt: skip


def test_the_table_is_complete():
    assert {key: row[0] for key, row in TRANSITIONS.items()} == {
        (state, event): following for state, row in EXPECTED.items() for event, following in row.items()
    }


@pytest.mark.parametrize(("state", "event"), KNOWN)
def test_an_event_leads_to_the_next_state(state, event):
    session = session_in(state)
    assert apply(session, event) is True
    assert session.state is EXPECTED[state][event]


@pytest.mark.parametrize(("state", "event"), UNKNOWN)
def test_an_event_that_the_table_does_not_know_changes_nothing(state, event):
    session = session_in(state)
    before = everything(session)
    assert apply(session, event) is False
    assert everything(session) == before


@pytest.mark.parametrize(("event", "reason"), ENDS.items())
@pytest.mark.parametrize("state", [OPEN, UPGRADING])
def test_an_end_is_told_once_with_its_reason_and_leaves_nothing(state, event, reason):
    session = session_in(state)
    transport, probing = session.transport, session.probing
    for further in [event, *Event]:
        apply(session, further)
    assert session.handler.reasons == [reason]
    assert session.owner.calls == ["forget"]
    assert transport.discarded == 1
    assert probing is None or (session.probing is None and probing.discarded == 1)
    assert (session.outbox, session.outbox_size) == (None, 0)


@pytest.mark.parametrize("state", [OPEN, UPGRADING])
def test_a_close_that_the_client_has_to_fetch_lingers(state):
    session = session_in(state)
    session.close(Reason.SERVER_SHUTTING_DOWN)
    assert session.state is CLOSING
    assert session.handler.reasons == [Reason.SERVER_SHUTTING_DOWN]
    assert session.owner.calls == ["lingering"]
    assert session.transport.fetch() == [HELLO]
    assert session.state is CLOSED
    assert session.owner.calls == ["lingering", "forget"]
    assert session.handler.reasons == [Reason.SERVER_SHUTTING_DOWN]


def test_a_close_that_the_client_can_be_told_is_over_at_once():
    session = open_session(DirectTransport())
    session.close()
    assert (session.state, session.transport.closed) == (CLOSED, Reason.FORCED_CLOSE)
    assert session.handler.reasons == [Reason.FORCED_CLOSE]
    assert session.owner.calls == ["forget"]


@pytest.mark.parametrize("transport", [DirectTransport, FetchedTransport])
def test_a_close_that_discards_waits_for_nobody(transport):
    session = open_session(transport())
    session.send(HELLO)
    session.close(Reason.OUTBOX_FULL, discard=True)
    assert (session.state, session.outbox, session.outbox_size) == (CLOSED, None, 0)
    assert session.handler.reasons == [Reason.OUTBOX_FULL]


# --- packets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [OPEN, UPGRADING])
@pytest.mark.parametrize(
    ("data", "message"), [("4hi", "hi"), ("4", ""), ("442", "42"), (b"", b""), (b"4hi", b"4hi"), (b"1", b"1")]
)
def test_a_message_is_delivered_without_its_digit(state, data, message):
    session = session_in(state)
    session.receive(data)
    assert session.handler.messages == [message]


@pytest.mark.parametrize("state", [CLOSING, CLOSED])
@pytest.mark.parametrize("data", ["4hi", b"hi"])
def test_after_the_close_no_message_is_delivered(state, data):
    session = session_in(state)
    session.receive(data)
    assert session.handler.messages == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("1", Reason.TRANSPORT_CLOSE),
        ("1 with data", Reason.TRANSPORT_CLOSE),
        ("2", Reason.TRANSPORT_ERROR),
        ("2probe", Reason.TRANSPORT_ERROR),
        ("", Reason.PARSE_ERROR),
        ("7", Reason.PARSE_ERROR),
        ("b", Reason.PARSE_ERROR),
        ("\x1e", Reason.PARSE_ERROR),
        ("٤hi", Reason.PARSE_ERROR),
        ("²", Reason.PARSE_ERROR),
    ],
)
def test_a_packet_that_ends_the_session(data, reason):
    session = session_in(OPEN)
    session.receive(data)
    assert (session.state, session.handler.reasons) == (CLOSED, [reason])


@pytest.mark.parametrize("data", ["0", '0{"sid":"x"}', "5", "6"])
def test_packets_without_a_meaning_are_ignored(data):
    session = session_in(OPEN)
    before = everything(session)
    session.receive(data)
    assert everything(session) == before


# --- heartbeat -------------------------------------------------------------------------------------------------------


def test_a_pong_ends_the_waiting():
    session = session_in(OPEN)
    session.awaiting_pong = session.extended = True
    session.receive("3")
    assert (session.awaiting_pong, session.extended, session.owner.calls) == (False, False, ["ponged"])


def test_a_message_in_place_of_a_pong_extends_the_waiting_once():
    session = session_in(OPEN)
    session.receive("4no ping is open")
    session.awaiting_pong = True
    for data in ("4one", b"two", "4three"):
        session.receive(data)
    assert session.owner.calls == ["extended"]
    assert session.handler.messages == ["no ping is open", "one", b"two", "three"]


# --- upgrade ---------------------------------------------------------------------------------------------------------


def test_an_upgrade_moves_what_waits_in_order_and_ends_the_old_transport():
    session = session_in(OPEN)
    old, new = session.transport, DirectTransport()
    new.session = session
    assert session.apply(Event.PROBE, new)
    session.send(PING)
    assert (new.taken, old.taken) == ([PROBE_PONG], [])
    assert session.apply(Event.UPGRADE)
    session.send(HELLO)
    assert session.transport is new
    assert (old.discarded, new.discarded, session.probing) == (1, 0, None)
    assert new.taken == [PROBE_PONG, HELLO, PING, HELLO]


def test_a_second_probe_is_none_and_a_lost_one_can_be_repeated():
    session = session_in(UPGRADING)
    first = session.probing
    assert not session.apply(Event.PROBE, DirectTransport())
    assert session.probing is first
    assert session.apply(Event.PROBE_LOST)
    assert session.probing is None
    assert session.apply(Event.PROBE, second := DirectTransport())
    assert session.probing is second


def test_a_paused_session_stays_paused_over_an_upgrade():
    session = session_in(OPEN)
    session.pause()
    assert session.transport.paused
    session.apply(Event.PROBE, new := DirectTransport())
    session.apply(Event.UPGRADE)
    assert new.paused
    session.resume()
    assert not new.paused


@pytest.mark.parametrize("state", [OPEN, UPGRADING])
@pytest.mark.parametrize(("ping", "answer"), [("2", PONG), ("2probe", PROBE_PONG), ("2 anything", PONG)])
def test_in_revision_3_the_client_pings_and_is_answered(state, ping, answer):
    session = open_session(FetchedTransport(), revision="3")
    if state is UPGRADING:
        session.apply(Event.PROBE, DirectTransport())
    session.receive(ping)
    assert session.state is state
    assert session.owner.calls == ["ponged"]
    assert session.transport.fetch() == [answer]


def test_pings_of_a_client_that_does_not_read_are_answered_once_for_all():
    session = open_session(FetchedTransport(), revision="3")
    for _ in range(1000):
        session.receive("2")
    session.send(HELLO)
    session.receive("2")
    assert session.transport.fetch() == [PONG, HELLO, PONG]


@pytest.mark.parametrize(("revision", "packet"), [("4", "2"), ("4", "2probe"), ("3", "3"), ("3", "3probe")])
def test_a_heartbeat_in_the_wrong_direction_is_a_transport_error(revision, packet):
    session = open_session(DirectTransport(), revision=revision)
    session.receive(packet)
    assert session.handler.reasons == [Reason.TRANSPORT_ERROR]
    assert session.transport.taken == []


def test_a_ping_after_the_close_is_not_answered():
    session = open_session(FetchedTransport(), revision="3")
    session.close()
    session.receive("2")
    assert (session.state, session.owner.calls) == (CLOSING, ["lingering"])
    assert session.transport.fetch() == []
