"""Session: one Engine.IO connection over whichever transport carries it now. A table of states; no I/O and no clock.

Owns the outbox and the state; transports write and read for it, ``server`` drives time. Must not know Socket.IO or
gevent. Engine.IO protocol 4, "Protocol" and "Upgrade", and the "Heartbeat" of 3; the diagram in docs/topics is made
from :data:`TRANSITIONS`.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from . import message as messages
from . import packet
from .message import PreparedMessage
from .reasons import Reason

if TYPE_CHECKING:
    from .request import EngineIORequest


class State(Enum):
    """Where a session is in its life."""

    OPEN = "open"
    #: A WebSocket has probed and may take over from polling.
    UPGRADING = "upgrading"
    #: Closed for its owner; a polling client has still to fetch the close packet.
    CLOSING = "closing"
    CLOSED = "closed"

    __hash__ = object.__hash__  # identity: Enum's own goes through Python code on a hot path


# Looked up for every message; a name of the module costs a tenth of an enum's attribute.
_OPEN, _UPGRADING = State.OPEN, State.UPGRADING


class Event(Enum):
    """What can happen to a session."""

    MESSAGE = "message"
    PONG = "pong"
    PROBE = "probe"
    PROBE_LOST = "probe lost"
    UPGRADE = "upgrade"
    CLOSE_PACKET = "close packet"
    BAD_PACKET = "bad packet"
    TRANSPORT_CLOSED = "transport closed"
    TRANSPORT_FAILED = "transport failed"
    PING_TIMED_OUT = "ping timed out"
    CLOSE = "close"
    FLUSHED = "flushed"

    __hash__ = object.__hash__


#: (state, event) -> (next state, what is done). What is not here is ignored.
TRANSITIONS: dict[tuple[State, Event], tuple[State, str]] = {
    (State.OPEN, Event.MESSAGE): (State.OPEN, "deliver"),
    (State.OPEN, Event.PONG): (State.OPEN, "refresh"),
    (State.OPEN, Event.PROBE): (State.UPGRADING, "answer the probe"),
    (State.OPEN, Event.CLOSE_PACKET): (State.CLOSED, "end: transport close"),
    (State.OPEN, Event.BAD_PACKET): (State.CLOSED, "end: parse error"),
    (State.OPEN, Event.TRANSPORT_CLOSED): (State.CLOSED, "end: transport close"),
    (State.OPEN, Event.TRANSPORT_FAILED): (State.CLOSED, "end: transport error"),
    (State.OPEN, Event.PING_TIMED_OUT): (State.CLOSED, "end: ping timeout"),
    (State.OPEN, Event.CLOSE): (State.CLOSING, "tell the client"),
    (State.UPGRADING, Event.MESSAGE): (State.UPGRADING, "deliver"),
    (State.UPGRADING, Event.PONG): (State.UPGRADING, "refresh"),
    (State.UPGRADING, Event.PROBE_LOST): (State.OPEN, "forget the probe"),
    (State.UPGRADING, Event.UPGRADE): (State.OPEN, "change transport"),
    (State.UPGRADING, Event.CLOSE_PACKET): (State.CLOSED, "end: transport close"),
    (State.UPGRADING, Event.BAD_PACKET): (State.CLOSED, "end: parse error"),
    (State.UPGRADING, Event.TRANSPORT_CLOSED): (State.CLOSED, "end: transport close"),
    (State.UPGRADING, Event.TRANSPORT_FAILED): (State.CLOSED, "end: transport error"),
    (State.UPGRADING, Event.PING_TIMED_OUT): (State.CLOSED, "end: ping timeout"),
    (State.UPGRADING, Event.CLOSE): (State.CLOSING, "tell the client"),
    (State.CLOSING, Event.CLOSE_PACKET): (State.CLOSED, "bury"),
    (State.CLOSING, Event.TRANSPORT_CLOSED): (State.CLOSED, "bury"),
    (State.CLOSING, Event.TRANSPORT_FAILED): (State.CLOSED, "bury"),
    (State.CLOSING, Event.FLUSHED): (State.CLOSED, "bury"),
}

_ENDS = {
    "end: transport close": Reason.TRANSPORT_CLOSE,
    "end: parse error": Reason.PARSE_ERROR,
    "end: transport error": Reason.TRANSPORT_ERROR,
    "end: ping timeout": Reason.PING_TIMEOUT,
}


class Handler(Protocol):
    """The layer above: what happens to a session is told here.

    Called from the hub: must not block and must not raise.
    """

    def on_open(self, session: Session) -> None:
        """The session exists; the handler may put a handler of its own into ``session.handler``."""

    def on_message(self, session: Session, data: str | bytes) -> None:
        """One message, without Engine.IO's digit."""

    def on_close(self, session: Session, reason: Reason) -> None:
        """The session has ended; called once."""


