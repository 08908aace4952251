"""Owns revision 3's wire forms: text and binary payloads, typed binary frames; every other byte is refused in time."""

import base64
import random
import time

import pytest
from hostile.mutate import mutations
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio import payload, revision3
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.errors import PacketError
from flask_socketio_py.websocket.frames import BINARY, TEXT, encode_frame

#: (text payload, packets), in both directions.
TEXTS = [
    (b"6:4hello1:26:4world", ["4hello", "2", "4world"]),
    (b"1:4", ["4"]),
    (b"6:4hello10:b4AQIDBA==", ["4hello", b"\x01\x02\x03\x04"]),
    (b"2:b4", [b""]),
    (b"6:b4+/+/", [b"\xfb\xff\xbf"]),
    ("3:4é€4:4😀\0".encode(), ["4é€", "4😀\0"]),
    ("5:4😀😀2:4\n".encode(), ["4😀😀", "4\n"]),
    (b"5:4b4AA3:4:1", ["4b4AA", "4:1"]),
    (b"11:4hello worl3:4hi", ["4hello worl", "4hi"]),
]
#: (binary payload, packets), in both directions.
BINARIES = [
    (b"\x00\x06\xff4hello\x01\x05\xff\x04\x01\x02\x03\x04", ["4hello", b"\x01\x02\x03\x04"]),
    (b"\x01\x01\xff\x04", [b""]),
    ("\0\x06\ufffd4é€".encode().replace("\ufffd".encode(), b"\xff"), ["4é€"]),
    (b"\x00\x05\xff4\xf0\x9f\x98\x80\x00\x01\xff2", ["4😀", "2"]),
    (b"\x01\x01\x02\xff\x04" + b"\xff" * 11, [b"\xff" * 11]),
]
#: (body, packets before the bad one)
BAD_TEXTS = [
    (b"", []),
    (b"4hello", []),
    (b":4", []),
    (b"1:", []),
    (b"2:4", []),
    (b"1:41:7", ["4"]),
    (b"1:4x", ["4"]),
    (b"1:41", ["4"]),
    (b"1:41:", ["4"]),
    (b"3:4hi6:4x", ["4hi"]),
    (b"1:44", ["4"]),
    (b"-1:4", []),
    (b" 1:4", []),
    (b"1e0:4", []),
    (b"0x1:4", []),
    ("\u0661:4".encode(), []),
    ("²:44".encode(), []),
    (b"1:b", []),
    (b"2:b2", []),
    (b"3:b4A", []),
    ("3:b4é".encode(), []),
    (b"1:B", []),
    ("2:4😀".encode(), []),
    ("1:42:😀x".encode(), ["4"]),
    ("4:4😀".encode(), []),
    (b"99999999999:4", []),
    (b"9999999999:4", []),
    (b"1" * 1_000_000, []),
    (b"0" * 1_000_000 + b":", []),
    (b"\xff\xfe", []),
    (b"\x00\x01\xff4", []),
    (b"4hello\x1e2", []),
]
BAD_BINARIES = [
    (b"", []),
    (b"\x00", []),
    (b"\x00\xff4", []),
    (b"\x00\x01\xff", []),
    (b"\x00\x01\xff4\x00", ["4"]),
    (b"\x00\x01\xff42", ["4"]),
    (b"\x02\x01\xff4", []),
    (b"\x00\x0a\xff4", []),
    (b"\x001\xff4", []),
    (b"\x00\x00\xff", []),
    (b"\x01\x00\xff", []),
    (b"\x01\x01\xff\x02", []),
    (b"\x01\x02\xff42", []),
    (b"\x00\x02\xff4\xe9", []),
    (b"\x00\x04\xff4\xed\xa0\x80", []),
    (b"\x00\x01\xff7", []),
    (b"\x00" + b"\x09" * 10 + b"\xff4", []),
    (b"\x00" + b"\x09" * 11 + b"\xff4", []),
    (b"\x00" + b"\x09" * 1_000_000, []),
    (b"\x00" + b"\x00" * 1_000_000 + b"\xff", []),
    (b"1:4", []),
]
DECODERS = [revision3.decode_text, revision3.decode_bytes]


