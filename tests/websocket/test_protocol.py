"""Owns what a connection receives, however the bytes arrive: messages, fragments, control frames, the close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket.frames import CloseCode, encode_close
from flask_socketio_py.websocket.protocol import Protocol

from .client_frames import FRAMES, NAMES, Frame, cut, masked, unmasked, xor

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0
LIMIT = 100_000
#: Chunk sizes a stream is fed in: byte by byte, in the midst of heads and keys, whole.
SIZES = [1, 2, 3, 5, 7, 4096, 2**30]


def receive(chunks, **limits):
    """What a protocol makes of chunks: the messages, and the protocol."""
    protocol = Protocol(**{"max_payload": LIMIT, **limits})
    return [message for chunk in chunks for message in protocol.feed(chunk)], protocol


def outcome(chunks, **limits):
    """Everything that can be seen from outside."""
    messages, protocol = receive(chunks, **limits)
    return messages, protocol.replies, protocol.close_code, protocol.close_reason, protocol.failed


def expected(frame: Frame):
    """The messages, replies and close code that one frame leads to."""
    if frame.opcode in (TEXT, BINARY):
        return [frame.payload.decode() if frame.opcode == TEXT else frame.payload], b"", None
    if frame.opcode == CLOSE:
        return [], unmasked(CLOSE, frame.payload[:2]), 1000 if frame.payload else 1005
    return [], unmasked(PONG, frame.payload) if frame.opcode == PING else b"", None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("frame", FRAMES, ids=NAMES)
def test_a_frame_is_received_in_chunks_of_any_size(frame: Frame, size):
    assert outcome(cut(masked(frame.opcode, frame.payload), size))[:3] == expected(frame)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("frame", [f for f in FRAMES if f.opcode != CLOSE], ids=[n for n in NAMES if "close" not in n])
def test_what_follows_a_frame_is_not_lost(frame: Frame, size):
    messages, replies, _ = expected(frame)
    behind = masked(TEXT, b"behind") + masked(PING, b"?") + masked(BINARY, b"x" * 200) + b"\x81"
    got = outcome(cut(masked(frame.opcode, frame.payload) + behind, size))
    assert got == ([*messages, "behind", b"x" * 200], replies + unmasked(PONG, b"?"), None, "", False)


@pytest.mark.parametrize("frame", FRAMES, ids=NAMES)
def test_a_frame_is_received_in_two_chunks_cut_anywhere(frame: Frame):
    stream = masked(frame.opcode, frame.payload)
    for place in {*range(min(20, len(stream))), *range(max(0, len(stream) - 5), len(stream))}:
        assert outcome([stream[:place], stream[place:]])[:3] == expected(frame)


@pytest.mark.parametrize("size", [6, 7, 50, 131, 134, 500])
def test_a_chunk_that_looks_like_a_frame_is_none_in_the_midst_of_another(size):
    text = masked(TEXT, b"a" * (size - 6 if size < 132 else size - 8))
    assert len(text) == size
    # It is the key and the masked payload of a binary frame, or of the end of one.
    length = size - 4
    start = b"\x82" + (bytes([128 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big"))
    assert receive([start, text])[0] == [xor(text[4:], text[:4])]
    length = size + 4
    start = b"\x82" + (bytes([128 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big"))
    assert receive([start + b"\0\0\0\0head", text])[0] == [b"head" + text]


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x81\x85\x00\x01"])
def test_any_masking_key(key):
    stream = masked(TEXT, b"one", key=key) + masked(TEXT, b"2" * 300, key=key)
    for size in SIZES:
        assert receive(cut(stream, size))[0] == ["one", "2" * 300]


def test_an_empty_chunk_is_nothing():
    messages, protocol = receive([b"", masked(TEXT, b"a"), b"", b"\x81", b"", masked(TEXT, b"b")[1:], b""])
    assert messages == ["a", "b"]
    assert protocol.replies == b""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "né€😀"), (BINARY, "né€😀".encode())])
def test_fragments_are_one_message_wherever_they_are_cut(opcode, message, size):
    payload = "né€😀".encode()
    for first in range(len(payload) + 1):
        for second in range(first, len(payload) + 1):
            stream = masked(opcode, payload[:first], fin=False)
            stream += masked(MORE, payload[first:second], fin=False)
            stream += masked(MORE, payload[second:])
            assert receive(cut(stream, size))[0] == [message]


@pytest.mark.parametrize("size", SIZES)
def test_control_frames_may_stand_between_fragments(size):
    stream = masked(TEXT, b"a", fin=False) + masked(PING, b"1") + masked(PONG) + masked(MORE, b"b", fin=False)
    stream += masked(PING, b"2" * 125) + masked(MORE) + masked(TEXT, b"next")
    messages, protocol = receive(cut(stream, size))
    assert messages == ["ab", "next"]
    assert protocol.replies == unmasked(PONG, b"1") + unmasked(PONG, b"2" * 125)


def test_replies_wait_until_they_are_taken():
    protocol = Protocol(LIMIT)
    protocol.feed(masked(PING, b"1"))
    protocol.feed(masked(PING, b"2"))
    assert protocol.replies == unmasked(PONG, b"1") + unmasked(PONG, b"2")
    protocol.replies = b""
    protocol.feed(masked(TEXT, b"no reply"))
    assert protocol.replies == b""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        (b"", 1005, ""),
        (b"\x03\xe8", 1000, ""),
        (b"\x03\xe9going away", 1001, "going away"),
        (b"\x0b\xb8", 3000, ""),
        (b"\x13\x87" + "é".encode() * 61, 4999, "é" * 61),
    ],
)
def test_a_close_frame_is_echoed_and_ends_everything(payload, code, reason, size):
    stream = masked(TEXT, b"before") + masked(PING) + masked(CLOSE, payload)
    stream += masked(TEXT, b"after") + masked(PING) + b"\xff\xff\xff"
    replies = unmasked(PONG) + unmasked(CLOSE, payload[:2])
    assert outcome(cut(stream, size)) == (["before"], replies, code, reason, False)


def test_a_close_frame_between_fragments_drops_them():
    stream = masked(TEXT, b"a", fin=False) + masked(CLOSE) + masked(MORE, b"b")
    assert outcome([stream]) == ([], unmasked(CLOSE), 1005, "", False)


def test_our_own_close_frame_is_answered_without_an_echo():
    protocol = Protocol(LIMIT)
    assert not protocol.close_sent
    assert protocol.send_close(CloseCode.GOING_AWAY, "restart") == encode_close(1001, "restart")
    assert protocol.close_sent
    # What the peer had under way is still received, and its pings still get their pongs.
    assert protocol.feed(masked(TEXT, b"late") + masked(PING)) == ["late"]
    assert protocol.feed(masked(CLOSE, b"\x03\xe9")) == []
    assert (protocol.replies, protocol.close_code, protocol.failed) == (unmasked(PONG), 1001, False)


def test_a_violation_after_our_own_close_frame_sends_no_second_one():
    protocol = Protocol(LIMIT)
    protocol.send_close(1000)
    protocol.feed(masked(TEXT, b"\xff"))
    assert (protocol.replies, protocol.close_code, protocol.failed) == (b"", 1007, True)


PIECES = st.lists(st.tuples(st.sampled_from(["data", "ping", "pong"]), st.binary(max_size=140)), max_size=4)
MESSAGES = st.lists(st.tuples(st.text(max_size=200) | st.binary(max_size=300), PIECES), max_size=4)


@given(messages=MESSAGES, key=st.binary(min_size=4, max_size=4), size=st.integers(1, 400))
def test_what_a_client_sends_is_what_is_received(messages, key, size):
    stream, pongs = b"", b""
    for message, pieces in messages:
        payload = message.encode() if isinstance(message, str) else message
        opcode = TEXT if isinstance(message, str) else BINARY
        for kind, content in pieces:
            if kind == "data":
                stream += masked(opcode, payload[: len(content)], fin=False, key=key)
                payload, opcode = payload[len(content) :], MORE
            else:
                stream += masked(PING if kind == "ping" else PONG, content[:125], key=key)
                pongs += unmasked(PONG, content[:125]) if kind == "ping" else b""
        stream += masked(opcode, payload, key=key)
    sent = [message for message, _ in messages]
    assert outcome(cut(stream, size)) == (sent, pongs, None, "", False)


FRAGMENTS = st.builds(
    masked,
    st.sampled_from([TEXT, TEXT, BINARY, MORE, MORE, PING, CLOSE, 3, 11]),
    st.binary(max_size=6) | st.text(max_size=60).map(str.encode) | st.just(b"\x03\xe8"),
    fin=st.booleans(),
    rsv=st.sampled_from([0] * 9 + [4]),
)


@given(frames=st.lists(FRAGMENTS | st.binary(max_size=12), max_size=8), cuts=st.lists(st.integers(1, 40), max_size=30))
def test_it_makes_no_difference_how_the_bytes_arrive(frames, cuts):
    stream = b"".join(frames)
    chunks, start = [], 0
    for length in cuts:
        chunks.append(stream[start : start + length])
        start += length
    chunks.append(stream[start:])
    assert outcome(chunks, max_payload=150) == outcome([stream], max_payload=150)
