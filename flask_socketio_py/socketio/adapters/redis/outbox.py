"""Commands that wait to be sent, bounded in number and bytes. Does no I/O; any thread may use it.

What may be lost makes room for what may not, the oldest first; what can't be taken is refused at once. A command counts
until it is settled, so that what is on its way is bounded, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from ....errors import ClusterError
from .home import make_lock
from .urls import Address

#: An entry that has no answer yet.
UNANSWERED: Any = object()
#: What an entry costs beside its bytes.
OVERHEAD = 300


class Entry:
    """One command, or a transaction, packed. ``kind`` says what its loss would mean:

    ``lossy``: little, it is sent twice at most and counted; ``durable``: too much, it is sent until it is answered;
    ``ask``: somebody waits for the answer, it is sent once.
    """

    __slots__ = (
        "address",
        "answer",
        "asking",
        "attempts",
        "deadline",
        "done",
        "endings",
        "hops",
        "key",
        "kind",
        "name",
        "number",
        "packed",
        "replies",
        "timed_out",
    )

    def __init__(
        self,
        name: str,
        packed: bytes,
        key: bytes | None,
        kind: Literal["lossy", "durable", "ask"],
        *,
        deadline: float = math.inf,
        done: Callable[[Any], None] | None = None,
        replies: int = 1,
        address: Address | None = None,
    ) -> None:
        self.name = name
        self.packed = packed
        self.key = key
        self.kind = kind
        #: On the monotonic clock; a durable one has none.
        self.deadline = deadline
        self.done = done
        self.replies = replies
        #: The one server that is meant.
        self.address = address
        #: Where the slot's owner sent us, for this once (ASK).
        self.asking: Address | None = None
        self.attempts = 0
        #: Connections that ended when this one was the next to be answered.
        self.endings = 0
        self.hops = 0
        self.timed_out = False
        self.answer: Any = UNANSWERED
        self.number = 0

    @property
    def size(self) -> int:
        return len(self.packed) + OVERHEAD


class Outbox:
    """A queue in order of arrival, of which part may be dropped."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self.clear()

    def clear(self) -> list[Entry]:
        """Forget everything; returns what waited. Also for a child after a fork, whatever the parent's threads did."""
        waited = [*getattr(self, "_lossy", ()), *getattr(self, "_firm", ())]
        self._lock = make_lock()
        # Two queues, so that the oldest that may be lost is found at once; numbers keep the common order.
        self._lossy: deque[Entry] = deque()
        self._firm: deque[Entry] = deque()
        self._number = 0
        self.entries = 0
        self.bytes = 0
        return waited

    @property
    def waiting(self) -> bool:
        return bool(self._lossy or self._firm)

    def put(self, entry: Entry) -> list[Entry]:
        """Add an entry; returns those that are lost for it, which may be itself.

        Raises:
            ClusterError: there is no room for one that may not be lost.
        """
        dropped = []
        with self._lock:
            possible = entry.size <= self._max_bytes  # else nothing makes room for it
            while (
                possible
                and self._lossy
                and (self.entries >= self._max_entries or self.bytes + entry.size > self._max_bytes)
            ):
                oldest = self._lossy.popleft()
                self._forget(oldest)
                dropped.append(oldest)
            fits = self.entries < self._max_entries and self.bytes + entry.size <= self._max_bytes
            if fits:
                self._number += 1
                entry.number = self._number
                self.entries += 1
                self.bytes += entry.size
                (self._lossy if entry.kind == "lossy" else self._firm).append(entry)
            elif entry.kind != "lossy":  # making room was not enough: nothing is lost for one that is refused
                for kept in reversed(dropped):
                    self._lossy.appendleft(kept)
                    self.entries += 1
                    self.bytes += kept.size
        if not fits and entry.kind == "lossy":
            dropped.append(entry)
        elif not fits:
            raise ClusterError(
                f"{entry.name} was not sent: {self.entries} commands ({self.bytes} bytes) wait for Redis already"
            )
        return dropped

    def take(self, count: int, size: int) -> list[Entry]:
        """The oldest entries, up to a number and a size in bytes, but at least one if there is one."""
        taken: list[Entry] = []
        with self._lock:
            while len(taken) < count and (self._lossy or self._firm):
                lossy = not self._firm or (self._lossy and self._lossy[0].number < self._firm[0].number)
                queue = self._lossy if lossy else self._firm
                size -= queue[0].size
                if size < 0 and taken:
                    break
                taken.append(queue.popleft())
        return taken

    def put_back(self, entries: list[Entry]) -> None:
        """Let entries that were taken wait again, in their old place."""
        with self._lock:
            for entry in reversed(entries):
                (self._lossy if entry.kind == "lossy" else self._firm).appendleft(entry)

    def settle(self, entry: Entry) -> None:
        """An entry that was taken is done with."""
        with self._lock:
            self._forget(entry)

    def expire(self, now: float) -> list[Entry]:
        """Remove and return what has waited too long."""
        expired = []
        with self._lock:
            for queue in (self._lossy, self._firm):
                late = [entry for entry in queue if entry.deadline < now]
                if late:
                    kept = [entry for entry in queue if entry.deadline >= now]
                    queue.clear()
                    queue.extend(kept)
                    for entry in late:
                        self._forget(entry)
                    expired += late
        return expired

    def _forget(self, entry: Entry) -> None:
        self.entries -= 1
        self.bytes -= entry.size
