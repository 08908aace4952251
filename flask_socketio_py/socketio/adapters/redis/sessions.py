"""Sessions: what is kept in Redis of clients that may come back. Owns when it is written, and that it serves once.

Keys and format are those of ``@socket.io/redis-streams-adapter``: base64 of MessagePack, with a time to live.
"""

from __future__ import annotations

import base64
import binascii
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from ....engineio.heartbeat import Timekeeper
from ....errors import ClusterError, PacketError
from ...msgpack_codec import MsgpackCodec
from .. import shapes
from ..recovery import RecoveryOptions
from .bus import Bus
from .faults import RefusedError

if TYPE_CHECKING:
    from ...socket import Socket
    from .stream_recovery import StreamRecovery

log = logging.getLogger(__name__)

#: Seconds after a change until the session is written.
DEBOUNCE = 1.0
#: Seconds that Redis gets when a client comes back.
PATIENCE = 5.0
_PAUSE = 0.05


def insist(ask: Callable[..., Any], *command: Any) -> Any:
    """The reply to a question, also over a connection that breaks and is made anew.

    Raises:
        ClusterError: there was none in time, or Redis refuses.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask(*command, timeout=max(0.1, deadline - time.monotonic()))
        except RefusedError:
            raise
        except ClusterError:
            if time.monotonic() + _PAUSE >= deadline:
                raise
            gevent.sleep(_PAUSE)


class Sessions:
    """What is kept of clients in Redis, for all namespaces of this server."""

    def __init__(
        self,
        bus: Bus,
        prefix: str,
        codec: MsgpackCodec,
        timekeeper: Timekeeper,
        options: RecoveryOptions,
        *,
        max_size: int,
    ) -> None:
        self.bus = bus
        self._max_size = max_size
        self._prefix = prefix
        self._codec = codec
        self._timekeeper = timekeeper
        self.duration = options.max_disconnection_duration
        self._changed = timekeeper.queue(DEBOUNCE, self._write)
        self._refreshed = timekeeper.queue(self.duration / 3, self._refresh)
        # Writes on their way: private id -> how many, and who waits for their end.
        self._unanswered: dict[str, int] = {}
        self._awaited: dict[str, Event] = {}

    def encode(self, session: dict[str, Any]) -> bytes:
        """The text of a session; empty, if it can't be kept."""
        try:
            text = base64.b64encode(self._codec.encode(session))
            shapes.with_size(text, self._max_size)
            return text
        except (TypeError, ValueError) as error:
            log.warning("a client can't come back: its data can't be kept: %s", error)
            return b""

    def write(self, pid: str, text: bytes, *, here: bool) -> None:
        """Keep a session; ``here``: its client is, and it will be written again."""
        # A server that is killed has written the last time up to a third of the duration ago.
        lasting = self.duration * 4 / 3 if here else self.duration
        self._send(pid, "SET", self._prefix + pid, text, "PX", max(1, round(lasting * 1000)), durable=not here)

    def delete(self, pid: str) -> None:
        """Keep nothing of this client."""
        self._send(pid, "DEL", self._prefix + pid, durable=True)

    def take(self, pid: str) -> dict[str, Any] | None:
        """The session, which nobody else will be given; blocks.

        Raises:
            ClusterError: Redis can't be asked.
        """
        # Our own last word on it has to be there first.
        if pid in self._unanswered and not self._awaited.setdefault(pid, Event()).wait(PATIENCE):
            raise ClusterError("what this server kept last of a client has not reached Redis")
        key = self._prefix + pid
        # A reply that got lost can't be had again: then there is no session any more.
        raw = insist(self.bus.publisher.transaction, ("GET", key), ("DEL", key))[0]
        try:
            session = None if raw is None else self._codec.decode(base64.b64decode(raw, validate=True))
        except (PacketError, binascii.Error):
            return None
        return session if isinstance(session, dict) else None

    def watch(self, recovery: StreamRecovery, socket: Socket, *, entered: bool) -> None:
        """Write the session of a client soon, and from the entering on again and again."""
        item = (recovery, socket)
        if item not in self._changed:
            self._timekeeper.add(self._changed, item)
        if entered:
            self._timekeeper.add(self._refreshed, item)

    def _write(self, item: tuple[StreamRecovery, Socket]) -> None:
        recovery, socket = item
        recovery.write(socket)

    def _refresh(self, item: tuple[StreamRecovery, Socket]) -> None:
        recovery, socket = item
        if recovery.write(socket, again=True):
            self._timekeeper.add(self._refreshed, item)

    def _send(self, pid: str, *command: str | bytes | int, durable: bool) -> None:
        if self.bus.closed:
            return

        def done(answer: Any) -> None:
            left = self._unanswered.get(pid, 1) - 1
            if left:
                self._unanswered[pid] = left
                return
            self._unanswered.pop(pid, None)
            awaited = self._awaited.pop(pid, None)
            if awaited is not None:
                awaited.set()

        self._unanswered[pid] = self._unanswered.get(pid, 0) + 1
        try:
            self.bus.publisher.send(*command, done=done, durable=durable)
        except ClusterError as error:
            done(None)
            log.warning("what a client needs to come back could not be kept: %s", error)
