"""ClassicCodec: the messages of ``@socket.io/redis-adapter``'s classic adapter and of the emitters for it. Pure.

There are three sorts, each on channels of its own: a broadcast is a list of who, what and whom in MessagePack; requests
and responses are maps in JSON, or in MessagePack where there is binary data. A response does not say to what it is one,
so the ids of our requests do: they begin with a letter for what was asked (:data:`_KINDS`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Literal, NamedTuple

from ...errors import PacketError
from ..json_codec import JsonCodec
from ..msgpack_codec import NOTEPACK_3, MsgpackCodec
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
    Reply,
    Request,
    Rooms,
    ServerAnswer,
    ServerEvent,
)


class RequestType(IntEnum):
    """The official ``RequestType``."""

    SOCKETS = 0
    ALL_ROOMS = 1
    REMOTE_JOIN = 2
    REMOTE_LEAVE = 3
    REMOTE_DISCONNECT = 4
    REMOTE_FETCH = 5
    SERVER_SIDE_EMIT = 6
    BROADCAST = 7
    BROADCAST_CLIENT_COUNT = 8
    BROADCAST_ACK = 9


#: How the answer to a request is written: the ids of the sockets, all their rooms, all that is known of them, numbers,
#: or (before version 6) only that the one socket that is meant is here.
Form = Literal["ids", "rooms", "sockets", "counts", "here"]


class Asker(NamedTuple):
    """Who asks, and how the answer is to be written."""

    uid: str | None
    form: Form = "sockets"


class Heard(NamedTuple):
    """What a request asks for. An old one comes to two operations: one for its answer, one for its effect."""

    uid: str | None
    asker: Asker
    operations: tuple[Request, ...]


#: What was asked, by the first letter of a request's id: who is there; how many, without or with the sizes of rooms;
#: something that is done with the answer as it is.
_KINDS = {Fetch: "f", Broadcast: "b", ServerEvent: "e"}
_COUNT, _COUNT_ROOMS = "n", "r"


class ClassicCodec:
    """See the module. ``default`` turns a value without a form into one that has, or raises TypeError."""

    def __init__(self, default: Callable[[Any], Any] | None = None) -> None:
        self.json = JsonCodec(default)
        self.msgpack = MsgpackCodec(NOTEPACK_3, default)

    # -- broadcasts --------------------------------------------------------------------------------------------------

    def encode_broadcast(self, uid: str, namespace: str, broadcast: Broadcast) -> bytes:
        """An event for the sockets of the others.

        Raises:
            TypeError, ValueError: for data or rooms without a form on the wire.
        """
        return self.msgpack.encode([uid, _packet(namespace, broadcast), _options(broadcast)])

    def broadcast_head(self, uid: str) -> bytes:
        """What the broadcasts of a server begin with."""
        return b"\x93" + self.msgpack.encode(uid)

    def decode_broadcast(self, data: bytes) -> tuple[str | None, str, Broadcast]:
        """Who says it, in which namespace, and what.

        Raises:
            PacketError: for anything else.
        """
        message = self.msgpack.decode(data)
        if not isinstance(message, list) or len(message) != 3:
            raise PacketError("a broadcast that has not three parts")
        uid, packet, options = message
        namespace = shapes.heard_map(packet).get("nsp", "/")
        if not isinstance(namespace, str):
            raise PacketError("a broadcast of no namespace")
        return uid if isinstance(uid, str) else None, namespace, shapes.heard_broadcast(packet, options)

    # -- requests ----------------------------------------------------------------------------------------------------

    def encode_request(self, uid: str, namespace: str, operation: Request) -> bytes:
        """What the others shall do or say.

        Raises:
            TypeError, ValueError: for data or rooms without a form on the wire.
        """
        if isinstance(operation, Broadcast):
            request = {
                **_head(uid, operation, RequestType.BROADCAST),
                "packet": _packet(namespace, operation),
                "opts": _options(operation),
            }
            return self.msgpack.encode(request)  # always: the official adapter does so
        return shapes.encode(self.json, self.msgpack, _request(uid, operation))

    def decode_request(self, data: bytes) -> Heard:
        """What another server, or an emitter, asks for.

        Raises:
            PacketError: for anything else.
        """
        request = shapes.decode(self.json, self.msgpack, data)
        uid = request.get("uid")
        uid = uid if shapes.is_uid(uid) else None
        form, *operations = _heard(request.get("type"), request)
        return Heard(uid, Asker(uid, form), tuple(operations))

    # -- responses ---------------------------------------------------------------------------------------------------

    def encode_response(self, form: Form, reply: Reply) -> bytes | None:
        """An answer; ``None`` where there is nothing to say.

        Raises:
            TypeError, ValueError: for data without a form on the wire.
        """
        asked = {"requestId": reply.request_id}
        if isinstance(reply, AckCount):
            kind = RequestType.BROADCAST_CLIENT_COUNT.value
            return self._encode({"type": kind, **asked, "clientCount": reply.total})
        if isinstance(reply, Ack):  # always: the official adapter does so
            return self.msgpack.encode({"type": RequestType.BROADCAST_ACK.value, **asked, "packet": reply.value})
        if isinstance(reply, ServerAnswer):
            return self._encode({"type": RequestType.SERVER_SIDE_EMIT.value, **asked, "data": reply.value})
        if isinstance(reply, Counted):
            return self._encode({**asked, "sockets": [], **shapes.told_counts(reply)})
        if not isinstance(reply, Fetched):
            raise TypeError(f"no response says {type(reply).__name__}")
        if form == "here":
            return self._encode(asked) if reply.sockets else None
        sockets = shapes.told_sockets(self.json, reply.sockets)
        if form == "ids":
            return self._encode({**asked, "sockets": [socket["id"] for socket in sockets]})
        if form == "rooms":
            rooms = dict.fromkeys(room for socket in sockets for room in socket["rooms"])
            return self._encode({**asked, "rooms": list(rooms)})
        return self._encode({**asked, "sockets": sockets})

    def decode_response(self, data: bytes) -> Reply | None:
        """An answer; ``None`` if it is to somebody else's question.

        Raises:
            PacketError: for something malformed.
        """
        response = shapes.decode(self.json, self.msgpack, data)
        request_id, kind = shapes.heard_id(response.get("requestId")), response.get("type")
        asked, request_id = request_id[0], request_id[1:]
        if asked == _KINDS[Fetch]:
            return Fetched(request_id, shapes.heard_sockets(response.get("sockets")))
        if asked in (_COUNT, _COUNT_ROOMS):
            return shapes.heard_counts(request_id, response, asked == _COUNT_ROOMS)
        if asked == _KINDS[ServerEvent]:
            return ServerAnswer(request_id, response.get("data"))
        if asked == _KINDS[Broadcast] and kind == RequestType.BROADCAST_CLIENT_COUNT:
            return AckCount(request_id, shapes.heard_number(response.get("clientCount")))
        if asked == _KINDS[Broadcast] and kind == RequestType.BROADCAST_ACK:
            return Ack(request_id, response.get("packet"))
        return None

    def _encode(self, message: dict[str, Any]) -> bytes:
        return shapes.encode(self.json, self.msgpack, message)


def _packet(namespace: str, broadcast: Broadcast) -> dict[str, Any]:
    return {"type": shapes.EVENT, "data": list(broadcast.data), "nsp": namespace}


def _options(broadcast: Broadcast) -> dict[str, Any]:
    return {**shapes.told_options(broadcast.rooms, broadcast.excepted), "flags": shapes.told_flags(broadcast)}


def _head(uid: str, operation: Request, kind: RequestType) -> dict[str, Any]:
    """Who asks, and what for; the id begins with what the answer is to be read as."""
    request_id = getattr(operation, "request_id", None)
    if request_id is None:
        return {"uid": uid, "type": kind.value}
    letter = _KINDS.get(type(operation), _COUNT)
    if isinstance(operation, Count) and operation.with_rooms:
        letter = _COUNT_ROOMS
    return {"uid": uid, "requestId": letter + request_id, "type": kind.value}


def _request(uid: str, operation: Request) -> dict[str, Any]:
    if isinstance(operation, ServerEvent):
        return {**_head(uid, operation, RequestType.SERVER_SIDE_EMIT), "data": list(operation.data)}
    options = shapes.told_options(operation.rooms, operation.excepted)
    if isinstance(operation, Join):
        moved = shapes.told_rooms(operation.moved)
        return {**_head(uid, operation, RequestType.REMOTE_JOIN), "opts": options, "rooms": moved}
    if isinstance(operation, Leave):
        moved = shapes.told_rooms(operation.moved)
        return {**_head(uid, operation, RequestType.REMOTE_LEAVE), "opts": options, "rooms": moved}
    if isinstance(operation, Disconnect):
        return {**_head(uid, operation, RequestType.REMOTE_DISCONNECT), "opts": options, "close": operation.close}
    if isinstance(operation, Fetch):
        return {**_head(uid, operation, RequestType.REMOTE_FETCH), "opts": options}
    if not isinstance(operation, Count):
        raise TypeError(f"no request says {type(operation).__name__}")
    # A remark that official servers overlook: they answer with sockets, which are counted here. Their ids are enough
    # where neither rooms are counted nor some are excepted.
    if not operation.with_rooms and not operation.excepted:
        return {**_head(uid, operation, RequestType.SOCKETS), "rooms": options["rooms"], "count": "sockets"}
    wanted = "rooms" if operation.with_rooms else "sockets"
    return {**_head(uid, operation, RequestType.REMOTE_FETCH), "opts": options, "count": wanted}


def _heard(kind: Any, request: dict[str, Any]) -> Any:
    """The form of the answer, and the operations."""
    if isinstance(kind, bool):
        raise PacketError("a request of no type")
    if kind in (RequestType.SOCKETS, RequestType.REMOTE_FETCH):
        asked, wanted = shapes.heard_id(request.get("requestId")), request.get("count")
        if kind == RequestType.SOCKETS:
            where: tuple[Rooms, Rooms] = shapes.heard_rooms(request.get("rooms", [])), ()
        else:
            where = shapes.heard_options(request)
        if wanted in ("sockets", "rooms"):
            return "counts", Count(asked, *where, wanted == "rooms")
        return "ids" if kind == RequestType.SOCKETS else "sockets", Fetch(asked, *where)
    if kind == RequestType.ALL_ROOMS:
        return "rooms", Fetch(shapes.heard_id(request.get("requestId")), (), ())
    if kind in (RequestType.REMOTE_JOIN, RequestType.REMOTE_LEAVE, RequestType.REMOTE_DISCONNECT):
        return _heard_move(kind, request)
    request_id = request.get("requestId")
    if request_id is not None:
        shapes.heard_id(request_id)
    if kind == RequestType.SERVER_SIDE_EMIT:
        return "sockets", ServerEvent(shapes.heard_event(request.get("data")), request_id)
    if kind == RequestType.BROADCAST and request_id is not None:
        return "sockets", shapes.heard_broadcast(request.get("packet"), request.get("opts"), request_id)
    raise PacketError("a request of an unknown type")


def _heard_move(kind: int, request: dict[str, Any]) -> Any:
    old: tuple[Request, ...] = ()
    if "opts" in request:
        rooms, excepted = shapes.heard_options(request)
        moved = request.get("rooms")
    else:
        # The form before version 6, for one socket. The server that has it says so.
        sid, excepted, moved = shapes.heard_id(request.get("sid")), (), [request.get("room")]
        rooms = (sid,)
        if request.get("requestId") is not None:
            old = (Fetch(shapes.heard_id(request["requestId"]), rooms, ()),)
    if kind == RequestType.REMOTE_DISCONNECT:
        return "here", *old, Disconnect(rooms, excepted, bool(request.get("close")))
    move = Join if kind == RequestType.REMOTE_JOIN else Leave
    return "here", *old, move(rooms, excepted, shapes.heard_rooms(moved))
