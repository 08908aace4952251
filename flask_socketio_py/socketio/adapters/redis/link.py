"""How a connection fares: its state for people to see, when to try again, and what is logged about it. Does no I/O.

A pause before the next attempt is drawn from zero to a bound that doubles with each failure ("full jitter"), so that a
cluster's workers do not come back all at once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from ....errors import ClusterError
from .wire import describe

log = logging.getLogger(__name__)

#: The bound of the first pause, and of any, in seconds.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
#: Seconds between two log lines about the same kind of trouble.
LOG_EVERY = 60.0


class Seldom:
    """Calling it says whether the same kind of trouble may be logged once more."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._last < LOG_EVERY:
            return False
        self._last = now
        return True


State = Literal["idle", "connecting", "connected", "disconnected"]


class Status(NamedTuple):
    """A connection as ``socketio.cluster.status`` shows it."""

    state: State
    #: Seconds since the epoch.
    since: float
    #: The class of the last error, also after it is over; ``None``: there was none.
    error: str | None


def worst(statuses: list[Status]) -> Status:
    """Of several connections the one that fares worst."""
    order = ("idle", "connected", "connecting", "disconnected")
    return max(statuses, key=lambda status: order.index(status.state), default=Status("idle", 0.0, None))


class Link:
    """The fate of one connection, which its owner reports here. ``what`` names it in the log, without credentials."""

    def __init__(self, what: str, on_change: Callable[[bool], Any] | None = None) -> None:
        self._what = what
        self._on_change = on_change
        self._failures = 0
        # When each kind of trouble was logged last: an outage shows as several, in turn.
        self._logged: dict[str, Seldom] = {}
        self.status = Status("idle", time.time(), None)

    @property
    def connected(self) -> bool:
        return self.status.state == "connected"

    def connecting(self) -> None:
        """An attempt begins."""
        if self.status.state != "disconnected":
            self._become("connecting", self.status.error)

    def up(self) -> None:
        """The connection serves."""
        if self.connected:
            return
        self._failures = 0
        if self.status.error is not None:
            log.info("%s: connected again", self._what)
        self._become("connected", self.status.error)

    def down(self, error: BaseException) -> None:
        """The connection, or an attempt at one, failed."""
        self._failures += 1
        reason = describe(error)
        if self._may_log(reason):
            log.warning("%s: no connection: %s; trying again", self._what, reason)
        self._become("disconnected", type(error).__name__)

    def refused(self, error: ClusterError) -> None:
        """Something was refused that is wanted, over a connection that serves the rest."""
        if self._may_log(str(error)):
            log.error("%s: %s", self._what, error)
        self.status = self.status._replace(error=type(error).__name__)

    def _may_log(self, reason: str) -> bool:
        return self._logged.setdefault(reason, Seldom())()

    def forget(self) -> None:
        """In a new process, and when it is over: there is no connection. Nobody is told."""
        self._failures = 0
        self.status = Status("idle", time.time(), None)

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 20))
        return random.uniform(0.0, bound)

    def _become(self, state: State, error: str | None) -> None:
        was = self.connected
        since = self.status.since if state == self.status.state else time.time()
        self.status = Status(state, since, error)
        if self.connected != was and self._on_change is not None:
            call(self._on_change, self.connected)


def call(function: Callable[..., Any], *args: Any) -> None:
    """Call one of the owner's functions; what it raises is logged, and ends nothing."""
    try:
        function(*args)
    except Exception:
        log.exception("a function that Redis' news were given to failed")
