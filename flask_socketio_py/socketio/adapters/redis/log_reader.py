"""LogReader: the streams adapter's log, read by one server. Owns where it is, and which entries were repetitions.

It begins after the entry that was the last one when the server began, asked for before the server's first own entry:
so that nothing is missed that is added while the connections are being made.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from ....errors import ClusterError, PacketError
from .link import LOG_EVERY, State, Status
from .publisher import Publisher
from .stream_log import START, Entry, Number, Seen, entry_of, number
from .stream_reader import Entries, StreamReader

log = logging.getLogger(__name__)

#: Seconds until a Redis that refused to show the log is asked again.
AGAIN = 2.0
#: Repetitions that are remembered.
MAX_REPETITIONS = 10_000
_NEVER: Number = (-1, -1)


class LogReader:
    """``take(id, entry)`` gets each entry once, ``on_gap(reason)`` hears that some may be lost, ``on_status()`` that
    :attr:`status` may be another.
    """

    def __init__(
        self,
        publisher: Publisher,
        stream: str,
        take: Callable[[str, Entry], None],
        *,
        on_state: Callable[[bool], None],
        on_gap: Callable[[str], None],
        on_status: Callable[[], Any] | None = None,
    ) -> None:
        self.stream = stream
        self._publisher = publisher
        self._take = take
        self._on_state = on_state
        self._on_gap = on_gap
        self._on_status = on_status
        self._reader: StreamReader | None = None
        self._located = Event()
        self._again: gevent.Greenlet[..., Any] | None = None
        self._closed = False
        self._seen = Seen()
        self._repetitions: OrderedDict[str, None] = OrderedDict()
        self._logged = float("-inf")
        # Before there is a connection.
        self._status = Status("idle", time.time(), None)
        #: Entries that could not be read.
        self.malformed = 0
        #: After which entry it began; ``None`` until that is known.
        self.began: str | None = None
        #: Entries are missing after those up to here: what came then can't be told completely any more.
        self.lost_up_to: Number = _NEVER

    def start(self) -> None:
        """Find the end of the log, and read on from there."""
        self._become("connecting", None)
        self._find_the_end()

    def _find_the_end(self) -> None:
        # Over the connection that our own entries take, so that none is before it.
        self._publisher.send("XREVRANGE", self.stream, "+", "-", "COUNT", 1, done=self._locate, durable=True)

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        if self._again is not None:
            self._again.kill(block=False)
        if self._reader is not None:
            self._reader.close()

    @property
    def status(self) -> Status:
        """How the connection fares."""
        return self._status if self._reader is None else self._reader.status

    @property
    def position(self) -> str | None:
        """The last entry that was read; ``None`` before it began."""
        return None if self._reader is None else self._reader.positions[self.stream]

    def wait(self, timeout: float) -> str:
        """The position, once there is one; blocks.

        Raises:
            ClusterError: there was none within ``timeout`` seconds.
        """
        self._located.wait(timeout)
        position = self.position
        if position is None:
            raise ClusterError("the log of the cluster has not been reached yet")
        return position

    def is_repetition(self, identifier: str, entry: Entry) -> bool:
        """Whether an entry that was added after this reader began says once more what another one has said."""
        if identifier in self._repetitions:
            return True
        position = self.position
        return position is not None and number(identifier) > number(position) and self._seen.has(entry)

    def _locate(self, answer: Any) -> None:
        if self._closed:
            return
        if isinstance(answer, ClusterError):
            # Redis refused it: the key is something else, or we have no right to it. Somebody may see to that.
            self._become("disconnected", str(answer))
            self._again = gevent.spawn_later(AGAIN, self._ask_again)
            return
        self.began = answer[0][0].decode() if answer else START
        self._reader = StreamReader(
            self._publisher.url,
            {self.stream: self.began},
            self._read,
            on_state=self._on_state,
            on_gap=self._gap,
            on_status=self._on_status,
        )
        self._reader.start()
        self._located.set()

    def _become(self, state: State, error: str | None) -> None:
        self._status = Status(state, time.time(), error)
        if self._on_status is not None:
            self._on_status()

    def _ask_again(self) -> None:
        if not self._closed:
            try:
                self._find_the_end()
            except ClusterError as error:  # too much waits for Redis
                self._locate(error)

    def _read(self, stream: str, entries: Entries) -> None:
        for identifier, fields in entries:
            try:
                entry = entry_of(fields)
                if self._seen.add(entry):
                    self._take(identifier, entry)
                else:
                    self._repetitions[identifier] = None
                    if len(self._repetitions) > MAX_REPETITIONS:
                        self._repetitions.popitem(last=False)
            except PacketError as error:
                self.malformed += 1
                now = time.monotonic()
                if now - self._logged >= LOG_EVERY:
                    self._logged = now
                    log.warning("an entry of the log of the cluster can't be read: %s", error)

    def _gap(self, stream: str, after: str, reason: str) -> None:
        self.lost_up_to = max(self.lost_up_to, number(after))
        if reason == "lost":
            log.warning(
                "Redis has lost entries of the log of the cluster: what was not read yet is gone, "
                "and clients that come back with an older offset start anew"
            )
        else:
            log.warning(
                "the log of the cluster does not reach back to what was read last: "
                "Redis has lost it, or it is too short for what is emitted while this server is behind"
            )
        self._on_gap(reason)
