"""The queue messages of python-socketio and Flask-SocketIO: operations <-> JSON. Pure.

Owns both directions: what is written has the form of python-socketio 5.15.1 and later, what is read may have that of
any release that wrote JSON (facts: ``wire`` 3). Pickled messages are told apart and refused, never unpickled.

Where their wire has no word for an operation, our servers tell each other by messages of a method that python-socketio
does not know and passes over. To the messages that it knows, keys are added which it does not read: ``volatile``,
``compress``, ``arguments``, ``timeout``, ``counts`` and ``close``. Must not know a connection, a clock, or who serves.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from ....errors import PacketError
from ... import packet
from ...json_codec import JsonCodec
from .. import shapes
from ..operations import (
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
    Request,
    ServerAnswer,
    ServerEvent,
)

#: The channel of Flask-SocketIO; that of python-socketio alone is ``socketio``.
CHANNEL = "flask-socketio"
#: The method of the messages between our own servers.
OURS = "flask_socketio_py"
#: Seconds for which the acknowledgements of clients are passed on to python-socketio, which names no time.
STRANGERS_PATIENCE = 3600.0
#: More seconds than anybody waits, and fewer than a timer could not count.
MAX_PATIENCE = 2**43
_PLAIN = JsonCodec()


class PickledError(PacketError):
    """The message is a pickle of python-socketio before 5.14."""


class Asker(NamedTuple):
    """Who wants to be answered: a server, and what it wants to hear again with the answer."""

    host_id: str
    ours: bool
    room: Any = None
    namespace: Any = None
    id: Any = None


class Heard(NamedTuple):
    """A message that concerns us. Without an operation it is a ``roll_call`` (say that you are there), or the answer to
    one.
    """

    namespace: str
    operation: Operation | None
    reply_to: Asker | None = None
    #: Whether one of our own servers wrote it, as far as can be seen.
    ours: bool = False
    roll_call: bool = False


class QueueCodec:
    """The messages of one server, whose id is ``host_id``.

    ``default`` turns a value without a form into one that has, or raises TypeError.
    """

    def __init__(self, host_id: str, default: Callable[[Any], Any] | None = None) -> None:
        self.host_id = host_id
        self._codec = JsonCodec(default)

    # -- writing -----------------------------------------------------------------------------------------------------

    def encode_request(self, namespace: str, operation: Request) -> list[bytes]:
        """The messages that tell the other servers.

        Raises:
            TypeError, ValueError: for what has no form in JSON, or a room that is neither a string nor a number.
        """
        if isinstance(operation, Broadcast):
            return [self._emit(namespace, operation)]
        if isinstance(operation, Fetch | Count):
            kind = "fetch"
            if isinstance(operation, Count):
                kind = "count_rooms" if operation.with_rooms else "count"
            return [self._to_ours(kind, namespace, operation.rooms, operation.excepted, id=operation.request_id)]
        if isinstance(operation, ServerEvent):
            fields = self._packed("data", list(operation.data))
            return [self._to_ours("server_event", namespace, id=operation.request_id, packed=fields)]
        return self._of_sockets(namespace, operation)

    def _emit(self, namespace: str, operation: Broadcast) -> bytes:
        event, *args = operation.data
        room = _written(operation.rooms)
        fields: dict[str, bytes] = {"method": b'"emit"', "event": _text(event)}
        fields.update(self._packed("data", args or [None]))
        fields["namespace"] = _text(namespace)
        fields["room"] = _text(room)
        fields["skip_sid"] = _text(_written(operation.excepted))
        callback = None if operation.request_id is None else [room, namespace, operation.request_id]
        fields["callback"] = _text(callback)
        fields["host_id"] = _text(self.host_id)
        if operation.volatile:
            fields["volatile"] = b"true"
        if not operation.compress:
            fields["compress"] = b"false"
        if args and fields["data"] == b"[null]":
            fields["arguments"] = b"1"  # python-socketio takes one null for no argument
        if callback is not None:
            fields["counts"] = b"true"
            fields["timeout"] = _text(operation.timeout)
        return _object(fields)

    def _of_sockets(self, namespace: str, operation: Join | Leave | Disconnect) -> list[bytes]:
        """In python-socketio's words if it has them for this: it takes what stands for a room here for the id of a
        client, and passes over what is none.
        """
        rooms, excepted = shapes.told_rooms(operation.rooms), operation.excepted
        simple = bool(rooms) and not excepted
        if isinstance(operation, Disconnect):
            close = operation.close
            if simple:
                return [self._message("disconnect", namespace, sid=room, close=close) for room in rooms]
            return [self._to_ours("disconnect", namespace, rooms, excepted, close=close)]
        moved = shapes.told_rooms(operation.moved)
        if isinstance(operation, Leave) and simple and len(rooms) == 1 and moved == rooms:
            return [self._message("close_room", namespace, room=rooms[0])]
        if simple:
            method = "enter_room" if isinstance(operation, Join) else "leave_room"
            return [self._message(method, namespace, sid=sid, room=room) for sid in rooms for room in moved]
        kind = "join" if isinstance(operation, Join) else "leave"
        return [self._to_ours(kind, namespace, rooms, excepted, moved=moved)]

    def encode_reply(self, namespace: str, asker: Asker, operation: Reply) -> bytes | None:
        """The message that answers; ``None`` if who asks would not understand it.

        Raises:
            TypeError, ValueError: for what has no form in JSON, or that python-socketio can't be told.
        """
        if isinstance(operation, Ack):
            return self._callback(asker, operation)
        if not asker.ours:
            return None
        to, request_id = asker.host_id, operation.request_id
        if isinstance(operation, AckCount):
            return self._to_ours("ack_count", namespace, to=to, id=request_id, count=operation.total)
        if isinstance(operation, Fetched):
            fields = self._packed("data", shapes.told_sockets(self._codec, operation.sockets))
            return self._to_ours("fetched", namespace, to=to, id=request_id, packed=fields)
        if isinstance(operation, Counted):
            return self._to_ours("counted", namespace, to=to, id=request_id, **shapes.told_counts(operation))
        if isinstance(operation, ServerAnswer):
            fields = self._packed("data", [operation.value])
            return self._to_ours("server_answer", namespace, to=to, id=request_id, packed=fields)
        return None

    def _callback(self, asker: Asker, operation: Ack) -> bytes:
        args = [operation.value] if operation.args is None else list(operation.args)
        packed = self._packed("args", args)
        if not asker.ours and packed.pop("binary") == b"true":
            raise TypeError("a Flask-SocketIO server, which can't be sent binary data, asked for it")
        fields = {
            "method": b'"callback"',
            "host_id": _text(asker.host_id),
            "sid": _text(asker.room),
            "namespace": _text(asker.namespace),
            "id": _text(asker.id),
        }
        return _object({**fields, **packed})

    def roll_call(self) -> bytes:
        """Our servers shall say that they are there."""
        return self._to_ours("roll_call", "/")

    def here(self, asker: Asker) -> bytes:
        """The answer to a roll call."""
        return self._to_ours("here", "/", to=asker.host_id)

    def _message(self, method: str, namespace: str, **fields: Any) -> bytes:
        return _text({"method": method, **fields, "namespace": namespace, "host_id": self.host_id})

    def _to_ours(
        self,
        kind: str,
        namespace: str,
        rooms: Sequence[Any] = (),
        excepted: Sequence[Any] = (),
        packed: dict[str, bytes] | None = None,
        **fields: Any,
    ) -> bytes:
        options = shapes.told_options(rooms, excepted)
        values = {"method": OURS, "kind": kind, "namespace": namespace, "host_id": self.host_id, **options, **fields}
        return _object({**{name: _text(value) for name, value in values.items()}, **(packed or {})})

    def _packed(self, name: str, value: Any) -> dict[str, bytes]:
        """A list of users' data, and whether it holds binary: then it is itself with placeholders, and the binary."""
        text, attachments = self._codec.encode(value)
        if attachments:
            parts = [text, *(b'"%b"' % base64.b64encode(attachment) for attachment in attachments)]
            text = b"[%b]" % b", ".join(parts)
        return {name: text, "binary": b"true" if attachments else b"false"}

    # -- reading -----------------------------------------------------------------------------------------------------

    def decode(self, data: bytes) -> Heard | None:
        """What a message says; ``None``: it is our own, or meant for somebody else, or nothing that is known.

        Raises:
            PickledError: it is a pickle.
            PacketError: it is malformed.
        """
        if data[:1] == b"\x80":
            raise PickledError("it is pickled: upgrade its emitter to python-socketio 5.14 or newer")
        message = _loaded(data)
        if not isinstance(message, dict):
            raise PacketError("not an object")
        method, sender = message.get("method"), message.get("host_id")
        if sender is not None and not isinstance(sender, str):
            raise PacketError("host_id is no string")
        if method == "callback":
            return self._read_callback(message) if sender == self.host_id else None
        if sender == self.host_id:
            return None
        if method == "emit":
            return _read_emit(message, sender)
        if method == OURS:
            return self._read_ours(message, sender)
        if method in ("disconnect", "enter_room", "leave_room", "close_room"):
            return _read_of_client(method, message)
        return None

    def _read_callback(self, message: dict[str, Any]) -> Heard | None:
        request_id, args = message.get("id"), message.get("args")
        if not isinstance(request_id, str):
            return None
        args = _unpacked(message, args)
        if not isinstance(args, list):
            raise PacketError("args is no list")
        return Heard("/", Ack(request_id, args[0] if args else None, args), ours="binary" in message)

    def _read_ours(self, message: dict[str, Any], sender: str | None) -> Heard | None:
        if sender is None:
            raise PacketError("host_id is missing")
        to, kind = message.get("to"), message.get("kind")
        if to is not None and to != self.host_id:
            return None
        request_id, namespace = message.get("id"), message.get("namespace")
        if not isinstance(namespace, str) or (request_id is not None and not shapes.heard_id(request_id)):
            raise PacketError("namespace is no string")
        asker = Asker(sender, True)
        if kind in ("roll_call", "here"):
            return Heard(namespace, None, asker, True, kind == "roll_call")
        operation = _operation(kind, message, request_id)
        return None if operation is None else Heard(namespace, operation, asker, True)


