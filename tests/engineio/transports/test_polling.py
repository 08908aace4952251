"""Owns the waiting GET: what ends it, what it carries, what overlaps, and a client that goes away while it waits."""

import gevent
import pytest
from contract.recording import DirectTransport, RecordingHandler, RecordingOwner, request
from contract.waiting import turn, wait_until
from gevent import socket

from flask_socketio_py.engineio.message import PING, PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import Event, Session, State
from flask_socketio_py.engineio.transports.polling import OverlapError, PollingTransport
from flask_socketio_py.errors import PacketError


@pytest.fixture
def session():
    session = Session("sid", RecordingOwner(), RecordingHandler(), request())
    session.transport = PollingTransport(session)
    return session


def text(data):
    return PreparedMessage(b"4" + data)


def poll(session, sock=None):
    """A GET in a greenlet of its own, as far as it gets."""
    greenlet = gevent.spawn(session.transport.poll, sock)
    turn()
    return greenlet


def body(greenlet):
    return greenlet.get(timeout=10)


def test_what_waits_is_the_answer_at_once(session):
    session.send(text(b"a"))
    session.send(PreparedMessage(b"451-[]", (b"\1",)))
    session.send(PING)
    assert session.transport.poll(None) == b"4a\x1e451-[]\x1ebAQ==\x1e2"
    assert session.outbox is None


def test_a_waiting_get_ends_with_everything_that_is_sent_in_one_turn(session):
    waiting = poll(session)
    assert not waiting.ready()
    assert session.transport.writable
    session.send(text(b"a"))
    session.send(text(b"b"))
    assert body(waiting) == b"4a\x1e4b"
    assert not session.transport.writable
    again = poll(session)
    session.send(text(b"c"))
    assert body(again) == b"4c"


@pytest.mark.parametrize(
    ("wishes", "expected"), [([True], True), ([False], False), ([False, True, False], True), ([], False)]
)
def test_a_body_is_worth_compressing_if_one_of_its_messages_is(session, wishes, expected):
    session.transport.compress = True  # of the answer before
    for wish in wishes:
        session.send(PreparedMessage(b"4a", compress=wish))
    waiting = poll(session)
    if not wishes:
        session.close()
    body(waiting)
    assert session.transport.compress is expected


def test_what_leaves_before_the_close_packet_counts_too(session):
    waiting = poll(session)
    session.send(PreparedMessage(b"4a", compress=True))
    session.close()
    assert (body(waiting), session.transport.compress) == (b"4a", True)
    assert (session.transport.poll(None), session.transport.compress) == (b"6\x1e1", False)


def test_a_second_get_overlaps_and_leaves_the_first_alone(session):
    waiting = poll(session)
    with pytest.raises(OverlapError):
        session.transport.poll(None)
    session.send(text(b"a"))
    assert body(waiting) == b"4a"


def test_a_second_post_overlaps_until_the_first_has_been_read(session):
    transport = session.transport
    transport.begin_push()
    with pytest.raises(OverlapError):
        transport.begin_push()
    transport.end_push()
    transport.begin_push()


def test_a_post_is_read_up_to_its_bad_packet(session):
    with pytest.raises(PacketError):
        session.transport.push(b"4a\x1ebAQ==\x1ex\x1e4b")
    assert session.handler.messages == ["a", b"\1"]


def test_a_post_waits_while_the_session_is_paused_and_a_discard_lets_it_go(session):
    session.handler.react = lambda session, data: session.pause()
    pushing = gevent.spawn(session.transport.push, b"4a\x1e4b\x1e4c")
    turn()
    assert session.handler.messages == ["a"]
    session.resume()
    turn()
    assert session.handler.messages == ["a", "b"]
    session.apply(Event.PING_TIMED_OUT)
    pushing.get(timeout=10)
    assert session.handler.messages == ["a", "b"]


def test_a_close_ends_a_get_that_waits(session):
    waiting = poll(session)
    session.close()
    assert session.handler.reasons == [Reason.FORCED_CLOSE]
    assert session.state is State.CLOSED
    assert body(waiting) == b"1"


@pytest.mark.parametrize("last", [True, False])
def test_a_close_is_fetched_apart_from_what_was_sent_before(session, last):
    """The official client handles messages a tick after a close packet of the same payload, and so too late."""
    waiting = poll(session) if last else None
    if last:
        session.send(text(b"last"))
    session.close()
    assert session.handler.reasons == [Reason.FORCED_CLOSE]
    if waiting is not None:
        assert body(waiting) == b"4last"
    assert session.state is State.CLOSING
    assert session.transport.poll(None) == b"6\x1e1"
    assert session.state is State.CLOSED


def test_what_was_sent_before_a_close_is_fetched_first(session):
    session.send(text(b"last"))
    session.close()
    answers = []
    while session.state is State.CLOSING:
        assert len(answers) < 3
        answers.append(session.transport.poll(None))
    assert b"\x1e".join(answers).startswith(b"4last")
    assert b"\x1e".join(answers).endswith(b"1")


@pytest.mark.parametrize(
    ("end", "answer"), [("1", b"6"), (Event.PING_TIMED_OUT, b"1"), (Event.BAD_PACKET, b"1")], ids=str
)
def test_the_end_of_a_session_ends_its_get(session, end, answer):
    waiting = poll(session)
    if isinstance(end, Event):
        session.apply(end)
    else:
        session.transport.push(end.encode())
    assert body(waiting) == answer


def test_an_upgrade_ends_the_get_with_a_noop_and_later_messages_go_the_other_way(session):
    old, new = session.transport, DirectTransport()
    waiting = poll(session)
    session.apply(Event.PROBE, new)
    assert body(waiting) == b"6"
    during = poll(session)  # held back only briefly while the WebSocket probes
    assert body(during) == b"6"
    waiting = gevent.spawn(old.poll, None)
    turn()
    session.apply(Event.UPGRADE)
    session.send(text(b"over the WebSocket"))
    assert body(waiting) == b"6"
    assert [message.text for message in new.taken] == [b"3probe", b"4over the WebSocket"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_client_that_goes_away_is_noticed_and_a_pipelined_request_is_not_that(session, gone):
    ours, theirs = socket.socketpair()
    waiting = poll(session, ours)
    if gone:
        theirs.close()
        waiting.get(timeout=10)
        assert session.handler.reasons == [Reason.TRANSPORT_ERROR]
    else:
        theirs.sendall(b"GET / HTTP/1.1\r\n\r\n")
        turn(5)
        assert not waiting.ready()
        session.send(text(b"a"))
        assert body(waiting) == b"4a"
        assert ours.recv(3) == b"GET"
        theirs.close()
    ours.close()


def test_a_killed_get_leaves_room_for_the_next(session):
    waiting = poll(session)
    waiting.kill()
    waiting = poll(session)
    session.send(text(b"a"))
    assert body(waiting) == b"4a"
    wait_until(lambda: waiting.ready())