class Transport(Protocol):
    """What carries a session's packets. Implemented by ``transports`` and by the test client."""

    name: str

    def write(self, message: PreparedMessage) -> bool:
        """Send now, or return ``False``: then it stays in the outbox until the transport asks for it."""

    @property
    def writable(self) -> bool:
        """Whether a message written now would leave now (what a volatile message asks)."""

    def wake(self) -> None:
        """Something waits in the outbox."""

    def close(self, reason: Reason) -> bool:
        """End the transport, telling the client; ``False``: it has to be told later (polling without a pending GET)."""

    def discard(self) -> None:
        """End the transport at once: the session is over, or goes on over another one."""

    def pause(self) -> None:
        """Read no more from the client."""

    def resume(self) -> None:
        """Read on."""


class Owner(Protocol):
    """What a session needs of the server that made it."""

    max_outbox_size: int

    def ponged(self, session: Session) -> None:
        """The client answered a ping, or in revision 3 sent one: the next is due an interval from now."""

    def extended(self, session: Session) -> None:
        """Something else arrived while a pong is awaited: wait once more."""

    def lingering(self, session: Session) -> None:
        """A polling client has still to fetch the close packet: wait for it, but not for ever."""

    def forget(self, session: Session) -> None:
        """The session is closed: nothing may refer to it any more."""


