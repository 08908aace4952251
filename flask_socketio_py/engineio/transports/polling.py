"""The long-polling transport: a GET waits for what the outbox holds, a POST brings packets.

Engine.IO protocol 4, "HTTP long-polling".

A waiting GET is the one place where a request's greenlet waits for a session. It watches its socket too: WSGI doesn't
say that a client has gone.
"""

from __future__ import annotations

import socket
from typing import Any

from gevent import Timeout, get_hub
from gevent.event import Event as Signal
from gevent.hub import Waiter

from .. import packet, payload, revision3
from ..message import CLOSE, NOOP, PreparedMessage
from ..reasons import Reason
from ..session import Event, Session, State

READ = 1
#: Seconds a GET is held back while a WebSocket probes, before a noop ends it.
NOOP_INTERVAL = 0.1


class OverlapError(Exception):
    """A second GET (or POST) while the first is still open."""


class PollingTransport:
    """Implements ``Transport``; the server calls :meth:`poll` and :meth:`push` for each request."""

    __slots__ = ("_final", "_pushing", "_resumed", "_session", "_text_only", "_waiter", "_woken", "compress")
    name = "polling"

    def __init__(self, session: Session) -> None:
        self._session = session
        #: Whether a packet of the last poll's body is worth compressing.
        self.compress = False
        self._waiter: Any = None
        self._woken = False
        self._final: list[PreparedMessage] | None = None
        self._text_only = session.request.text_only
        self._pushing = False
        self._resumed: Signal | None = None

    # -- Transport ---------------------------------------------------------------------------------------------------

    def write(self, message: PreparedMessage) -> bool:
        return False

    @property
    def writable(self) -> bool:
        return self._waiter is not None

    def wake(self) -> None:
        if self._waiter is not None and not self._woken:
            # In the hub's next turn, so that everything emitted in this one leaves in one payload.
            self._woken = True
            get_hub().loop.run_callback(self._end_wait, self._waiter)

    def close(self, reason: Reason) -> bool:
        if self._waiter is None or self._session.outbox:
            # What waits leaves in an answer of its own, and the close packet in the next: the official client handles
            # messages a tick after a close in the same payload, so it would miss them.
            return False
        self._final = [CLOSE]
        self.wake()
        return True

    def discard(self) -> None:
        upgraded = self._session.transport is not self
        if self._final is None:
            self._final = [NOOP if upgraded else CLOSE]
        self.wake()
        self.resume()

    def pause(self) -> None:
        if self._resumed is None:
            self._resumed = Signal()

    def resume(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.set()

    # -- requests ----------------------------------------------------------------------------------------------------

    def poll(self, sock: Any) -> bytes:
        """The body of a GET: waits until there is something to send.

        Raises:
            OverlapError: another GET is waiting.
        """
        if self._waiter is not None:
            raise OverlapError
        session = self._session
        if session.state is State.CLOSING and not session.outbox:
            session.apply(Event.FLUSHED)
            return self.encode([NOOP, CLOSE])
        if not session.outbox:
            self._wait(sock, NOOP_INTERVAL if session.state is State.UPGRADING else None)
        waiting = session.drain() if session.transport is self else []
        if self._final is not None:
            waiting += self._final
        return self.encode(waiting or [NOOP])

    def encode(self, messages: list[PreparedMessage]) -> bytes:
        """The body that carries these messages, in the client's revision."""
        self.compress = any(message.compress for message in messages)
        if self._session.protocol == 4:
            return payload.join([message.packets() for message in messages])
        binary = not self._text_only and any(message.attachments for message in messages)
        encoder = revision3.binary_packets if binary else revision3.text_packets
        return b"".join([message.form(encoder) for message in messages])

    def push(self, body: bytes, *, binary: bool = False) -> None:
        """The packets of a POST, handed to the session in order; waits while the session is paused.

        ``binary`` is a body of bytes, which only revision 3 has.

        Raises:
            PacketError: for a body that is no payload.
        """
        session = self._session
        if session.protocol == 4:
            packets = payload.decode(body)
        else:
            packets = revision3.decode_bytes(body) if binary else revision3.decode_text(body)
        for data in packets:
            if self._resumed is not None:
                self._resumed.wait()
            if data == packet.CLOSE:
                self._final = [NOOP]  # the reference ends the pending GET of a client that leaves with a noop
            session.receive(data)

    def begin_push(self) -> None:
        """A POST begins to be read.

        Raises:
            OverlapError: another POST is being read.
        """
        if self._pushing:
            raise OverlapError
        self._pushing = True

    def end_push(self) -> None:
        """The POST has been read."""
        self._pushing = False

    def _wait(self, sock: Any, seconds: float | None) -> None:
        waiter = self._waiter = Waiter()
        watcher = self._watch(sock)
        try:
            with Timeout(seconds, False):  # type: ignore[arg-type]  # False: end quietly, as gevent documents
                waiter.get()
        finally:
            self._waiter = None
            self._woken = False
            if watcher is not None:
                watcher.stop()
                watcher.close()

    def _end_wait(self, waiter: Any) -> None:
        if self._waiter is waiter:
            waiter.switch(None)

    def _watch(self, sock: Any) -> Any:
        native = getattr(sock, "_sock", None)
        if native is None or hasattr(sock, "pending"):  # no socket known, or TLS, where a peek says nothing
            return None
        watcher = get_hub().loop.io(native.fileno(), READ)
        watcher.start(self._on_client_readable, native, watcher)
        return watcher

    def _on_client_readable(self, native: Any, watcher: Any) -> None:
        try:
            gone = not native.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        watcher.stop()  # else a pipelined request, which waits its turn
        if gone:
            waiter = self._waiter
            self._session.apply(Event.TRANSPORT_FAILED)
            self._end_wait(waiter)
