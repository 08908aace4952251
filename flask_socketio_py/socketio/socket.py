"""Socket: one client in one namespace. Emits, rooms, acknowledgements; the public id. Knows no wire and no Flask.

Node: ``Socket``. Handlers find it as ``current_socket``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engineio.message import PreparedMessage
from ..engineio.reasons import Reason
from ..engineio.session import Session
from .acks import DEFAULT, Settle
from .adapters.local import Room
from .adapters.recovery import Presence, SavedState
from .broadcast import NO_FLAGS, BroadcastOperator, checked_timeout, flattened
from .handshake import Handshake
from .listeners import Listeners
from .socket_emitter import SocketEmitter

if TYPE_CHECKING:
    from .client import Client
    from .namespace import Namespace

#: Acknowledgements one socket may owe; the oldest is given up beyond.
MAX_PENDING_ACKS = 10_000
#: After so many messages held back for a socket that is not let in yet, their bytes are counted.
_HELD_AT_ONCE = 1000


class Socket:
    """A client's presence in a namespace. ``id`` is public; the Engine.IO session's sid never leaves the server."""

    __slots__ = (
        "_acks",
        "_data",
        "admitted",
        "auth",
        "client",
        "connected",
        "disconnect_reason",
        "extras",
        "held",
        "id",
        "namespace",
        "presence",
    )

    def __init__(self, client: Client, namespace: Namespace, state: SavedState | None = None) -> None:
        self.client = client
        self.namespace = namespace
        #: Whether the middleware of its namespace has let it in; until then nothing is sent to it but a refusal, and
        #: no connect or disconnect handler is told of it.
        self.admitted = False
        #: Whether CONNECT has been answered and the client is still there.
        self.connected = False
        #: Why it ended, once it has.
        self.disconnect_reason: Reason | None = None
        #: What was sent to it before CONNECT was written; ``None`` from then on, until it ends.
        self.held: list[PreparedMessage] | None = []
        #: What the client sent along with CONNECT.
        self.auth: dict[str, Any] | None = None
        #: Functions attached to this socket alone; ``None`` where there are none.
        self.extras: Listeners | None = None
        #: What is kept of it if its connection breaks; ``None`` without connection state recovery.
        self.presence: Presence | None = None
        self._acks: dict[int, Settle] | None = None
        if state is None:
            self.id = secrets.token_urlsafe(15)
            self._data: Any = None
        else:
            self.id, self._data, self.presence = state.sid, state.data, state.presence

    # -- who it is ---------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Any:
        """Anything the application wants to remember: a dictionary, until it puts something else there."""
        if self._data is None:
            self._data = {}
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value

    @property
    def handshake(self) -> Handshake:
        """The request that opened the connection, and the auth data of this namespace."""
        return Handshake(self.client.session.request, self.auth)

    @property
    def disconnected(self) -> bool:
        """The opposite of ``connected``."""
        return not self.connected

    @property
    def recovered(self) -> bool:
        """Whether it is a socket that was there before, with its id, rooms, data and the events it missed."""
        return self.presence is not None and self.presence.recovered

    @property
    def conn(self) -> Session:
        """The Engine.IO session that carries it; its ``sid`` is secret."""
        return self.client.session

    @property
    def transport(self) -> str:
        """``"polling"`` or ``"websocket"``, as it is now."""
        return self.client.session.transport.name

    # -- emitting to it ----------------------------------------------------------------------------------------------

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None, volatile: bool = False) -> None:
        """Emit an event to this client; ``callback(*answer)`` runs in a greenlet of its own when it acknowledges.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        if callback is None and not volatile:
            self.namespace.emit(event, args, (self.id,), (), NO_FLAGS)
        else:
            self._with_flags(volatile=volatile).emit(event, *args, callback=callback)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)

    def call(self, event: str, *args: Any, timeout: float | None = DEFAULT) -> Any:
        """Emit an event and wait for the acknowledgement: ``None``, its value, or a tuple of several.

        ``timeout`` is in seconds, by default the option ``default_ack_timeout``; ``None`` waits for ever.

        Raises:
            TimeoutError: none came in time.
            DisconnectedError: the client has gone, or goes meanwhile.
            TypeError, ValueError: for data that can't be sent.
        """
        answer = self._with_flags(timeout=timeout).ask(event, *args)
        return None if not answer else answer[0] if len(answer) == 1 else tuple(answer)

    def emit_with_ack(self, event: str, *args: Any) -> Any:
        """Emit an event and wait for the acknowledgement, of which the first argument is returned.

        Raises:
            TimeoutError, DisconnectedError, TypeError, ValueError: as for :meth:`call`.
        """
        return self._with_flags().emit_with_ack(event, *args)

    def _with_flags(self, **flags: Any) -> SocketEmitter:
        """Something that emits to this socket in a certain way."""
        return SocketEmitter(self, NO_FLAGS._replace(**flags))

    @property
    def volatile(self) -> SocketEmitter:
        """Drop the next event if the client can't receive it right now."""
        return self._with_flags(volatile=True)

    def compress(self, compress: bool) -> SocketEmitter:
        """Whether the next event may be compressed, where that is switched on; by default it may."""
        return self._with_flags(compress=bool(compress))

    def timeout(self, seconds: float | None) -> SocketEmitter:
        """How long to wait for the next acknowledgement, in seconds; ``None``: for ever.

        Raises:
            ValueError: for what is no number above 0.
        """
        return self._with_flags(timeout=checked_timeout(seconds))

    # -- emitting to others ------------------------------------------------------------------------------------------

    @property
    def broadcast(self) -> BroadcastOperator:
        """Everybody else in the namespace."""
        return BroadcastOperator(self.namespace, (), (self.id,))

    def to(self, *rooms: Any) -> BroadcastOperator:
        """Everybody else in these rooms."""
        return self.broadcast.to(*rooms)

    def in_(self, *rooms: Any) -> BroadcastOperator:
        """The same as :meth:`to`."""
        return self.broadcast.to(*rooms)

    def except_(self, *rooms: Any) -> BroadcastOperator:
        """Everybody else who is not in these rooms."""
        return self.broadcast.except_(*rooms)

    @property
    def local(self) -> BroadcastOperator:
        """Everybody else on this server."""
        return self.broadcast.local

    # -- functions attached to it ------------------------------------------------------------------------------------

    def on(self, event: str, function: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """Handle an event of this socket alone; without a function a decorator.

        It runs after the application's handler of the event, if there is one; the first result that is not ``None`` is
        the acknowledgement. ``"disconnecting"`` and ``"disconnect"`` get the reason.

        Raises:
            TypeError: for what can't be meant.
        """
        if function is None:
            return lambda handler: self.on(event, handler)
        self._listeners().add(event, function, once=False)
        return function

    def once(self, event: str, function: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """The same as :meth:`on`, for the next time only."""
        if function is None:
            return lambda handler: self.once(event, handler)
        self._listeners().add(event, function, once=True)
        return function

    def off(self, event: str | None = None, function: Callable[..., Any] | None = None) -> None:
        """Take a handler away, or all of an event, or all of this socket."""
        if self.extras is not None:
            self.extras.remove(event, function)

    def listeners(self, event: str) -> list[Callable[..., Any]]:
        """The handlers of an event that are attached to this socket."""
        return [] if self.extras is None else self.extras.handlers(event)

    def event_names(self) -> list[str]:
        """The events that have handlers of this socket's own."""
        return [] if self.extras is None else self.extras.event_names

    def use(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Middleware for the events of this socket: ``(event, args)`` as for ``before_event``."""
        self._listeners().before.append(function)
        return function

    def on_any(self, function: Callable[..., Any], *, prepend: bool = False) -> Callable[..., Any]:
        """See every event that arrives, before its handlers and the middleware: ``(event, *args)``."""
        incoming = self._listeners().incoming
        incoming.insert(0 if prepend else len(incoming), function)
        return function

    def off_any(self, function: Callable[..., Any] | None = None) -> None:
        """Undo :meth:`on_any`; without a function all of them."""
        if self.extras is not None:
            _remove(self.extras.incoming, function)

    def on_any_outgoing(self, function: Callable[..., Any], *, prepend: bool = False) -> Callable[..., Any]:
        """See every event that is emitted to this client, by a broadcast too, but no acknowledgement: ``(event,
        *args)``. It is called by whoever emits, and should be quick.
        """
        if self.disconnect_reason is not None:
            return function
        outgoing = self._listeners().on_outgoing
        if not outgoing:
            self.namespace.watched += 1
        outgoing.insert(0 if prepend else len(outgoing), function)
        return function

    def off_any_outgoing(self, function: Callable[..., Any] | None = None) -> None:
        """Undo :meth:`on_any_outgoing`; without a function all of them."""
        if self.extras is not None and self.extras.on_outgoing:
            _remove(self.extras.on_outgoing, function)
            if not self.extras.on_outgoing:
                self.namespace.watched -= 1

    def _listeners(self) -> Listeners:
        if self.extras is None:
            self.extras = Listeners()
        return self.extras

    # -- rooms -------------------------------------------------------------------------------------------------------

    def join(self, *rooms: Room) -> None:
        """Enter rooms, given one by one or as a list; does nothing after a disconnect.

        Raises:
            ValueError: for the room of another socket.
        """
        adapter = self.namespace.adapter
        for room in flattened(rooms):
            # Else it has left, or was recovered: the id is another object's now.
            if self.disconnect_reason is None and adapter.sockets.get(self.id) is self:
                adapter.join(self.id, room)

    def leave(self, *rooms: Room) -> None:
        """Leave rooms."""
        adapter = self.namespace.adapter
        for room in flattened(rooms):
            if adapter.sockets.get(self.id) is self:
                adapter.leave(self.id, room)

    @property
    def rooms(self) -> list[Room]:
        """The rooms it is in, its own first."""
        return self.namespace.adapter.rooms_of(self.id)

    # -- the end -----------------------------------------------------------------------------------------------------

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect from this namespace; ``close`` ends the whole connection, all namespaces with it."""
        server = self.namespace.server
        if close:
            server.in_home_thread_do(self.client.disconnect)
        else:
            server.in_home_thread_do(self._leave)

    def _leave(self) -> None:
        self.client.leave(self, Reason.SERVER_NAMESPACE_DISCONNECT, tell=True)

    # -- for the layers around it ------------------------------------------------------------------------------------

    def deliver(self, message: PreparedMessage, volatile: bool = False) -> None:
        """Send an encoded message; before CONNECT is written it is held back, so that CONNECT comes first."""
        if self.held is None:
            self.client.session.send(message, volatile)
        elif not volatile and self.disconnect_reason is None:
            held = self.held
            held.append(message)
            if (
                not len(held) % _HELD_AT_ONCE
                and sum(one.size for one in held) > self.client.server.options.max_outbox_size
            ):
                self.client.session.close(Reason.OUTBOX_FULL, discard=True)

    def expect(self, ack_id: int, settle: Settle) -> None:
        """An acknowledgement with this id is to come."""
        if self.disconnect_reason is not None:
            settle(None)
            return
        acks = self._acks
        if acks is None:
            acks = self._acks = {}
        elif len(acks) >= MAX_PENDING_ACKS:
            acks.pop(next(iter(acks)))(None)
        acks[ack_id] = settle

    def forget_ack(self, ack_id: int) -> bool:
        """Nobody waits for this acknowledgement any more; whether somebody did."""
        return self._acks is not None and self._acks.pop(ack_id, None) is not None

    def settle(self, ack_id: int, args: list[Any]) -> None:
        """An acknowledgement arrived; one nobody waits for (late, double, invented) is ignored."""
        settle = None if self._acks is None else self._acks.pop(ack_id, None)
        if settle is not None:
            settle(args)

    def acknowledge(self, ack_id: int, args: tuple[Any, ...]) -> None:
        """Answer an event of the client.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        namespace = self.namespace
        self.client.session.send(namespace.server.parser.encode_ack(namespace.prefix, args, ack_id))

    def let_go(self) -> None:
        """The client has gone: whoever waits for an acknowledgement is told. A second time changes nothing."""
        self.off_any_outgoing()
        self.held = []  # nothing is sent to it any more, although it is in its rooms until its disconnect handler ends
        recovery, presence = self.namespace.adapter.recovery, self.presence
        if recovery is not None and presence is not None and recovery.present.get(presence.pid) == self.id:
            del recovery.present[presence.pid]
        acks, self._acks = self._acks, None
        for settle in list(acks.values()) if acks else ():
            settle(None)


def _remove(functions: list[Callable[..., Any]], function: Callable[..., Any] | None) -> None:
    if function is None:
        functions.clear()
    elif function in functions:
        functions.remove(function)
