"""ClusterCodec: the messages of Node's ``ClusterAdapter``, which several of the official adapters speak. Pure.

Each is a map: ``type``, ``data``, and who says it in which namespace (``uid``, ``nsp``). The sharded adapter sends it
as :meth:`ClusterCodec.encode` has it; the streams adapter has a form of its own around :func:`message_of`.

What Node has no message for, counting without moving what is known of each socket, is its question who is there with a
remark that Node overlooks: servers of this package answer with numbers, and what Node answers is counted here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from ...errors import PacketError
from ..json_codec import JsonCodec
from ..msgpack_codec import Flavour, MsgpackCodec
from . import shapes
from .operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Counted,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    Operation,
    Reply,
    ServerAnswer,
    ServerEvent,
)


class MessageType(IntEnum):
    """Node's ``MessageType``; 1, 2 and 13 are of adapters that count servers by their heartbeats."""

    BROADCAST = 3
    SOCKETS_JOIN = 4
    SOCKETS_LEAVE = 5
    DISCONNECT_SOCKETS = 6
    FETCH_SOCKETS = 7
    FETCH_SOCKETS_RESPONSE = 8
    SERVER_SIDE_EMIT = 9
    SERVER_SIDE_EMIT_RESPONSE = 10
    BROADCAST_CLIENT_COUNT = 11
    BROADCAST_ACK = 12


class Message(NamedTuple):
    """A message that was heard: who says what in which namespace."""

    uid: str
    namespace: str
    operation: Operation


#: What the request id of a question for numbers begins with, by whether rooms are counted, too: the answer shows by it
#: what was asked.
_COUNT, _COUNT_ROOMS = "count-", "rooms-"


class ClusterCodec:
    """Messages as JSON, or as MessagePack of a flavour where there is binary data.

    ``default`` turns a value without a form into one that has, or raises TypeError.
    """

    def __init__(self, flavour: Flavour, default: Callable[[Any], Any] | None = None) -> None:
        self.json = JsonCodec(default)
        self.msgpack = MsgpackCodec(flavour, default)

    def encode(self, uid: str, namespace: str, operation: Operation) -> bytes:
        """A message, with who says it.

        Raises:
            TypeError, ValueError: for data or rooms without a form on the wire.
        """
        return shapes.encode(self.json, self.msgpack, self.message(uid, namespace, operation))

    def message(self, uid: str, namespace: str, operation: Operation) -> dict[str, Any]:
        """The same, not yet encoded.

        Raises:
            TypeError, ValueError: for rooms without a form on the wire.
        """
        kind, data = message_of(operation, self.json)
        return {"type": kind, "data": data, "uid": uid, "nsp": namespace}

    def marks(self, uid: str) -> tuple[bytes, bytes]:
        """What stands at the end of the messages of a server, but for the namespace: in JSON, and in MessagePack."""
        return f'"uid":"{uid}","nsp":'.encode(), b"\xa3uid" + self.msgpack.encode(uid) + b"\xa3nsp"

    def decode(self, data: bytes) -> Message:
        """The message.

        Raises:
            PacketError: for anything else.
        """
        message = shapes.decode(self.json, self.msgpack, data)
        namespace = message.get("nsp")
        if not isinstance(namespace, str):
            raise PacketError("a message of no namespace")
        uid = message.get("uid")
        if not shapes.is_uid(uid):
            raise PacketError("a message of nobody")
        return Message(uid, namespace, operation_of(message.get("type"), message.get("data")))


def message_of(operation: Operation, json: JsonCodec) -> tuple[int, dict[str, Any]]:
    """The ``type`` and the ``data`` of a message; what has no JSON form of what is known of sockets is left out.

    Raises:
        TypeError, ValueError: for rooms without a form on the wire.
    """
    if isinstance(operation, Broadcast):
        options = _options(operation.rooms, operation.excepted, shapes.told_flags(operation))
        data: dict[str, Any] = {"packet": {"type": shapes.EVENT, "data": list(operation.data)}}
        if operation.request_id is not None:
            data["requestId"] = operation.request_id
        return MessageType.BROADCAST.value, {**data, "opts": options}
    if isinstance(operation, Join | Leave):
        kind = MessageType.SOCKETS_JOIN if isinstance(operation, Join) else MessageType.SOCKETS_LEAVE
        moved = shapes.told_rooms(operation.moved)
        return kind.value, {"opts": _options(operation.rooms, operation.excepted), "rooms": moved}
    if isinstance(operation, Disconnect):
        options = _options(operation.rooms, operation.excepted)
        return MessageType.DISCONNECT_SOCKETS.value, {"opts": options, "close": operation.close}
    if isinstance(operation, Fetch):
        options = _options(operation.rooms, operation.excepted)
        return MessageType.FETCH_SOCKETS.value, {"opts": options, "requestId": operation.request_id}
    if isinstance(operation, Count):
        return MessageType.FETCH_SOCKETS.value, {
            "opts": _options(operation.rooms, operation.excepted),
            "requestId": (_COUNT_ROOMS if operation.with_rooms else _COUNT) + operation.request_id,
            "count": "rooms" if operation.with_rooms else "sockets",
        }
    if isinstance(operation, ServerEvent):
        asked = {} if operation.request_id is None else {"requestId": operation.request_id}
        return MessageType.SERVER_SIDE_EMIT.value, {**asked, "packet": list(operation.data)}
    return _response_of(operation, json)


