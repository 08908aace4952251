"""How a connection fares: its state, when to try again, and what several connections come to. Does no I/O.

A pause before the next attempt is drawn from zero to a bound that doubles with each failure ("full jitter"), so that a
cluster's workers do not come back all at once.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from ....errors import ClusterError
from ..cluster_status import ClusterStatus
from ..complaints import Complaints
from .faults import describe
from .urls import RedisURL

log = logging.getLogger(__name__)

#: The bound of the first pause, and of any, in seconds.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

State = Literal["idle", "connecting", "connected", "disconnected"]


class Status(NamedTuple):
    """One connection, or several."""

    state: State
    #: Seconds since the epoch.
    since: float
    #: The last error without credentials, also after it is over; ``None``: there was none.
    error: str | None


def worst(statuses: list[Status]) -> Status:
    """Of several connections the one that fares worst."""
    order = ("connected", "idle", "connecting", "disconnected")
    return max(statuses, key=lambda status: order.index(status.state), default=Status("idle", 0.0, None))


def summary(statuses: list[Status], url: RedisURL, waiting: int, lost: int, malformed: int) -> ClusterStatus:
    """What the connections of a dialect come to, and what it counts."""
    found = worst(statuses)
    error = found.error or next((status.error for status in statuses if status.error is not None), None)
    since = datetime.fromtimestamp(found.since, timezone.utc)
    return ClusterStatus(found.state, since, error, str(url), waiting, lost, malformed)


class Link:
    """The fate of one connection, which its owner reports here. ``what`` names it in the log.

    ``on_change(connected)`` hears when that is another, ``on_status()`` of everything that was reported.
    """

    def __init__(
        self,
        what: str,
        url: RedisURL,
        on_change: Callable[[bool], Any] | None = None,
        on_status: Callable[[], Any] | None = None,
    ) -> None:
        self._what = f"{what} ({url})"
        self._url = url
        self._on_change = on_change
        self._on_status = on_status
        self._failures = 0
        self._complaints = Complaints(log)
        self.status = Status("idle", time.time(), None)

    @property
    def connected(self) -> bool:
        return self.status.state == "connected"

    def connecting(self) -> None:
        """The first attempt begins; later ones change nothing."""
        if self.status.state == "idle":
            self._become("connecting", self.status.error)

    def up(self) -> None:
        """The connection serves."""
        if self.connected:
            return
        self._failures = 0
        log.debug("%s: connected", self._what)
        self._become("connected", self.status.error)

    def down(self, error: BaseException) -> None:
        """The connection, or an attempt at one, failed."""
        self._failures += 1
        reason = describe(error, self._url)
        # People are told once of an outage, not for each connection and attempt: by the cluster's watch.
        log.debug("%s: no connection: %s; trying again", self._what, reason)
        self._become("disconnected", reason)

    def refused(self, error: ClusterError) -> None:
        """The connection serves, but Redis refused a command that nobody waits for."""
        reason = str(error)
        self._complaints.warn(reason, "%s: %s", self._what, reason)
        self.status = self.status._replace(error=reason)

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
        if self._on_status is not None:
            call(self._on_status)


def call(function: Callable[..., Any], *args: Any) -> None:
    """Call one of the owner's functions; what it raises is logged, and ends nothing."""
    try:
        function(*args)
    except Exception:
        log.exception("a function that Redis' news were given to failed")
