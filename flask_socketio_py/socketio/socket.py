"""Socket: one client in one namespace. Emits, rooms, acknowledgements; the public id. Knows no wire and no Flask."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent.event import AsyncResult

from ..engineio.message import PreparedMessage
from ..engineio.reasons import Reason
from ..errors import DisconnectedError, TimeoutError
from .adapters.local import Room

if TYPE_CHECKING:
    from .client import Client
    from .namespace import Namespace

log = logging.getLogger(__name__)

#: Acknowledgements one socket may owe; the oldest is given up beyond.
MAX_PENDING_ACKS = 10_000


class Socket:
    """A client's presence in a namespace. ``id`` is public; the Engine.IO session's sid never leaves the server."""

    __slots__ = ("_acks", "client", "connected", "data", "disconnect_reason", "held", "id", "namespace")

    def __init__(self, client: Client, namespace: Namespace) -> None:
        self.id = secrets.token_urlsafe(15)
        self.client = client
        self.namespace = namespace
        #: Whether CONNECT has been answered and the client is still there.
        self.connected = False
        #: Anything the application wants to remember.
        self.data: Any = None
        #: Why it ended, once it has.
        self.disconnect_reason: Reason | None = None
        #: What was sent to it before CONNECT was written; ``None`` from then on.
        self.held: list[PreparedMessage] | None = []
        self._acks: dict[int, Callable[[list[Any] | None], None]] | None = None

    # -- outbound ----------------------------------------------------------------------------------------------------

    def send(self, message: PreparedMessage, volatile: bool = False) -> None:
        """Send an encoded message; before CONNECT is written it is held back, so that CONNECT comes first."""
        if self.held is None:
            self.client.session.send(message, volatile)
        elif not volatile and self.disconnect_reason is None:
            self.held.append(message)

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None, volatile: bool = False) -> None:
        """Emit an event to this client; ``callback(*answer)`` runs in a greenlet of its own when it acknowledges.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        ack_id = None if callback is None else next(self.namespace.ack_ids)
        message = self.namespace.server.encode_event(self.namespace, event, args, ack_id)
        if callback is not None and ack_id is not None:
            self.expect_ack(ack_id, callback)
        self.namespace.server.deliver([self], message, self.namespace, volatile)

    def call(self, event: str, *args: Any, timeout: float | None = 60.0) -> list[Any]:
        """Emit an event and wait for the acknowledgement; returns its arguments.

        Raises:
            TimeoutError: none came in time (seconds).
            DisconnectedError: the client has gone, or goes meanwhile.
            TypeError, ValueError: for data that can't be sent.
        """
        if self.disconnect_reason is not None:
            raise DisconnectedError("the client has disconnected")
        ack_id = next(self.namespace.ack_ids)
        message = self.namespace.server.encode_event(self.namespace, event, args, ack_id)
        result: AsyncResult[list[Any] | None] = AsyncResult()
        self._acks_by_id()[ack_id] = result.set
        self.client.begin_call()
        try:
            self.namespace.server.deliver([self], message, self.namespace)
            result.wait(timeout)
            if not result.ready():
                raise TimeoutError(f"no acknowledgement within {timeout} s")
            answer = result.get()
        finally:
            self.client.end_call()
            if self._acks is not None:
                self._acks.pop(ack_id, None)
        if answer is None:
            raise DisconnectedError("the client disconnected before it acknowledged")
        return answer

    def expect_ack(self, ack_id: int, callback: Callable[..., Any]) -> None:
        """Run ``callback`` with the arguments of the acknowledgement when it comes."""
        dispatcher = self.namespace.server.dispatcher

        def settle(args: list[Any] | None) -> None:
            if args is not None:
                dispatcher.start(_run_callback, (callback, args))

        self._acks_by_id()[ack_id] = settle

    def acknowledge(self, ack_id: int, args: tuple[Any, ...]) -> None:
        """Answer an event of the client.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        namespace = self.namespace
        self.client.session.send(namespace.server.parser.encode_ack(namespace.prefix, args, ack_id))

    # -- rooms -------------------------------------------------------------------------------------------------------

    def join(self, *rooms: Room) -> None:
        """Enter rooms; does nothing after a disconnect.

        Raises:
            ValueError: for the room of another socket.
        """
        for room in rooms:
            self.namespace.adapter.join(self.id, room)

    def leave(self, *rooms: Room) -> None:
        """Leave rooms."""
        for room in rooms:
            self.namespace.adapter.leave(self.id, room)

    @property
    def rooms(self) -> list[Room]:
        """The rooms it is in, its own first."""
        return self.namespace.adapter.rooms_of(self.id)

    # -- the end -----------------------------------------------------------------------------------------------------

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect from this namespace; ``close`` ends the whole connection, all namespaces with it."""
        if close:
            self.client.disconnect()
        else:
            self.client.leave(self, Reason.SERVER_NAMESPACE_DISCONNECT, tell=True)

    def settle(self, ack_id: int, args: list[Any]) -> None:
        """An acknowledgement arrived; one nobody waits for (late, double, invented) is ignored."""
        settle = None if self._acks is None else self._acks.pop(ack_id, None)
        if settle is not None:
            settle(args)

    def give_up_acks(self) -> None:
        """The client has gone: whoever waits is told."""
        acks, self._acks = self._acks, None
        for settle in list(acks.values()) if acks else ():
            settle(None)

    def _acks_by_id(self) -> dict[int, Callable[[list[Any] | None], None]]:
        if self._acks is None:
            self._acks = {}
        elif len(self._acks) >= MAX_PENDING_ACKS:
            oldest = self._acks.pop(next(iter(self._acks)))
            oldest(None)
        return self._acks


def _run_callback(callback: Callable[..., Any], args: list[Any]) -> None:
    try:
        callback(*args)
    except Exception:
        log.exception("an acknowledgement callback failed")
