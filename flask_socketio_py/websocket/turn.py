"""What connections write leaves at the end of the hub's turn: all of one connection's frames in one system call.

Owns who is waiting for that. A turn is what the hub does between two looks at its descriptors; a reply that goes out at
once would wake the peer for one message alone, and cost both sides more than the message. Knows no WebSocket.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

#: Connections written in one go; the hub looks at its timers, and now and then at its descriptors, before the next.
BATCH = 512


class Writer(Protocol):
    """Something with bytes to write."""

    def write_pending(self) -> None:
        """Write them. Called in the hub: must not block and must not raise."""


class Turn:
    """The current turn of one hub."""

    __slots__ = ("__weakref__", "_loop", "_waiting")

    def __init__(self, hub: Any) -> None:
        self._loop = hub.loop
        self._waiting: list[Writer] = []

    def add(self, writer: Writer) -> None:
        """Let something write when this turn ends."""
        waiting = self._waiting
        if not waiting:
            self._loop.run_callback(self._end)
        waiting.append(writer)

    def _end(self) -> None:
        waiting = self._waiting
        self._waiting = rest = waiting[BATCH:]
        if rest:
            self._loop.run_callback(self._end)
            del waiting[BATCH:]
        for writer in waiting:
            writer.write_pending()


_turns: weakref.WeakKeyDictionary[Any, Turn] = weakref.WeakKeyDictionary()


def turn_of(hub: Any) -> Turn:
    """The turn of a hub."""
    turn = _turns.get(hub)
    if turn is None:
        turn = _turns[hub] = Turn(hub)
    return turn