def _response_of(operation: Reply, json: JsonCodec) -> tuple[int, dict[str, Any]]:
    asked = {"requestId": operation.request_id}
    if isinstance(operation, Fetched):
        sockets = shapes.told_sockets(json, operation.sockets)
        return MessageType.FETCH_SOCKETS_RESPONSE.value, {**asked, "sockets": sockets}
    if isinstance(operation, Counted):
        counts = shapes.told_counts(operation)
        return MessageType.FETCH_SOCKETS_RESPONSE.value, {**asked, "sockets": [], **counts}
    if isinstance(operation, ServerAnswer):
        return MessageType.SERVER_SIDE_EMIT_RESPONSE.value, {**asked, "packet": operation.value}
    if isinstance(operation, AckCount):
        return MessageType.BROADCAST_CLIENT_COUNT.value, {**asked, "clientCount": operation.total}
    if isinstance(operation, Ack):
        return MessageType.BROADCAST_ACK.value, {**asked, "packet": operation.value}
    raise TypeError(f"no message says {type(operation).__name__}")


def _options(rooms: Any, excepted: Any, flags: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**shapes.told_options(rooms, excepted), "flags": flags or {}}


def operation_of(kind: Any, data: Any) -> Operation:
    """What a message says.

    Raises:
        PacketError: nothing that is known, or something malformed.
    """
    data = shapes.heard_map(data)
    if kind == MessageType.BROADCAST:
        request_id = shapes.heard_id(data["requestId"]) if data.get("requestId") is not None else None
        return shapes.heard_broadcast(data.get("packet"), data.get("opts"), request_id)
    if kind == MessageType.SOCKETS_JOIN:
        return Join(*shapes.heard_options(data), shapes.heard_rooms(data.get("rooms")))
    if kind == MessageType.SOCKETS_LEAVE:
        return Leave(*shapes.heard_options(data), shapes.heard_rooms(data.get("rooms")))
    if kind == MessageType.DISCONNECT_SOCKETS:
        return Disconnect(*shapes.heard_options(data), bool(data.get("close")))
    if kind == MessageType.FETCH_SOCKETS:
        request_id, wanted = shapes.heard_id(data.get("requestId")), data.get("count")
        if wanted in ("sockets", "rooms"):
            return Count(request_id, *shapes.heard_options(data), wanted == "rooms")
        return Fetch(request_id, *shapes.heard_options(data))
    if kind == MessageType.SERVER_SIDE_EMIT:
        request_id = shapes.heard_id(data["requestId"]) if data.get("requestId") is not None else None
        return ServerEvent(shapes.heard_event(data.get("packet")), request_id)
    return _heard_response(kind, shapes.heard_id(data.get("requestId")), data)


def _heard_response(kind: Any, request_id: str, data: dict[str, Any]) -> Operation:
    if kind == MessageType.FETCH_SOCKETS_RESPONSE:
        for prefix in (_COUNT, _COUNT_ROOMS):
            if request_id.startswith(prefix):
                return shapes.heard_counts(request_id[len(prefix) :], data, prefix == _COUNT_ROOMS)
        return Fetched(request_id, shapes.heard_sockets(data.get("sockets")))
    if kind == MessageType.SERVER_SIDE_EMIT_RESPONSE:
        return ServerAnswer(request_id, data.get("packet"))
    if kind == MessageType.BROADCAST_CLIENT_COUNT:
        return AckCount(request_id, shapes.heard_number(data.get("clientCount")))
    if kind == MessageType.BROADCAST_ACK:
        return Ack(request_id, data.get("packet"))
    raise PacketError("a message of an unknown type")