def _read_emit(message: dict[str, Any], sender: str | None) -> Heard | None:
    event, namespace = message.get("event"), message.get("namespace")
    if namespace is None or message.get("room") == []:
        return None  # as python-socketio has it: nobody is meant
    if not isinstance(event, str) or not isinstance(namespace, str):
        raise PacketError("event or namespace is no string")
    if "data" not in message:
        raise PacketError("data is missing")
    data = _unpacked(message, message["data"])
    args = data if isinstance(data, list) else [data]
    if args == [None] and message.get("arguments") != 1:
        args = []
    rooms, excepted = _read(message.get("room")), _read(message.get("skip_sid"))
    volatile, compress = message.get("volatile") is True, message.get("compress") is not False
    callback = message.get("callback")
    if not isinstance(callback, list) or len(callback) != 3 or sender is None:
        return Heard(namespace, Broadcast([event, *args], rooms, excepted, volatile, compress))
    ours = message.get("counts") is True
    timeout = message.get("timeout") if ours else STRANGERS_PATIENCE
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < MAX_PATIENCE
    ):
        raise PacketError("timeout is no number above 0")
    request_id = callback[2] if isinstance(callback[2], str) else "callback"
    operation = Broadcast([event, *args], rooms, excepted, volatile, compress, request_id, timeout)
    return Heard(namespace, operation, Asker(sender, ours, *callback), ours)


