"""Owns what ends a connection: each violation with its close code, limits held before anything is kept, rubbish."""

import gc
import random
import sys

import pytest

from flask_socketio_py.websocket import protocol as module
from flask_socketio_py.websocket.protocol import Protocol

from .client_frames import KEY, cut, head, masked, unmasked

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0
PROTOCOL_ERROR, INVALID_PAYLOAD, POLICY_VIOLATION, TOO_BIG = 1002, 1007, 1008, 1009
LIMIT = 1000
#: A head, its key, and a control frame: more than that of what is not a payload is never kept.
OVERHEAD = 14 + 131
OPENED = masked(TEXT, b"a", fin=False)

VIOLATIONS = {
    "unmasked text": (unmasked(TEXT, b"a"), PROTOCOL_ERROR),
    "unmasked, empty": (unmasked(TEXT), PROTOCOL_ERROR),
    "unmasked, long": (b"\x81\x7e\x01\x00" + b"a" * 256, PROTOCOL_ERROR),
    "unmasked, 64-bit length": (b"\x81\x7f\0\0\0", PROTOCOL_ERROR),
    "unmasked ping": (unmasked(PING), PROTOCOL_ERROR),
    "unmasked close": (unmasked(CLOSE), PROTOCOL_ERROR),
    **{f"reserved bits {rsv}": (masked(TEXT, b"a", rsv=rsv), PROTOCOL_ERROR) for rsv in range(1, 8)},
    "reserved bit of a ping": (masked(PING, rsv=4), PROTOCOL_ERROR),
    "reserved bit of a continuation": (OPENED + masked(MORE, b"a", rsv=4), PROTOCOL_ERROR),
    **{f"opcode {code}": (masked(code, b"\x03\xe8"), PROTOCOL_ERROR) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "reserved opcode between fragments": (OPENED + masked(3), PROTOCOL_ERROR),
    **{f"fragmented {code}": (masked(code, b"", fin=False), PROTOCOL_ERROR) for code in (CLOSE, PING, PONG)},
    **{f"126 bytes in {code}": (masked(code, b"a" * 126), PROTOCOL_ERROR) for code in (CLOSE, PING, PONG)},
    "64-bit length of a ping": (masked(PING, b"a", width=8), PROTOCOL_ERROR),
    "continuation of nothing": (masked(MORE, b"a"), PROTOCOL_ERROR),
    "open continuation of nothing": (masked(MORE, b"a", fin=False), PROTOCOL_ERROR),
    "continuation after the end": (OPENED + masked(MORE) + masked(MORE), PROTOCOL_ERROR),
    "text between fragments": (OPENED + masked(TEXT, b"a"), PROTOCOL_ERROR),
    "binary between fragments": (OPENED + masked(BINARY, b"a", fin=False), PROTOCOL_ERROR),
    "16-bit length of 0": (masked(TEXT, b"", width=2), PROTOCOL_ERROR),
    "16-bit length of 124": (masked(TEXT, b"a" * 124, width=2), PROTOCOL_ERROR),
    "16-bit length of 125": (masked(TEXT, b"a" * 125, width=2), PROTOCOL_ERROR),
    "64-bit length of 126": (masked(BINARY, b"a" * 126, width=8), PROTOCOL_ERROR),
    "64-bit length of 65535": (head(BINARY, 65535), PROTOCOL_ERROR),
    "64-bit length with the top bit": (head(TEXT, 2**63), PROTOCOL_ERROR),
    "invalid text": (masked(TEXT, b"\xff"), INVALID_PAYLOAD),
    "invalid text, 16-bit length": (masked(TEXT, b"a" * 199 + b"\xff"), INVALID_PAYLOAD),
    "half a character": (masked(TEXT, "é".encode()[:1]), INVALID_PAYLOAD),
    "half a character in fragments": (OPENED + masked(MORE, b"\xc3", fin=False) + masked(MORE), INVALID_PAYLOAD),
    "surrogate": (masked(TEXT, b"\xed\xa0\x80"), INVALID_PAYLOAD),
    "invalid text in a fragment": (OPENED + masked(MORE, b"\xff", fin=False), INVALID_PAYLOAD),
    "close of one byte": (masked(CLOSE, b"\x03"), PROTOCOL_ERROR),
    "close reason in bad UTF-8": (masked(CLOSE, b"\x03\xe8\xff"), INVALID_PAYLOAD),
    **{
        f"close code {code}": (masked(CLOSE, code.to_bytes(2, "big")), PROTOCOL_ERROR)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "7-bit length over the limit": (masked(TEXT, b"a" * 101), TOO_BIG),
    "16-bit length over the limit": (masked(BINARY, b"a" * 1001), TOO_BIG),
    **{f"length 2**{bits}": (head(BINARY, 2**bits), TOO_BIG) for bits in (16, 31, 32, 36, 62)},
    "fragments over the limit": (OPENED + masked(MORE, b"a" * 999, fin=False) + masked(MORE, b"a"), TOO_BIG),
    "last fragment over the limit": (OPENED + head(MORE, 1000, width=2), TOO_BIG),
    "too many fragments": (OPENED + masked(MORE, fin=False) * 9 + masked(MORE), POLICY_VIOLATION),
}


def small(name=""):
    return Protocol(100 if name.startswith("7-bit") else LIMIT, max_fragments=10)


def kept(protocol):
    """The bytes that a protocol holds, its replies apart."""
    held = [value for value in gc.get_referents(protocol) if isinstance(value, bytes | bytearray)]
    return sum(map(len, held)) - len(protocol.replies)


@pytest.mark.parametrize("size", [1, 3, 2**20])
@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_violation_ends_the_connection_with_its_code(name, size):
    stream, code = VIOLATIONS[name]
    protocol = small(name)
    messages = []
    for chunk in cut(masked(BINARY, b"before") + masked(PING, b"?") + stream + masked(TEXT, b"behind"), size):
        messages += protocol.feed(chunk)
    assert messages[:1] == [b"before"]
    assert "behind" not in messages
    assert protocol.failed
    assert protocol.close_code == code
    close = unmasked(CLOSE, code.to_bytes(2, "big") + protocol.close_reason.encode())
    assert protocol.replies == unmasked(PONG, b"?") + close
    assert kept(protocol) == 0


@pytest.mark.parametrize("name", VIOLATIONS)
def test_after_a_violation_nothing_more_is_received_or_said(name):
    protocol = small(name)
    stream, code = VIOLATIONS[name]
    protocol.feed(stream)
    said = protocol.replies
    assert said[2:4] == code.to_bytes(2, "big")
    for frame in (masked(TEXT, b"a"), masked(BINARY, b"a" * 200), masked(PING), masked(CLOSE), unmasked(TEXT), b"\x81"):
        assert protocol.feed(frame) == []
    assert (protocol.replies, protocol.close_code, kept(protocol)) == (said, code, 0)


def test_a_frame_alone_in_its_chunk_is_still_a_message_between_fragments():
    protocol = small()
    protocol.feed(OPENED)
    assert protocol.feed(masked(TEXT, b"a" * 20)) == []
    assert protocol.close_code == PROTOCOL_ERROR


def test_nothing_is_received_after_the_peers_close_frame():
    protocol = small()
    protocol.feed(masked(CLOSE))
    assert protocol.feed(masked(TEXT, b"a" * 20)) == []
    assert (protocol.replies, protocol.failed) == (unmasked(CLOSE), False)


@pytest.mark.parametrize(
    ("valid", "offending"),
    [
        (b"", b"\x80"),
        (b"", b"\xc0"),
        (b"", b"\xf5"),
        (b"", b"\xff"),
        (b"\xc3", b"a"),
        (b"\xe0", b"\x9f"),
        (b"\xed\xa0", b"\x80"),  # a surrogate: Python's decoder waits for its third byte
        (b"\xf0", b"\x8f"),
        (b"\xf4", b"\x90"),
        (b"\xf0\x9f\x98", b"a"),
        ("κόσμε".encode() + b"\xf4", b"\x90"),
    ],
)
@pytest.mark.parametrize("fragmented", [False, True])
def test_bad_utf8_is_refused_with_the_byte_that_makes_it_bad(valid, offending, fragmented):
    """The rest of the text (which does not come) could not make it good."""
    protocol = small()
    if fragmented:
        protocol.feed(masked(TEXT, b"a" + valid, fin=False))
        protocol.feed(masked(MORE, offending + b"rest", fin=False)[:7])
    else:
        frame = masked(TEXT, b"a" + valid + offending + b"rest")
        protocol.feed(frame[: 6 + 1 + len(valid)])
        assert protocol.close_code is None
        protocol.feed(frame[6 + 1 + len(valid) : 6 + 2 + len(valid)])
    assert protocol.close_code == INVALID_PAYLOAD


@pytest.mark.parametrize("size", [1, 100, 2**20])
@pytest.mark.parametrize("limit", [0, 1, 119, 120, 125, 126, 500, 65535, 65536])
def test_a_message_may_be_as_long_as_the_limit_and_no_longer(limit, size):
    for frames in ([masked(TEXT, b"a" * limit)], [masked(TEXT, b"", fin=False), masked(MORE, b"a" * limit)]):
        protocol = Protocol(limit)
        assert [text for chunk in cut(b"".join(frames), size) for text in protocol.feed(chunk)] == ["a" * limit]
    for frames in ([masked(TEXT, b"a" * limit + b"b")], [masked(TEXT, b"a", fin=False), masked(MORE, b"a" * limit)]):
        protocol = Protocol(limit)
        assert [text for chunk in cut(b"".join(frames), size) for text in protocol.feed(chunk)] == []
        assert protocol.close_code == TOO_BIG


@pytest.mark.parametrize("width", [2, 8])
def test_too_long_a_message_is_refused_by_its_length_alone(width):
    protocol = small()
    protocol.feed(head(TEXT, 65535 if width == 2 else 65536, width=width))
    assert protocol.close_code == TOO_BIG


def test_what_is_only_announced_costs_nothing():
    protocol = Protocol(2**40)
    protocol.feed(head(BINARY, 2**40) + KEY + b"a")
    assert protocol.close_code is None
    assert sum(map(sys.getsizeof, gc.get_referents(protocol))) < 2000


def test_as_many_fragments_as_allowed():
    protocol = Protocol(LIMIT, max_fragments=10)
    assert protocol.feed(OPENED + masked(MORE, b"b", fin=False) * 8 + masked(MORE, b"c")) == ["abbbbbbbbc"]
    assert protocol.feed(OPENED + masked(MORE, b"c")) == ["ac"]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_million_empty_fragments(opcode):
    protocol = Protocol(10**6)
    flood = masked(MORE, fin=False) * 10_000
    protocol.feed(masked(opcode, fin=False))
    fed = 0
    while protocol.close_code is None and fed < 100:
        protocol.feed(flood)
        fed += 1
        assert kept(protocol) <= OVERHEAD
    assert (protocol.close_code, fed) == (POLICY_VIOLATION, 2)


def test_a_message_in_many_chunks_is_taken_once(monkeypatch):
    lengths = []
    unmask = module.unmask
    monkeypatch.setattr(module, "unmask", lambda data, key: lengths.append(len(data)) or unmask(data, key))
    protocol = Protocol(10**6)
    assert [m for chunk in cut(masked(TEXT, b"a" * 50_000), 7) for m in protocol.feed(chunk)] == ["a" * 50_000]
    assert sum(lengths) == 50_000


def test_an_idle_protocol_is_tiny_and_holds_nothing():
    protocol = Protocol(10**6)
    for chunk in cut(masked(TEXT, "é".encode() * 40_000, fin=False) + masked(PING) + masked(MORE, b"b" * 999), 64):
        protocol.feed(chunk)
    protocol.replies = b""
    assert kept(protocol) == 0
    assert not hasattr(protocol, "__dict__")
    assert sys.getsizeof(protocol) <= 200


def rubbish(source, count):
    """Random bytes, more often than not behind a start that makes sense."""
    for _ in range(count):
        start = source.choice([b"", b"", OPENED, masked(PING), masked(BINARY, fin=False), head(TEXT, 900, width=2)])
        tail = source.randbytes(source.randrange(60))
        if source.random() < 0.5:
            tail = bytes([source.choice([0, 1, 2, 128, 129, 130, 136, 137]), 128 | source.randrange(128)]) + tail
        yield start + tail


def test_random_bytes_never_raise_and_never_pile_up():
    codes = set()
    source = random.Random(6455)
    for stream in rubbish(source, 10_000):
        protocol = small()
        for chunk in cut(stream, source.choice([1, 5, 100])):
            for message in protocol.feed(chunk):
                assert len(message) <= LIMIT
            assert kept(protocol) <= LIMIT + OVERHEAD
        codes.add(protocol.close_code)
    # Every way to end is among them, else this test would try nothing.
    assert {None, PROTOCOL_ERROR, INVALID_PAYLOAD, TOO_BIG} <= codes