class Session:
    """One client's Engine.IO connection. ``sid`` is private to client and server."""

    __slots__ = (
        "__weakref__",
        "awaiting_pong",
        "extended",
        "handler",
        "outbox",
        "outbox_size",
        "owner",
        "paused",
        "probing",
        "request",
        "sid",
        "state",
        "transport",
    )

    def __init__(self, sid: str, owner: Owner, handler: Handler, request: EngineIORequest) -> None:
        self.sid = sid
        self.owner = owner
        self.handler = handler
        self.request = request
        self.state = State.OPEN
        self.transport: Transport = None  # type: ignore[assignment]  # set by the server before anything can happen
        self.probing: Transport | None = None
        self.outbox: deque[PreparedMessage] | None = None
        self.outbox_size = 0
        self.awaiting_pong = False
        self.extended = False
        self.paused = False

    @property
    def protocol(self) -> int:
        """The revision of Engine.IO that the client speaks: 3 or 4."""
        return 3 if self.request.protocol == "3" else 4

    # -- inbound -----------------------------------------------------------------------------------------------------

    def receive(self, data: str | bytes) -> None:
        """One packet as it came: text with its type digit, or binary."""
        if type(data) is str:
            kind = data[:1]
            if kind != packet.MESSAGE:
                self._receive_control(kind, data)
                return
            data = data[1:]
        # One message, the hot path: the table's rows (OPEN or UPGRADING, MESSAGE), written out.
        state = self.state
        if state is _OPEN or state is _UPGRADING:
            if self.awaiting_pong and not self.extended:
                self.extended = True
                self.owner.extended(self)
            self.handler.on_message(self, data)

    def _receive_control(self, kind: str, data: str) -> None:
        if kind == packet.PONG or kind == packet.PING:
            self._receive_heartbeat(kind, data)
        elif kind == packet.CLOSE:
            self.apply(Event.CLOSE_PACKET)
        elif kind not in packet.TYPES:
            self.apply(Event.BAD_PACKET)
        # open, upgrade and noop mean nothing here and are ignored, as in the reference

    def _receive_heartbeat(self, kind: str, data: str) -> None:
        """Since revision 4 the server pings, before it the client; the other's part is a transport error."""
        if kind != (packet.PONG if self.protocol == 4 else packet.PING):
            self.apply(Event.TRANSPORT_FAILED)
        elif self.apply(Event.PONG) and kind == packet.PING:
            answer = messages.PROBE_PONG if data == packet.PROBE else messages.PONG
            if not self.outbox or self.outbox[-1] is not answer:  # who pings faster than it reads gets one for all
                self.send(answer)

    def apply(self, event: Event, value: Any = None) -> bool:
        """Let an event happen. Returns whether the table knows it in this state."""
        row = TRANSITIONS.get((self.state, event))
        if row is None:
            return False
        self.state, action = row
        reason = _ENDS.get(action)
        if reason is not None:
            self._end(reason)
        elif action == "deliver":
            self.handler.on_message(self, value)
        elif action == "refresh":
            self.awaiting_pong = self.extended = False
            self.owner.ponged(self)
        elif action == "answer the probe":
            self._answer_probe(value)
        elif action == "change transport":
            self._change_transport()
        elif action == "forget the probe":
            self.probing = None
        elif action == "tell the client":
            self._tell_client(value)
        else:
            self._bury()
        return True

    # -- outbound ----------------------------------------------------------------------------------------------------

    def send(self, message: PreparedMessage, volatile: bool = False) -> None:
        """Send a message, or keep it in the bounded outbox until the transport can. Never blocks."""
        state = self.state
        if state is not _OPEN and state is not _UPGRADING:
            return
        outbox = self.outbox
        if volatile and (outbox or not self.transport.writable):
            return
        if not outbox and self.transport.write(message):
            return
        if self.outbox_size >= self.owner.max_outbox_size:
            # The kernel may have room again although the hub had no turn to notice.
            self.flush()
            outbox = self.outbox
            if not outbox and self.transport.write(message):
                return
            if self.outbox_size >= self.owner.max_outbox_size:
                self.close(Reason.OUTBOX_FULL, discard=True)
                return
        if outbox is None:
            outbox = self.outbox = deque()
        outbox.append(message)
        self.outbox_size += message.size
        self.transport.wake()

    @property
    def congested(self) -> bool:
        """Whether so much waits that whoever sends more had better let the hub have a turn."""
        return self.outbox_size > self.owner.max_outbox_size >> 2

    def flush(self) -> None:
        """Write what waits, as far as the transport takes it. Called by the transport when it can write again."""
        outbox = self.outbox
        while outbox and self.transport.write(outbox[0]):
            self.outbox_size -= outbox.popleft().size
        if not outbox:
            self.outbox = None
            self.outbox_size = 0

    def drain(self) -> list[PreparedMessage]:
        """Take everything that waits (a poll's answer)."""
        outbox, self.outbox, self.outbox_size = self.outbox, None, 0
        return list(outbox) if outbox else []

    def pause(self) -> None:
        """Read no more from the client until :meth:`resume`: its transport makes it wait."""
        if not self.paused:
            self.paused = True
            self.transport.pause()

    def resume(self) -> None:
        """Read on."""
        if self.paused:
            self.paused = False
            self.transport.resume()

    def close(self, reason: Reason = Reason.FORCED_CLOSE, *, discard: bool = False) -> None:
        """Close the session: the handler is told now, the client as soon as it can be.

        ``discard`` drops what waits, and waits for no client to fetch the close packet.
        """
        if discard:
            self.outbox = None
            self.outbox_size = 0
        self.apply(Event.CLOSE, reason)
        if discard:
            self.apply(Event.FLUSHED)

    # -- what the table's actions do ---------------------------------------------------------------------------------

    def _answer_probe(self, transport: Transport) -> None:
        self.probing = transport
        transport.write(messages.PROBE_PONG)
        self.transport.wake()  # the pending GET ends with a noop, so that the client can pause polling

    def _change_transport(self) -> None:
        old, new = self.transport, self.probing
        if new is None:
            raise AssertionError("UPGRADING without a probing transport")
        self.transport, self.probing = new, None
        if self.paused:
            new.pause()
        old.discard()
        self.flush()

    def _tell_client(self, reason: Reason) -> None:
        told = self.transport.close(reason)
        self._notify(reason)
        if told:
            self.apply(Event.FLUSHED)
        else:
            self.owner.lingering(self)

    def _end(self, reason: Reason) -> None:
        self.transport.discard()
        self._notify(reason)
        self._bury()

    def _notify(self, reason: Reason) -> None:
        if self.probing is not None:
            self.probing.discard()
            self.probing = None
        self.handler.on_close(self, reason)

    def _bury(self) -> None:
        self.outbox = None
        self.outbox_size = 0
        self.owner.forget(self)
