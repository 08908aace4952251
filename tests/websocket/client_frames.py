"""What a WebSocket client sends, and one list of frames for both directions. Knows RFC 6455 only."""

from __future__ import annotations

import itertools
from typing import NamedTuple

KEY = b"\x12\x34\xa5\xff"


class Frame(NamedTuple):
    """A whole data or control frame: what is in it, and its head as a server sends it."""

    name: str
    opcode: int
    payload: bytes
    head: bytes


FRAMES = [
    Frame("hello, of RFC 6455 5.7", 1, b"Hello", bytes.fromhex("8105")),
    Frame("empty text", 1, b"", bytes.fromhex("8100")),
    Frame("empty binary", 2, b"", bytes.fromhex("8200")),
    Frame("one byte", 2, b"\xff", bytes.fromhex("8201")),
    Frame("two, three and four bytes a character", 1, "é€😀".encode(), bytes.fromhex("8109")),
    Frame("longest 7-bit text", 1, b"a" * 125, bytes.fromhex("817d")),
    Frame("longest 7-bit binary", 2, b"\0" * 125, bytes.fromhex("827d")),
    Frame("shortest 16-bit text", 1, b"a" * 126, bytes.fromhex("817e007e")),
    Frame("16-bit text, one more", 1, b"a" * 127, bytes.fromhex("817e007f")),
    Frame("shortest 16-bit binary", 2, b"\x80" * 126, bytes.fromhex("827e007e")),
    Frame("kilobyte of two-byte characters", 1, "é".encode() * 500, bytes.fromhex("817e03e8")),
    Frame("longest 16-bit text", 1, b"a" * 65535, bytes.fromhex("817effff")),
    Frame("shortest 64-bit text", 1, b"a" * 65536, bytes.fromhex("817f0000000000010000")),
    Frame("64-bit binary", 2, bytes(range(256)) * 300, bytes.fromhex("827f0000000000012c00")),
    Frame("empty ping", 9, b"", bytes.fromhex("8900")),
    Frame("longest ping", 9, bytes(range(125)), bytes.fromhex("897d")),
    Frame("pong", 10, b"pong", bytes.fromhex("8a04")),
    Frame("close without a code", 8, b"", bytes.fromhex("8800")),
    Frame("close", 8, b"\x03\xe8bye", bytes.fromhex("8805")),
]
NAMES = [frame.name for frame in FRAMES]


def xor(data: bytes, key: bytes) -> bytes:
    """Masking, word by word of the specification (5.3)."""
    return bytes(octet ^ of_key for octet, of_key in zip(data, itertools.cycle(key), strict=False))


def masked(
    opcode: int, payload: bytes = b"", *, fin: bool = True, key: bytes = KEY, rsv: int = 0, width: int | None = None
) -> bytes:
    """A client's frame. ``rsv``: the reserved bits, 0 to 7; ``width``: bytes of the length, if not the shortest."""
    size = len(payload)
    if width is None:
        width = 1 if size < 126 else 2 if size < 65536 else 8
    return head(opcode, size, fin=fin, rsv=rsv, width=width) + key + xor(payload, key)


def head(opcode: int, size: int, *, fin: bool = True, rsv: int = 0, width: int = 8) -> bytes:
    """The head of a client's frame that announces ``size`` bytes, up to the masking key."""
    first = bytes([(128 if fin else 0) | rsv << 4 | opcode])
    marker = {1: size, 2: 126, 8: 127}[width]
    return first + bytes([128 | marker]) + (b"" if width == 1 else size.to_bytes(width, "big"))


def unmasked(opcode: int, payload: bytes = b"") -> bytes:
    """A short frame as a server sends it."""
    return bytes([128 | opcode, len(payload)]) + payload


def cut(stream: bytes, size: int) -> list[bytes]:
    """The stream in chunks of ``size``."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]
