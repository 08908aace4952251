"""RemoteSocket: a client that another server of the cluster serves, as that server described it. Node: the same.

A picture of the moment; what is done with it goes through the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .broadcast import BroadcastOperator

if TYPE_CHECKING:
    from .namespace import Namespace


class RemoteSocket:
    """A client of another server."""

    __slots__ = ("data", "handshake", "id", "namespace", "rooms")

    connected = True

    def __init__(self, namespace: Namespace, details: dict[str, Any]) -> None:
        self.namespace = namespace
        self.id = str(details["id"])
        #: A dictionary with the names of :class:`~flask_socketio_py.socketio.handshake.Handshake`.
        self.handshake: dict[str, Any] = details.get("handshake") or {}
        self.rooms: list[Any] = list(details.get("rooms") or ())
        self.data: Any = details.get("data")

    @property
    def _operator(self) -> BroadcastOperator:
        return BroadcastOperator(self.namespace, (self.id,))

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event to this client.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        self._operator.emit(event, *args, callback=callback)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)

    def emit_with_ack(self, event: str, *args: Any, timeout: float | None = None) -> Any:
        """Emit an event and wait for the acknowledgement, of which the first argument is returned.

        Raises:
            BroadcastTimeoutError: none came in time (``timeout`` seconds, or ``default_ack_timeout``).
            TypeError, ValueError: for data that can't be sent.
        """
        operator = self._operator if timeout is None else self._operator.timeout(timeout)
        answers = operator.emit_with_ack(event, *args)
        return answers[0] if answers else None

    def join(self, *rooms: Any) -> None:
        """Let it enter rooms."""
        self._operator.sockets_join(*rooms)

    def leave(self, *rooms: Any) -> None:
        """Let it leave rooms."""
        self._operator.sockets_leave(*rooms)

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect it; ``close`` ends its whole connection."""
        self._operator.disconnect_sockets(close)
