"""Parser: how packets become messages and back; the one place where another encoding than the protocol's own is chosen.

:class:`DefaultParser` is the official clients' default: text and attachments (``packet``) around JSON (``json_codec``).
Pure. What a parser returns for a namespace in ``prefix`` is kept with the namespace and handed back for each packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..engineio.message import PreparedMessage
from . import packet
from .json_codec import Codec
from .packet import Packet


class Parser(Protocol):
    """Encodes what the server sends and decodes what it receives; also a test client's, so both directions are here.

    An encoder raises TypeError or ValueError for data that can't be sent, ``decode`` PacketError for what is no packet.
    """

    #: ``str`` or ``bytes``: the kind of message that is, or begins, a packet.
    carrier: type

    def prefix(self, namespace: str) -> bytes:
        """What the other methods need to know of a namespace."""

    def decode(self, data: Any) -> Packet:
        """The packet of a message; its last field is the number of binary messages that must follow."""

    def encode_event(self, prefix: bytes, args: Sequence[Any], ack_id: int | None) -> PreparedMessage:
        """An EVENT: the name and the arguments."""

    def encode_ack(self, prefix: bytes, args: Sequence[Any], ack_id: int) -> PreparedMessage:
        """An ACK."""

    def encode_connect(self, prefix: bytes, data: Any = None) -> PreparedMessage:
        """A CONNECT."""

    def encode_connect_error(self, prefix: bytes, error: Any) -> PreparedMessage:
        """The CONNECT_ERROR that refuses a client."""

    def encode_disconnect(self, prefix: bytes) -> PreparedMessage:
        """A DISCONNECT."""


def decode_message(parser: Parser, message: PreparedMessage) -> Packet:
    """The packet of a message of our own, its attachments in their places.

    Raises:
        PacketError: it can't be read back.
    """
    kind, namespace, ack_id, data, expected = parser.decode(message.text.decode()[1:] or message.attachments[0])
    if expected:
        data = packet.fill_placeholders(data, message.attachments)
    return kind, namespace, ack_id, data, 0


class DefaultParser:
    """Socket.IO protocol 5 as it is: the functions of ``packet`` with the codec filled in."""

    # Methods: a partial function with a keyword costs 150 ns more.
    __slots__ = ("_loads", "codec")
    carrier: type = str

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self._loads = codec.decode

    def decode(self, data: Any) -> Packet:
        return packet.decode(data, self._loads)

    def encode_event(self, prefix: bytes, args: Sequence[Any], ack_id: int | None) -> PreparedMessage:
        return packet.encode_event(prefix, args, ack_id, self.codec)

    def encode_ack(self, prefix: bytes, args: Sequence[Any], ack_id: int) -> PreparedMessage:
        return packet.encode_ack(prefix, args, ack_id, self.codec)

    def prefix(self, namespace: str) -> bytes:
        return packet.namespace_prefix(namespace)

    def encode_connect(self, prefix: bytes, data: Any = None) -> PreparedMessage:
        return packet.encode_connect(prefix, data, self.codec)

    def encode_connect_error(self, prefix: bytes, error: Any) -> PreparedMessage:
        return packet.encode_connect_error(prefix, error, self.codec)

    def encode_disconnect(self, prefix: bytes) -> PreparedMessage:
        return packet.encode_disconnect(prefix)


_METHODS = (
    "prefix",
    "decode",
    "encode_event",
    "encode_ack",
    "encode_connect",
    "encode_connect_error",
    "encode_disconnect",
)


def checked(parser: Any) -> Parser:
    """An object of the user's, as a parser.

    Raises:
        TypeError: it lacks something, or is the class instead of an instance.
    """
    missing = [name for name in _METHODS if not callable(getattr(parser, name, None))]
    if getattr(parser, "carrier", None) not in (str, bytes):
        missing.append("carrier (str or bytes)")
    if missing or isinstance(parser, type):
        fault = f"it lacks {', '.join(missing)}" if missing else "pass an instance of it"
        raise TypeError(f"parser={parser!r} is no parser as socketio.parser.Parser describes it: {fault}")
    accepted: Parser = parser
    return accepted
