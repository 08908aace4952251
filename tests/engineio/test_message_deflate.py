"""Owns the compressed form of a PreparedMessage: which of its pieces are compressed, and that it is made once."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.engineio import message
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.websocket.extensions import Deflate

DEFLATE = Deflate()
LONG = b"2" * 2000
NOISE = random.Random(7692).randbytes(2000)
TEXT, BINARY, TEXT_RSV1, BINARY_RSV1 = 0x81, 0x82, 0xC1, 0xC2


def read(frames):
    """[(first byte, payload, inflated)] of a server's frames."""
    found = []
    while frames:
        width = {126: 2, 127: 8}.get(frames[1], 0)
        size = int.from_bytes(frames[2 : 2 + width], "big") if width else frames[1]
        first, payload, frames = frames[0], frames[2 + width : 2 + width + size], frames[2 + width + size :]
        if first & 0x40:
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        found.append((first, payload))
    return found


@pytest.mark.parametrize(
    ("text", "attachments", "firsts"),
    [
        (LONG, (), [TEXT_RSV1]),
        (b"451-[]", (LONG,), [TEXT, BINARY_RSV1]),
        (LONG, (b"", b"short", LONG, NOISE, LONG), [TEXT_RSV1, BINARY, BINARY, BINARY_RSV1, BINARY, BINARY_RSV1]),
        (b"", (LONG,), [BINARY_RSV1]),
        (b"4" * 1024, (), [TEXT_RSV1]),
    ],
)
def test_each_piece_from_the_threshold_on_is_compressed_by_itself(text, attachments, firsts):
    prepared = PreparedMessage(text, attachments)
    found = read(prepared.deflated_frames(DEFLATE))
    assert [first for first, _ in found] == firsts
    assert [payload for _, payload in found] == [*([text] if text else []), *attachments]
    assert len(prepared.deflated_frames(DEFLATE)) < len(prepared.frames())


@pytest.mark.parametrize(
    ("text", "attachments"),
    [
        (b"4" * 1023, ()),
        (b"4" * 1000, (b"a" * 1000, b"b" * 1000)),
        (b"452-[]", (NOISE, b"")),
        (b"", ()),
    ],
)
def test_where_nothing_is_gained_the_plain_frames_are_shared(text, attachments):
    prepared = PreparedMessage(text, attachments)
    assert prepared.deflated_frames(DEFLATE) is prepared.frames()


def test_what_shall_not_be_compressed_is_not():
    prepared = PreparedMessage(LONG, (LONG,), LONG, compress=False)
    assert not prepared.compress
    assert prepared.deflated_frames(DEFLATE) is prepared.frames()
    assert PreparedMessage(LONG).compress


def test_the_body_is_part_of_the_text():
    assert read(PreparedMessage(b"42", (), LONG).deflated_frames(DEFLATE)) == [(TEXT_RSV1, b"42" + LONG)]
    assert PreparedMessage(b"4" * 24, (), b"4" * 1000).deflated_frames(DEFLATE)[0] == TEXT_RSV1


def test_compressed_once_whoever_receives_it():
    prepared = PreparedMessage(LONG, (LONG,))
    assert prepared.deflated_frames(DEFLATE) is prepared.deflated_frames(DEFLATE)
    assert prepared.frames() is prepared.frames()
    assert prepared.packets() is prepared.packets()


def test_another_servers_settings_get_another_form():
    prepared, other = PreparedMessage(LONG), Deflate(level=1, server_max_window_bits=9)
    first = prepared.deflated_frames(DEFLATE)
    second = prepared.deflated_frames(other)
    assert second is not first
    assert second is prepared.deflated_frames(other)
    assert read(first) == read(second) == [(TEXT_RSV1, LONG)]


def test_the_engines_own_packets_stay_plain_at_any_threshold():
    for own in (message.PING, message.PROBE_PONG):
        assert own.deflated_frames(Deflate(threshold=0)) is own.frames()


@given(st.binary(max_size=400).map(lambda data: data * 9), st.lists(st.binary(max_size=400)), st.integers(0, 2000))
def test_the_same_data_in_the_same_order(text, attachments, threshold):
    prepared = PreparedMessage(b"4" + text, tuple(attachments))
    found = read(prepared.deflated_frames(Deflate(threshold=threshold)))
    assert [payload for _, payload in found] == [b"4" + text, *attachments]
    assert [first & 15 for first, _ in found] == [1] + [2] * len(attachments)
