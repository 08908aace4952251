"""ShardedDialect: the channels of ``@socket.io/redis-adapter``'s sharded adapter (Redis 7), for one cluster with Node.

Owns which channel is for what (facts: ``wire`` 2.5): each room has one of its own that only those listen to who have
somebody in there, as in Node's default mode. The messages are :mod:`..cluster_codec`'s affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...msgpack_codec import NOTEPACK_3
from .. import shapes
from ..cluster import Receive
from ..cluster_codec import ClusterCodec
from ..cluster_status import ClusterStatus
from ..operations import Broadcast, Reply, Request
from .bus import CHANNEL, MAX_SIZE, Bus, told_channel
from .urls import RedisURL

#: A room whose name has the length of a socket's id counts as one, and those have no channels of their own.
_ID_LENGTH = 20
#: More bytes than stand at the end of a message from who says it on, but for the name of the namespace.
_END = 40


class ShardedDialect:
    """Implements ``Dialect`` and ``RoomWatcher`` over SPUBLISH.

    ``channel`` is what the names of channels begin with (Node: ``channelPrefix``), ``max_size`` how many bytes a
    message may have, and ``default`` turns a value without a form into one that has.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    logs = False

    def __init__(
        self,
        url: str | RedisURL,
        *,
        channel: str | None = None,
        max_size: int = MAX_SIZE,
        default: Callable[[Any], Any] | None = None,
    ) -> None:
        self.channel = channel or CHANNEL
        self.bus = Bus(url, self._hear, max_size=max_size, sharded=True)
        self._codec = ClusterCodec(NOTEPACK_3, default)
        self._receive: Receive | None = None
        self._namespaces: set[str] = set()
        self._own: tuple[bytes, ...] = ()

    @property
    def status(self) -> ClusterStatus:
        return self.bus.status

    def watch(self, changed: Callable[[], Any]) -> None:
        self.bus.on_status = changed

    # -- the seam ----------------------------------------------------------------------------------------------------

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._own = self._codec.marks(self.bus.uid)
        self._namespaces.clear()
        self.bus.start()

    def add_namespace(self, name: str) -> None:
        channels = told_channel(self.channel, name), told_channel(self.channel, name, self.bus.uid)
        if name not in self._namespaces and None not in channels:
            self._namespaces.add(name)
            self.bus.subscriber.ssubscribe(*filter(None, channels))

    def remove_namespace(self, name: str) -> None:
        if name in self._namespaces and not self.bus.closed:
            self._namespaces.discard(name)
            channels = told_channel(self.channel, name), told_channel(self.channel, name, self.bus.uid)
            self.bus.subscriber.sunsubscribe(*filter(None, channels))

    def room_came(self, namespace: str, room: Any) -> None:
        channel = self._channel_of(namespace, room)
        if channel is not None and not self.bus.closed:
            self.bus.subscriber.ssubscribe(channel)

    def room_went(self, namespace: str, room: Any) -> None:
        channel = self._channel_of(namespace, room)
        if channel is not None and not self.bus.closed:
            self.bus.subscriber.sunsubscribe(channel)

    def publish(self, namespace: str, operation: Request) -> None:
        data = self._codec.encode(self.bus.uid, namespace, operation)
        channel = None
        if isinstance(operation, Broadcast) and operation.request_id is None:
            rooms = shapes.told_rooms(operation.rooms)
            if len(rooms) == 1 and not _looks_like_an_id(rooms[0]):
                channel = self._channel_of(namespace, rooms[0])
        self.bus.send(channel or f"{self.channel}#{namespace}#", data)

    def reply(self, namespace: str, reply_to: str, operation: Reply) -> None:
        data = self._codec.encode(self.bus.uid, namespace, operation)
        self.bus.send(f"{self.channel}#{namespace}#{reply_to}#", data)

    def others(self, namespace: str) -> int | None:
        return self.bus.others(f"{self.channel}#{namespace}#", namespace in self._namespaces)

    def close(self) -> None:
        self.bus.close()

    def _channel_of(self, namespace: str, room: Any) -> bytes | None:
        """The channel of a room; ``None`` for a room that others can't name."""
        try:
            return told_channel(self.channel, namespace, *shapes.told_rooms((room,)))
        except (TypeError, ValueError):
            return None

    # -- what others say ---------------------------------------------------------------------------------------------

    def _hear(self, channel: bytes, data: bytes) -> None:
        # The end of a message says whose it is, and is hardly longer than the channel: namespace and all.
        end = data[-len(channel) - _END :]
        if any(mark in end for mark in self._own):
            return
        uid, namespace, operation = self._codec.decode(data)
        if uid != self.bus.uid and namespace in self._namespaces and self._receive is not None:
            self._receive(namespace, operation, uid, None)


def _looks_like_an_id(room: str | int) -> bool:
    return isinstance(room, str) and len(room.encode("utf-16-le", "surrogatepass")) == 2 * _ID_LENGTH
