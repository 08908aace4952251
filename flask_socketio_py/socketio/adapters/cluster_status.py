"""How a cluster fares: the value that people see, and the watch that notices changes, logs them and tells of them.

Must not know how a dialect finds out, nor who is told.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Literal

log = logging.getLogger(__name__)

#: Seconds between two log lines about an outage that goes on.
REMIND_EVERY = 60.0
#: Outages that are logged in such a time; of further ones only that they go on.
MAX_OUTAGES = 10

State = Literal["idle", "connecting", "connected", "disconnected", "closed"]


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """How the other servers of a cluster can be reached. It is true while they can be; ``str()`` is for people."""

    #: ``"idle"``: this server has not joined yet; ``"connecting"``, for the first time; ``"connected"``;
    #: ``"disconnected"``, and trying again; ``"closed"``, after ``shutdown()``.
    state: State
    #: Since when, in UTC.
    since: datetime
    #: What went wrong last, without credentials, also when it is over; ``None``: nothing did.
    error: str | None = None
    #: Where Redis is, without credentials; ``None``: there is none.
    address: str | None = None
    #: Messages to the other servers that wait to be sent.
    waiting: int = 0
    #: Messages to the other servers that were lost so far, or may have been.
    lost: int = 0
    #: Messages of others so far that could not be read.
    malformed: int = 0

    @property
    def connected(self) -> bool:
        """Whether the other servers can be reached."""
        return self.state == "connected"

    def __bool__(self) -> bool:
        return self.connected

    def __str__(self) -> str:
        parts = [f"{self.state} since {self.since:%Y-%m-%d %H:%M:%S} UTC"]
        if self.address is not None:
            parts[0] += f" ({self.address})"
        if self.error is not None and not self.connected:
            parts[0] += f": {self.error}"
        parts += [
            f"{count} {what}"
            for count, what in ((self.waiting, "waiting"), (self.lost, "lost"), (self.malformed, "malformed"))
            if count
        ]
        return ", ".join(parts)


def now() -> datetime:
    """The time, for :attr:`ClusterStatus.since`."""
    return datetime.now(timezone.utc)


class Watch:
    """``look()`` says how it fares at the moment. Used in the thread of the hub, but for :attr:`status`."""

    def __init__(self, look: Callable[[], ClusterStatus]) -> None:
        self._look = look
        #: Hears of each change of the state, in order; must not block, and not raise.
        self.on_change: Callable[[ClusterStatus], Any] | None = None
        self._state: State = "idle"
        self._since = now()
        # On the monotonic clock: when the outage began, when anything was logged of one, and the latest ones.
        self._away_since: float | None = None
        self._logged_at = 0.0
        self._outages: deque[float] = deque(maxlen=MAX_OUTAGES)
        # Whether the log knows of this outage, and what was lost before it.
        self._told = False
        self._lost_before = 0

    @property
    def status(self) -> ClusterStatus:
        """How it fares."""
        found = self._look()
        if found.state == "connecting" and self._state in ("connected", "disconnected"):
            # One of several connections is new. Whether that makes a difference is known when it stands, or fails.
            found = replace(found, state=self._state)
        return replace(found, since=self._since) if found.state == self._state else found

    def begin(self) -> None:
        """In a process, which may be a child of one that has begun already."""
        self._state, self._since, self._away_since = "idle", now(), None

    def changed(self) -> None:
        """The status may be another."""
        status = self.status
        if status.state == self._state:
            if status.state == "disconnected":
                self._remind(status)
            return
        self._state, self._since = status.state, now()
        status = replace(status, since=self._since)
        self._log(status)
        if self.on_change is not None:
            self.on_change(status)

    def _log(self, status: ClusterStatus) -> None:
        where = f" to {status.address}" if status.address else ""
        moment = time.monotonic()
        if status.state == "disconnected":
            self._away_since, self._lost_before = moment, status.lost
            self._told = len(self._outages) < MAX_OUTAGES or moment - self._outages[0] > REMIND_EVERY
            if self._told:
                self._logged_at = moment
                self._outages.append(moment)
                log.warning(
                    "cluster: no connection%s: %s; clients of this server are served, trying again", where, status.error
                )
        elif status.state == "connected" and self._away_since is not None:
            away, lost = moment - self._away_since, status.lost - self._lost_before
            self._away_since = None
            if self._told:
                log.info(
                    "cluster: connected%s after %.1f s without; %d messages to the other servers were lost",
                    *(where, away, lost),
                )
        elif status.state != "connecting":
            log.info("cluster: %s%s", status.state, where if status.connected else "")

    def _remind(self, status: ClusterStatus) -> None:
        moment = time.monotonic()
        if self._away_since is not None and moment - self._logged_at >= REMIND_EVERY:
            self._logged_at, self._told = moment, True
            log.warning(
                "cluster: still no connection%s after %.0f s: %s",
                f" to {status.address}" if status.address else "",
                moment - self._away_since,
                status.error,
            )
