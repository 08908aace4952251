"""LogReader: the streams adapter's log, read by one server. Owns where it is, and which entries were repetitions.

It begins after the entry that was the last one when the server began, asked for before the server's first own entry:
so that nothing is missed that is added while the connections are being made.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from gevent.event import Event

from ....errors import ClusterError, PacketError
from ..complaints import Complaints
from .link import Link, Status
from .publisher import Publisher
from .stream_log import START, Entry, Number, Seen, entry_of, number
from .stream_reader import Entries, StreamReader
from .timer import Timer, Turns

log = logging.getLogger(__name__)

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
        self._closed = False
        # How the search for the end of the log fares, and when it is asked for again.
        self._search = Link(f"stream {stream!r} of Redis", publisher.url, on_status=on_status)
        self._again = Timer()
        self._seen = Seen()
        self._repetitions: OrderedDict[str, None] = OrderedDict()
        self._complaints = Complaints(log)
        #: Entries that could not be read.
        self.malformed = 0
        #: After which entry it began; ``None`` until that is known.
        self.began: str | None = None
        #: The last entry that was given on, or is just being; ``None`` before it began. (Where the connection is may be
        #: a hundred entries further.)
        self.position: str | None = None
        #: Entries are missing after those up to here: what came then can't be told completely any more.
        self.lost_up_to: Number = _NEVER

    def start(self) -> None:
        """Find the end of the log, and read on from there."""
        self._search.connecting()
        self._find_the_end()

    def _find_the_end(self) -> None:
        # Over the connection that our own entries take, so that none is before it.
        self._publisher.send("XREVRANGE", self.stream, "+", "-", "COUNT", 1, done=self._locate, durable=True)

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._again.stop()
        if self._reader is not None:
            self._reader.close()

    @property
    def status(self) -> Status:
        """How the connection fares."""
        return self._search.status if self._reader is None else self._reader.status

    def wait(self, timeout: float) -> str:
        """The position, once there is one; blocks.

        Raises:
            ClusterError: there was none within ``timeout`` seconds.
        """
        self._located.wait(timeout)
        if self.position is None:
            raise ClusterError("the log of the cluster has not been reached yet")
        return self.position

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
            # A right that is missing, memory that is: it may pass, and people must see it.
            self._search.down(answer)
            self._again.restart(self._ask_again, self._search.pause())
            return
        self.began = self.position = answer[0][0].decode() if answer else START
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

    def _ask_again(self) -> None:
        if not self._closed:
            try:
                self._find_the_end()
            except ClusterError as error:  # too much waits for Redis
                self._locate(error)

    def _read(self, stream: str, entries: Entries) -> None:
        turns = Turns()
        for identifier, fields in entries:
            if self._closed:
                return
            self.position = identifier
            try:
                self._give(identifier, entry_of(fields))
            except PacketError as error:
                self.malformed += 1
                self._complaints.warn("malformed", "an entry of the log of the cluster can't be read: %s", error)
            except Exception:
                # Whatever it was: the other entries were read, too, and won't be read again.
                log.exception("an entry of the log of the cluster could not be given on")
            turns()

    def _give(self, identifier: str, entry: Entry) -> None:
        if self._seen.add(entry):
            self._take(identifier, entry)
            return
        self._repetitions[identifier] = None
        if len(self._repetitions) > MAX_REPETITIONS:
            self._repetitions.popitem(last=False)

    def _gap(self, stream: str, after: str, reason: str) -> None:
        self.lost_up_to = max(self.lost_up_to, number(after))
        assert self._reader is not None
        self.position = self._reader.positions[stream]  # it goes on from another place
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
