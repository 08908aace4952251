"""One Socket.IO packet <-> text and attachments. Pure. Socket.IO protocol 5, "Packet encoding".

``<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]``, carried in an Engine.IO message. A decoded packet is a plain
tuple, not an object: this is the hot path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from ..engineio.message import PreparedMessage
from ..errors import PacketError
from .json_codec import Codec

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = range(7)
#: Most attachments a packet may have: official clients refuse more.
MAX_ATTACHMENTS = 10
#: Names that mean something to clients and servers themselves.
RESERVED = frozenset(("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"))
#: How deep the data of a binary packet may be nested.
MAX_DEPTH = 200
#: Values that the query of a CONNECT may have.
MAX_QUERY_FIELDS = 100

#: What stands for a piece of binary data, in JSON: never within a text, where the quotes would be escaped.
_PLACEHOLDER = b'"_placeholder":true'
# Digits are ASCII; the namespace ends at the first comma, or with the packet. Bounded, so that int() stays cheap.
_HEAD = re.compile(r"([0-6])(?:([0-9]{1,3})-)?(?:(/[^,]*)(?:,|\Z))?([0-9]{0,20})", re.DOTALL)


#: A decoded packet: (type, namespace, ack id or None, data, binary messages still to come).
Packet = tuple[int, str, "int | None", Any, int]


def decode(text: str, loads: Callable[[str], Any]) -> Packet:
    """The packet of a text.

    Raises:
        PacketError: for anything the protocol doesn't allow.
    """
    if text[:1] == "2":  # the hot path: an event in the main namespace, perhaps with an ack id
        start = text.find("[", 1, 22)
        ack_id = None
        if start > 1:
            digits = text[1:start]
            if digits.isdigit() and digits.isascii():
                ack_id = int(digits)
            else:
                start = 0
        if start > 0:
            data = loads(text[start:])
            if type(data) is list and data and type(data[0]) is str and data[0] not in RESERVED:
                return EVENT, "/", ack_id, data, 0
    head = _HEAD.match(text)
    if head is None:
        raise PacketError("a packet of an unknown type")
    kind = int(head[1])
    attachments = 0
    if kind >= BINARY_EVENT:
        if head[2] is None:
            raise PacketError("a binary packet without a number of attachments")
        attachments = int(head[2])
        if not 1 <= attachments <= MAX_ATTACHMENTS:
            raise PacketError("an illegal number of attachments")
    elif head[2] is not None:
        raise PacketError("attachments of a packet that is not binary")
    ack_id = int(head[4]) if head[4] else None
    body = text[head.end() :]
    data = loads(body) if body else None
    if kind in (EVENT, BINARY_EVENT):
        data = _event(data)
    elif kind in (ACK, BINARY_ACK):
        if ack_id is None or not isinstance(data, list):
            raise PacketError("an acknowledgement without an id or a list")
    elif kind == CONNECT:
        if body and not isinstance(data, dict):
            raise PacketError("a CONNECT whose data is no object")
    elif kind == DISCONNECT:
        if body:
            raise PacketError("a DISCONNECT with data")
    elif not isinstance(data, str | dict):
        raise PacketError("a CONNECT_ERROR without an error")
    return kind, head[3] or "/", ack_id, data, attachments


def _event(data: Any) -> list[Any]:
    if not isinstance(data, list) or not data:
        raise PacketError("an event whose data is no list")
    name = data[0]
    if type(name) is str:
        if name in RESERVED:
            raise PacketError("an event with a reserved name")
    elif isinstance(name, bool) or not isinstance(name, int | float):
        raise PacketError("an event whose name is no string")
    return data


def check_event(name: Any) -> None:
    """Check the name of an event that is to be emitted.

    Raises:
        TypeError, ValueError: it is no text, or a reserved one.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an event must be a string, not {type(name).__name__}")
    if name in RESERVED:
        raise ValueError(f"{name!r} is a reserved event name")


def split_query(namespace: str) -> tuple[str, dict[str, str]]:
    """The namespace and the auth of a CONNECT of protocol 4, which is ``/namespace?name=value`` and has no data.

    Raises:
        PacketError: for a query of very many values.
    """
    name, _, query = namespace.partition("?")
    try:
        return name, dict(parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS))
    except ValueError as error:
        raise PacketError("a query of too many values") from error


def namespace_prefix(namespace: str) -> bytes:
    """What precedes the ack id in packets of a namespace."""
    return b"" if namespace == "/" else namespace.encode() + b","


def encode_event(prefix: bytes, args: Sequence[Any], ack_id: int | None, codec: Codec) -> PreparedMessage:
    """An EVENT or BINARY_EVENT: ``args`` is the name and the arguments.

    Raises:
        TypeError, ValueError: for data that can't be sent.
    """
    body, attachments = codec.encode(args)
    head = prefix if ack_id is None else b"%b%d" % (prefix, ack_id)
    return PreparedMessage(b"42" + head, (), body) if not attachments else _binary(b"45", head, body, attachments)


def encode_ack(prefix: bytes, args: Sequence[Any], ack_id: int, codec: Codec) -> PreparedMessage:
    """An ACK or BINARY_ACK.

    Raises:
        TypeError, ValueError: for data that can't be sent.
    """
    body, attachments = codec.encode(args)
    head = b"%b%d" % (prefix, ack_id)
    return PreparedMessage(b"43" + head, (), body) if not attachments else _binary(b"46", head, body, attachments)


def encode_connect(prefix: bytes, data: Any, codec: Codec) -> PreparedMessage:
    """The CONNECT that accepts a client, or a client's own; ``None`` is no data."""
    return PreparedMessage(b"40" + prefix + (b"" if data is None else codec.encode(data)[0]))


def encode_connect_error(prefix: bytes, error: Any, codec: Codec) -> PreparedMessage:
    """The CONNECT_ERROR that refuses a client."""
    return PreparedMessage(b"44" + prefix + codec.encode(error)[0])


def encode_disconnect(prefix: bytes) -> PreparedMessage:
    """A DISCONNECT. It never has data: official clients break off then."""
    return PreparedMessage(b"41" + prefix)


def _binary(kind: bytes, head: bytes, body: bytes, attachments: tuple[bytes, ...]) -> PreparedMessage:
    if len(attachments) > MAX_ATTACHMENTS:
        raise ValueError(
            f"{len(attachments)} pieces of binary data in one event: "
            f"official clients refuse more than {MAX_ATTACHMENTS}; "
            "join them into one, or send several events"
        )
    if body.count(_PLACEHOLDER) > len(attachments):
        # Perhaps a client's: it would end the connections of all who are sent it.
        raise ValueError(
            "data with a key '_placeholder' that is true can't be sent beside binary data: "
            "clients would take it for a piece of that"
        )
    return PreparedMessage(b"%b%d-%b%b" % (kind, len(attachments), head, body), attachments)


def fill_placeholders(data: Any, attachments: Sequence[bytes], depth: int = 0) -> Any:
    """The data of a binary packet with its attachments in their places.

    Raises:
        PacketError: for a placeholder that names no attachment, or data nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise PacketError("a binary packet nested too deeply")
    if isinstance(data, dict):
        if data.get("_placeholder") is True:
            number = data.get("num")
            if type(number) is not int or not 0 <= number < len(attachments):
                raise PacketError("a placeholder that names no attachment")
            return attachments[number]
        return {key: fill_placeholders(value, attachments, depth + 1) for key, value in data.items()}
    if isinstance(data, list):
        return [fill_placeholders(value, attachments, depth + 1) for value in data]
    return data
