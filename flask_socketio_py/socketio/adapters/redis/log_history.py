"""LogHistory: the latest part of the log, read back for clients that come back, once for all of them.

When a server has ended its clients come back to the others all at once: each would read the same out of Redis. Owns
which entries there are after an offset, and which of them are repetitions; bounded in bytes. Knows no namespace.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent.lock import BoundedSemaphore

from ....errors import ClusterError, PacketError
from .log_reader import LogReader
from .stream_log import START, Entry, Number, Seen, entry_of, following, number

#: Entries per reply (few: meanwhile nobody else has a turn), and entries looked at before one from which on it is known
#: which others are repetitions.
PAGE = 100
LOOK_BACK = 600
#: Bytes that are kept; who has missed more than this of the log starts anew.
MAX_SIZE = 64_000_000
#: What an entry costs beside its data.
_OVERHEAD = 600

#: ``None``: nothing that anybody is sent.
Past = tuple[Number, str, Entry | None]


class LogHistory:
    """``ask(command, ...)`` gives the answer of Redis, and blocks; about ``max_size`` bytes are kept.

    ``patience``: seconds for one who asks.
    """

    def __init__(self, ask: Callable[..., Any], patience: float, max_size: int = MAX_SIZE) -> None:
        self._ask = ask
        self._max_size = max_size
        self._patience = patience
        self._lock = BoundedSemaphore(1)
        self._reader: LogReader | None = None
        self._lost_up_to: Number | None = None
        self._clear()

    def forget(self) -> None:
        """Keep nothing, unless somebody needs it just now."""
        if not self._lock.locked():
            self._clear()

    def _clear(self) -> None:
        self._entries: list[Past] = []
        # The id of an entry from which on something is asked for -> its place in the list and what has left that.
        self._places: dict[str, int] = {}
        self._gone = 0
        self._size = 0
        self._seen = Seen()
        #: Up to where the log was read; empty: nothing was.
        self._last = ""

    def after(self, start: str, reader: LogReader) -> tuple[list[Past], Number] | None:
        """The entries after one, and up to where that is all; ``None``: the log does not reach back to it, or there
        are too many.

        When it returns, the reader is not beyond that.

        Raises:
            ClusterError: Redis can't be asked.
        """
        if not self._lock.acquire(timeout=self._patience):
            raise ClusterError("too many clients come back at once")
        try:
            if (self._reader, self._lost_up_to) != (reader, reader.lost_up_to):
                self._clear()
                self._reader, self._lost_up_to = reader, reader.lost_up_to
            if self._places and start not in self._places and number(start) >= number(next(iter(self._places))):
                self._extend(reader, anyway=True)  # it may be a new one
                if start not in self._places and number(start) <= number(self._last):
                    return None
            if start not in self._places and not self._begin(start, reader):
                return None
            complete = self._extend(reader)
            place = self._places.get(start)  # there may be too much after it
            if not complete or place is None:
                return None
            return self._entries[place - self._gone :], number(self._last)
        finally:
            self._lock.release()

    def _begin(self, start: str, reader: LogReader) -> bool:
        """Read from an entry on, and from some before it: others may have missed more. Whether it is there."""
        if start == START:
            if not self._is_whole(reader.stream):
                return False
            rows: list[Any] = []
        else:
            rows = self._ask("XREVRANGE", reader.stream, start, "-", "COUNT", 2 * LOOK_BACK)[::-1]
            if not rows or rows[-1][0].decode() != start:
                return False
        self._clear()
        self._last = start
        if start == START:
            self._places[START] = 0
        # From where on it can be asked: before, it is not known what is a repetition of something still earlier.
        known = LOOK_BACK if len(rows) == 2 * LOOK_BACK else 0
        for place, (raw, fields) in enumerate(rows):
            if place < known:
                _entry_if_new(fields, self._seen)
            else:
                self._add(raw.decode(), fields, reader)
        return True

    def _is_whole(self, stream: str) -> bool:
        """Whether the stream still has its first entry."""
        length = self._ask("XLEN", stream)
        if not length:
            return True
        # (Servers before Redis 7 don't count what they had.)
        about = self._ask("XINFO", "STREAM", stream)
        return bool(dict(zip(about[::2], about[1::2], strict=True)).get(b"entries-added") == length)

    def _extend(self, reader: LogReader, *, anyway: bool = False) -> bool:
        """Read on, at least to where the reader is (what comes then it will bring); ``anyway``: to the end. Whether
        that was possible.
        """
        deadline = time.monotonic() + self._patience
        while anyway or number(self._last) < number(reader.position or START):
            known = reader.wait(self._patience)
            page = self._ask("XRANGE", reader.stream, following(self._last), "+", "COUNT", PAGE)
            for raw, fields in page:
                self._last = raw.decode()
                self._add(self._last, fields, reader)
            if len(page) < PAGE:
                # All that the reader had read is looked at: what was deleted from the stream does not matter.
                self._last = max(self._last, known, key=number)
                anyway = False
            if time.monotonic() > deadline:
                return False
        return True

    def _add(self, identifier: str, fields: list[bytes], reader: LogReader) -> None:
        entry = _entry_if_new(fields, self._seen)
        if entry is not None and (not entry.is_broadcast or reader.is_repetition(identifier, entry)):
            entry = None
        self._entries.append((number(identifier), identifier, entry))
        self._places[identifier] = self._gone + len(self._entries)
        self._size += _size(entry)
        if self._size > self._max_size:
            self._shorten()

    def _shorten(self) -> None:
        """Let go of the older half."""
        count = 0
        while self._size > self._max_size / 2 and count < len(self._entries):
            self._size -= _size(self._entries[count][2])
            count += 1
        del self._entries[:count]
        self._gone += count
        self._places = {one: place for one, place in self._places.items() if place >= self._gone}


def _size(entry: Entry | None) -> int:
    return _OVERHEAD + (0 if entry is None else len(entry.data))


def _entry_if_new(fields: list[bytes], seen: Seen) -> Entry | None:
    try:
        entry = entry_of(dict(zip(fields[::2], fields[1::2], strict=False)))
    except PacketError:
        return None
    return entry if seen.add(entry) else None
