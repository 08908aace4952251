"""MsgpackParser: the wire of the official ``socket.io-msgpack-parser``. Pure; MessagePack is ``msgpack_codec``'s.

A packet is one binary message, a map of ``type``, ``data``, ``id`` and ``nsp``; binary data is where it belongs, so
there are no attachments and no types 5 and 6. Encoding puts ready-made pieces around the data, in the official order of
keys; what would be undefined is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engineio.message import PreparedMessage
from ..errors import PacketError
from .msgpack_codec import NOTEPACK_2, MsgpackCodec, pack_plain
from .packet import ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT, RESERVED, Packet

#: Characters a client's namespace may have.
MAX_NAMESPACE = 1000
#: Above this JavaScript's integers are not exact.
MAX_ACK_ID = 2**53 - 1

_EVENT = b"\x83\xa4type\x02\xa4data"
_EVENT_WITH_ID = b"\x84\xa4type\x02\xa4data"
_ACK = b"\x84\xa4type\x03\xa4data"
_CONNECT = b"\x83\xa4type\x00\xa4data"
_BARE_CONNECT = b"\x82\xa4type\x00"
_DISCONNECT = b"\x82\xa4type\x01"
_CONNECT_ERROR = b"\x83\xa4type\x04\xa4data"
_ID = b"\xa2id"
_NAMESPACE = b"\xa3nsp"


class MsgpackParser:
    """Implements ``parser.Parser``. ``default`` turns a value without a form into one that has, or raises TypeError."""

    __slots__ = ("codec",)
    carrier: type = bytes

    def __init__(self, default: Callable[[Any], Any] | None = None) -> None:
        self.codec = MsgpackCodec(NOTEPACK_2, default)

    def prefix(self, namespace: str) -> bytes:
        """The end of every packet: the key and the name."""
        return _NAMESPACE + self.codec.encode(namespace)

    def decode(self, data: bytes) -> Packet:
        """The packet of a message; nothing ever follows it.

        Raises:
            PacketError: for anything the official parser or the protocol doesn't allow.
        """
        found = self.codec.decode(data)
        if type(found) is not dict:
            raise PacketError("a packet that is no map")
        kind, namespace, ack_id, content = found.get("type"), found.get("nsp"), found.get("id"), found.get("data")
        if type(namespace) is not str or namespace[:1] != "/" or len(namespace) > MAX_NAMESPACE:
            raise PacketError("a packet without a proper namespace")
        if ack_id is not None and (type(ack_id) is not int or not 0 <= ack_id <= MAX_ACK_ID):
            raise PacketError("an acknowledgement id that is no proper integer")
        if type(kind) is not int:  # a bool is none
            raise PacketError("a packet without a type")
        if kind == EVENT:
            _check_event(content)
        elif kind == ACK:
            if ack_id is None or type(content) is not list:
                raise PacketError("an acknowledgement without an id or a list")
        elif kind == CONNECT:
            if content is not None and type(content) is not dict:
                raise PacketError("a CONNECT whose data is no object")
        elif kind == DISCONNECT:
            if content is not None:
                raise PacketError("a DISCONNECT with data")
        elif kind != CONNECT_ERROR:
            raise PacketError("a packet of an unknown type")
        elif not isinstance(content, str | dict):
            raise PacketError("a CONNECT_ERROR without an error")
        return kind, namespace, ack_id, content, 0

    def encode_event(self, prefix: bytes, args: Sequence[Any], ack_id: int | None) -> PreparedMessage:
        data = self.codec.encode(args)
        if ack_id is None:
            return PreparedMessage(b"", (b"".join((_EVENT, data, prefix)),))
        return PreparedMessage(b"", (b"".join((_EVENT_WITH_ID, data, _ID, pack_plain(ack_id), prefix)),))

    def encode_ack(self, prefix: bytes, args: Sequence[Any], ack_id: int) -> PreparedMessage:
        data = self.codec.encode(args)
        return PreparedMessage(b"", (b"".join((_ACK, data, _ID, pack_plain(ack_id), prefix)),))

    def encode_connect(self, prefix: bytes, data: Any = None) -> PreparedMessage:
        if data is None:
            return PreparedMessage(b"", (_BARE_CONNECT + prefix,))
        return PreparedMessage(b"", (_CONNECT + self.codec.encode(data) + prefix,))

    def encode_connect_error(self, prefix: bytes, error: Any) -> PreparedMessage:
        return PreparedMessage(b"", (_CONNECT_ERROR + self.codec.encode(error) + prefix,))

    def encode_disconnect(self, prefix: bytes) -> PreparedMessage:
        """A DISCONNECT."""
        return PreparedMessage(b"", (_DISCONNECT + prefix,))


def _check_event(content: Any) -> None:
    if type(content) is not list or not content:
        raise PacketError("an event whose data is no list")
    name = content[0]
    if type(name) is str:
        if name in RESERVED:
            raise PacketError("an event with a reserved name")
    elif type(name) is not int and type(name) is not float:
        raise PacketError("an event whose name is no string")
