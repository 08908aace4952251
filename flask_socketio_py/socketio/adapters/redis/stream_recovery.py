"""StreamRecovery: gives a client whose connection broke its socket again, on whichever server it comes back to.

Owns what a session says (facts: ``wire`` 2.6, the format of the streams adapter with a few things more that Node
overlooks) and the way back through the log. A session is written when a client connects and then now and again, not
only when its connection breaks: a server may be killed.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ....engineio.message import PreparedMessage
from ....engineio.session import Event as SessionEvent
from ....errors import ClusterError
from ..recovery import RecoveryOptions
from ..recovery_store import Presence, SavedState
from .log_messages import LogMessages
from .sessions import PATIENCE, Sessions
from .stream_log import START, Entry, Number, is_offset, number

if TYPE_CHECKING:
    from ...namespace import Namespace
    from ...socket import Socket
    from .streams import StreamsDialect

log = logging.getLogger(__name__)

_PID = re.compile(r"[\w-]{8,64}", re.ASCII)


class StreamRecovery:
    """The states of one namespace's sockets. Implements ``RecoveryStore``."""

    shared = True

    def __init__(
        self, namespace: Namespace, options: RecoveryOptions, sessions: Sessions, dialect: StreamsDialect
    ) -> None:
        self.present: dict[str, str] = {}
        self._namespace = namespace
        self._options = options
        self._sessions = sessions
        self._dialect = dialect
        self._messages = LogMessages(namespace, dialect.log_codec, options.max_buffer_size)
        self._restoring = 0
        # What was last written of those who are here: private id -> a hash of it.
        self._written: dict[str, int] = {}
        # Socket id -> up to which entry it was given what it missed, until the reader is there.
        self._ahead: dict[str, Number] = {}
        # Socket id -> when it came back, of those who did since something was delivered early.
        self._late: dict[str, int] = {}
        self._given_away: str | None = None

    @property
    def position(self) -> str:
        return self._dialect.reader.position or ""

    @property
    def empty(self) -> bool:
        return not self._restoring

    def enter(self, sid: str) -> Presence:
        presence = Presence(secrets.token_urlsafe(15), self.position)
        self.present[presence.pid] = sid
        self._dialect.attend(self._namespace.name, self)
        return presence

    # -- sessions ----------------------------------------------------------------------------------------------------

    def changed(self, socket: Any, *, entered: bool = False) -> None:
        if socket.presence is not None and (entered or socket.presence.pid in self._written):
            if entered:
                self.write(socket, again=True)
                if socket.presence.recovered:
                    # And once more in a moment: where it comes from, its old state may still be about to be written.
                    self._written[socket.presence.pid] = 0
            self._sessions.watch(self, socket, entered=entered)

    def write(self, socket: Socket, *, again: bool = False) -> bool:
        """Write the session of a socket that is here, if it is another than last time or ``again`` is true. Returns
        whether it is here.
        """
        presence = socket.presence
        if presence is None or socket.disconnect_reason is not None or self.present.get(presence.pid) != socket.id:
            return False
        state = SavedState(socket.id, presence, self._namespace.adapter.memberships(socket.id), socket.data)
        text = self._sessions.encode({**self._session(state), "server": self._sessions.bus.uid})
        summary = hash(text)
        if text and (again or self._written.get(presence.pid) != summary):
            self._sessions.write(presence.pid, text, here=True)
        self._written[presence.pid] = summary
        return True

    def save(self, state: SavedState, now: float) -> None:
        pid = state.presence.pid
        self._written.pop(pid, None)
        text = b"" if self._given_away == pid else self._sessions.encode(self._session(state))
        if text:
            self._sessions.write(pid, text, here=False)

    def forget(self, pid: str) -> None:
        if self._written.pop(pid, None) is not None:
            self._sessions.delete(pid)

    def expire(self, now: float) -> None:
        """Redis does that; and whoever has missed the same has come back, too, by now."""
        self._messages.clear()
        self._dialect.history.forget()

    def _session(self, state: SavedState) -> dict[str, Any]:
        rooms = {room: since for room, since in state.rooms.items() if type(room) in (str, int)}
        began = self._dialect.reader.began or ""
        return {
            "sid": state.sid,
            "pid": state.presence.pid,
            "rooms": [state.sid, *rooms],
            "data": state.data,
            "nsp": self._namespace.name,
            "since": [since or began for since in (state.presence.since, *rooms.values())],
        }

    def taken_over(self, sid: str, identifier: str) -> None:
        """This client has come back on another server: its connection here is dead."""
        socket = self._namespace.sockets.get(sid)
        if socket is None or socket.presence is None or self._ahead.get(sid, (-1, -1)) >= number(identifier):
            return  # the last: it was there, and has come back here since
        self._given_away = socket.presence.pid
        try:
            socket.client.session.apply(SessionEvent.TRANSPORT_CLOSED)
        finally:
            self._given_away = None

    # -- the way back ------------------------------------------------------------------------------------------------

    def beyond(self, offset: str) -> tuple[str, ...]:
        if not self._ahead:
            return ()
        here = number(offset)
        self._ahead = {sid: ahead for sid, ahead in self._ahead.items() if ahead >= here}
        return tuple(self._ahead)

    def all_but_late(self, early: int) -> list[str] | None:
        """Whom a broadcast was given that was delivered early: all but those who came back since; ``None``: nobody did,
        who is still here.
        """
        sockets = self._namespace.sockets
        late = {sid for sid, moment in self._late.items() if moment > early and sid in sockets}
        return [sid for sid in sockets if sid not in late] if late else None

    def restore(self, pid: str, offset: str | None, now: float) -> tuple[SavedState, list[PreparedMessage]] | None:
        if not _PID.fullmatch(pid) or (offset is not None and not is_offset(offset)):
            return None
        if self._dialect.pending.out:
            return None  # Redis has been away for a while: nobody shall wait for it
        self._restoring += 1
        self._namespace.server.watch_recovery(self._namespace)
        try:
            return self._restore(pid, offset)
        except ClusterError as error:
            log.warning("a client could not come back: %s", error)
            return None
        finally:
            self._restoring -= 1

    def _restore(self, pid: str, offset: str | None) -> tuple[SavedState, list[PreparedMessage]] | None:
        self._dialect.attend(self._namespace.name, self)
        self._dialect.reader.wait(PATIENCE)
        session = self._sessions.take(pid)
        found = None if session is None else _state_of(session, pid, offset, self._namespace.name)
        if session is None or found is None:
            return None
        state, start, since = found
        if session.get("server") not in (None, self._sessions.bus.uid):
            self._dialect.announce(self._namespace.name, state.sid)
        missed = self._missed(state.sid, start, since)
        if missed is None:
            return None
        self._came_late(state.sid)
        return state, missed

    def _came_late(self, sid: str) -> None:
        sockets = self._namespace.sockets
        if not self._dialect.pending.any_early:
            self._late.clear()
        elif len(self._late) > 2 * len(sockets) + 8:  # what Redis has lost is early for ever
            self._late = {one: moment for one, moment in self._late.items() if one in sockets}
        self._late[sid] = self._dialect.pending.tick()

    def _missed(self, sid: str, start: str, since: dict[Any, Number]) -> list[PreparedMessage] | None:
        """What was sent to these rooms after ``start`` and after each was joined; ``None`` if that can't be told.

        When it returns, the reader is not beyond what was looked at.
        """
        reader = self._dialect.reader
        past = None if number(start) <= reader.lost_up_to else self._dialect.history.after(start, reader)
        if past is None or number(start) <= reader.lost_up_to:
            return None
        entries, last = past
        missed = []
        for position, identifier, entry in entries:
            if entry is not None and entry.namespace == self._namespace.name:
                message = self._message(position, identifier, entry, since)
                if message is not None:
                    missed.append(message)
        if sum(message.size for message in missed) > self._options.max_buffer_size:
            log.warning("a client could not come back: it missed too much")
            return None
        here = number(self.position)
        self._ahead = {one: ahead for one, ahead in self._ahead.items() if ahead > here and one != sid}
        if last > here:
            self._ahead[sid] = last
        return missed

    def _message(
        self, position: Number, identifier: str, entry: Entry, since: dict[Any, Number]
    ) -> PreparedMessage | None:
        """The message of an entry, if it is for these rooms."""

        def in_any(rooms: Iterable[Any]) -> bool:
            return any(room in since and since[room] < position for room in rooms)

        return self._messages.of(
            identifier,
            entry,
            lambda broadcast: (not broadcast.rooms or in_any(broadcast.rooms)) and not in_any(broadcast.excepted),
        )


