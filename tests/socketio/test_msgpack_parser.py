"""Owns packets as socket.io-msgpack-parser has them, both ways. What is malformed is in ``test_msgpack_malformed``."""

import datetime

import pytest
from contract.naming import shown
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import DepthError, JsonCodec
from flask_socketio_py.socketio.msgpack_codec import NOTEPACK_2, MsgpackCodec
from flask_socketio_py.socketio.msgpack_parser import MsgpackParser
from flask_socketio_py.socketio.parser import DefaultParser, checked

from .test_msgpack_codec import cleaned
from .values import binary, exactly, nested

PARSER = MsgpackParser()
CODEC = MsgpackCodec(NOTEPACK_2)
MAIN = PARSER.prefix("/")
ADMIN = PARSER.prefix("/admin")

#: (message, packet, the call that makes it): both directions.
CASES = [
    (b"\x82\xa4type\x00\xa3nsp\xa1/", (0, "/", None, None, 0), lambda: PARSER.encode_connect(MAIN)),
    (
        b"\x83\xa4type\x00\xa4data\x81\xa3sid\xa1x\xa3nsp\xa1/",
        (0, "/", None, {"sid": "x"}, 0),
        lambda: PARSER.encode_connect(MAIN, {"sid": "x"}),
    ),
    (
        b"\x83\xa4type\x00\xa4data\x80\xa3nsp\xa6/admin",
        (0, "/admin", None, {}, 0),
        lambda: PARSER.encode_connect(ADMIN, {}),
    ),
    (b"\x82\xa4type\x01\xa3nsp\xa1/", (1, "/", None, None, 0), lambda: PARSER.encode_disconnect(MAIN)),
    (
        b"\x82\xa4type\x01\xa3nsp\xa6/admin",
        (1, "/admin", None, None, 0),
        lambda: PARSER.encode_disconnect(ADMIN),
    ),
    (
        b"\x83\xa4type\x02\xa4data\x92\xa2hi\x01\xa3nsp\xa1/",
        (2, "/", None, ["hi", 1], 0),
        lambda: PARSER.encode_event(MAIN, ["hi", 1], None),
    ),
    (
        b"\x84\xa4type\x02\xa4data\x91\xa2hi\xa2id\x0c\xa3nsp\xa6/admin",
        (2, "/admin", 12, ["hi"], 0),
        lambda: PARSER.encode_event(ADMIN, ("hi",), 12),
    ),
    (
        b"\x83\xa4type\x02\xa4data\x93\xa1b\xc4\x02\x00\xff\x81\xa1x\xc4\x00\xa3nsp\xa1/",
        (2, "/", None, ["b", b"\x00\xff", {"x": b""}], 0),
        lambda: PARSER.encode_event(MAIN, ["b", bytearray(b"\x00\xff"), {"x": memoryview(b"")}], None),
    ),
    (
        b"\x84\xa4type\x03\xa4data\x90\xa2id\x00\xa3nsp\xa1/",
        (3, "/", 0, [], 0),
        lambda: PARSER.encode_ack(MAIN, (), 0),
    ),
    (
        b"\x84\xa4type\x03\xa4data\x91\xc4\x01a\xa2id\xcf\x00\x1f\xff\xff\xff\xff\xff\xff\xa3nsp\xa6/admin",
        (3, "/admin", 2**53 - 1, [b"a"], 0),
        lambda: PARSER.encode_ack(ADMIN, [b"a"], 2**53 - 1),
    ),
    (
        b"\x83\xa4type\x04\xa4data\x82\xa7message\xa2no\xa4data\x81\xa4code\x07\xa3nsp\xa6/admin",
        (4, "/admin", None, {"message": "no", "data": {"code": 7}}, 0),
        lambda: PARSER.encode_connect_error(ADMIN, {"message": "no", "data": {"code": 7}}),
    ),
]
#: (message, packet): what the official parser or another client writes in a way we don't.
READ_ONLY = [
    # undefined, in all the places where JavaScript has it
    (b"\x83\xa4type\x00\xa4data\xd4\0\0\xa3nsp\xa1/", (0, "/", None, None, 0)),
    (b"\x83\xa4type\x00\xa4data\x82\xa3sid\xa1x\xa3pid\xd4\0\0\xa3nsp\xa1/",
     (0, "/", None, {"sid": "x", "pid": None}, 0)),
    (b"\x83\xa4type\x01\xa4data\xd4\0\0\xa3nsp\xa1/", (1, "/", None, None, 0)),
    (b"\x84\xa4type\x02\xa4data\x92\xa1a\xd4\0\0\xa2id\xd4\0\0\xa3nsp\xa1/", (2, "/", None, ["a", None], 0)),
    # nil, which python-socketio writes instead
    (b"\x83\xa4type\x01\xa4data\xc0\xa3nsp\xa1/", (1, "/", None, None, 0)),
    (b"\x84\xa2id\xc0\xa4type\x02\xa4data\x91\xa1a\xa3nsp\xa1/", (2, "/", None, ["a"], 0)),
    # options and whatever else there is, and any order
    (
        b"\x85\xa4type\x02\xa4data\x92\xa2hi\x01\xa7options\x81\xa8compress\xc3\xa3nsp\xa6/admin\xa2id\x0c",
        (2, "/admin", 12, ["hi", 1], 0),
    ),
    (b"\x85\xa3nsp\xa1/\xa4data\x91\xa1a\xa1x\x80\xa1y\x01\xa4type\x02", (2, "/", None, ["a"], 0)),
    # a number as the name of an event, a text as an error, a comma in a namespace, names that only look reserved
    (b"\x83\xa4type\x02\xa4data\x91\x05\xa3nsp\xa1/", (2, "/", None, [5], 0)),
    (b"\x83\xa4type\x02\xa4data\x91\xcb\x3f\xf8\0\0\0\0\0\0\xa3nsp\xa1/", (2, "/", None, [1.5], 0)),
    (b"\x83\xa4type\x04\xa4data\xa2no\xa3nsp\xa1/", (4, "/", None, "no", 0)),
    (b"\x83\xa4type\x02\xa4data\x91\xa7Connect\xa3nsp\xa4/a,b", (2, "/a,b", None, ["Connect"], 0)),
    (b"\x83\xa4type\x02\xa4data\x92\xa1a\x82\xac_placeholder\xc3\xa3num\x00\xa3nsp\xa1/",
     (2, "/", None, ["a", {"_placeholder": True, "num": 0}], 0)),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected", "make"), CASES, ids=lambda item: None if callable(item) else str(item))
def test_a_packet_is_written_and_read(data, expected, make):
    message = make()
    assert isinstance(message, PreparedMessage)
    assert (message.text, message.attachments) == (b"", (data,))
    assert message.size == len(data)
    assert exactly(PARSER.decode(data)) == exactly(expected)


@pytest.mark.parametrize(("data", "expected"), READ_ONLY)
def test_what_others_write_is_read(data, expected):
    assert exactly(PARSER.decode(data)) == exactly(expected)


def test_the_message_is_binary_on_both_transports():
    message = PARSER.encode_connect(MAIN)
    assert message.frames() == b"\x82\x0d" + message.attachments[0]
    assert message.packets() == b"bgqR0eXBlAKNuc3ChLw=="
    assert PARSER.carrier is bytes


namespaces = st.text(max_size=20).map("/{}".format)
ids = st.integers(0, 2**53 - 1)
events = st.tuples(st.text().filter(lambda name: name not in packet.RESERVED), st.lists(binary, max_size=3))


@settings(deadline=None, max_examples=300)
@given(namespace=namespaces, event=events, ack_id=st.none() | ids)
def test_an_event_arrives(namespace, event, ack_id):
    args = [event[0], *event[1]]
    message = PARSER.encode_event(PARSER.prefix(namespace), args, ack_id)
    kind, where, number, data, rest = PARSER.decode(message.attachments[0])
    assert (kind, where, number, rest) == (packet.EVENT, cleaned(namespace), ack_id, 0)
    assert exactly(data) == exactly(cleaned(args))
    assert CODEC.decode(message.attachments[0])["data"] == cleaned(args), "it is one map, whoever reads it"


@settings(deadline=None)
@given(namespace=namespaces, args=st.lists(binary, max_size=3), ack_id=ids)
def test_an_acknowledgement_arrives(namespace, args, ack_id):
    message = PARSER.encode_ack(PARSER.prefix(namespace), tuple(args), ack_id)
    kind, where, number, data, rest = PARSER.decode(message.attachments[0])
    assert (kind, where, number, rest) == (packet.ACK, cleaned(namespace), ack_id, 0)
    assert exactly(data) == exactly(cleaned(args))


@settings(deadline=None)
@given(namespace=namespaces, data=st.dictionaries(st.text(), binary, max_size=3))
def test_a_connection_is_accepted_and_refused(namespace, data):
    prefix = PARSER.prefix(namespace)
    for kind, message in (
        (packet.CONNECT, PARSER.encode_connect(prefix, data)),
        (packet.CONNECT_ERROR, PARSER.encode_connect_error(prefix, data)),
    ):
        assert PARSER.decode(message.attachments[0]) == (kind, cleaned(namespace), None, cleaned(data), 0)


def test_more_binary_data_than_the_default_parser_sends():
    args = ["many", *[bytes([number]) for number in range(100)]]
    assert PARSER.decode(PARSER.encode_event(MAIN, args, None).attachments[0])[3] == args


def test_dates_in_events():
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    data = PARSER.encode_event(MAIN, ["at", moment], None).attachments[0]
    assert b"\xd7\x00" in data
    assert PARSER.decode(data)[3] == ["at", moment]


def test_a_default_of_the_users_gives_a_form():
    parser = MsgpackParser(lambda value: f"<{type(value).__name__}>")
    assert parser.decode(parser.encode_event(MAIN, ["a", 1j], None).attachments[0])[3] == ["a", "<complex>"]


@pytest.mark.parametrize("value", [object(), {1, 2}, {b"a": 1}, {(1,): 1}], ids=shown)
def test_what_cannot_be_sent_is_the_callers_mistake(value):
    for encode in (
        lambda: PARSER.encode_event(MAIN, ["a", value], 1),
        lambda: PARSER.encode_ack(MAIN, [value], 1),
        lambda: PARSER.encode_connect_error(MAIN, {"message": "no", "data": value}),
    ):
        with pytest.raises(TypeError):
            encode()
    with pytest.raises(DepthError):
        PARSER.encode_event(MAIN, ["a", nested(5000)], None)


# --- an object of the user's as a parser -----------------------------------------------------------------------------


def test_parsers_are_accepted_as_parsers():
    for parser in (PARSER, DefaultParser(JsonCodec())):
        assert checked(parser) is parser


class Half:
    carrier = bytes

    def prefix(self, namespace):
        return b""


class OddCarrier(MsgpackParser):
    carrier = bytearray


@pytest.mark.parametrize(
    ("parser", "fault"),
    [
        (None, "lacks prefix, decode"),
        (5, "lacks prefix"),
        (Half(), "lacks decode, encode_event, encode_ack, encode_connect, encode_connect_error, encode_disconnect$"),
        (OddCarrier(), "lacks carrier \\(str or bytes\\)$"),
        (MsgpackParser, "pass an instance"),
    ],
)
def test_what_is_no_parser_is_an_error_that_says_what_it_lacks(parser, fault):
    with pytest.raises(TypeError, match=f"^parser=.*{fault}"):
        checked(parser)
