"""The WebSocket transport: a connection's messages are a session's packets. Also the probe of an upgrade.

Needs no greenlet: everything here is called by the connection, from the hub. Engine.IO protocol 4, "Upgrade"; a client
of revision 3 has its binary messages written and read by ``revision3``, the rest is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import PacketError
from ...websocket.connection import Connection
from ...websocket.extensions import Deflate
from ...websocket.frames import CloseCode
from .. import packet, revision3
from ..message import PreparedMessage
from ..reasons import Reason
from ..session import Event, Session

_CLOSE_CODES = {
    Reason.SERVER_SHUTTING_DOWN: CloseCode.GOING_AWAY,
    Reason.OUTBOX_FULL: CloseCode.POLICY_VIOLATION,
    Reason.CONNECT_TIMEOUT: CloseCode.POLICY_VIOLATION,
}


class WebSocketTransport:
    """Implements ``Transport`` for a session and ``Receiver`` for a connection.

    ``on_message`` is an attribute: the session's own ``receive`` once the transport is the session's, so that a message
    passes through no function of ours on its way.
    """

    __slots__ = ("_closing", "_connection", "_deflate", "_encoder", "_ended", "_session", "on_message")
    name = "websocket"

    def __init__(self, session: Session, ended: Any, *, probing: bool) -> None:
        self._session = session
        self._ended = ended
        self._closing = False
        self._connection: Connection = None  # type: ignore[assignment]  # set by attach(), before anything is read
        self._deflate: Deflate | None = None
        # How a message with attachments is written; ``None`` for revision 4.
        self._encoder: revision3.Encoder | None = None
        if session.protocol == 3:
            self._encoder = revision3.base64_frames if session.request.text_only else revision3.frames
        self.on_message: Callable[[str | bytes], None] = self._on_probe if probing else self._receiver

    def attach(self, connection: Connection, deflate: Deflate | None = None) -> None:
        """Give the transport its connection; ``deflate``: how its messages are compressed, if that was agreed."""
        self._connection = connection
        self._deflate = deflate

    # -- Transport ---------------------------------------------------------------------------------------------------

    def write(self, message: PreparedMessage) -> bool:
        if message.attachments and self._encoder is not None:
            return self._connection.send(message.form(self._encoder))
        # A test for None costs 2 ns, any function chosen beforehand 15.
        deflate = self._deflate
        return self._connection.send(message.frames() if deflate is None else message.deflated_frames(deflate))

    @property
    def writable(self) -> bool:
        return self._connection.writable

    def wake(self) -> None:
        """Nothing to do: the connection reports itself when it can write again."""

    def close(self, reason: Reason) -> bool:
        if self._session.outbox and reason is not Reason.OUTBOX_FULL:
            self._closing = True  # what was sent before the close still goes out, see on_drain
            return False
        self._connection.close(_CLOSE_CODES.get(reason, CloseCode.NORMAL))
        return True

    def discard(self) -> None:
        self._connection.close()

    def pause(self) -> None:
        self._connection.pause()

    def resume(self) -> None:
        self._connection.resume()

    # -- Receiver ----------------------------------------------------------------------------------------------------

    def on_drain(self) -> None:
        session = self._session
        session.flush()
        if self._closing and not session.outbox:
            self._connection.close()
            session.apply(Event.FLUSHED)

    def on_close(self, code: int | None, error: bool) -> None:
        if self._ended is not None:
            self._ended.set()
        session = self._session
        if session.transport is self:
            session.apply(Event.TRANSPORT_FAILED if error else Event.TRANSPORT_CLOSED)
        elif session.probing is self:
            session.apply(Event.PROBE_LOST)

    @property
    def _receiver(self) -> Callable[[str | bytes], None]:
        return self._session.receive if self._encoder is None else self._on_revision3

    def _on_revision3(self, message: str | bytes) -> None:
        try:
            received = revision3.decode_packet(message)
        except PacketError:
            self._session.apply(Event.BAD_PACKET)
        else:
            self._session.receive(received)

    # -- upgrade -----------------------------------------------------------------------------------------------------

    def _on_probe(self, message: str | bytes) -> None:
        session = self._session
        if message == packet.PROBE and session.probing is None and session.apply(Event.PROBE, self):
            return
        if message == packet.UPGRADE and session.probing is self:
            self.on_message = self._receiver
            session.apply(Event.UPGRADE)
            return
        if session.probing is self:
            session.apply(Event.PROBE_LOST)
        self._connection.close()
