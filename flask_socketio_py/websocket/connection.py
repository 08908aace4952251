"""One WebSocket connection on the gevent hub: a read watcher, one write a turn, one remainder. Owns the descriptor.

No greenlet belongs to a connection: the hub's watcher reads it and calls the receiver, which must not block and must
not raise. Knows nothing of Engine.IO. RFC 6455 sections 5 to 7 (the decisions are in ``protocol``).
"""

from __future__ import annotations

import logging
import socket
from typing import Any, Protocol

from gevent import get_hub
from gevent.ssl import SSLSocket, SSLWantReadError, SSLWantWriteError

from .frames import CloseCode
from .protocol import MAX_FRAGMENTS
from .protocol import Protocol as WebSocketProtocol
from .turn import turn_of

log = logging.getLogger(__name__)

READ, WRITE = 1, 2
#: Bytes taken per readable event: enough that one call usually empties the kernel's buffer.
CHUNK = 65536
#: Bytes that wait for the end of the hub's turn; what would be more is written before.
MAX_PENDING = 65536
#: Seconds the peer gets to answer our close frame before the descriptor is closed anyway.
CLOSE_TIMEOUT = 2.0
_LATER = (BlockingIOError, InterruptedError, SSLWantReadError, SSLWantWriteError)


class Receiver(Protocol):
    """What a connection calls, always from the hub (or from the greenlet that sends)."""

    def on_message(self, message: str | bytes) -> None:
        """One complete text (``str``) or binary (``bytes``) message."""

    def on_drain(self) -> None:
        """What waited for the kernel has been written: more can be sent."""

    def on_close(self, code: int | None, error: bool) -> None:
        """The connection is gone.

        ``code`` is the peer's close code, if it sent one; ``error``: it did not end in order.
        """


