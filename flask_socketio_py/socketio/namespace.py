"""Namespace: the sockets of one name, their adapter, the counter of acknowledgement ids, and the way of an emit.

A :class:`ParentNamespace` stands for all namespaces that one pattern or function has let come into being. Knows no
transport.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from ..engineio.message import PreparedMessage
from ..errors import PacketError
from . import packet
from .acks import Settle, call_later
from .adapters.local import LocalAdapter, Room
from .adapters.operations import Broadcast
from .adapters.recovery import Recovery
from .adapters.recovery_store import RecoveryStore
from .broadcast import Flags
from .cluster_adapter import ClusterAdapter
from .json_codec import JsonCodec, is_plain
from .parser import DefaultParser, Parser, decode_message

if TYPE_CHECKING:
    from .server import Server
    from .socket import Socket

Expect = Callable[["Socket", int], None]
#: What no encoder turns into a text; of a date, an enum, an object of the application's it may make one.
_NEVER_TEXT = frozenset((bool, int, float, dict, list, tuple, bytes, bytearray, memoryview, type(None)))


class Namespace:
    """One namespace of a server.

    ``template`` is the name under which its handlers are registered: its own, or that of what made it.
    """

    __slots__ = ("_direct", "ack_ids", "adapter", "log", "name", "prefix", "server", "shared", "template", "watched")

    def __init__(self, server: Server, name: str, template: str) -> None:
        self.server = server
        self.name = name
        self.template = template
        self.prefix = server.parser.prefix(name)
        recovery: RecoveryStore | None = None
        #: Its latest broadcasts, for those who come back; ``None`` where nobody may, or a cluster's log has them.
        self.log: Recovery | None = None
        if server.recovery is not None:
            recovery = None if server.cluster is None else server.cluster.recovery(self, server.recovery)
            if recovery is None:
                recovery = self.log = Recovery(server.recovery)
        self.adapter = LocalAdapter(recovery)
        #: The same namespace on all servers of a cluster; ``None`` without one.
        self.shared: ClusterAdapter | None = None if server.cluster is None else ClusterAdapter(server.cluster, self)
        # Whether other servers may be told plain data as they are given.
        codec = server.parser.codec if type(server.parser) is DefaultParser else None
        self._direct = server.cluster is not None and server.cluster.log is None and type(codec) is JsonCodec
        #: One counter for emits and broadcasts, so that one encoded packet can ask many sockets.
        self.ack_ids = itertools.count(1)
        #: How many sockets want to see what is emitted to them.
        self.watched = 0

    @property
    def sockets(self) -> dict[str, Socket]:
        """The sockets by id, those whose connect handler still runs included."""
        return self.adapter.sockets

    @property
    def idle(self) -> bool:
        """Whether nobody is here, and nobody may come back."""
        return not self.adapter.sockets and (self.adapter.recovery is None or self.adapter.recovery.empty)

    # -- emitting ----------------------------------------------------------------------------------------------------

    def fixed(self, event: Any, args: Sequence[Any], rooms: Collection[Room] = ()) -> Sequence[Any]:
        """The arguments of an event that will be sent later: nothing that the caller does to them then shows.

        Raises:
            TypeError, ValueError: it can't be sent.
        """
        hash(tuple(rooms))
        return _fixed(self.server.parser, self.prefix, event, args)

    def encode(self, event: Any, args: Sequence[Any]) -> PreparedMessage:
        """The packet of an event.

        Raises:
            TypeError, ValueError: it can't be sent.
        """
        return _encode(self.server.parser, self.prefix, event, args, None)

    def emit(
        self,
        event: str,
        args: Sequence[Any],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        flags: Flags,
        expect: Expect | None = None,
    ) -> None:
        """Encode an event once and send it to the sockets in the rooms; ``expect(socket, ack id)`` is called for each
        before.

        Raises:
            TypeError: for an event name that is no string, or data without a form on the wire.
            ValueError: for a reserved name, or too many attachments.
        """
        ack_id = None
        if expect is not None:
            ack_id = next(self.ack_ids)
        elif self.shared is not None and not flags.local:
            # Everybody shall be sent the same, whatever stands for a date on the way; and what can't be is told nobody.
            told = args
            if self._direct and is_plain(args):
                packet.check_event(event)
            else:
                told = self.fixed(event, args)
            if self.shared.broadcast(event, told, rooms, excepted, flags):
                return  # it will be received like those of the others
        self._emit_here(event, args, rooms, excepted, flags, ack_id, expect)

    def _emit_here(
        self,
        event: str,
        args: Sequence[Any],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        flags: Flags,
        ack_id: int | None = None,
        expect: Expect | None = None,
    ) -> None:
        server = self.server
        if ack_id is None and self.adapter.recovery is not None:
            if not server.in_home_thread():  # the log and the clients shall see one order
                args = self.fixed(event, args, rooms + excepted)
                server.in_home_thread_do(self._emit_here, event, args, rooms, excepted, flags)
                return
            if server.hub_known:  # else nobody can have missed anything
                self._emit_recoverable(event, args, rooms, excepted, flags)
                return
        message = _encode(server.parser, self.prefix, event, args, ack_id)
        targets = self.adapter.targets(rooms, excepted)
        if ack_id is not None and expect is not None:
            for socket in targets:
                expect(socket, ack_id)
        self._deliver(targets, message, event, args, flags)

    def _emit_recoverable(
        self, event: str, args: Sequence[Any], rooms: tuple[Room, ...], excepted: tuple[Room, ...], flags: Flags
    ) -> None:
        parser = self.server.parser
        if flags.volatile or self.log is None:
            if not args or type(args[-1]) not in _NEVER_TEXT:
                # A client that can be recovered takes a text at the end of a packet (which may be the event's name) for
                # its offset.
                args = [*args, None]
            message = _encode(parser, self.prefix, event, args, None)
        else:
            hash((rooms, excepted))  # a room that can't be a key is an error now, and nothing is in the log yet
            first: PreparedMessage | None = None

            def encode(offset: str) -> PreparedMessage:
                nonlocal first
                if first is None:
                    first = _encode(parser, self.prefix, event, [*args, offset], None)
                    return first
                # The application's encoder has let others emit. It isn't asked again: it might do so for ever.
                return _encode(parser, self.prefix, event, [*_decoded(parser, first, args), offset], None)

            message = self.log.record(encode, rooms, excepted, time.monotonic())
            self.server.watch_recovery(self)
        self._deliver(self.adapter.targets(rooms, excepted), message, event, args, flags)

    def _deliver(
        self, targets: list[Socket], message: PreparedMessage, event: str, args: Sequence[Any], flags: Flags
    ) -> None:
        if not flags.compress:
            message.compress = False
        self.server.deliver(targets, message, self, flags.volatile)
        if self.watched:  # afterwards: a function that emits, or waits, changes no order
            for socket in targets:
                if socket.extras is not None:
                    socket.extras.outgoing(event, args)

    # -- in a cluster ------------------------------------------------------------------------------------------------

    @property
    def adapters(self) -> list[LocalAdapter | ClusterAdapter]:
        """What answers for all its sockets."""
        return [self.adapter if self.shared is None else self.shared]

    @property
    def clusters(self) -> list[ClusterAdapter]:
        """What other servers are asked through."""
        return [] if self.shared is None else [self.shared]

    def receive(self, broadcast: Broadcast, offset: str | None = None) -> None:
        """Another server emits (or, with an ``offset``, a log brings what any server has emitted).

        Raises:
            TypeError, ValueError: for what can't be sent.
        """
        event, *args = broadcast.data
        rooms, excepted, recovery = broadcast.rooms, broadcast.excepted, self.adapter.recovery
        flags = Flags(volatile=broadcast.volatile, compress=broadcast.compress)
        if offset is None or recovery is None or flags.volatile:
            # Most of what is said in a large cluster concerns others.
            if not rooms or self.log is not None or self.adapter.targets(rooms, excepted):
                self._emit_here(event, args, rooms, excepted, flags)
            return
        targets = self.adapter.targets(rooms, (*excepted, *recovery.beyond(offset)))
        if targets:
            message = self.encode(event, [*args, offset])
            self._deliver(targets, message, event, args, flags)

    def catch_up(self, socket: Socket) -> None:
        """Send a socket that will be disconnected what was emitted to it and is still on its way through a log."""
        dialect = None if self.shared is None else self.shared.cluster.log
        for broadcast in [] if dialect is None else dialect.waiting(self.name):
            if socket in self.adapter.targets(broadcast.rooms, broadcast.excepted):
                event, *args = broadcast.data
                socket.deliver(self.encode(event, args))

    def receive_with_ack(self, broadcast: Broadcast, on_ack: Settle, timeout: float) -> int:
        """Another server asks; ``on_ack`` is called for each answer within ``timeout`` seconds. Returns how many are
        asked.

        Raises:
            TypeError, ValueError: for what can't be sent.
        """
        event, *args = broadcast.data
        asked: list[tuple[Socket, int]] = []
        missing, cancel = 0, _nothing

        def expect(socket: Socket, ack_id: int) -> None:
            nonlocal missing
            if not socket.connected:
                return  # not let in yet: perhaps it never will be, and the others would wait for it
            missing += 1
            asked.append((socket, ack_id))
            socket.expect(ack_id, settle)

        def settle(answer: list[Any] | None) -> None:
            nonlocal missing
            missing -= 1
            if not missing:
                cancel()
            on_ack(answer)

        flags = Flags(volatile=broadcast.volatile, compress=broadcast.compress)
        self._emit_here(event, args, broadcast.rooms, broadcast.excepted, flags, next(self.ack_ids), expect)

        def forget() -> None:
            for socket, ack_id in asked:
                socket.forget_ack(ack_id)

        if missing:
            cancel = call_later(timeout, forget)
        return len(asked)


def _nothing() -> None:
    """Nothing is there to be prevented."""


class ParentNamespace:
    """All namespaces that came into being by one pattern or function. It has no sockets of its own."""

    __slots__ = ("server", "template")

    def __init__(self, server: Server, template: str) -> None:
        self.server = server
        self.template = template

    @property
    def children(self) -> list[Namespace]:
        """The namespaces that there are now."""
        return [child for child in list(self.server.namespaces.values()) if child.template == self.template]

    def fixed(self, event: Any, args: Sequence[Any], rooms: Collection[Room] = ()) -> Sequence[Any]:
        """See :meth:`Namespace.fixed`."""
        hash(tuple(rooms))
        return _fixed(self.server.parser, self.server.parser.prefix("/"), event, args)

    def emit(
        self,
        event: str,
        args: Sequence[Any],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        flags: Flags,
        expect: Expect | None = None,
    ) -> None:
        """See :meth:`Namespace.emit`; in every child."""
        children = self.children
        if not children:
            self.fixed(event, args, rooms + excepted)
        for child in children:
            child.emit(event, args, rooms, excepted, flags, expect)

    @property
    def adapters(self) -> list[LocalAdapter | ClusterAdapter]:
        """Those of the children."""
        return [adapter for child in self.children for adapter in child.adapters]

    @property
    def clusters(self) -> list[ClusterAdapter]:
        """Those of the children."""
        return [cluster for child in self.children for cluster in child.clusters]


def _encode(parser: Parser, prefix: bytes, event: Any, args: Sequence[Any], ack_id: int | None) -> PreparedMessage:
    packet.check_event(event)
    return parser.encode_event(prefix, [event, *args], ack_id)


def _fixed(parser: Parser, prefix: bytes, event: Any, args: Sequence[Any]) -> Sequence[Any]:
    message = _encode(parser, prefix, event, [*args, None], None)
    return _decoded(parser, message, args)


def _decoded(parser: Parser, message: PreparedMessage, args: Sequence[Any]) -> Sequence[Any]:
    """The arguments of an encoded event, but for the last one, as plain data; ``args`` if it can't be read back."""
    try:
        data = decode_message(parser, message)[3]
    except PacketError:
        return args
    return list(data[1:-1])