def in_payload(encoder, packets):
    parts = [encoder(b"", (item,)) if isinstance(item, bytes) else encoder(item.encode(), ()) for item in packets]
    return b"".join(parts)


@pytest.mark.parametrize(("body", "packets"), TEXTS)
def test_a_text_payload_is_read_and_written(body, packets):
    assert list(revision3.decode_text(body)) == packets
    assert in_payload(revision3.text_packets, packets) == body
    assert revision3.content_type(body) == "text/plain; charset=UTF-8"


@pytest.mark.parametrize(("body", "packets"), BINARIES)
def test_a_binary_payload_is_read_and_written(body, packets):
    assert list(revision3.decode_bytes(body)) == packets
    assert in_payload(revision3.binary_packets, packets) == body
    assert revision3.content_type(body) == "application/octet-stream"


def test_all_cases_in_one_body():
    assert list(revision3.decode_text(b"".join(body for body, _ in TEXTS))) == [x for _, all_ in TEXTS for x in all_]
    everything = b"".join(body for body, _ in BINARIES)
    assert list(revision3.decode_bytes(everything)) == [item for _, packets in BINARIES for item in packets]


def refused(decoder, body):
    """What was read before the refusal; ``None`` if there was none."""
    received = []
    try:
        received.extend(decoder(body))
    except PacketError:
        return received
    return None


def names(cases):
    return [repr(body[:20]) for body, _ in cases]


@pytest.mark.parametrize(("body", "before"), BAD_TEXTS, ids=names(BAD_TEXTS))
def test_what_stands_before_a_bad_packet_of_a_text_payload_is_received(body, before):
    assert refused(revision3.decode_text, body) == before


@pytest.mark.parametrize(("body", "before"), BAD_BINARIES, ids=names(BAD_BINARIES))
def test_what_stands_before_a_bad_packet_of_a_binary_payload_is_received(body, before):
    assert refused(revision3.decode_bytes, body) == before


def test_a_packet_of_the_length_zero_is_none_as_in_the_reference():
    assert list(revision3.decode_text(b"0:")) == []
    assert list(revision3.decode_text(b"0:1:60:")) == ["6"]


def test_invalid_utf_8_is_one_code_unit_a_piece_as_in_the_reference():
    assert list(revision3.decode_text(b"5:4a\xffb\xc3")) == ["4a\ufffdb\ufffd"]


@pytest.mark.parametrize(
    ("decoder", "packet"), [(revision3.decode_text, b"1:6"), (revision3.decode_bytes, b"\0\1\xff6")]
)
def test_the_number_of_packets_is_bounded(decoder, packet):
    most = payload.MAX_PACKETS
    assert len(list(decoder(packet * most))) == most
    with pytest.raises(PacketError):
        list(decoder(packet * (most + 1)))


def test_packets_without_content_count_too():
    assert list(revision3.decode_text(b"0:" * payload.MAX_PACKETS)) == []
    with pytest.raises(PacketError):
        list(revision3.decode_text(b"0:" * (payload.MAX_PACKETS + 1)))


