"""Owns the polling body: packets joined by U+001E, binary ones in base64; what is no packet is refused."""

import base64
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio import payload
from flask_socketio_py.errors import PacketError

#: (body, packets): used in both directions. The first two are the examples of the protocol's document.
CASES = [
    (b"4hello\x1e2\x1e4world", ["4hello", "2", "4world"]),
    (b"4hello\x1ebAQIDBA==", ["4hello", b"\x01\x02\x03\x04"]),
    (b"4", ["4"]),
    (b"b", [b""]),
    (b"b\x1eb\x1e4", [b"", b"", "4"]),
    (b"bAA==", [b"\0"]),
    (b"b+/+/", [b"\xfb\xff\xbf"]),
    (b"1\x1e6", ["1", "6"]),
    (b"3probe", ["3probe"]),
    ("4é€😀\x1e4\0\n\r".encode(), ["4é€😀", "4\0\n\r"]),
    (b'42["a"]\x1e451-["b",{"_placeholder":true,"num":0}]\x1ebAQ==',
     ['42["a"]', '451-["b",{"_placeholder":true,"num":0}]', b"\x01"]),
    (b"4b\x1e4bAQ==", ["4b", "4bAQ=="]),
]  # fmt: skip
#: (body, packets before the bad one)
MALFORMED = [
    (b"", []),
    (b"\x1e", []),
    (b"4a\x1e", ["4a"]),
    (b"\x1e4a", []),
    (b"4a\x1e\x1e4b", ["4a"]),
    (b"7", []),
    (b"abc", []),
    (b"4a\x1eabc\x1e4b", ["4a"]),
    (b"B", []),
    (b" 4", []),
    (b"bA", []),
    (b"bAQ", []),
    (b"bAQID\x1ebA\x1e4", [b"\x01\x02\x03"]),
    ("b€".encode(), []),
    ("٤hello".encode(), []),
    ("²".encode(), []),
    (b"\xff4", []),
    (b"-4", []),
]


def encoded(packets):
    return payload.join([payload.encode_binary(item) if isinstance(item, bytes) else item.encode() for item in packets])


def decode(body):
    return list(payload.decode(body))


@pytest.mark.parametrize(("body", "packets"), CASES)
def test_a_body_is_read(body, packets):
    assert decode(body) == packets


@pytest.mark.parametrize(("body", "packets"), CASES)
def test_a_body_is_written(body, packets):
    assert encoded(packets) == body


def test_all_cases_in_one_body():
    assert decode(payload.join([body for body, _ in CASES])) == [packet for _, packets in CASES for packet in packets]


@pytest.mark.parametrize(("body", "before"), MALFORMED)
def test_what_stands_before_a_bad_packet_is_received(body, before):
    received = []
    with pytest.raises(PacketError):
        received.extend(payload.decode(body))
    assert received == before


def test_invalid_utf_8_is_replaced_as_in_the_reference():
    assert decode(b"4a\xffb\xc3") == ["4a\ufffdb\ufffd"]


def test_the_number_of_packets_is_bounded():
    most = payload.MAX_PACKETS
    assert len(decode(b"\x1e".join([b"6"] * most))) == most
    with pytest.raises(PacketError):
        next(payload.decode(b"\x1e".join([b"6"] * (most + 1))))


packets = st.one_of(
    st.binary(max_size=40),
    st.builds(
        str.__add__,
        st.sampled_from("0123456"),
        st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])),
    ),
)


@settings(deadline=None)
@given(st.lists(packets, min_size=1, max_size=20))
def test_what_is_written_is_read(items):
    assert decode(encoded(items)) == items


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_base64_is_the_standard_one(data):
    assert payload.encode_binary(data) == b"b" + base64.b64encode(data)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.binary(), st.text(alphabet="b0123456789AQ=+/-_\x1e \xe9").map(str.encode)))
def test_any_bytes_are_read_or_refused(body):
    try:
        received = decode(body)
    except PacketError:
        return
    assert len(received) == body.count(b"\x1e") + 1
    for item in received:
        assert isinstance(item, bytes) or (item[0] in "0123456" and "\x1e" not in item)


def test_mutated_bodies_are_read_or_refused():
    chance = random.Random(20)
    refused = 0
    for _ in range(3000):
        body = bytearray(chance.choice(CASES)[0])
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(len(body)) : chance.randrange(len(body) + 1)] = chance.randbytes(chance.randrange(3))
            body = body or bytearray(b"x")
        try:
            decode(bytes(body))
        except PacketError:
            refused += 1
    assert 300 < refused < 2900  # both happen, or the mutations prove nothing
