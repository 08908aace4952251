"""Owns the receipt of compressed messages: however the bytes arrive, where RSV1 may stand, limits, bombs, rubbish."""

import functools
import gc
import random
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket.protocol import Protocol

from .client_frames import KEY, cut, head, masked, unmasked
from .test_extensions import deflated

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0
RSV1 = 4
PROTOCOL_ERROR, INVALID_PAYLOAD, POLICY_VIOLATION, TOO_BIG = 1002, 1007, 1008, 1009
LIMIT = 200_000
#: Chunk sizes a stream is fed in: byte by byte, in the midst of heads and keys, whole.
SIZES = [1, 3, 7, 4096, 2**30]
WORDS = "some wörds, more words € and 😀 " * 30
MESSAGES = {
    "short": "Hello",
    "empty": "",
    "one kB of text": WORDS,
    "long": "é€😀" * 20_000,
    "does not become smaller": random.Random(1).randbytes(3000),
    "zeros": bytes(LIMIT),
    "one byte": b"\xff",
}


def opcode_and_bytes(message):
    return (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)


def frames(opcode, data, pieces=1):
    """A compressed message in so many frames."""
    size = max(1, -(-len(data) // pieces))
    parts = cut(data, size) or [b""]
    last = len(parts) - 1
    return b"".join(
        masked(opcode if not at else MORE, part, fin=at == last, rsv=0 if at else RSV1) for at, part in enumerate(parts)
    )


def compressed(message, pieces=1, **options):
    opcode, data = opcode_and_bytes(message)
    return frames(opcode, deflated(data, **options), pieces)


def receive(chunks, max_payload=LIMIT, **limits):
    protocol = Protocol(max_payload, window_bits=15, **limits)
    return [message for chunk in chunks for message in protocol.feed(chunk)], protocol


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pieces", [1, 2, 5])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_compressed_message_in_chunks_of_any_size_and_what_follows_it(name, pieces, size):
    message = MESSAGES[name]
    behind = masked(TEXT, b"plain") + masked(PING, b"?") + compressed("again") + masked(BINARY, b"x" * 200) + b"\xc1"
    messages, protocol = receive(cut(compressed(message, pieces) + behind, size))
    assert messages == [message, "plain", "again", b"x" * 200]
    assert (protocol.close_code, protocol.replies) == (None, unmasked(PONG, b"?"))


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("size", SIZES)
def test_however_the_client_compresses(level, flush, size):
    assert receive(cut(compressed(WORDS, 3, level=level, flush=flush), size))[0] == [WORDS]


@pytest.mark.parametrize("size", SIZES)
def test_the_octet_behind_a_final_block_may_come_in_a_fragment_of_its_own(size):
    data = deflated(b"Hello", flush=zlib.Z_FINISH)
    for rest in (b"", b"\0"):
        stream = masked(TEXT, data, fin=False, rsv=RSV1) + masked(MORE, rest, fin=False) + masked(MORE)
        assert receive(cut(stream, size))[0] == ["Hello"]


def test_frames_are_cut_anywhere():
    data = deflated(WORDS.encode())
    for place in range(len(data) + 1):
        stream = masked(TEXT, data[:place], fin=False, rsv=RSV1) + masked(PING) + masked(MORE, data[place:])
        messages, protocol = receive([stream])
        assert (messages, protocol.replies) == ([WORDS], unmasked(PONG))


@given(st.one_of(st.text(), st.binary()), st.integers(1, 9), st.integers(1, 6), st.integers(1, 50))
def test_any_message_at_any_level_in_any_pieces(message, level, pieces, size):
    assert receive(cut(compressed(message, pieces, level=level), size))[0] == [message]


GOOD = deflated(b"Hello")
VIOLATIONS = {
    **{f"reserved bits {rsv}": (masked(TEXT, GOOD, rsv=rsv), PROTOCOL_ERROR) for rsv in (1, 2, 3, 5, 6, 7)},
    **{f"RSV1 of opcode {code}": (masked(code, b"\x03\xe8", rsv=RSV1), PROTOCOL_ERROR) for code in (0, *range(3, 16))},
    **{
        f"RSV1 of a continuation after RSV1 {rsv}": (
            masked(BINARY, GOOD[:3], fin=False, rsv=rsv) + masked(MORE, GOOD[3:], rsv=RSV1),
            PROTOCOL_ERROR,
        )
        for rsv in (0, RSV1)
    },
    "a message inside a message": (masked(TEXT, GOOD[:3], fin=False, rsv=RSV1) + compressed("a"), PROTOCOL_ERROR),
    "RSV1, not masked": (b"\xc1\x07" + GOOD, PROTOCOL_ERROR),
    "not compressed": (masked(TEXT, b"Hello", rsv=RSV1), INVALID_PAYLOAD),
    "corrupt in the first fragment": (masked(TEXT, b"\xff" * 5, fin=False, rsv=RSV1), INVALID_PAYLOAD),
    "truncated": (masked(TEXT, GOOD[:-3], rsv=RSV1), INVALID_PAYLOAD),
    "half a stored block": (frames(TEXT, b"\0\x10\0\xef\xffHello", 2), INVALID_PAYLOAD),
    "data behind the end": (masked(TEXT, GOOD + b"x", rsv=RSV1), INVALID_PAYLOAD),
    "data behind a final block": (masked(TEXT, b"\3\0\0\0", rsv=RSV1), INVALID_PAYLOAD),
    "a fragment behind a final block": (
        masked(TEXT, b"\3\0", fin=False, rsv=RSV1) + masked(MORE, b"ab", fin=False),
        INVALID_PAYLOAD,
    ),
    "invalid UTF-8": (compressed(b"a\xff").replace(b"\xc2", b"\xc1", 1), INVALID_PAYLOAD),
    "half a character": (frames(TEXT, deflated("é".encode()[:1])), INVALID_PAYLOAD),
    "half a character in fragments": (frames(TEXT, deflated(b"a" * 50 + "é".encode()[:1]), 3), INVALID_PAYLOAD),
    "a surrogate": (frames(TEXT, deflated(b"\xed\xa0\x80")), INVALID_PAYLOAD),
    "too long inside": (compressed(bytes(LIMIT + 1)), TOO_BIG),
    "too long inside, in fragments": (compressed(bytes(LIMIT + 1), 20), TOO_BIG),
    "too long inside, text": (compressed("a" * (LIMIT + 1)), TOO_BIG),
    "too long outside": (head(BINARY, 2 * LIMIT, rsv=RSV1) + KEY, TOO_BIG),
    "too long outside, all of it": (frames(BINARY, b"\0\0\0\xff\xff" * LIMIT), TOO_BIG),
    "too long outside, in fragments": (frames(BINARY, b"\0\0\0\xff\xff" * LIMIT, 100), TOO_BIG),
    **{f"length 2**{bits}": (head(BINARY, 2**bits, rsv=RSV1) + KEY, TOO_BIG) for bits in (31, 32, 62)},
    "too many fragments": (
        masked(TEXT, GOOD[:1], fin=False, rsv=RSV1) + masked(MORE, fin=False) * 200,
        POLICY_VIOLATION,
    ),
}


def kept(protocol):
    """The bytes that a protocol holds, its replies apart; and nothing under way."""
    referents = gc.get_referents(protocol)
    assert not [value for value in referents if type(value).__name__ == "Inflation"]
    return sum(len(value) for value in referents if isinstance(value, bytes | bytearray)) - len(protocol.replies)


@pytest.mark.parametrize("size", [1, 1000, 2**30])
@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_the_connection_with_its_code(name, size):
    stream, code = VIOLATIONS[name]
    if size == 1 and len(stream) > 10_000:
        size = 100
    messages, protocol = receive(cut(compressed("before") + stream + masked(TEXT, b"behind"), size), max_fragments=100)
    assert messages == ["before"]
    assert (protocol.close_code, protocol.failed) == (code, True)
    assert protocol.replies == unmasked(CLOSE, code.to_bytes(2, "big") + protocol.close_reason.encode())
    assert protocol.feed(compressed("behind")) == []
    assert kept(protocol) == 0


@pytest.mark.parametrize("name", VIOLATIONS)
def test_nothing_of_it_is_allowed_where_it_was_not_agreed(name):
    stream, _ = VIOLATIONS[name]
    protocol = Protocol(LIMIT, max_fragments=100)
    assert protocol.feed(stream) == []
    assert protocol.close_code == PROTOCOL_ERROR


@pytest.mark.parametrize("size", [50, 1000, 2**30])
@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("limit", [1, 119, 126, 5000, 65_536])
def test_a_message_may_be_as_long_as_the_limit_and_no_longer(limit, pieces, size):
    for payload in (bytes(limit), random.Random(limit).randbytes(limit)):
        assert receive(cut(compressed(payload, pieces), size), limit)[0] == [payload]
        messages, protocol = receive(cut(compressed(payload + b"x", pieces), size), limit)
        assert (messages, protocol.close_code) == ([], TOO_BIG)


@functools.cache
def bomb(megabytes):
    """So many megabytes of zeros, compressed: about one kilobyte each."""
    compressor = zlib.compressobj(9, wbits=-15)
    parts = [compressor.compress(bytes(2**20)) for _ in range(megabytes)]
    return b"".join(parts) + compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]


@pytest.mark.parametrize("pieces", [1, 50])
@pytest.mark.parametrize("size", [500, 65_536, 2**30])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_bomb_is_never_inflated_beyond_the_limit(opcode, pieces, size):
    data = bomb(200)
    assert len(data) < 220_000
    chunks = cut(frames(opcode, data, pieces), size)
    protocol = Protocol(10**6, window_bits=15)
    fed = 0
    tracemalloc.start()
    try:
        for chunk in chunks:
            assert protocol.feed(chunk) == []
            fed += len(chunk)
            if protocol.close_code is not None:
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert protocol.close_code == TOO_BIG
    assert peak < 4 * 10**6, "the message so far, and twice what is added to it"
    assert fed <= 65_536 or size > 65_536, "the first kilobytes give it away"
    assert kept(protocol) == 0


def test_many_bombs_within_the_limit_leave_nothing():
    protocol = Protocol(10**6, window_bits=15)
    frame = compressed(bytes(10**6))
    tracemalloc.start()
    try:
        for _ in range(100):
            assert [len(message) for message in protocol.feed(frame)] == [10**6]
        current, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 10**6
    assert current < 10**5
    assert kept(protocol) == 0


def test_a_bomb_in_a_bomb_is_only_a_message():
    inner = bomb(1)
    assert receive([compressed(inner)])[0] == [inner]


def test_what_is_only_announced_costs_nothing():
    protocol = Protocol(2**40, window_bits=15)
    protocol.feed(head(BINARY, 2**40, rsv=RSV1) + KEY)
    assert protocol.close_code is None
    assert sum(map(sys.getsizeof, gc.get_referents(protocol))) < 2000


def test_an_idle_protocol_is_as_tiny_as_without():
    protocol = Protocol(10**6, window_bits=15)
    for chunk in cut(compressed("é" * 40_000, 3), 64):
        protocol.feed(chunk)
    assert kept(protocol) == 0
    assert sys.getsizeof(protocol) == sys.getsizeof(Protocol(10**6)) <= 200


def rubbish(source, count):
    """Frames with RSV1 more often than not: random, or a valid stream of DEFLATE to which a few accidents happened."""
    for _ in range(count):
        data = bytearray(deflated(source.choice([b"", b"Hello", b"a" * 3000, source.randbytes(300)])))
        for _ in range(source.choice([0, 0, 1, 1, 3])):
            place = source.randrange(len(data) + 1)
            data[place : place + source.randrange(3)] = source.randbytes(source.randrange(3))
        if source.random() < 0.3:
            data = bytearray(source.randbytes(source.randrange(200)))
        opcode = source.choice([TEXT, TEXT, BINARY, BINARY, MORE, PING, 3])
        stream = frames(opcode, bytes(data), source.choice([1, 1, 2, 5]))
        if source.random() < 0.1:
            stream = bytes([source.randrange(256)]) + stream[1:]
        yield stream + source.choice([b"", masked(MORE, data[:50]), compressed("next")])


def test_random_streams_never_raise_and_never_pile_up():
    codes, received = set(), 0
    source = random.Random(7692)
    for stream in rubbish(source, 10_000):
        protocol = Protocol(2000, max_fragments=10, window_bits=source.choice([9, 12, 15]))
        for chunk in cut(stream, source.choice([1, 20, 5000])):
            for message in protocol.feed(chunk):
                assert len(message) <= 2000
                received += 1
        codes.add(protocol.close_code)
        assert protocol.close_code is None or kept(protocol) == 0
    assert {None, PROTOCOL_ERROR, INVALID_PAYLOAD, TOO_BIG} <= codes
    assert received > 1000
