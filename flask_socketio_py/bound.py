"""BoundNamespace: one namespace of an extension, or all that a pattern or function lets come into being.

What ``socketio.of()`` returns: a thin value, made anew each time; handlers and clients are the extension's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .registry import Selector, normalized
from .scaffold import Scaffold
from .socketio.namespace import Namespace, ParentNamespace

if TYPE_CHECKING:
    from .extension import SocketIO


class BoundNamespace(Scaffold):
    """A namespace to register handlers for and to emit to. Node: ``Namespace`` and ``ParentNamespace``."""

    def __init__(self, socketio: SocketIO, selector: Selector) -> None:
        self.socketio = socketio
        self._handlers = socketio._handlers
        self._selector = normalized(selector)
        if not isinstance(self._selector, str):
            self._handlers.registry.name(self._selector)  # the order in which parents are named counts

    @property
    def name(self) -> str | None:
        """The namespace's name; ``None`` for a pattern or function, which stands for many."""
        return self._selector if isinstance(self._selector, str) else None

    def emit(self, event: str, *args: Any, callback: Callable[..., Any] | None = None) -> None:
        """Emit an event to everybody in the namespace, or in all of them.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """
        self._operator().emit(event, *args, callback=callback)

    def send(self, *args: Any) -> None:
        """Emit a ``message`` event."""
        self.emit("message", *args)

    def _core(self) -> Namespace | ParentNamespace:
        server = self.socketio._serving()
        if isinstance(self._selector, str):
            return server.of(self._selector)
        return ParentNamespace(server, self._handlers.registry.key(self._selector))

    def __repr__(self) -> str:
        return f"<BoundNamespace {self._selector!r}>"
