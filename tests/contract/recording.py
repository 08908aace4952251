"""Implements Engine.IO's seams in memory: two transports, an owner and a handler that remember what was asked of them.

They are held to the same contract as the transports that ship (test_transports.py): what tests prove with them holds.
"""

from __future__ import annotations

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.request import EngineIORequest
from flask_socketio_py.engineio.session import Event, Session, State


class DirectTransport:
    """Takes messages at once while it has room, as a WebSocket does; ``room=None`` is room without end."""

    name = "websocket"

    def __init__(self, room: int | None = None) -> None:
        self.session: Session | None = None
        self.room = room
        self.taken: list[PreparedMessage] = []
        #: What was written after the end; must stay empty.
        self.late: list[PreparedMessage] = []
        self.closed: Reason | None = None
        self.discarded = 0
        self.paused = False
        self.closing = False

    @property
    def over(self) -> bool:
        return self.closed is not None or self.discarded > 0

    @property
    def writable(self) -> bool:
        return self.room is None or self.room > 0

    def write(self, message: PreparedMessage) -> bool:
        if self.over:
            self.late.append(message)
            return True
        if not self.writable:
            return False
        if self.room is not None:
            self.room -= 1
        self.taken.append(message)
        return True

    def wake(self) -> None:
        """It is make_room() that asks for what waits."""

    def close(self, reason: Reason) -> bool:
        if self.session is not None and self.session.outbox and reason is not Reason.OUTBOX_FULL:
            self.closing = True
            return False
        self.closed = reason
        return True

    def discard(self) -> None:
        self.discarded += 1

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def make_room(self, messages: int) -> None:
        """Take that many messages more: the client has read."""
        session = self.session
        if self.over or self.room is None:
            return
        self.room += messages
        if session is not None and session.transport is self:
            session.flush()
            if self.closing and not session.outbox:
                self.closed = Reason.FORCED_CLOSE
                session.apply(Event.FLUSHED)


class FetchedTransport(DirectTransport):
    """Takes nothing by itself: the client has to fetch it, as by polling."""

    name = "polling"

    def __init__(self) -> None:
        super().__init__(room=0)

    def close(self, reason: Reason) -> bool:
        return False

    def fetch(self) -> list[PreparedMessage]:
        """What a GET of the client would be answered."""
        session = self.session
        if session is None or session.transport is not self:
            return []
        fetched = session.drain()
        self.taken += fetched
        if session.state is State.CLOSING:
            self.closed = Reason.FORCED_CLOSE
            session.apply(Event.FLUSHED)
        return fetched


class RecordingOwner:
    """Implements ``session.Owner``."""

    def __init__(self, max_outbox_size: int = 1_000_000) -> None:
        self.max_outbox_size = max_outbox_size
        self.calls: list[str] = []

    def ponged(self, session: Session) -> None:
        self.calls.append("ponged")

    def extended(self, session: Session) -> None:
        self.calls.append("extended")

    def lingering(self, session: Session) -> None:
        self.calls.append("lingering")

    def forget(self, session: Session) -> None:
        self.calls.append("forget")


class RecordingHandler:
    """Implements ``session.Handler``. ``react`` runs on each message, for tests in which a handler does something."""

    def __init__(self) -> None:
        self.opened: list[Session] = []
        self.messages: list[str | bytes] = []
        self.reasons: list[Reason] = []
        self.react = lambda session, data: None

    def on_open(self, session: Session) -> None:
        self.opened.append(session)

    def on_message(self, session: Session, data: str | bytes) -> None:
        self.messages.append(data)
        self.react(session, data)

    def on_close(self, session: Session, reason: Reason) -> None:
        self.reasons.append(reason)


def request(revision: str = "4", more: str = "") -> EngineIORequest:
    """A request as one that opened a session; ``more`` is what its query says further."""
    environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": f"EIO={revision}{more}"}
    return EngineIORequest(environ, "websocket", None, revision, False)


def open_session(transport: DirectTransport, max_outbox_size: int = 1_000_000, revision: str = "4") -> Session:
    """A session over this transport, whose owner and handler record."""
    session = Session("sid", RecordingOwner(max_outbox_size), RecordingHandler(), request(revision))
    session.transport = transport
    transport.session = session
    return session
