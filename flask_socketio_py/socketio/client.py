"""Client: one Engine.IO session; gathers attachments, leads packets to their sockets, starts handlers under limits.

Everything here is called by the session, in the reader: it must not block. Socket.IO protocol 5; what a peer does wrong
ends its connection as the reference server ends it (node-server 1.5, "protocol violations"). Protocol 4, of sessions of
revision 3, differs only in how a namespace is joined and refused.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engineio.reasons import Reason
from ..engineio.session import Session
from ..errors import PacketError, refusal
from . import entrance, packet
from .adapters.recovery import RECOVERABLE, SavedState
from .json_codec import DepthError
from .packet import Packet
from .socket import Socket

if TYPE_CHECKING:
    from .server import Server

log = logging.getLogger(__name__)
Job = tuple[Callable[..., None], tuple[Any, ...]]
#: What a handler returns so that nothing is acknowledged.
NO_ACK = object()


class Client:
    """The sockets of one session. Implements ``engineio.session.Handler`` for it."""

    __slots__ = ("_attachments", "_calls", "_gathering", "_jobs", "_left", "in_flight", "server", "session", "sockets")

    def __init__(self, server: Server, session: Session) -> None:
        self.server = server
        self.session = session
        #: namespace -> socket; from the first CONNECT on, so that a second one finds the place taken.
        self.sockets: dict[str, Socket] = {}
        #: Handlers running, or waiting for their turn.
        self.in_flight = 0
        self._left: dict[str, None] | None = None
        self._gathering: Packet | None = None
        self._attachments: list[bytes] | None = None
        self._jobs: deque[Job] | None = None
        self._calls = 0

    # -- Handler -----------------------------------------------------------------------------------------------------

    def on_open(self, session: Session) -> None:
        """Called by the server, which made this client: in protocol 4 the main namespace is joined without a packet."""
        if session.protocol == 3:
            entrance.connect(self, "/", None)

    def on_message(self, session: Session, data: str | bytes) -> None:
        try:
            parser = self.server.parser
            if type(data) is parser.carrier and self._gathering is None:
                received = parser.decode(data)
                kind, namespace, ack_id, args, attachments = received
                socket = self.sockets.get(namespace)
                if kind == packet.EVENT and socket is not None and socket.connected:
                    handler = self.server.listener.event_handler(socket, args[0])  # the hot path
                    if handler is not None:
                        self.start(self._run_event, (socket, handler, ack_id, args))
                elif not attachments:
                    self._receive(received)
                elif not self.sockets:
                    raise PacketError("a binary packet before CONNECT")
                else:
                    self._gathering, self._attachments = received, []
            elif type(data) is str:
                raise PacketError("text where binary data was expected")
            else:
                self._gather(data)  # type: ignore[arg-type]
        except PacketError as error:
            log.info("closed a client that broke the protocol: %s", error)
            session.close(Reason.FORCED_CLOSE)

    def on_close(self, session: Session, reason: Reason) -> None:
        self._gathering = self._attachments = None
        self.server.forget(self)
        for socket in list(self.sockets.values()):
            self._end(socket, reason)

    def _gather(self, data: bytes) -> None:
        received, attachments = self._gathering, self._attachments
        if received is None or attachments is None:
            raise PacketError("binary data that no packet announced")
        attachments.append(data)
        kind, namespace, ack_id, payload, expected = received
        if len(attachments) == expected:
            self._gathering = self._attachments = None
            self._receive((kind, namespace, ack_id, packet.fill_placeholders(payload, attachments), 0))

    def _receive(self, received: Packet) -> None:
        kind, namespace, ack_id, data, _ = received
        if kind == packet.CONNECT:
            if self.session.protocol == 3:
                namespace, data = packet.split_query(namespace)
            entrance.connect(self, namespace, data or None)
            return
        socket = self.sockets.get(namespace)
        if socket is None or not socket.connected:
            if socket is None and self._left is not None and namespace in self._left:
                return  # sent before the client learned that the server disconnected it
            raise PacketError("a packet for a namespace that was not joined")
        if kind == packet.EVENT or kind == packet.BINARY_EVENT:
            handler = self.server.listener.event_handler(socket, data[0])
            if handler is not None:
                self.start(self._run_event, (socket, handler, ack_id, data))
        elif kind == packet.ACK or kind == packet.BINARY_ACK:
            socket.settle(ack_id or 0, data)
        elif kind == packet.DISCONNECT:
            self.leave(socket, Reason.CLIENT_NAMESPACE_DISCONNECT, tell=False)
        else:
            raise PacketError("a CONNECT_ERROR from a client")

    # -- events ------------------------------------------------------------------------------------------------------

    def _run_event(self, socket: Socket, handler: Callable[..., Any], ack_id: int | None, args: list[Any]) -> None:
        try:
            result = handler(socket, args)
            if ack_id is not None and result is not NO_ACK:
                if result is None:
                    result = ()
                elif type(result) is not tuple:
                    result = (result,)
                socket.acknowledge(ack_id, result)
        except DepthError as error:
            log.info("closed a client whose event led to an answer that can't be encoded: %s", error)
            self.session.close(Reason.FORCED_CLOSE)
        except Exception:
            log.exception("a handler of the event %.100r failed", args[0])
        finally:
            self.ended()

    # -- handlers under limits ---------------------------------------------------------------------------------------

    def start(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Start a handler; ``function`` calls :meth:`ended` when it is done."""
        server = self.server
        self.in_flight = in_flight = self.in_flight + 1
        if in_flight >= server.max_handlers:
            self._apply_pressure()
        if server.concurrent:
            server.dispatcher.start(function, args)
        elif self._jobs is None:
            self._jobs = deque()
            server.dispatcher.start(self._run_serially, (function, args))
        else:
            self._jobs.append((function, args))

    def ended(self) -> None:
        self.in_flight -= 1
        if self.session.paused:
            self._apply_pressure()

    def _run_serially(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        finally:  # also when the handler was killed: those behind it still have their turn
            if self._jobs:
                self.server.dispatcher.start(self._run_serially, self._jobs.popleft())
            else:
                self._jobs = None

    def _apply_pressure(self) -> None:
        """Stop reading a client with too many handlers; but while one of them waits for its acknowledgement, read on
        a while.
        """
        limit = self.server.max_handlers
        if self._calls:
            limit *= 10
        if self.in_flight >= limit:
            self.session.pause()
        else:
            self.session.resume()

    def begin_call(self) -> None:
        """A handler waits for an acknowledgement, which only arrives if the client is read."""
        self._calls += 1
        if self.session.paused:
            self._apply_pressure()

    def end_call(self) -> None:
        """It waits no more."""
        self._calls -= 1

    # -- the end -----------------------------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Disconnect every namespace, then close the session."""
        for socket in list(self.sockets.values()):
            self.leave(socket, Reason.SERVER_NAMESPACE_DISCONNECT, tell=True)
        self.session.close(Reason.FORCED_SERVER_CLOSE)

    def leave(self, socket: Socket, reason: Reason, *, tell: bool) -> None:
        """A socket leaves its namespace; the session goes on. ``tell`` sends the DISCONNECT."""
        if socket.disconnect_reason is not None:
            return
        if tell:
            if not socket.admitted:
                entrance.refuse(self, socket.namespace.name, refusal())
            else:
                if not socket.connected:
                    entrance.accept(socket)  # disconnected by its own connect handler: the client learns of both
                self.session.send(self.server.parser.encode_disconnect(socket.namespace.prefix))
                self._remember_left(socket.namespace.name)
        self._end(socket, reason)
        if not socket.admitted:  # the client may ask again while its middleware still runs
            self.finish(socket, was_connected=False)

    def _remember_left(self, name: str) -> None:
        """What the client has still sent to this namespace is no offence."""
        left = self._left
        if left is None:
            left = self._left = {}
        elif len(left) >= self.server.options.max_namespaces_per_client:
            del left[next(iter(left))]
        left[name] = None

    def _end(self, socket: Socket, reason: Reason) -> None:
        if socket.disconnect_reason is not None:
            return
        socket.disconnect_reason = reason
        was_connected, socket.connected = socket.connected, False
        socket.let_go()
        if was_connected:
            self.finish(socket)
        elif socket.recovered:
            self._save(socket)  # it may come back once more before its connect handler ends, which sees to the rest

    def finish(self, socket: Socket, *, was_connected: bool = True) -> None:
        """Run the disconnect handler, with the rooms still there; then leave them."""
        if was_connected or socket.recovered:  # else the client knows of nothing that it could come back to
            self._save(socket)
        # Who saw a connect shall see the disconnect, and nobody else.
        handler = self.server.listener.disconnect_handler(socket) if socket.admitted else None
        self.vacate(socket)  # the client may join again while the handler runs
        if handler is None:
            self.remove(socket)
        else:
            self.start(self._run_disconnect, (socket, handler))

    def _run_disconnect(self, socket: Socket, handler: Callable[[Socket, Reason], None]) -> None:
        try:
            handler(socket, socket.disconnect_reason or Reason.TRANSPORT_CLOSE)
        except Exception:
            log.exception("a disconnect handler failed")
        finally:
            self.remove(socket)
            self.ended()

    def _save(self, socket: Socket) -> None:
        """Keep what the client needs to come back, if it was nobody's decision that it went."""
        recovery, presence = socket.namespace.adapter.recovery, socket.presence
        if recovery is None or presence is None or socket.namespace.sockets.get(socket.id) is not socket:
            return  # the last: it has come back meanwhile, and this is not its latest socket any more
        if socket.disconnect_reason in RECOVERABLE:
            state = SavedState(socket.id, presence, socket.namespace.adapter.memberships(socket.id), socket.data)
            recovery.save(state, time.monotonic())
            self.server.watch_recovery(socket.namespace)

    def remove(self, socket: Socket) -> None:
        """The socket is not in its namespace any more."""
        socket.namespace.adapter.remove(socket)
        self.server.emptied(socket.namespace)

    def vacate(self, socket: Socket) -> None:
        """Free the socket's place, unless another one has taken it since."""
        if self.sockets.get(socket.namespace.name) is socket:
            del self.sockets[socket.namespace.name]
