"""One timer for every deadline of the process: pings, pongs, connect and upgrade timeouts, lingering closes.

Each kind of deadline has one constant delay, so a queue in order of arrival is already sorted: adding, removing and
expiring cost O(1), and a connection owns no timer. Knows nothing of what the items are.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from gevent import get_hub

Item = TypeVar("Item")
log = logging.getLogger(__name__)

#: Deadlines this close together (seconds) are handled in one go.
GRAIN = 0.01
#: A tick that comes this much too late (seconds) found the hub blocked: clients get one more turn to be heard.
BLOCKED = 0.5


class DeadlineQueue(Generic[Item]):
    """Items that are due ``delay`` seconds after they were added. Pure: time is an argument."""

    __slots__ = ("_due", "delay", "on_due")

    def __init__(self, delay: float, on_due: Callable[[Item], None]) -> None:
        self.delay = delay
        self.on_due = on_due
        self._due: OrderedDict[Item, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: Item) -> bool:
        return item in self._due

    def add(self, item: Item, now: float) -> float:
        """Add an item, or move it to the end; returns when it is due."""
        due = self._due[item] = now + self.delay
        self._due.move_to_end(item)
        return due

    def discard(self, item: Item) -> None:
        """Remove an item, if it is there."""
        self._due.pop(item, None)

    def next_due(self) -> float | None:
        """When the first item is due."""
        return next(iter(self._due.values())) if self._due else None

    def take_due(self, now: float) -> list[Item]:
        """Remove and return what is due by now."""
        taken = []
        for item, due in self._due.items():
            if due > now:
                break
            taken.append(item)
        for item in taken:
            del self._due[item]
        return taken


class Timekeeper:
    """Drives any number of queues with one timer of the hub."""

    def __init__(self) -> None:
        self._queues: list[DeadlineQueue[Any]] = []
        self._timer: Any = None
        self._armed: float | None = None
        self._excused = False

    def queue(self, delay: float, on_due: Callable[[Item], None]) -> DeadlineQueue[Item]:
        """A new queue with this delay in seconds."""
        queue: DeadlineQueue[Item] = DeadlineQueue(delay, on_due)
        self._queues.append(queue)
        return queue

    def add(self, queue: DeadlineQueue[Item], item: Item) -> None:
        """Let an item be due after its queue's delay from now."""
        due = queue.add(item, time.monotonic())
        if self._armed is None or due < self._armed - GRAIN:
            self._arm(due)

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        loop = get_hub().loop
        loop.update_now()
        self._armed = due
        self._timer = loop.timer(max(0.0, due - time.monotonic()) + GRAIN, ref=False)
        self._timer.start(self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        if self._armed is not None and now - self._armed > BLOCKED and not self._excused:
            # A handler blocked the hub: answers may lie unread in the sockets, which come first now.
            self._excused = True
            self._arm(now + GRAIN)
            return
        self._excused = False
        self._armed = None
        for queue in self._queues:
            for item in queue.take_due(now):
                try:
                    queue.on_due(item)
                except Exception:
                    log.exception("a deadline's action failed")
        due = [first for first in (queue.next_due() for queue in self._queues) if first is not None]
        if due:
            self._arm(min(due))
