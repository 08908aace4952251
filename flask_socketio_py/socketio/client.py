"""Client: one Engine.IO session; gathers attachments, leads packets to their sockets, starts handlers under limits.

Everything here is called by the session, in the reader: it must not block. Socket.IO protocol 5; what a peer does wrong
ends its connection as the reference server ends it (node-server 1.5, "protocol violations"). Protocol 4, of sessions of
revision 3, differs only in how a namespace is joined and refused.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..engineio.reasons import Reason
from ..engineio.session import Session
from ..errors import ConnectionRefusedError, PacketError, refusal
from . import packet
from .json_codec import DepthError
from .packet import Packet
from .socket import Socket

if TYPE_CHECKING:
    from .server import Server

log = logging.getLogger(__name__)
Job = tuple[Callable[..., None], tuple[Any, ...]]


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
        self._left: set[str] | None = None
        self._gathering: Packet | None = None
        self._attachments: list[bytes] | None = None
        self._jobs: deque[Job] | None = None
        self._calls = 0

    # -- Handler -----------------------------------------------------------------------------------------------------

    def on_open(self, session: Session) -> None:
        """Called by the server, which made this client: in protocol 4 the main namespace is joined without a packet."""
        if session.protocol == 3:
            self._connect("/", None)

    def on_message(self, session: Session, data: str | bytes) -> None:
        try:
            parser = self.server.parser
            if type(data) is parser.carrier and self._gathering is None:
                received = parser.decode(data)
                kind, namespace, ack_id, args, attachments = received
                socket = self.sockets.get(namespace)
                if kind == packet.EVENT and socket is not None and socket.connected:
                    handler = self.server.listener.event_handler(namespace, args[0])  # the hot path
                    if handler is not None:
                        self._start(self._run_event, (socket, handler, ack_id, args))
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
            self._connect(namespace, data)
            return
        socket = self.sockets.get(namespace)
        if socket is None or not socket.connected:
            if socket is None and self._left is not None and namespace in self._left:
                return  # sent before the client learned that the server disconnected it
            raise PacketError("a packet for a namespace that was not joined")
        if kind == packet.EVENT or kind == packet.BINARY_EVENT:
            handler = self.server.listener.event_handler(namespace, data[0])
            if handler is not None:
                self._start(self._run_event, (socket, handler, ack_id, data))
        elif kind == packet.ACK or kind == packet.BINARY_ACK:
            socket.settle(ack_id or 0, data)
        elif kind == packet.DISCONNECT:
            self.leave(socket, Reason.CLIENT_NAMESPACE_DISCONNECT, tell=False)
        else:
            raise PacketError("a CONNECT_ERROR from a client")

    # -- connect -----------------------------------------------------------------------------------------------------

    def _connect(self, name: str, auth: Any) -> None:
        server = self.server
        if name in self.sockets:
            raise PacketError("a second CONNECT to a namespace")
        if not server.listener.accepts(name):
            self._refuse(name, {"message": "Invalid namespace"})
            return
        if len(self.sockets) >= server.options.max_namespaces_per_client:
            self._refuse(name, {"message": "Too many namespaces"})
            return
        namespace = server.of(name)
        socket = self.sockets[name] = Socket(self, namespace)
        if self.session.protocol == 3:
            self._name(socket)
        namespace.adapter.add(socket)
        handler = server.listener.connect_handler(name)
        if handler is None:
            self._accept(socket)
        else:
            if server.options.always_connect:
                self._accept(socket)
            self._start(self._run_connect, (socket, handler, auth or None))

    def _name(self, socket: Socket) -> None:
        """Give a socket the id that clients of protocol 4 work out for themselves."""
        namespace = socket.namespace
        socket.id = self.session.sid if namespace.name == "/" else f"{namespace.name}#{self.session.sid}"
        earlier = namespace.sockets.get(socket.id)
        if earlier is not None:  # its disconnect handler still runs, but the id and its rooms are the new one's now
            namespace.adapter.remove(earlier)

    def _run_connect(self, socket: Socket, handler: Callable[[Socket, Any], None], auth: Any) -> None:
        try:
            handler(socket, auth)
        except ConnectionRefusedError as error:
            self._drop(socket, error.error_args)
        except BaseException as error:  # a gevent.Timeout or a kill leaves no client without an answer either
            self._drop(socket, refusal("Internal server error"))
            if not isinstance(error, Exception):
                raise
            log.exception("a connect handler failed")
        else:
            if not socket.connected and socket.disconnect_reason is None:
                self._accept(socket)
            elif not socket.connected and self.sockets.get(socket.namespace.name) is socket:
                # The client left while the handler ran: who saw a connect shall see the disconnect.
                self._finish(socket)
        finally:
            self._ended()

    def _accept(self, socket: Socket) -> None:
        namespace, held = socket.namespace, socket.held
        socket.connected = True
        socket.held = None
        self.server.joined(self)
        answer = {"sid": socket.id} if self.session.protocol == 4 else None
        self.session.send(self.server.parser.encode_connect(namespace.prefix, answer))
        for message in held or ():
            self.session.send(message)

    def _refuse(self, name: str, error: dict[str, Any]) -> None:
        parser = self.server.parser
        full: Any = error
        bare: Any = {"message": error["message"]}
        if self.session.protocol == 3:  # one value: the data where it can be sent by itself, else the message
            bare, data = error["message"], error.get("data")
            full = data if data and isinstance(data, str | dict | list) else bare
        try:
            message = parser.encode_connect_error(parser.prefix(name), full)
        except (TypeError, ValueError):
            log.exception("the data of a refusal can't be sent")
            message = parser.encode_connect_error(parser.prefix(name), bare)
        self.session.send(message)

    def _drop(self, socket: Socket, error: dict[str, Any]) -> None:
        """The connect handler refused this socket."""
        if socket.connected:  # always_connect
            data = error if self.session.protocol == 4 else None
            self.session.send(self.server.parser.encode_disconnect(socket.namespace.prefix, data))
        elif socket.disconnect_reason is None:
            self._refuse(socket.namespace.name, error)
        socket.connected = False
        socket.disconnect_reason = socket.disconnect_reason or Reason.SERVER_NAMESPACE_DISCONNECT
        self._vacate(socket)
        socket.namespace.adapter.remove(socket)

    # -- events ------------------------------------------------------------------------------------------------------

    def _run_event(self, socket: Socket, handler: Callable[..., Any], ack_id: int | None, args: list[Any]) -> None:
        try:
            result = handler(socket, args)
            if ack_id is not None:
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
            self._ended()

    # -- handlers under limits ---------------------------------------------------------------------------------------

    def _start(self, function: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Start a handler; ``function`` calls :meth:`_ended` when it is done."""
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

    def _ended(self) -> None:
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
            if not socket.connected:
                self._accept(socket)  # disconnected by its own connect handler: the client learns of both
            self.session.send(self.server.parser.encode_disconnect(socket.namespace.prefix))
            if self._left is None:
                self._left = set()
            self._left.add(socket.namespace.name)
        self._end(socket, reason)

    def _end(self, socket: Socket, reason: Reason) -> None:
        if socket.disconnect_reason is not None:
            return
        socket.disconnect_reason = reason
        was_connected, socket.connected = socket.connected, False
        socket.give_up_acks()
        if was_connected:
            self._finish(socket)
        # else its connect handler still runs, and sees to it

    def _finish(self, socket: Socket) -> None:
        """Run the disconnect handler, with the rooms still there; then leave them."""
        handler = self.server.listener.disconnect_handler(socket.namespace.name)
        self._vacate(socket)  # the client may join again while the handler runs
        if handler is None:
            socket.namespace.adapter.remove(socket)
        else:
            self._start(self._run_disconnect, (socket, handler))

    def _run_disconnect(self, socket: Socket, handler: Callable[[Socket, Reason], None]) -> None:
        try:
            handler(socket, socket.disconnect_reason or Reason.TRANSPORT_CLOSE)
        except Exception:
            log.exception("a disconnect handler failed")
        finally:
            if socket.namespace.sockets.get(socket.id) is socket:  # else its id is another one's already, see _name()
                socket.namespace.adapter.remove(socket)
            self._ended()

    def _vacate(self, socket: Socket) -> None:
        """Free the socket's place, unless another one has taken it since."""
        if self.sockets.get(socket.namespace.name) is socket:
            del self.sockets[socket.namespace.name]
