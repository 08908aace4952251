"""RecoveryStore: the seam to what gives a client whose connection broke its socket again. Data and a Protocol only.

In one process that is :class:`~.recovery.Recovery`; in a cluster with a log the dialect's own, for all servers.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple, Protocol

from ...engineio.message import PreparedMessage
from ...engineio.reasons import Reason

Room = Hashable

#: The reasons of a disconnect after which a client may come back; the others were somebody's decision.
RECOVERABLE = frozenset(
    (
        Reason.TRANSPORT_ERROR,
        Reason.TRANSPORT_CLOSE,
        Reason.FORCED_CLOSE,
        Reason.PING_TIMEOUT,
        Reason.SERVER_SHUTTING_DOWN,
        Reason.FORCED_SERVER_CLOSE,
    )
)


class Presence(NamedTuple):
    """What is known of a socket that may be recovered: its private id, and from where on it was there."""

    pid: str
    #: A position in the store's own log.
    since: Any
    recovered: bool = False
    #: Whether it is certain that it was in this namespace before: else the middlewares are not skipped.
    vouched: bool = True


class SavedState(NamedTuple):
    """A socket whose connection broke."""

    sid: str
    presence: Presence
    #: Room -> position of the store's log from which on it was in there.
    rooms: dict[Room, Any]
    data: Any


class RecoveryStore(Protocol):
    """The states of one namespace's sockets, as the way in and the way out need them."""

    #: Private id -> socket id of those who are here, so that one who comes back on a new connection is known before the
    #: old one is found to be dead.
    present: dict[str, str]
    #: Whether it is one for all servers of a cluster. Then :meth:`restore` may block, and the broadcasts come from a
    #: log with their offsets; else the namespace records them itself.
    shared: bool

    @property
    def position(self) -> Any:
        """Where the log is now; what is joined now has no past."""

    @property
    def empty(self) -> bool:
        """Whether the namespace can be forgotten without harm to anybody."""

    def enter(self, sid: str) -> Presence:
        """A new socket is there from now on."""

    def changed(self, socket: Any, *, entered: bool = False) -> None:
        """A socket has been let in, or its rooms or data may be others now."""

    def save(self, state: SavedState, now: float) -> None:
        """Keep the state of a socket whose connection broke."""

    def forget(self, pid: str) -> None:
        """Somebody decided that this socket ends."""

    def restore(self, pid: str, offset: str | None, now: float) -> tuple[SavedState, list[PreparedMessage]] | None:
        """The state of a socket and the messages it missed; ``None``: it has to start anew. A state serves once.

        The socket has to be in its namespace and rooms before the hub has its next turn.
        """

    def beyond(self, offset: str) -> tuple[str, ...]:
        """The ids of sockets that were given this broadcast of the log, when they came back, before it is read here."""

    def expire(self, now: float) -> None:
        """Forget what is too old."""