def _read_of_client(method: str, message: dict[str, Any]) -> Heard:
    namespace = message.get("namespace", "/")
    if not isinstance(namespace, str):
        raise PacketError("namespace is no string")
    if method == "close_room":
        room = _some(message.get("room"))
        return Heard(namespace, Leave((room,), (), (room,)))
    sid = _some(message.get("sid"))
    if method == "disconnect":
        return Heard(namespace, Disconnect((sid,), (), message.get("close") is True))
    room = _some(message.get("room"))
    make = Join if method == "enter_room" else Leave
    return Heard(namespace, make((sid,), (), (room,)))


def _operation(kind: Any, message: dict[str, Any], request_id: str | None) -> Operation | None:
    rooms, excepted = shapes.heard_rooms(message.get("rooms")), shapes.heard_rooms(message.get("except"))
    if kind in ("join", "leave"):
        make = Join if kind == "join" else Leave
        return make(rooms, excepted, shapes.heard_rooms(message.get("moved")))
    if kind == "disconnect":
        return Disconnect(rooms, excepted, message.get("close") is True)
    if kind == "server_event":
        return ServerEvent(shapes.heard_event(_unpacked(message, message.get("data"))), request_id)
    return None if request_id is None else _question_or_reply(kind, message, request_id, rooms, excepted)


def _question_or_reply(
    kind: Any, message: dict[str, Any], request_id: str, rooms: tuple[Any, ...], excepted: tuple[Any, ...]
) -> Operation | None:
    if kind == "fetch":
        return Fetch(request_id, rooms, excepted)
    if kind in ("count", "count_rooms"):
        return Count(request_id, rooms, excepted, kind == "count_rooms")
    if kind == "ack_count":
        return AckCount(request_id, shapes.heard_number(message.get("count")))
    if kind == "counted":
        return shapes.heard_counts(request_id, message, True)
    if kind not in ("fetched", "server_answer"):
        return None
    data = _unpacked(message, message.get("data"))
    if kind == "fetched":
        return Fetched(request_id, shapes.heard_sockets(data))
    if not isinstance(data, list):
        raise PacketError("data is no list")
    return ServerAnswer(request_id, data[0] if data else None)


def _object(fields: dict[str, bytes]) -> bytes:
    return b"{%b}" % b", ".join(b'"%b": %b' % (name.encode(), value) for name, value in fields.items())


def _text(value: Any) -> bytes:
    return _PLAIN.encode(value)[0]


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        pass  # python-socketio's encoder writes NaN, and lone surrogates
    try:
        return json.loads(data, parse_constant=lambda constant: None)
    except (ValueError, RecursionError):
        raise PacketError("not JSON") from None


def _unpacked(message: dict[str, Any], data: Any) -> Any:
    if not message.get("binary"):
        return data
    if not isinstance(data, list) or not data or not all(isinstance(item, str) for item in data[1:]):
        raise PacketError("binary data that is no list with base64")
    try:
        attachments = [binascii.a2b_base64(item) for item in data[1:]]
    except ValueError:
        raise PacketError("not base64") from None
    return packet.fill_placeholders(data[0], attachments)


def _written(rooms: Sequence[Any]) -> Any:
    """Rooms as python-socketio has them: none, one, or a list.

    Raises:
        TypeError, ValueError: as :func:`.shapes.told_rooms`.
    """
    told = shapes.told_rooms(rooms)
    return None if not told else told[0] if len(told) == 1 else told


def _read(rooms: Any) -> tuple[Any, ...]:
    if rooms is None:
        return ()
    return shapes.heard_rooms(rooms if isinstance(rooms, list) else [rooms])


def _some(room: Any) -> Any:
    return shapes.heard_rooms([room])[0]
