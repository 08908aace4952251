"""BroadcastOperator: who shall receive, as an immutable value; then emit.

Encodes once, whoever receives it. Pure but for that.

Node: ``BroadcastOperator``. ``namespace.to("a").except_("b").emit("news", 1)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .adapters.local import Room

if TYPE_CHECKING:
    from .namespace import Namespace


@dataclass(frozen=True)
class BroadcastOperator:
    """The sockets of a namespace in any of ``rooms`` (none: all), without those in the excepted rooms."""

    namespace: Namespace
    rooms: tuple[Room, ...] = ()
    excepted: tuple[Room, ...] = ()
    is_volatile: bool = False

    def to(self, *rooms: Room) -> BroadcastOperator:
        """Also to the sockets in these rooms; a socket's id is a room."""
        return replace(self, rooms=self.rooms + rooms)

    def except_(self, *rooms: Room) -> BroadcastOperator:
        """Not to the sockets in these rooms."""
        return replace(self, excepted=self.excepted + rooms)

    @property
    def volatile(self) -> BroadcastOperator:
        """Drop the event for clients that can't receive it right now."""
        return replace(self, is_volatile=True)

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event to all of them; ``callback(*answer)`` runs for each client that acknowledges.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        namespace = self.namespace
        server = namespace.server
        ack_id = None if callback is None else next(namespace.ack_ids)
        message = server.encode_event(namespace, event, args, ack_id)
        targets = namespace.adapter.targets(self.rooms, self.excepted)
        if callback is not None and ack_id is not None:
            for socket in targets:
                socket.expect_ack(ack_id, callback)
        server.deliver(targets, message, namespace, self.is_volatile)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)
