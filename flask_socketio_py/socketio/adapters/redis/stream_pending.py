"""Pending: what this server has emitted and the log has not brought back yet. Owns what becomes of it in an outage.

In good times a broadcast is delivered when it is read in the log, in the one order of all servers. While Redis is away
it waits; after a time it is delivered here all the same, and not again to the same clients when the log brings it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub

from ..operations import Broadcast
from .publisher import MAX_ENTRIES
from .timer import Timer, Turns

log = logging.getLogger(__name__)

#: Seconds without Redis after which what waits is delivered to the clients of this server.
OUTAGE_GRACE = 10.0
#: Seconds that what Redis may have lost is waited for.
LOST_AFTER = 1.0
#: What was delivered early is remembered until the log brings it. All that may wait for Redis, and as much again that
#: Redis may have lost.
MAX_EARLY = 2 * MAX_ENTRIES


class _Waiting:
    """One broadcast on its way that nobody here has been given yet."""

    __slots__ = ("doomed", "namespace", "operation", "written")

    def __init__(self, namespace: str, operation: Broadcast) -> None:
        self.namespace = namespace
        self.operation = operation
        #: Whether Redis has confirmed it.
        self.written = False
        #: Whether the log will never bring it.
        self.doomed = False


class Pending:
    """``deliver(namespace, operation)`` gives a broadcast to the clients that are here now; called in the hub."""

    def __init__(self, deliver: Callable[[str, Broadcast], None]) -> None:
        self._deliver = deliver
        self._waiting: dict[int, _Waiting] = {}
        self._ticks = itertools.count(1)
        self._hub: Any = None
        self._timer = Timer()
        self._lost_timer = Timer()
        self._suspects: list[int] = []
        # Number -> when it was delivered early, as :meth:`tick` counts; the oldest first.
        self._early: dict[int, int] = {}
        # Whether a greenlet is about to deliver what is urgent.
        self._delivering = False
        #: Whether Redis can be reached, for writing and for reading.
        self.connected = False
        #: Whether it has been away for too long.
        self.out = False

    def start(self) -> None:
        """A server begins, not connected yet."""
        self._hub = get_hub()
        self._waiting.clear()
        self._early.clear()
        self.connected = self.out = self._delivering = False
        self._suspects = []
        self._timer.restart(self._give_up, OUTAGE_GRACE)

    def close(self) -> None:
        """Wait for nothing any more: everything is delivered here."""
        self._timer.stop()
        self._lost_timer.stop()
        self.out = True
        for number in list(self._waiting):
            self._deliver_early(number)

    def tick(self) -> int:
        """A moment, to be compared with that of an early delivery."""
        return next(self._ticks)

    @property
    def any_early(self) -> bool:
        """Whether something was delivered early that the log may still bring."""
        return bool(self._early)

    def of(self, namespace: str) -> list[Broadcast]:
        """What the clients here have not been given yet."""
        return [waiting.operation for waiting in list(self._waiting.values()) if waiting.namespace == namespace]

    # -- one broadcast -----------------------------------------------------------------------------------------------

    def add(self, number: int, namespace: str, operation: Broadcast) -> None:
        """A broadcast is about to be written."""
        if self._hub is not None:
            self._waiting[number] = _Waiting(namespace, operation)

    def sent(self, number: int) -> None:
        """It is on its way, and nothing went wrong at once."""
        waiting = self._waiting.get(number)
        if waiting is not None and self.serves_here(waiting.operation):
            self._hub.loop.run_callback_threadsafe(self._deliver_soon, number)

    def serves_here(self, operation: Broadcast) -> bool:
        """Whether the clients of this server are sent it at once, whatever becomes of it in the log."""
        return self.out or (operation.here and not self.connected)

    def refused(self, number: int) -> None:
        """It can't be sent at all: the log will never bring it back, and who is here is sent it."""
        if self._hub is not None:
            self._hub.loop.run_callback_threadsafe(self.failed, number)

    def discard(self, number: int) -> None:
        """It could not be sent, and its emitter knows."""
        self._waiting.pop(number, None)

    def written(self, number: int) -> None:
        """Redis has it."""
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting.written = True

    def failed(self, number: int) -> None:
        """It is not in the log: at least the clients here are given it."""
        waiting = self._waiting.get(number)
        if waiting is None:
            self._early.pop(number, None)
        else:
            waiting.doomed = True
            self._deliver_soon(number)

    def returned(self, number: int) -> int:
        """The log has brought it back. Returns when it was delivered early; 0: it was not."""
        self._waiting.pop(number, None)
        return self._early.pop(number, 0)

    def lost(self) -> None:
        """The log has lost entries: what was written and not read may never come."""
        suspects = [number for number, waiting in list(self._waiting.items()) if waiting.written]
        if suspects:
            self._suspects += suspects
            self._lost_timer.restart(self._give_suspects_up, LOST_AFTER)

    def _give_suspects_up(self) -> None:
        suspects, self._suspects = self._suspects, []
        for number in suspects:
            self._deliver_early(number)

    # -- the connection ----------------------------------------------------------------------------------------------

    def changed(self, connected: bool) -> None:
        """Redis can be reached, or not any more."""
        if connected == self.connected:
            return
        self.connected = connected
        if connected:
            self._timer.stop()
            self.out = False
        else:
            self._timer.restart(self._give_up, OUTAGE_GRACE)
            self._deliver_all()

    def _give_up(self) -> None:
        log.warning("Redis has been away for %.0f s: what is emitted reaches the clients of this server", OUTAGE_GRACE)
        self.out = True
        self._deliver_all()

    def _deliver_all(self) -> None:
        if not self._delivering:
            self._delivering = True
            gevent.spawn(self._deliver_in_turn)

    def _deliver_in_turn(self) -> None:
        """In a greenlet, because after some seconds of emitting there may be very much to do."""
        turns, delivered = Turns(), True
        try:
            while delivered:  # more may have come meanwhile
                delivered = False
                for number in list(self._waiting):
                    delivered = self._deliver_if_urgent(number) or delivered
                    turns()
        finally:
            self._delivering = False

    def _deliver_soon(self, number: int) -> None:
        if not self._delivering:  # else it has its turn, after those before it
            self._deliver_if_urgent(number)

    def _deliver_if_urgent(self, number: int) -> bool:
        waiting = self._waiting.get(number)
        if waiting is None or not (waiting.doomed or self.serves_here(waiting.operation)):
            return False
        self._deliver_early(number)
        return True

    def _deliver_early(self, number: int) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return
        if not waiting.doomed:
            self._early[number] = self.tick()
            if len(self._early) > MAX_EARLY:
                del self._early[next(iter(self._early))]
        self._deliver(waiting.namespace, waiting.operation)
