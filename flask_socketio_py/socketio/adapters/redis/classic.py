"""ClassicDialect: the channels of ``@socket.io/redis-adapter``'s classic adapter, for one cluster with Node.

Owns which channel is for what (facts: ``wire`` 2.4). The messages are :mod:`..classic_codec`'s affair, the connections
:mod:`.bus`'s. Unlike Node, a server does at once to its own sockets what it tells others to do, and ignores its own
messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ....errors import PacketError
from .. import shapes
from ..classic_codec import Asker, ClassicCodec
from ..cluster import Receive
from ..cluster_status import ClusterStatus
from ..operations import Broadcast, Reply, Request
from .bus import CHANNEL, MAX_SIZE, Bus, told_channel
from .urls import RedisURL

#: What means more than itself in the pattern of a subscription.
_GLOB = re.compile(r"[*?\[\]\\]")


class ClassicDialect:
    """Implements ``Dialect`` over PUBLISH.

    ``channel`` is what the names of channels begin with (Node: ``key``), ``max_size`` how many bytes a message may
    have, and ``default`` turns a value without a form into one that has.

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
        self.bus = Bus(url, self._hear, max_size=max_size)
        self._codec = ClassicCodec(default)
        self._receive: Receive | None = None
        #: Implements ``RoomReader``.
        self.concerns: Callable[[str, str], bool] = lambda namespace, room: True
        self._prefix = f"{self.channel}#".encode()
        self._own = b""
        self._namespaces: set[str] = set()
        self._patterns: set[str] = set()
        # Whether a namespace has a "#" in its name.
        self._marked = False
        # Channel -> namespace.
        self._requests: dict[bytes, str] = {}
        self._responses: dict[bytes, str] = {}

    @property
    def status(self) -> ClusterStatus:
        return self.bus.status

    def watch(self, changed: Callable[[], Any]) -> None:
        self.bus.on_status = changed

    # -- the seam ----------------------------------------------------------------------------------------------------

    def start(self, receive: Receive) -> None:
        self._receive = receive
        self._own = self._codec.broadcast_head(self.bus.uid)
        for known in (self._namespaces, self._patterns, self._requests, self._responses):
            known.clear()
        self.bus.start()

    def add_namespace(self, name: str) -> None:
        channels = self._channels(name)
        if name in self._namespaces or None in channels:
            return  # a name without a form in UTF-8 is nobody else's
        self._namespaces.add(name)
        request, *responses = (channel for channel in channels if channel is not None)
        self._requests[request] = name
        self._responses.update(dict.fromkeys(responses, name))
        self._subscribe_patterns()
        self.bus.subscriber.subscribe(request, *responses)

    def remove_namespace(self, name: str) -> None:
        if name in self._namespaces and not self.bus.closed:
            self._namespaces.discard(name)
            channels = [channel for channel in self._channels(name) if channel is not None]
            for channel in channels:
                self._requests.pop(channel, None)
                self._responses.pop(channel, None)
            self._subscribe_patterns()
            self.bus.subscriber.unsubscribe(*channels)

    def publish(self, namespace: str, operation: Request) -> None:
        uid = self.bus.uid
        if isinstance(operation, Broadcast) and operation.request_id is None:
            data = self._codec.encode_broadcast(uid, namespace, operation)
            rooms = shapes.told_rooms(operation.rooms)
            channel = told_channel(self.channel, namespace, *rooms) if len(rooms) == 1 else None
            self.bus.send(channel or f"{self.channel}#{namespace}#", data)
        else:
            data = self._codec.encode_request(uid, namespace, operation)
            self.bus.send(f"{self.channel}-request#{namespace}#", data)

    def reply(self, namespace: str, reply_to: Asker, operation: Reply) -> None:
        data = self._codec.encode_response(reply_to.form, operation)
        if data is not None:
            # On the channel of the one who asks, else all would hear it. There is one since version 6.1.
            own = "" if reply_to.uid is None else f"{reply_to.uid}#"
            self.bus.send(f"{self.channel}-response#{namespace}#{own}", data)

    def others(self, namespace: str) -> int | None:
        return self.bus.others(f"{self.channel}-request#{namespace}#", namespace in self._namespaces)

    def close(self) -> None:
        self.bus.close()

    # -- channels ----------------------------------------------------------------------------------------------------

    def _channels(self, name: str) -> tuple[bytes | None, ...]:
        """Those of requests, and of responses to all and to us."""
        response = f"{self.channel}-response"
        return (
            told_channel(f"{self.channel}-request", name),
            told_channel(response, name),
            told_channel(response, name, self.bus.uid),
        )

    def _subscribe_patterns(self) -> None:
        """Hear the broadcasts of the namespaces; by one pattern each, or they would be heard twice: the pattern for
        ``/a`` also matches the channels of ``/a#b``.
        """
        names = self._namespaces
        self._marked = any("#" in name for name in names)
        wanted = {name for name in names if "#" not in name or not any(part in names for part in _before_marks(name))}
        before, self._patterns = self._patterns, wanted
        for name in before - wanted:
            self.bus.subscriber.punsubscribe(self._pattern(name))
        for name in wanted - before:
            self.bus.subscriber.psubscribe(self._pattern(name))

    def _pattern(self, name: str) -> str:
        return _GLOB.sub(r"\\\g<0>", f"{self.channel}#{name}#") + "*"

    # -- what others say ---------------------------------------------------------------------------------------------

    def _hear(self, channel: bytes, data: bytes) -> None:
        if self._receive is None:
            return
        if (namespace := self._requests.get(channel)) is not None:
            heard = self._codec.decode_request(data)
            if heard.uid != self.bus.uid:
                for operation in heard.operations:
                    self._receive(namespace, operation, heard.asker, None)
        elif (namespace := self._responses.get(channel)) is not None:
            reply = self._codec.decode_response(data)
            if reply is not None:
                self._receive(namespace, reply, None, None)
        else:
            self._hear_broadcast(channel, data)

    def _hear_broadcast(self, channel: bytes, data: bytes) -> None:
        if data.startswith(self._own) or not self._concerns(channel):
            return
        uid, namespace, broadcast = self._codec.decode_broadcast(data)
        if uid == self.bus.uid or namespace not in self._namespaces or self._receive is None:
            return
        if not channel.startswith(f"{self.channel}#{namespace}#".encode()):
            raise PacketError("a broadcast of another namespace than its channel")
        self._receive(namespace, broadcast, None, None)

    def _concerns(self, channel: bytes) -> bool:
        """Whether a broadcast on this channel may be for somebody here. As in Node, it is not read otherwise."""
        name, mark, room = channel[len(self._prefix) : -1].decode("utf-8", "replace").partition("#")
        # Of a namespace with a mark in its name it can't be said where it ends.
        return not mark or name not in self._namespaces or self._marked or self.concerns(name, room)


def _before_marks(name: str) -> list[str]:
    """What stands before each ``#`` of a name."""
    return [name[: match.start()] for match in re.finditer("#", name)]
