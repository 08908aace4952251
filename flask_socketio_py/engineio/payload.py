"""Many packets in one polling body. Pure. Engine.IO protocol 4, "HTTP long-polling": packets joined by U+001E."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator

from ..errors import PacketError
from .packet import TYPES

SEPARATOR = "\x1e"
#: Most packets one body may hold: official clients stay far below, an attacker's million does not.
MAX_PACKETS = 10_000


def encode_binary(data: bytes) -> bytes:
    """A binary message inside a polling body: ``b`` and standard base64."""
    return b"b" + binascii.b2a_base64(data, newline=False)


def decode_binary(text: str) -> bytes:
    """The data of a binary message from its base64.

    Raises:
        PacketError: for what is not base64.
    """
    try:
        return binascii.a2b_base64(text.encode("ascii"))
    except (ValueError, UnicodeEncodeError) as error:
        raise PacketError("a binary packet is not base64") from error


def join(packets: Iterable[bytes]) -> bytes:
    """The body that carries these encoded packets."""
    return b"\x1e".join(packets)


def decode(body: bytes) -> Iterator[str | bytes]:
    """The packets of a body in order: ``str`` with its type digit, or the ``bytes`` of a binary message.

    Invalid UTF-8 becomes U+FFFD, as in the reference server.

    Raises:
        PacketError: at the first packet that is none; those before it have been yielded.
    """
    if body.count(b"\x1e") >= MAX_PACKETS:
        raise PacketError(f"more than {MAX_PACKETS} packets in one payload")
    for packet in body.decode("utf-8", "replace").split(SEPARATOR):
        kind = packet[:1]
        if kind in TYPES and kind:
            yield packet
        elif kind == "b":
            yield decode_binary(packet[1:])
        else:
            raise PacketError("a packet of an unknown type")