class Connection:
    """Takes a connected, non-blocking socket (plain or TLS) whose 101 answer has been written.

    ``max_payload`` bounds a message in bytes, ``window_bits`` is what permessage-deflate was agreed with (0: not).
    ``start(leftover)`` begins to read, first what the HTTP server had already read.
    """

    __slots__ = (
        "_backlog",
        "_hub",
        "_late",
        "_paused",
        "_pending",
        "_protocol",
        "_reader",
        "_receiver",
        "_remainder",
        "_sock",
        "_timer",
        "_tls",
        "_told",
        "_turn",
        "_writer",
    )

    def __init__(
        self,
        sock: Any,
        receiver: Receiver,
        *,
        max_payload: int,
        max_fragments: int = MAX_FRAGMENTS,
        window_bits: int = 0,
    ) -> None:
        self._hub = hub = get_hub()
        self._turn = turn_of(hub)
        self._sock: Any = sock
        self._tls = isinstance(sock, SSLSocket)
        self._receiver = receiver
        self._protocol = WebSocketProtocol(max_payload, max_fragments, window_bits)
        self._reader: Any = hub.loop.io(sock.fileno(), READ)
        self._writer: Any = None
        self._timer: Any = None
        # What is written at the end of this turn of the hub: one piece, or several joined.
        self._pending: bytes | bytearray | None = None
        self._remainder: memoryview | None = None
        # Frames of the protocol's own that wait behind the remainder.
        self._late: bytes | None = None
        self._backlog: list[str | bytes] | None = None
        self._paused = False
        self._told = False

    def start(self, leftover: bytes = b"") -> None:
        """Begin to read."""
        self._reader.start(self._on_readable)
        if leftover or self._tls:  # TLS may hold decrypted bytes that no watcher will announce
            self._hub.loop.run_callback(self._begin, leftover)

    @property
    def writable(self) -> bool:
        """Whether nothing waits for the kernel to have room."""
        return self._remainder is None and self._sock is not None

    def send(self, frames: bytes) -> bool:
        """Write whole frames at the end of this turn. ``False``: an earlier write still waits, nothing was taken."""
        if self._remainder is not None:
            return False
        if self._sock is None or self._timer is not None:
            return True  # gone, or closing: nothing follows a close frame
        pending = self._pending
        if pending is None:
            self._pending = frames
            self._turn.add(self)
        elif len(pending) + len(frames) > MAX_PENDING:
            self.write_pending()
            return self.send(frames)
        elif type(pending) is bytearray:
            pending += frames
        else:
            self._pending = bytearray(pending) + frames
        return True

    def write_pending(self) -> None:
        """Write what was sent in this turn now; what the kernel does not take is the remainder."""
        frames, sock = self._pending, self._sock
        if frames is None or sock is None:
            return
        self._pending = None
        try:
            sent = sock.send(frames)
        except _LATER:
            sent = 0
        except OSError:
            # Not from here: the caller may be in the middle of a broadcast.
            self._hub.loop.run_callback(self._lost, None, True)
            return
        if sent != len(frames):
            self._remainder = memoryview(frames)[sent:]
            self._watch_writes(sock)

    def pause(self) -> None:
        """Stop reading: the peer's TCP window closes (back-pressure)."""
        if not self._paused:
            self._paused = True
            if self._sock is not None:
                self._reader.stop()

    def resume(self) -> None:
        """Read on, beginning with what had already arrived. May be called from any greenlet."""
        if self._paused:
            self._paused = False
            self._hub.loop.run_callback(self._continue)

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake; the descriptor is closed when the peer answers or after two seconds."""
        if self._sock is None or self._timer is not None:
            return
        if self._protocol.close_code is None:
            frame = self._protocol.send_close(code, reason)
            if not self.send(frame):
                self._late = frame
            self.write_pending()
        self._backlog = None
        if self._paused:
            self._paused = False
            self._reader.start(self._on_readable)
        self._timer = self._hub.loop.timer(CLOSE_TIMEOUT)
        self._timer.start(self._lost, None, False)

    def abort(self) -> None:
        """Close the descriptor at once, without a closing handshake."""
        self._lost(None, True)

    def _begin(self, leftover: bytes) -> None:
        try:
            if leftover and self._sock is not None:
                self._take(leftover)
        except Exception:
            self._fail()
        if self._tls and not self._paused:
            self._on_readable()

    def _on_readable(self) -> None:
        try:
            sock = self._sock
            if sock is None:
                return
            try:
                data = sock.recv(CHUNK)
            except _LATER:
                return
            except OSError:
                self._lost(None, True)
                return
            if not data:
                self._lost(None, False)
                return
            self._take(data)
            if self._tls:
                self._read_decrypted()
        except Exception:
            self._fail()

    def _fail(self) -> None:
        """A watcher's callback must never raise: what fails in it is our defect, and costs this connection only."""
        log.exception("WebSocket connection failed")
        self.close(CloseCode.INTERNAL_ERROR)
        if self._sock is not None and not self._reader.active:
            self._reader.start(self._on_readable)  # for the peer's answer

    def _read_decrypted(self) -> None:
        """TLS decrypts whole records: what is left of one makes no descriptor readable."""
        while not self._paused and isinstance(self._sock, SSLSocket) and self._sock.pending():
            try:
                data = self._sock.recv(CHUNK)
            except _LATER:
                break
            if not data:
                break
            self._take(data)
        if self._remainder is not None:
            self._on_writable()

    def _take(self, data: bytes) -> None:
        protocol = self._protocol
        messages = protocol.feed(data)
        if protocol.replies and protocol.close_code is None:
            self._reply()  # a pong doesn't wait for what the messages around its ping lead to
        if len(messages) == 1 and self._timer is None and not self._paused:
            self._receiver.on_message(messages[0])
        elif messages:
            self._deliver(messages)
        if protocol.close_code is not None and self._backlog is None:
            self._reply()
            self._peer_closed()

    def _reply(self) -> None:
        """Write the frames the protocol answers with: pongs, the close frame."""
        protocol = self._protocol
        replies, protocol.replies = protocol.replies, b""
        if replies and not self.send(replies):
            self._late = replies  # in place of older pongs: only the newest ping needs an answer (RFC 6455, 5.5.3)

    def _deliver(self, messages: list[str | bytes]) -> None:
        receiver = self._receiver
        for index, message in enumerate(messages):
            if self._timer is not None or self._sock is None:
                return  # we are closing, or gone: what has still arrived is not handled any more
            if self._paused:
                self._backlog = [*(self._backlog or ()), *messages[index:]]
                return
            receiver.on_message(message)  # looked up each time: a message may change who receives the next

    def _continue(self) -> None:
        if self._sock is None or self._paused:
            return
        try:
            messages, self._backlog = self._backlog, None
            if messages:
                self._deliver(messages)
            if self._paused or self._sock is None:
                return
            if self._protocol.close_code is not None:
                self._reply()
                self._peer_closed()
                return
            self._reader.start(self._on_readable)
            if self._tls:
                self._on_readable()
        except Exception:
            self._fail()

    def _peer_closed(self) -> None:
        """The peer's close frame (or its violation) has been read and answered: the server closes TCP first (RFC
        6455, 7.1.1).
        """
        protocol = self._protocol
        self.write_pending()
        if self._timer is not None and not self._told:
            self._lost(protocol.close_code, protocol.failed)  # the answer to our own close frame
            return
        if self._told:
            return
        if self._remainder is None and not protocol.failed:
            self._lost(protocol.close_code, False)
            return
        # Our answer still waits for the kernel, or the peer is still sending: closing now would reset the connection
        # under the close frame. What arrives is read and forgotten until the peer has seen it, but not for long.
        if self._remainder is None:
            self._end_writing()
        self._timer = self._hub.loop.timer(CLOSE_TIMEOUT)
        self._timer.start(self._lost, None, False)
        self._tell(protocol.close_code, protocol.failed)

    def _end_writing(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            log.debug("the peer had already left")

    def _watch_writes(self, sock: Any) -> None:
        if self._writer is None:
            self._writer = self._hub.loop.io(sock.fileno(), WRITE)
        self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        sock, remainder = self._sock, self._remainder
        if sock is None or remainder is None:
            return
        try:
            sent = sock.send(remainder)
        except _LATER:
            return
        except OSError:
            self._lost(None, True)
            return
        if sent < len(remainder):
            self._remainder = remainder[sent:]
            return
        self._remainder = None
        self._writer.stop()
        late, self._late = self._late, None
        if late is not None and not self._write_late(late):
            return
        if self._told:
            self._end_writing()
        elif self._timer is None:
            self._receiver.on_drain()

    def _write_late(self, frames: bytes) -> bool:
        """Write what had to wait behind a remainder: pongs, or a close frame. ``False``: not all of it left."""
        timer, self._timer = self._timer, None
        self.send(frames)
        self.write_pending()
        self._timer = timer
        return self._remainder is None

    def _lost(self, code: int | None, error: bool) -> None:
        self.write_pending()
        sock, self._sock = self._sock, None
        if sock is None:
            return
        for watcher in (self._reader, self._writer, self._timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reader = self._writer = None
        self._remainder = self._pending = self._backlog = self._late = None
        try:
            # The peer sees the end even where another process holds a copy of the descriptor.
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the peer had already left")
        sock.close()
        self._tell(code, error)

    def _tell(self, code: int | None, error: bool) -> None:
        if self._told:
            return
        self._told = True
        try:
            self._receiver.on_close(code, error)
        except Exception:
            log.exception("closing a WebSocket connection failed")