def _state_of(
    session: dict[str, Any], pid: str, offset: str | None, namespace: str
) -> tuple[SavedState, str, dict[Any, Number]] | None:
    """The state that a session holds, after which entry what was missed begins, and that for each room (the socket's
    own first); ``None``: nothing that can be used.
    """
    sid, rooms, since = session.get("sid"), session.get("rooms"), session.get("since")
    if not isinstance(sid, str) or not 0 < len(sid) <= 100 or not isinstance(rooms, list):
        return None
    if not all(type(room) in (str, int) for room in rooms) or session.get("nsp") not in (None, namespace):
        return None
    joined: dict[Any, str] = {}
    if isinstance(since, list) and len(since) == len(rooms):
        joined = {
            room: position
            for room, position in zip(rooms, since, strict=True)
            if isinstance(position, str) and is_offset(position)
        }
    start = max((one for one in (offset, joined.get(sid)) if one is not None), key=number, default=None)
    if start is None:
        return None
    positions = {room: max(number(start), number(joined.get(room, START))) for room in (sid, *rooms)}
    # Node does not say in which namespace a client was: whoever was in one would get past the middleware of another.
    presence = Presence(pid, start, recovered=True, vouched="nsp" in session)
    return SavedState(sid, presence, {room: joined.get(room, start) for room in rooms if room != sid},
                      session.get("data")), start, positions  # fmt: skip
