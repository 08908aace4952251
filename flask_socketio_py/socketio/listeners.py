"""Listeners: what an application has attached to one single socket, in Node's manner.

Handlers of events, functions that see every event in or out, and middleware. Knows no packets and no Flask; whoever
runs the handlers asks here. Node: ``socket.on``, ``socket.use``, ``socket.onAny``, ``socket.onAnyOutgoing``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)
Function = Callable[..., Any]


class Listeners:
    """The functions attached to one socket, each kind in the order of attaching."""

    __slots__ = ("_events", "before", "incoming", "on_outgoing")

    def __init__(self) -> None:
        self._events: dict[str, list[tuple[Function, bool]]] = {}
        #: Middleware: ``(event, args)``.
        self.before: list[Function] = []
        #: Told of every event that arrives: ``(event, *args)``.
        self.incoming: list[Function] = []
        #: Told of every event that is emitted.
        self.on_outgoing: list[Function] = []

    def add(self, event: str, function: Function, *, once: bool) -> None:
        """Attach a handler.

        Raises:
            TypeError: for an event that is no string, or a handler that can't be called.
        """
        if not isinstance(event, str):
            raise TypeError(f"the name of an event must be a string, not {type(event).__name__}")
        if not callable(function):
            raise TypeError(f"the handler of {event!r} must be a function, not {type(function).__name__}")
        self._events.setdefault(event, []).append((function, once))

    def remove(self, event: str | None, function: Function | None) -> None:
        """Take a handler away, or all of an event, or all."""
        if event is None:
            self._events.clear()
        elif function is None:
            self._events.pop(event, None)
        else:
            kept = [entry for entry in self._events.get(event, ()) if entry[0] is not function]
            if kept:
                self._events[event] = kept
            else:
                self._events.pop(event, None)

    def take(self, event: str) -> Sequence[Function]:
        """The handlers of an event that happens now; those for once are gone then."""
        entries = self._events.get(event)
        if not entries:
            return ()
        kept = [entry for entry in entries if not entry[1]]
        if not kept:
            del self._events[event]
        elif len(kept) < len(entries):
            self._events[event] = kept
        return [function for function, _ in entries]

    def handlers(self, event: str) -> list[Function]:
        """The handlers of an event."""
        return [function for function, _ in self._events.get(event, ())]

    @property
    def event_names(self) -> list[str]:
        """The events that have handlers."""
        return list(self._events)

    def outgoing(self, event: str, args: Sequence[Any]) -> None:
        """Tell of an event that is emitted; a function that fails stops nobody."""
        for function in list(self.on_outgoing):
            try:
                function(event, *args)
            except Exception:
                log.exception("an on_any_outgoing function failed")
