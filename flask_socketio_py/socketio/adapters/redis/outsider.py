"""Outsider: tells the servers of a cluster what to do, from a process that is none of them, and hears nothing.

Owns what each dialect's official emitter writes, and where (facts: ``wire`` 2.7 and 3). Blocks until Redis has it. Must
not know who asks for it, nor gevent's hub.
"""

from __future__ import annotations

import base64
import logging
import uuid
from collections.abc import Callable
from typing import Any

from ... import packet
from ...json_codec import JsonCodec
from ...msgpack_codec import MSGPACK_JAVASCRIPT, NOTEPACK_3, MsgpackCodec
from .. import shapes
from ..cluster_codec import ClusterCodec, message_of
from ..operations import Broadcast, Disconnect, Join, Leave, Request, ServerEvent
from .blocking import BlockingClient
from .queue_codec import CHANNEL, QueueCodec
from .urls import RedisURL, parse
from .wire import Command

log = logging.getLogger(__name__)

#: What emitters say in place of a server's id.
UID = "emitter"
PREFIX = "socket.io"
#: Entries that the stream keeps, about; as its official adapter has it.
STREAM_LENGTH = 10_000
MAX_SIZE = 10_000_000
#: What an outsider can say: nothing that has an answer.
Told = Broadcast | Join | Leave | Disconnect | ServerEvent


class Outsider:
    """See the module. ``channel`` is what channels and keys begin with, or the queue's channel.

    ``default`` turns a value without a form on the wire into one that has, or raises TypeError. ``default_parser``:
    whether the clients have that, which can't be sent everything that the wire can carry.

    Raises:
        TypeError, ValueError: for a URL that can't be meant.
    """

    def __init__(
        self,
        url: str | RedisURL,
        *,
        channel: str | None = None,
        default: Callable[[Any], Any] | None = None,
        max_size: int = MAX_SIZE,
        default_parser: bool = True,
    ) -> None:
        self.url = url if isinstance(url, RedisURL) else parse(url)
        self._channel = channel or (CHANNEL if self.url.dialect == "queue" else PREFIX)
        self._max_size = max_size
        self._default_parser = default_parser
        self._client = BlockingClient(self.url)
        self._json = JsonCodec(default)
        self._warned = False
        writers: dict[str | None, Callable[[str, Told], list[Command]]] = {
            None: self._classic,
            "sharded": self._sharded,
            "streams": self._streams,
            "queue": self._queue,
        }
        self._write = writers[self.url.dialect]
        self._notepack = MsgpackCodec(NOTEPACK_3, default)
        self._cluster_codec = ClusterCodec(NOTEPACK_3, default)
        self._stream_codec = MsgpackCodec(MSGPACK_JAVASCRIPT, default)
        self._queue_codec = QueueCodec(uuid.uuid4().hex, default)

    def tell(self, namespace: str, operation: Request) -> None:
        """Tell all servers; returns when Redis has it.

        Raises:
            TypeError, ValueError: for data or rooms without a form on the wire, or too much data.
            ClusterError: Redis can't be reached, or refused.
            RuntimeError: for what would have an answer.
        """
        if not isinstance(operation, Told) or getattr(operation, "request_id", None) is not None:
            raise RuntimeError("only a server can ask the servers of a cluster: an emitter hears no answers")
        if self._default_parser and isinstance(operation, Broadcast):
            # Official servers would send it, and their clients break off.
            packet.encode_event(b"", operation.data, None, self._json)
        commands = self._write(namespace, operation)
        replies = self._client.send(*commands)
        # In a Redis Cluster, and of a room's own channel, the number of listeners says little.
        if replies == [0] and commands[0][0] == "PUBLISH" and self.url.mode != "cluster" and not self._warned:
            self._warned = True
            log.warning(
                "no server listens to %s: none runs, or they have another message_queue or channel", commands[0][1]
            )

    def close(self) -> None:
        """End the connection; a further :meth:`tell` opens a new one."""
        self._client.close()

    # -- the dialects ------------------------------------------------------------------------------------------------

    def _classic(self, namespace: str, operation: Told) -> list[Command]:
        if isinstance(operation, Broadcast):
            channel = f"{self._channel}#{namespace}#"
            if len(operation.rooms) == 1:
                channel += f"{operation.rooms[0]}#"
            options = {
                "rooms": shapes.told_rooms(operation.rooms),
                "flags": shapes.told_flags(operation),
                "except": shapes.told_rooms(operation.excepted),
            }
            told = {"type": shapes.EVENT, "data": list(operation.data), "nsp": namespace}
            return [("PUBLISH", channel, self._sized(self._notepack.encode([UID, told, options])))]
        request = _classic_request(operation)
        body = self._sized(shapes.encode(self._json, self._notepack, request))
        return [("PUBLISH", f"{self._channel}-request#{namespace}#", body)]

    def _sharded(self, namespace: str, operation: Told) -> list[Command]:
        body = self._sized(self._cluster_codec.encode(UID, namespace, operation))
        channel = f"{self._channel}#{namespace}#"
        if isinstance(operation, Broadcast) and len(operation.rooms) == 1:
            [room] = operation.rooms
            if not shapes.is_socket_id(room):  # those have a channel in the adapter's strictest mode only
                channel += f"{room}#"
        return [("SPUBLISH", channel, body)]

    def _streams(self, namespace: str, operation: Told) -> list[Command]:
        kind, data = message_of(operation, self._json)
        if isinstance(operation, ServerEvent):
            message = {"type": kind, "data": data, "uid": UID, "nsp": namespace}
            return [("PUBLISH", f"{self._channel}#{namespace}#", self._sized(self._stream_codec.encode(message)))]
        text, attachments = self._json.encode(data)
        body = self._sized(base64.b64encode(self._stream_codec.encode(data)) if attachments else text)
        entry = ("uid", UID, "nsp", namespace, "type", kind, "data", body)
        return [("XADD", self._channel, "MAXLEN", "~", STREAM_LENGTH, "*", *entry)]

    def _queue(self, namespace: str, operation: Told) -> list[Command]:
        messages = self._queue_codec.encode_request(namespace, operation)
        return [("PUBLISH", self._channel, self._sized(message)) for message in messages]

    def _sized(self, body: bytes) -> bytes:
        return shapes.with_size(body, self._max_size)


def _classic_request(operation: Join | Leave | Disconnect | ServerEvent) -> dict[str, Any]:
    """As ``@socket.io/redis-emitter`` has it: only a server event says who emits it."""
    if isinstance(operation, ServerEvent):
        return {"uid": UID, "type": 6, "data": list(operation.data)}
    options = shapes.told_options(operation.rooms, operation.excepted)
    if isinstance(operation, Disconnect):
        return {"type": 4, "opts": options, "close": operation.close}
    kind = 2 if isinstance(operation, Join) else 3
    return {"type": kind, "opts": options, "rooms": shapes.told_rooms(operation.moved)}
