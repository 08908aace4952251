"""The shapes that the messages of the official cluster adapters are made of. Pure.

What we say is strict: rooms are texts or whole numbers, lists are there even where they are empty. What others say is
checked piece by piece, so that no malformed message goes further than here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from ...errors import PacketError
from ..json_codec import JsonCodec
from ..msgpack_codec import MsgpackCodec
from .operations import Broadcast, Counted, Rooms

#: The type of a Socket.IO packet with an event, and the one that senders before version 3 gave it with binary data.
EVENT, BINARY_EVENT = 2, 5
#: Characters that the ids of requests and servers may have; the official ones have 6 or 16.
MAX_ID = 100
#: The id of a socket, here, in Node and in python-socketio.
_SOCKET_ID = re.compile(r"[\w-]{20}", re.ASCII)


def encode(json: JsonCodec, msgpack: MsgpackCodec, message: dict[str, Any]) -> bytes:
    """JSON, or where there is binary data MessagePack: receivers look at the first byte.

    Raises:
        TypeError, ValueError: for data without a form on the wire.
    """
    text, attachments = json.encode(message)
    return msgpack.encode(message) if attachments else text


def decode(json: JsonCodec, msgpack: MsgpackCodec, data: bytes) -> dict[str, Any]:
    """The message that ``encode``, here or at another server, made these bytes of.

    Raises:
        PacketError: for anything but a map in JSON or MessagePack.
    """
    if data[:1] != b"{":
        message = msgpack.decode(data)
    else:
        try:
            message = json.decode(data.decode())
        except UnicodeDecodeError as error:
            raise PacketError("not UTF-8") from error
    if not isinstance(message, dict):
        raise PacketError("a message that is no map")
    return message


def with_size(data: bytes, limit: int) -> bytes:
    """The same bytes, if they are few enough.

    Raises:
        ValueError: they are not.
    """
    if len(data) > limit:
        raise ValueError(
            f"the other servers can't be told: the message has {len(data)} bytes, "
            f"and max_cluster_message_size is {limit}"
        )
    return data


# -- what we say -----------------------------------------------------------------------------------------------------


def told_rooms(rooms: Iterable[Any]) -> list[str | int]:
    """Rooms as others understand them, each once.

    Raises:
        TypeError: for one that is neither a text nor a whole number.
        ValueError: for a number above 64 bits.
    """
    found: dict[str | int, None] = {}
    for room in rooms:
        if isinstance(room, str):
            found[str.__str__(room)] = None  # not the name of a member of an Enum
        elif not isinstance(room, int) or isinstance(room, bool):
            raise TypeError(f"in a cluster a room must be a string, or a whole number, not {type(room).__name__}")
        elif not -(2**63) <= room < 2**64:
            raise ValueError("in a cluster a room that is a number must fit into 64 bits")
        else:
            found[int(room)] = None
    return list(found)


def told_flags(broadcast: Broadcast) -> dict[str, Any]:
    """How an event shall be emitted; only what is not as usual."""
    flags: dict[str, Any] = {}
    if broadcast.volatile:
        flags["volatile"] = True
    if not broadcast.compress:
        flags["compress"] = False
    if broadcast.timeout is not None:
        flags["timeout"] = max(1, round(broadcast.timeout * 1000))
    return flags


def told_options(rooms: Iterable[Any], excepted: Iterable[Any]) -> dict[str, Any]:
    """Which sockets are meant.

    Raises:
        TypeError, ValueError: as :func:`told_rooms`.
    """
    return {"rooms": told_rooms(rooms), "except": told_rooms(excepted)}


def told_sockets(json: JsonCodec, sockets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sockets as others understand them: rooms with a name of another type by its text, data without a form as none."""
    return [_told_socket(json, socket) for socket in sockets]


def _told_socket(json: JsonCodec, socket: dict[str, Any]) -> dict[str, Any]:
    rooms = [room if _is_room(room) else str(room) for room in socket["rooms"]]
    try:
        json.encode(socket["data"])
    except (TypeError, ValueError):
        return {**socket, "rooms": rooms, "data": {}}
    return {**socket, "rooms": rooms}


def told_counts(counted: Counted) -> dict[str, Any]:
    """What only servers of this package say: numbers in place of sockets. Pairs, since a room may be a number."""
    counts: dict[str, Any] = {"count": counted.total}
    if counted.room_sizes is not None:
        counts["roomSizes"] = [[room, size] for room, size in counted.room_sizes.items() if _is_room(room)]
    return counts


# -- what others say -------------------------------------------------------------------------------------------------


