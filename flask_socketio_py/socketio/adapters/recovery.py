"""Recovery: gives a client whose connection broke its socket again. Pure: time is an argument; knows no sockets.

Owns the latest broadcasts of one namespace (the log) and the states of sockets whose connection broke. Bounded in time,
bytes and number. Node: ``SessionAwareAdapter``, see "Connection state recovery"; what is better here:

- A client that has received nothing yet has no offset; it is given what was sent since it connected.
- An offset that has left the log still counts while nothing that was meant for this client has left it since, so that
  a quiet connection can be recovered.
- Nobody is given what was sent before he connected, or to a room before he joined it, whatever offset he claims.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, NamedTuple

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
#: Stands for a broadcast without rooms.
_EVERYBODY = object()
_POSITION = re.compile("[0-9a-f]{1,15}")
#: States kept at once; the oldest is given up beyond.
MAX_STATES = 10_000
#: Rooms of which is remembered what left the log; beyond, the longest untouched is forgotten.
MAX_ROOMS = 10_000
#: What a message in the log costs beside its bytes.
_OVERHEAD = 400


@dataclass(frozen=True)
class RecoveryOptions:
    """The option ``connection_state_recovery``.

    Raises:
        TypeError, ValueError: for a value that can't be meant.
    """

    #: Seconds that a client may be away.
    max_disconnection_duration: float = 120.0
    #: Whether the middlewares of a namespace are skipped for a client that is recovered.
    skip_middlewares: bool = True
    #: Bytes that the log of one namespace may hold.
    max_buffer_size: int = 16_000_000

    def __post_init__(self) -> None:
        for name in ("max_disconnection_duration", "max_buffer_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ValueError(f"connection_state_recovery: {name} must be a number above 0, not {value!r}")
        if not isinstance(self.skip_middlewares, bool):
            raise ValueError(
                f"connection_state_recovery: skip_middlewares must be a bool, not {self.skip_middlewares!r}"
            )

    @classmethod
    def of(cls, value: bool | Mapping[str, Any] | None) -> RecoveryOptions | None:
        """The options for what the user gave; ``None``: no recovery."""
        if value is None or value is False:
            return None
        if value is True:
            return cls()
        if not isinstance(value, Mapping):
            raise TypeError(f"connection_state_recovery must be True or a dictionary, not {type(value).__name__}")
        known = [item.name for item in fields(cls)]
        for name in value:
            if name not in known:
                raise ValueError(f"connection_state_recovery has no {name!r}, only {', '.join(known)}")
        return cls(**value)


class Presence(NamedTuple):
    """What the adapter knows of a socket that may be recovered: its private id, and from where on it was there."""

    pid: str
    since: int
    recovered: bool = False


class SavedState(NamedTuple):
    """A socket whose connection broke."""

    sid: str
    presence: Presence
    #: Room -> position of the log from which on it was in there.
    rooms: dict[Room, int]
    data: Any


class _Logged(NamedTuple):
    message: PreparedMessage
    rooms: tuple[Room, ...]
    excepted: tuple[Room, ...]
    sent_at: float
    size: int


class Recovery:
    """The log and the saved states of one namespace."""

    def __init__(self, options: RecoveryOptions) -> None:
        self.options = options
        #: Private id -> socket id of those who are there, so that one who comes back on a new connection is known
        #: before the old one is found to be dead.
        self.present: dict[str, str] = {}
        # Offsets name a position in the log of this very object, and no other.
        self._epoch = secrets.token_hex(4) + "-"
        self._log: deque[_Logged] = deque()
        self._first = 0
        self._size = 0
        self._states: OrderedDict[str, tuple[float, SavedState]] = OrderedDict()
        # room -> position of the last message for it that left the log.
        self._left: OrderedDict[Room, int] = OrderedDict()
        self._floor = -1

    @property
    def empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._log and not self._states

    def enter(self, sid: str) -> Presence:
        """A new socket is there from now on."""
        presence = Presence(secrets.token_urlsafe(15), self.position)
        self.present[presence.pid] = sid
        return presence

    # -- the log -----------------------------------------------------------------------------------------------------

    def record(
        self,
        encode: Callable[[str], PreparedMessage],
        rooms: tuple[Room, ...],
        excepted: tuple[Room, ...],
        now: float,
    ) -> PreparedMessage:
        """Append a broadcast; ``encode`` makes its message with the offset that clients send back when they return."""
        while True:
            position = self.position
            message = encode(f"{self._epoch}{position:x}")
            if position == self.position:  # else the application's encoder has let another emit happen
                break
        size = 2 * message.size + _OVERHEAD  # its frames are kept with it
        self._log.append(_Logged(message, rooms, excepted, now, size))
        self._size += size
        self._trim(now)
        return message

    def _trim(self, now: float) -> None:
        """Let go of what is too old, or too much."""
        log, oldest = self._log, now - self.options.max_disconnection_duration
        while log and (log[0].sent_at < oldest or self._size > self.options.max_buffer_size):
            gone = log.popleft()
            self._size -= gone.size
            for room in gone.rooms or (_EVERYBODY,):
                self._left[room] = self._first
                self._left.move_to_end(room)
            self._first += 1
        while len(self._left) > MAX_ROOMS:
            self._floor = max(self._floor, self._left.popitem(last=False)[1])

    # -- states ------------------------------------------------------------------------------------------------------

    def save(self, state: SavedState, now: float) -> None:
        """Keep the state of a socket whose connection broke."""
        self._states[state.presence.pid] = (now, state)
        self._states.move_to_end(state.presence.pid)
        while len(self._states) > MAX_STATES:
            self._states.popitem(last=False)

    def restore(self, pid: str, offset: str | None, now: float) -> tuple[SavedState, list[PreparedMessage]] | None:
        """The state of a socket and the messages it missed; ``None``: it has to start anew. A state serves once."""
        saved_at, state = self._states.pop(pid, (0.0, None))
        if state is None or now - saved_at > self.options.max_disconnection_duration:
            return None
        position = state.presence.since - 1 if offset is None else self._position(offset)
        if position is None:
            return None
        start = max(position + 1, state.presence.since)
        self._trim(now)
        # Everything may be missed from ``start`` on, what was sent to a room from the joining on.
        since = {
            room: max(start, joined) for room, joined in ((_EVERYBODY, start), (state.sid, start), *state.rooms.items())
        }
        if self._floor >= start or any(self._left.get(room, -1) >= first for room, first in since.items()):
            return None
        skip = max(0, start - self._first)
        missed = [
            entry.message
            for index, entry in enumerate(islice(self._log, skip, None), self._first + skip)
            if (not entry.rooms or _in_any(since, entry.rooms, index)) and not _in_any(since, entry.excepted, index)
        ]
        return state._replace(presence=Presence(pid, start, recovered=True)), missed

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        self._trim(now)
        oldest = now - self.options.max_disconnection_duration
        while self._states:
            pid, (saved_at, _) = next(iter(self._states.items()))
            if saved_at >= oldest:
                break
            del self._states[pid]

    @property
    def position(self) -> int:
        """The position that the next message will have."""
        return self._first + len(self._log)

    def _position(self, offset: str) -> int | None:
        if not offset.startswith(self._epoch) or not _POSITION.fullmatch(offset, len(self._epoch)):
            return None
        position = int(offset[len(self._epoch) :], 16)
        return position if position < self.position else None


def _in_any(since: Mapping[Room, int], rooms: tuple[Room, ...], position: int) -> bool:
    """Whether somebody who is in rooms since then was in any of these when the message at a position was sent."""
    for room in rooms:
        joined = since.get(room)
        if joined is not None and joined <= position:
            return True
    return False
