"""Owns what both transports do for a session of revision 3: bodies of both kinds, typed frames, the upgrade between."""

import pytest
from contract.recording import RecordingHandler, RecordingOwner, request
from gevent import spawn

from flask_socketio_py.engineio import revision3
from flask_socketio_py.engineio.message import PING, PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import Event, Session, State
from flask_socketio_py.engineio.transports.polling import PollingTransport
from flask_socketio_py.engineio.transports.websocket import WebSocketTransport
from flask_socketio_py.errors import PacketError

TEXT = PreparedMessage("4é😀".encode())
BINARY = PreparedMessage(b"451-[]", (b"\1",))


class Wire:
    """Stands where a connection stands, and keeps the bytes."""

    def __init__(self):
        self.sent = b""
        self.closed = False
        self.writable = True

    def send(self, frames):
        self.sent += frames
        return True

    def close(self, code=1000):
        self.closed = True


def opened(revision="3", more=""):
    session = Session("sid", RecordingOwner(), RecordingHandler(), request(revision, more))
    session.transport = PollingTransport(session)
    return session


def websocket(session, *, probing=False):
    transport = WebSocketTransport(session, None, probing=probing)
    transport.attach(Wire())
    if not probing:
        session.transport = transport
    return transport


@pytest.mark.parametrize(
    ("messages", "more", "body"),
    [
        ([TEXT, PING], "", "4:4é😀1:2".encode()),
        ([TEXT, BINARY], "", b"\0\7" + b"\xff" + "4é😀".encode() + b"\0\6\xff451-[]\1\2\xff\4\1"),
        ([TEXT, BINARY], "&b64=1", "4:4é😀6:451-[]6:b4AQ==".encode()),
        ([], "", b"1:6"),
    ],
)
def test_a_poll_is_answered_in_binary_where_there_is_binary_data_and_the_client_takes_it(messages, more, body):
    session = opened(more=more)
    for message in messages:
        session.send(message)
    if not messages:
        session.apply(Event.PROBE, websocket(session, probing=True))  # a noop ends the poll
    assert session.transport.poll(None) == body


def test_a_close_is_fetched():
    session = opened()
    session.send(TEXT)
    session.close()
    assert session.transport.poll(None) == "4:4é😀".encode()
    assert session.transport.poll(None) == b"1:61:1"
    assert session.state is State.CLOSED


def test_the_end_of_a_session_ends_its_get():
    session = opened()
    waiting = spawn(session.transport.poll, None)
    spawn(session.apply, Event.PING_TIMED_OUT)
    assert waiting.get(timeout=10) == b"1:1"


def test_both_kinds_of_body_are_pushed():
    session = opened()
    session.transport.push("2:4é7:4451-[]6:b4AQ==".encode())
    session.transport.push(b"\0\2\xff4a\1\2\xff\4\1", binary=True)
    assert session.handler.messages == ["é", "451-[]", b"\1", "a", b"\1"]


@pytest.mark.parametrize(
    ("body", "binary"), [(b"2:4a4hello", False), (b"\0\2\xff4a4hello", True), (b"4a\x1e4b", False)]
)
def test_a_body_is_read_up_to_its_bad_packet(body, binary):
    session = opened()
    with pytest.raises(PacketError):
        session.transport.push(body, binary=binary)
    assert session.handler.messages == (["a"] if body[:2] != b"4a" else [])


def test_a_message_over_websocket_has_its_type_in_front_of_binary_data():
    session = opened()
    transport = websocket(session)
    session.send(TEXT)
    session.send(BINARY)
    assert transport._connection.sent == TEXT.frames() + BINARY.form(revision3.frames)
    transport.on_message("4a")
    transport.on_message(b"\4\1\2")
    transport.on_message("b4AQ==")
    assert session.handler.messages == ["a", b"\1\2", b"\1"]


def test_a_client_that_takes_text_only_gets_text_only():
    session = opened(more="&b64=1")
    transport = websocket(session)
    session.send(BINARY)
    assert transport._connection.sent == BINARY.form(revision3.base64_frames)


def test_revision_4_is_not_touched():
    session = opened("4", "&b64=1")
    transport = websocket(session)
    session.send(BINARY)
    assert transport._connection.sent == BINARY.frames()
    assert transport.on_message == session.receive
    transport.on_message(b"\4\1")
    assert session.handler.messages == [b"\4\1"]


@pytest.mark.parametrize("message", [b"", b"\2", b"4a", "b2", "b4A", "", "7"])
def test_what_is_no_packet_ends_the_session(message):
    session = opened()
    transport = websocket(session)
    transport.on_message(message)
    assert session.handler.reasons == [Reason.PARSE_ERROR]
    assert transport._connection.closed


def test_an_upgrade_goes_on_in_revision_3():
    session = opened()
    transport = websocket(session, probing=True)
    transport.on_message("2probe")
    assert transport._connection.sent == b"\x81\x063probe"
    session.send(BINARY)
    transport.on_message("5")
    assert session.transport is transport
    assert transport._connection.sent == b"\x81\x063probe" + BINARY.form(revision3.frames)
    transport.on_message(b"\4\1")
    assert session.handler.messages == [b"\1"]