@pytest.mark.parametrize(
    ("decoder", "unit"),
    [
        (revision3.decode_text, b"0:"),
        (revision3.decode_text, b"0000000001:4"),
        (revision3.decode_text, b"1"),
        (revision3.decode_text, "3:4😀".encode()),
        (revision3.decode_bytes, b"\0" + b"\0" * 9 + b"\1\xff4"),
        (revision3.decode_bytes, b"\1\1\xff\4"),
        (revision3.decode_bytes, b"\0"),
    ],
)
def test_time_grows_no_faster_than_a_body(monkeypatch, decoder, unit):
    monkeypatch.setattr(revision3, "MAX_PACKETS", 10**9)

    def seconds(size):
        body = unit * (size // len(unit))
        started = time.perf_counter()
        refused(decoder, body)
        return time.perf_counter() - started

    small, large = min(seconds(30_000) for _ in range(5)), min(seconds(480_000) for _ in range(3))
    assert large < 80 * max(small, 0.0002)  # 16 times where it is linear, 256 times where it is quadratic


@pytest.mark.parametrize(
    ("frame", "packet"),
    [("4hello", "4hello"), ("2probe", "2probe"), ("b4AQI=", b"\1\2"), ("b4", b""), (b"\x04", b""), (b"\x04\0", b"\0")],
)
def test_a_websocket_message_is_read(frame, packet):
    assert revision3.decode_packet(frame) == packet


@pytest.mark.parametrize("frame", ["", "7", "b", "b2", "b4A", "é", b"", b"4", b"\x02", b"\0\0"])
def test_a_websocket_message_that_is_no_packet_is_refused(frame):
    with pytest.raises(PacketError):
        revision3.decode_packet(frame)


def test_a_message_has_its_attachments_right_behind_its_text_in_every_form():
    message = PreparedMessage(b"45", (b"ab", b""), b"2-[1]")
    assert message.form(revision3.frames) == (
        encode_frame(b"452-[1]", TEXT) + encode_frame(b"\x04ab", BINARY) + encode_frame(b"\x04", BINARY)
    )
    assert message.form(revision3.base64_frames) == b"".join(
        encode_frame(item, TEXT) for item in (b"452-[1]", b"b4YWI=", b"b4")
    )
    assert message.form(revision3.text_packets) == b"7:452-[1]6:b4YWI=2:b4"
    assert message.form(revision3.binary_packets) == b"\0\7\xff452-[1]\1\3\xff\4ab\1\1\xff\4"


ENCODERS = [revision3.frames, revision3.base64_frames, revision3.text_packets, revision3.binary_packets]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_form_is_made_once_and_nothing_is_kept_where_none_is_asked_for(encoder):
    message = PreparedMessage(b"451-[]", (b"x" * 300,))
    message.frames()
    assert message._forms is None
    message.packets()
    assert list(message._forms) == [None], "the body of a poll, and nothing for revision 3"
    assert message.form(encoder) is message.form(encoder)
    assert list(message._forms) == [None, encoder]


texts = st.builds(str.__add__, st.sampled_from("0123456"), st.text(st.characters(exclude_categories=["Cs"])))


@settings(deadline=None)
@given(st.lists(st.one_of(texts, st.binary(max_size=300)), min_size=1, max_size=20))
def test_what_is_written_is_read(packets):
    body = in_payload(revision3.text_packets, packets)
    assert list(revision3.decode_text(body)) == packets
    # The reference counts UTF-16 code units: so says another implementation of the same rule.
    wire = [f"b4{base64.b64encode(item).decode()}" if isinstance(item, bytes) else item for item in packets]
    assert body.decode() == "".join(f"{sum(1 + (char > chr(0xFFFF)) for char in item)}:{item}" for item in wire)
    assert list(revision3.decode_bytes(in_payload(revision3.binary_packets, packets))) == packets


@settings(deadline=None, max_examples=500)
@given(
    st.one_of(st.binary(), st.text(alphabet="b0123456789AQ=+/: \xe9😀").map(str.encode)),
    st.sampled_from(DECODERS),
)
def test_any_bytes_are_read_or_refused(body, decoder):
    before = refused(decoder, body)
    for item in decoder(body) if before is None else before:
        assert isinstance(item, bytes) or item[0] in "0123456"


@pytest.mark.parametrize(("decoder", "cases"), [(revision3.decode_text, TEXTS), (revision3.decode_bytes, BINARIES)])
def test_mutated_bodies_are_read_or_refused(decoder, cases):
    bodies = list(mutations([body for body, _ in cases], 5000, seed=23))
    count = sum(refused(decoder, body) is not None for body in bodies)
    assert 500 < count < 4950  # both happen, or the mutations prove nothing


def test_lengths_of_every_size_are_read_or_refused():
    chance = random.Random(24)
    for _ in range(3000):
        length = chance.choice([chance.randrange(20), chance.randrange(10**12)])
        data = "4" + "é😀a"[chance.randrange(3)] * chance.randrange(10)
        refused(revision3.decode_text, f"{length}:{data}1:2".encode())
        digits = bytes(map(int, str(length)))
        refused(revision3.decode_bytes, b"\0" + digits + b"\xff" + data.encode() + b"\0\1\xff2")
