"""Revision 3 of Engine.IO on the wire, for ``allow_eio3``: payloads with lengths, binary packets with a type. Pure.

Owns only what revision 4 writes otherwise; its reversed heartbeat is the session's. Must not know who receives what.
Engine.IO protocol 3, "Encoding": a text payload is ``<length in UTF-16 code units>:<packet>``, repeated, with binary
packets as ``b4<base64>``; a binary one is ``<0 text | 1 binary><decimal digits as bytes 0 to 9><0xff><packet>``.

An encoder here is a function of a text packet (``b""``: none) and of the binary messages that follow it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..errors import PacketError
from ..websocket.frames import BINARY, TEXT, encode_frame
from .packet import TYPES
from .payload import MAX_PACKETS, decode_binary, encode_binary

Encoder = Callable[[bytes, "tuple[bytes, ...]"], bytes]

#: What stands before the data of a binary packet: the type "message", as a number and not as a digit.
_MESSAGE = b"\x04"
# Ten digits are more than any body has bytes, and few enough for int() to be cheap.
_LENGTH = re.compile(rb"((?:[0-9]\0){1,10}):\0")
_HEAD = re.compile(rb"([\0\1])([\0-\x09]{1,10})\xff")
_TO_DIGITS = bytes.maketrans(bytes(range(10)), b"0123456789")
_FROM_DIGITS = bytes.maketrans(b"0123456789", bytes(range(10)))


# -- encoders ----------------------------------------------------------------------------------------------------------


def frames(text: bytes, attachments: tuple[bytes, ...]) -> bytes:
    """WebSocket frames; each binary one begins with its type."""
    head = encode_frame(text, TEXT) if text else b""
    return head + b"".join([encode_frame(_MESSAGE + data, BINARY) for data in attachments])


def base64_frames(text: bytes, attachments: tuple[bytes, ...]) -> bytes:
    """WebSocket frames for a client that takes text only (``b64=1``)."""
    return b"".join([encode_frame(item, TEXT) for item in _texts(text, attachments)])


def text_packets(text: bytes, attachments: tuple[bytes, ...]) -> bytes:
    """Packets of a text payload."""
    return b"".join([b"%d:%b" % (_code_units(item), item) for item in _texts(text, attachments)])


def binary_packets(text: bytes, attachments: tuple[bytes, ...]) -> bytes:
    """Packets of a binary payload, in which every length counts bytes."""
    head = _binary_packet(b"\0", text) if text else b""
    return head + b"".join([_binary_packet(b"\1", _MESSAGE + data) for data in attachments])


def _texts(text: bytes, attachments: tuple[bytes, ...]) -> list[bytes]:
    # encode_binary() makes ``b<base64>``: here the type stands between the two.
    return [*([text] if text else ()), *(b"b4" + encode_binary(data)[1:] for data in attachments)]


def _code_units(text: bytes) -> int:
    return len(text) if text.isascii() else len(text.decode("utf-8", "replace").encode("utf-16-le")) >> 1


def _binary_packet(kind: bytes, data: bytes) -> bytes:
    return b"%b%b\xff%b" % (kind, (b"%d" % len(data)).translate(_FROM_DIGITS), data)


def content_type(body: bytes) -> str:
    """What a polling body is; only a binary payload begins with one of these two bytes, in either revision."""
    return "application/octet-stream" if body[:1] in (b"\0", b"\1") else "text/plain; charset=UTF-8"


# -- decoders ----------------------------------------------------------------------------------------------------------


def decode_packet(data: str | bytes) -> str | bytes:
    """A packet in the form it has in revision 4: text with its type digit, or the bytes of a binary message.

    Raises:
        PacketError: for a packet of an unknown type, a binary one that is no message, or bad base64.
    """
    if isinstance(data, bytes):
        if data[:1] != _MESSAGE:
            raise PacketError("a binary packet that is no message")
        return data[1:]
    if data[:1] == "b":
        if data[1:2] != "4":
            raise PacketError("a binary packet that is no message")
        return decode_binary(data[2:])
    if data[:1] not in TYPES:
        raise PacketError("a packet of an unknown type")
    return data


def decode_text(body: bytes) -> Iterator[str | bytes]:
    """The packets of a text payload in order, each as :func:`decode_packet` has it.

    Raises:
        PacketError: at the first packet that is none; those before it have been yielded.
    """
    units = body.decode("utf-8", "replace").encode("utf-16-le")
    position, count = 0, 0
    while position < len(units) or not count:
        head = _LENGTH.match(units, position)
        if head is None:
            raise PacketError("a packet without its length")
        start = head.end()
        position = start + 2 * int(head[1][::2])
        count = _count(count, position, len(units))
        if position > start:  # a packet of the length 0 is none, as in the reference
            try:
                packet = units[start:position].decode("utf-16-le")
            except UnicodeDecodeError as error:
                raise PacketError("a length that cuts a character") from error
            yield decode_packet(packet)


def decode_bytes(body: bytes) -> Iterator[str | bytes]:
    """The packets of a binary payload in order, each as :func:`decode_packet` has it.

    Raises:
        PacketError: at the first packet that is none; those before it have been yielded.
    """
    position, count = 0, 0
    while position < len(body) or not count:
        head = _HEAD.match(body, position)
        if head is None:
            raise PacketError("a packet without its kind and length")
        start = head.end()
        position = start + int(head[2].translate(_TO_DIGITS))
        count = _count(count, position, len(body))
        data = body[start:position]
        try:
            yield decode_packet(data if head[1] == b"\1" else data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise PacketError("a text packet that is not UTF-8") from error


def _count(packets: int, end: int, size: int) -> int:
    """How many packets there are with this one, which ends at ``end`` of ``size``."""
    if end > size:
        raise PacketError("a packet longer than its payload")
    if packets >= MAX_PACKETS:
        raise PacketError(f"more than {MAX_PACKETS} packets in one payload")
    return packets + 1
