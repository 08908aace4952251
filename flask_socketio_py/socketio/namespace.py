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
from .adapters.local import LocalAdapter, Room
from .adapters.recovery import Recovery
from .broadcast import Flags
from .parser import Parser, decode_message

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

    __slots__ = ("ack_ids", "adapter", "name", "prefix", "server", "template", "watched")

    def __init__(self, server: Server, name: str, template: str) -> None:
        self.server = server
        self.name = name
        self.template = template
        self.prefix = server.parser.prefix(name)
        recovery = server.recovery
        self.adapter = LocalAdapter(None if recovery is None else Recovery(recovery))
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
        server = self.server
        ack_id = None
        if expect is not None:
            ack_id = next(self.ack_ids)
        elif self.adapter.recovery is not None:
            if not server.in_home_thread():  # the log and the clients shall see one order
                args = self.fixed(event, args, rooms + excepted)
                server.in_home_thread_do(self.emit, event, args, rooms, excepted, flags)
                return
            if server.hub_known:  # else nobody can have missed anything
                self._emit_recoverable(self.adapter.recovery, event, args, rooms, excepted, flags)
                return
        message = _encode(server.parser, self.prefix, event, args, ack_id)
        targets = self.adapter.targets(rooms, excepted)
        if ack_id is not None and expect is not None:
            for socket in targets:
                expect(socket, ack_id)
        self._deliver(targets, message, event, args, flags)

    def _emit_recoverable(
        self,
        recovery: Recovery,
        event: str,
        args: Sequence[Any],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        flags: Flags,
    ) -> None:
        parser = self.server.parser
        if flags.volatile:
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

            message = recovery.record(encode, rooms, excepted, time.monotonic())
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

    @property
    def adapters(self) -> list[LocalAdapter]:
        """Its adapter alone."""
        return [self.adapter]


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
    def adapters(self) -> list[LocalAdapter]:
        """Those of the children."""
        return [child.adapter for child in self.children]


def _encode(parser: Parser, prefix: bytes, event: Any, args: Sequence[Any], ack_id: int | None) -> PreparedMessage:
    if not isinstance(event, str):
        raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
    if event in packet.RESERVED:
        raise ValueError(f"{event!r} is a reserved event name")
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
