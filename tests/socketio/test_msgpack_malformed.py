"""Owns bytes that are no MessagePack, and packets that are none: refused with PacketError alone, in linear time."""

import math
import random
import time
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.errors import PacketError
from flask_socketio_py.socketio import packet
from flask_socketio_py.socketio.json_codec import DepthError
from flask_socketio_py.socketio.msgpack_codec import MSGPACK_JAVASCRIPT, NOTEPACK_2, MsgpackCodec
from flask_socketio_py.socketio.msgpack_parser import MAX_NAMESPACE, MsgpackParser

from .test_msgpack_codec import READ_ONLY
from .test_msgpack_parser import CASES
from .test_msgpack_parser import READ_ONLY as PACKETS

CODEC = MsgpackCodec(NOTEPACK_2)
STREAMS = MsgpackCodec(MSGPACK_JAVASCRIPT)
PARSER = MsgpackParser()

#: No value in any flavour.
MALFORMED = [
    "", "c1", "91c1", "81a161c1",
    # cut off, and more than one
    "91", "9201", "81", "81a161", "a161a1", "a1", "d9", "d902 61", "da00", "db000000", "c4", "c401", "c500", "c6000000",
    "cc", "cd00", "cf00000000000000", "ca000000", "cb00000000000000", "d0", "d3", "0101", "90c0", "c0c1", "8080",
    # lengths beyond the end
    "dbffffffff", "c6ffffffff", "ddffffffff", "dfffffffff", "c9ffffffff00", "dcffff", "deffff", "dd0000000201",
    "dd7fffffff01", "df00000001a161",
    # extensions: cut off, of other types, timestamps that are none
    "d4", "d400", "d7", "d70000", "c7", "c700", "c701", "c70100", "d40100", "d47f00", "d48000", "d4fe00", "c70001",
    "c70201 0000", "d60100000000", "d8 01 00000000000000000000000000000000", "d4ff00", "d5ff0000", "c700ff",
    "c705ff0000000000", "d7ffffffffffffffffff", "c70cffffffffff0000000000000000", "91d40100", "92d40000d40200",
    # keys that have no text
    "819001", "818001", "81d6ff0000000001", "81c70201000001", "8190", "81d70000000000000000 0001", "819181a161",
]  # fmt: skip


def maps(**fields):
    return CODEC.encode(fields)


EVENT = {"type": 2, "nsp": "/", "data": ["a"]}
#: MessagePack, but no packet.
NO_PACKETS = [
    *map(CODEC.encode, (None, True, 2, "2", b"2", [], [2, ["a"], "/"], {}, {"type": 2}, {"nsp": "/"}, "42[]")),
    # the type
    *[maps(**{**EVENT, "type": kind}) for kind in
      (-1, 5, 6, 7, 2.0, 2.5, "2", None, True, False, [2], b"\2", 2**40, -(2**63), {"a": 2}, math.nan)],
    maps(nsp="/", data={}), maps(type=True, nsp="/", data=None), maps(type=False, nsp="/", data={}),
    # the namespace
    *[maps(**{**EVENT, "nsp": name}) for name in
      ("", "admin", None, 5, b"/", ["/"], {"/": 1}, True, "\0/", " /", "/" + "a" * MAX_NAMESPACE)],
    maps(type=0), maps(type=0, nsp=""), maps(type=1, data=None),
    # the id
    *[maps(**{**EVENT, "id": number}) for number in
      (-1, 2**53, 2**64 - 1, 1.0, 0.5, "1", "", True, False, [1], b"\1", {"a": 1}, math.inf, math.nan)],
    *[maps(type=3, nsp="/", data=[], id=number) for number in (-1, 2**53, None, "1", True, 1.0)],
    # the data
    *[maps(type=0, nsp="/", data=data) for data in ([], [1], "token", 1, True, b"")],
    *[maps(type=1, nsp="/", data=data) for data in ({}, [], "", 0, False, b"")],
    *[maps(type=2, nsp="/", data=data) for data in
      (None, {}, [], "a", 1, b"a", [None], [True], [False], [b"a"], [[]], [{}], [["a"]], {"0": "a"})],
    *[maps(type=2, nsp="/", data=[name, 1]) for name in sorted(packet.RESERVED)],
    *[maps(type=3, nsp="/", id=1, data=data) for data in (None, {}, "a", 1, b"a")],
    maps(type=3, nsp="/", data=[]), maps(type=3, nsp="/admin", data=["a"]),
    *[maps(type=4, nsp="/", data=data) for data in (None, [], 1, True, b"")],
    # other wires
    b"42[]", b'{"type":2}', b"\x04" + maps(**EVENT), b"0", b"2probe", maps(**EVENT) + b"\0", maps(**EVENT) * 2,
]  # fmt: skip
VALID = [bytes.fromhex(wire) for wire, _ in READ_ONLY] + [wire for wire, *_ in CASES + PACKETS]


def check(data):
    """The packet is refused with PacketError, or is one that the protocol allows; so is what it would be answered."""
    check_value(data)
    try:
        kind, namespace, ack_id, content, attachments = PARSER.decode(data)
    except PacketError:
        return False
    assert type(kind) is int
    assert 0 <= kind <= 4
    assert namespace.startswith("/")
    assert ack_id is None or (type(ack_id) is int and 0 <= ack_id < 2**53)
    assert attachments == 0
    PARSER.prefix(namespace)
    if kind == 2:
        assert type(content[0]) in (str, int, float)
        assert content[0] not in packet.RESERVED
    elif kind == 3:
        assert isinstance(content, list)
        assert ack_id is not None
    elif kind == 4:
        assert isinstance(content, str | dict)
    else:
        assert content is None or (kind == 0 and isinstance(content, dict))
    return True


