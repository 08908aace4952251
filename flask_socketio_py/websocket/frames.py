"""Frame <-> bytes, close codes, unmasking. Pure. RFC 6455 section 5.2 (framing), 5.3 (masking), 7.4 (close codes)."""

from __future__ import annotations

import enum
import struct

try:
    from websockets.speedups import apply_mask as _c_unmask
except ImportError:  # a platform without the wheel: correct, and forty times slower on large frames
    _c_unmask = None  # type: ignore[assignment]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN = 0x80
#: Marks the first frame of a compressed message (RFC 7692, 6).
RSV1 = 0x40
#: Longest payload of a control frame.
MAX_CONTROL = 125


class CloseCode(enum.IntEnum):
    """The close codes a server uses or may receive."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # never on the wire: the peer closed without a code
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014


#: Heads of whole text frames with a 7-bit length: the most frequent frames there are.
_TEXT_HEADS = [bytes((_FIN | TEXT, length)) for length in range(126)]
_head_16 = struct.Struct("!BBH").pack
_head_64 = struct.Struct("!BBQ").pack


def frame_head(length: int, opcode: int = TEXT, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """What precedes a payload of this length in a frame as a server sends it, unmasked."""
    if length < 126 and opcode == TEXT and fin and not rsv1:
        return _TEXT_HEADS[length]
    first = (_FIN if fin else 0) | (RSV1 if rsv1 else 0) | opcode
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return _head_16(first, 126, length)
    return _head_64(first, 127, length)


def encode_frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A frame as a server sends it, unmasked."""
    return frame_head(len(payload), opcode, fin=fin, rsv1=rsv1) + payload


def encode_close(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut at a character border to what a control frame holds."""
    text = reason.encode("utf-8", "replace")[: MAX_CONTROL - 2].decode("utf-8", "ignore").encode()
    return encode_frame(int(code).to_bytes(2, "big") + text, CLOSE)


def valid_close_code(code: int) -> bool:
    """Whether a peer may send this close code."""
    return (1000 <= code <= 1014 and code not in (1004, 1005, 1006)) or 3000 <= code <= 4999


def unmask_slowly(data: bytes | memoryview, key: bytes) -> bytes:
    """Unmask with one large XOR: what is left where the C function is missing."""
    length = len(data)
    mask = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(mask, "little")).to_bytes(length, "little")


unmask = unmask_slowly if _c_unmask is None else _c_unmask