def heard_rooms(value: Any) -> Rooms:
    """A list of rooms.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(value, list) or not all(map(_is_room, value)):
        raise PacketError("rooms that are no list of strings and numbers")
    return tuple(value)


def heard_options(message: Mapping[str, Any]) -> tuple[Rooms, Rooms]:
    """The rooms that are meant, and those that are not. The first must be there: without any, everybody is meant.

    Raises:
        PacketError: they are not.
    """
    options = heard_map(message.get("opts"))
    return heard_rooms(options.get("rooms")), heard_rooms(options.get("except", []))


def heard_broadcast(packet: Any, options: Any, request_id: str | None = None) -> Broadcast:
    """An event to emit, from its packet and its options.

    Raises:
        PacketError: for something else.
    """
    packet, options = heard_map(packet), heard_map(options)
    if packet.get("type") not in (EVENT, BINARY_EVENT):
        raise PacketError("a packet that is no event")
    flags = options.get("flags")
    flags = {} if flags in (None, []) else heard_map(flags)  # PHP has an empty list for an empty map
    return Broadcast(
        heard_event(packet.get("data")),
        heard_rooms(options.get("rooms")),
        heard_rooms(options.get("except", [])),
        bool(flags.get("volatile")),
        flags.get("compress") is not False,
        request_id,
        heard_seconds(flags.get("timeout")),
    )


def heard_event(data: Any) -> Sequence[Any]:
    """An event's name and its arguments.

    Raises:
        PacketError: for something else.
    """
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise PacketError("no event: it needs a name")
    return data


def heard_seconds(milliseconds: Any) -> float | None:
    """Seconds; ``None`` where no sensible number is given."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 < milliseconds < 2**53 else None


def is_socket_id(room: Any) -> bool:
    """Whether a room looks like a socket's own: then there is one in it, if any."""
    return isinstance(room, str) and _SOCKET_ID.fullmatch(room) is not None


def is_uid(value: Any) -> TypeGuard[str]:
    """Whether this may be the id of a server: it is in the name of a channel."""
    return isinstance(value, str) and 0 < len(value) <= MAX_ID and value.isascii() and value.isprintable()


def heard_id(value: Any) -> str:
    """The id of a request.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        raise PacketError("an id that is none")
    return value


def heard_number(value: Any) -> int:
    """How many.

    Raises:
        PacketError: that is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PacketError("a count that is none")
    return value


def heard_map(value: Any) -> dict[str, Any]:
    """A map.

    Raises:
        PacketError: it is none.
    """
    if not isinstance(value, dict):
        raise PacketError("something that is no map")
    return value


def heard_sockets(value: Any) -> list[dict[str, Any]]:
    """The sockets of another server; what is none is left out.

    Raises:
        PacketError: for something that is no list.
    """
    if not isinstance(value, list):
        raise PacketError("sockets that are no list")
    return [_heard_socket(socket) for socket in value if isinstance(socket, dict) and isinstance(socket.get("id"), str)]


def _heard_socket(socket: dict[str, Any]) -> dict[str, Any]:
    handshake, rooms = socket.get("handshake"), socket.get("rooms")
    return {
        "id": socket["id"],
        "handshake": handshake if isinstance(handshake, dict) else {},
        "rooms": [room for room in rooms if _is_room(room)] if isinstance(rooms, list) else [socket["id"]],
        "data": socket.get("data"),
    }


def heard_counts(request_id: str, message: Mapping[str, Any], with_rooms: bool) -> Counted:
    """How many sockets there are: the numbers of a server of this package, or those of the sockets it sent.

    Raises:
        PacketError: it is neither.
    """
    if "count" not in message:
        return _count(request_id, message.get("sockets"), with_rooms)
    total, pairs = heard_number(message["count"]), message.get("roomSizes")
    if pairs is None:
        return Counted(request_id, total)
    if not isinstance(pairs, list):
        raise PacketError("sizes of rooms that are no list")
    sizes: dict[Any, int] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not _is_room(pair[0]):
            raise PacketError("the size of something that is no room")
        sizes[pair[0]] = heard_number(pair[1])
    return Counted(request_id, total, sizes)


def _count(request_id: str, found: Any, with_rooms: bool) -> Counted:
    if not with_rooms and isinstance(found, list):
        return Counted(request_id, len(found))  # perhaps their ids only
    sockets, sizes = heard_sockets(found), dict[Any, int]()
    for socket in sockets:
        for room in socket["rooms"]:
            if room != socket["id"]:
                sizes[room] = sizes.get(room, 0) + 1
    return Counted(request_id, len(sockets), sizes)


def _is_room(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