def check_value(data):
    """Bytes are refused with PacketError, or are a value of proper types that can be sent on."""
    for codec in (CODEC, STREAMS):
        try:
            value = codec.decode(data)
        except PacketError:
            continue
        check_types(value)
        try:
            codec.encode(value)
        except DepthError:
            assert depth_of(value) > 200


def depth_of(value):
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [item.values() if type(item) is dict else item for item in level if type(item) in (dict, list)]
        level = [item for items in inner for item in items]
    return depth


def check_types(value):
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is dict:
            assert all(type(key) is str for key in item)
            pending.extend(item.values())
        elif type(item) is list:
            pending.extend(item)
        else:
            assert item is None or type(item) in (bool, int, float, str, bytes, datetime)


@pytest.mark.parametrize("wire", MALFORMED)
def test_what_is_no_messagepack_is_refused(wire):
    for codec in (CODEC, STREAMS):
        with pytest.raises(PacketError):
            codec.decode(bytes.fromhex(wire))
    with pytest.raises(PacketError):
        PARSER.decode(bytes.fromhex(wire))


@pytest.mark.parametrize("data", NO_PACKETS, ids=lambda data: ascii(data[:60]))
def test_what_is_no_packet_is_refused(data):
    with pytest.raises(PacketError):
        PARSER.decode(data)


def test_what_these_packets_vary_is_a_packet():
    assert PARSER.decode(maps(**EVENT)) == (2, "/", None, ["a"], 0)
    assert PARSER.decode(maps(**{**EVENT, "nsp": "/" + "a" * (MAX_NAMESPACE - 1), "id": 2**53 - 1}))[2] == 2**53 - 1


@pytest.mark.parametrize(
    "first", [b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xde\x00\x01\xa1a", b"\x92\x01", b"\x81\x01"]
)
def test_data_without_an_end_is_refused(first):
    for depth in (1025, 5000, 100_000):
        with pytest.raises(PacketError):
            CODEC.decode(first * depth + b"\x01")
        with pytest.raises(PacketError):
            CODEC.decode(first * depth)
    for depth in (500, 1000):
        check(first * depth + b"\x01")
        check(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a" + first * depth + b"\x01")


def test_every_beginning_of_a_packet_is_refused_or_a_packet():
    for data in VALID:
        for stop in range(min(len(data), 400)):
            check(data[:stop])
            check(data[stop:])


def test_mutations_of_packets_are_refused_or_packets():
    chance = random.Random(5)
    accepted = 0
    packets = [wire for wire, *_ in CASES + PACKETS]
    for number in range(20_000):
        data = bytearray(chance.choice(packets if number % 4 else VALID))
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(data) + 1)
            data[start : start + chance.randrange(3)] = chance.choice(
                (
                    chance.randbytes(chance.randrange(3)),
                    chance.choice((b"\xd4\0\0", b"\xc7\1\0", b"\xc0", b"\xc4\1", b"\x81")),
                )
            )
        accepted += check(bytes(data))
    assert 500 < accepted < 19_000  # both happen, or the mutations prove nothing


def test_bytes_put_together_at_random_are_refused_or_values():
    chance = random.Random(6)
    parts = [bytes([first]) for first in range(0x7F, 0x100)]
    parts += [b"\0", b"\1", b"\xa4type\x02", b"\xa3nsp\xa1/", b"\xa4data", b"\xa2id", b"\xd4\0\0", b"\xc7\x01\0\0"]
    for _ in range(20_000):
        check(b"".join(chance.choices(parts, k=chance.randrange(1, 12))))


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_a_packet(data):
    check(data)


@pytest.mark.parametrize(
    ("start", "repeated", "values"),
    [
        (b"", b"\x91", 0),
        (b"", b"\x81\xa0", 0),
        (b"", b"\xdd\x00\x00\x80\x00", 0),
        (b"", b"\xdf\x00\x00\x80\x00", 0),
        (b"\xdd", b"\xc0", 1),
        (b"\xdd", b"\x80", 1),
        (b"\xdd", b"\x81\x01\x01", 1),
        (b"\xdd", b"\x81\xc4\x00\x01", 1),
        (b"\xdd", b"\xd4\x00\x00", 1),
        (b"\xdd", b"\xc7\x01\x00\x00", 1),
        (b"\xdd", b"\xd9\x00\xc7\x01\x00\x00", 2),
        (b"\xdd", b"\xc7\x01\x00\x00\xd7\x00" + b"\x11" * 8, 2),
        (b"\xdd", b"\xd7\x00" + b"\x7f" * 8, 1),
        (b"\xdd", b"\xc7\x0c\xff\x00\x00\x00\x00" + b"\x7f" * 8, 1),
        (b"\xdd", b"\xa1\xff", 1),
        (b"\xdb", b"\xff", 1),
        (b"\xdb", b"\xed\xa0\x80", 3),
        (b"\xdf", b"\x01\x01", 1),
        (b"\xdf", b"\xa1a\x01", 1),
        (b"\xdf", b"\xc4\x01a\x01", 1),
    ],
)
def test_time_grows_with_the_length_only(start, repeated, values):
    def seconds(size):
        count = size // len(repeated)
        data = start + (count * values).to_bytes(4, "big") * bool(start) + repeated * count
        began = time.process_time()
        for _ in range(3):
            try:
                CODEC.decode(data)
            except PacketError:
                assert not start
            else:
                assert start
        return time.process_time() - began

    # Eight times the length: linear is a factor of 8, quadratic is 64. What is too short to be measured is no danger.
    assert seconds(400_000) < 24 * seconds(50_000) + 0.2
