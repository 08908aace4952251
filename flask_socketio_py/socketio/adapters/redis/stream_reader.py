"""Reads streams of Redis from given ids on: every entry once, in order, over any number of reconnects.

Owns the position in each stream. What can't be read any more is noticed and told: a stream that ends before our
position (Redis lost data: restarted without it, or a replica that lagged took over), or that no longer reaches back
to it (trimmed, while we were away or behind). Each stream has a connection of its own: in a cluster they live on
several servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event
from redis.exceptions import MovedError, ResponseError

from .faults import refused
from .home import Home
from .link import Link, Status, call, worst
from .topology import Topology
from .urls import Address, RedisURL, parse
from .wire import BROKEN, TIMEOUT, Wire

Entries = list[tuple[str, dict[bytes, bytes]]]

#: Entries per reply, and seconds that Redis waits for one.
COUNT = 100
BLOCK = 5.0
_START = "0-0"


class StreamReader:
    """See the module. ``streams`` maps the name of a stream to the id after which it is read; ``$``: what comes from
    now.

    ``on_entries(stream, [(id, {field: value})])`` gets them; ``on_gap(stream, after, reason)`` hears that entries
    after the id ``after`` may be lost, ``reason`` being ``"lost"`` or ``"trimmed"``; ``on_state(connected)``;
    ``on_status()`` that :attr:`status` may be another. They are called in the thread of the hub that was there at
    ``start``, must not block, and what they raise is logged: the entries count as read.

    Raises:
        ValueError: for a URL that can't be meant, or an id that is none.
    """

    def __init__(
        self,
        url: str | RedisURL,
        streams: Mapping[str, str],
        on_entries: Callable[[str, Entries], Any],
        *,
        on_state: Callable[[bool], Any] | None = None,
        on_gap: Callable[[str, str, str], Any] | None = None,
        on_status: Callable[[], Any] | None = None,
        count: int = COUNT,
        block: float = BLOCK,
    ) -> None:
        self.url = parse(url) if isinstance(url, str) else url
        self._on_state = on_state
        self._connected = False
        self._changed = Event()
        self.home = Home(self._start, self._leave)
        self._tails = [
            _Tail(self.url, self.home, stream, last, on_entries, on_gap, self._tell, on_status, count, block)
            for stream, last in streams.items()
        ]

    @property
    def status(self) -> Status:
        """How the connections fare; of several the worst."""
        return worst([tail.link.status for tail in self._tails])

    @property
    def positions(self) -> dict[str, str]:
        """The id of the last entry that was given on, or after which reading began; ``$`` until that is known."""
        return {tail.stream: tail.last for tail in self._tails}

    def start(self) -> None:
        """Begin to read; the caller's hub does the work.

        Raises:
            ClusterError: it is closed.
        """
        self.home.enter()

    def ready(self, timeout: float) -> bool:
        """Wait until it reads: what is added from now on will be given on. Whether it was within ``timeout`` seconds.

        For a greenlet of the hub that does the work.
        """
        self.home.enter()
        deadline = time.monotonic() + timeout
        while not all(tail.link.connected for tail in self._tails):
            left = deadline - time.monotonic()
            self._changed.clear()
            if left <= 0 or not self._changed.wait(left):
                return all(tail.link.connected for tail in self._tails)
        return True

    def close(self) -> None:
        """End: nothing is given on after this."""
        self.home.close(self._leave)

    def _start(self) -> None:
        self._changed = Event()
        for tail in self._tails:
            self.home.spawn(tail.run)

    def _leave(self) -> None:
        self._connected = False
        for tail in self._tails:
            tail.leave()

    def _tell(self, _: bool) -> None:
        self._changed.set()
        connected = all(tail.link.connected for tail in self._tails)
        if connected != self._connected:
            self._connected = connected
            if self._on_state is not None:
                call(self._on_state, connected)


class _Tail:
    """One stream."""

    def __init__(
        self,
        url: RedisURL,
        home: Home,
        stream: str,
        last: str,
        on_entries: Callable[[str, Entries], Any],
        on_gap: Callable[[str, str, str], Any] | None,
        on_change: Callable[[bool], Any],
        on_status: Callable[[], Any] | None,
        count: int,
        block: float,
    ) -> None:
        if last != "$":
            _number(last)
        self._url = url
        self._home = home
        self._epoch = home.epoch
        self.stream = stream
        self.last = last
        self._on_entries = on_entries
        self._on_gap = on_gap
        # The id of the last entry that was given on: one that the stream should still hold, or has trimmed.
        self._given = ""
        # How many entries are asked for: fewer for a while, where a reply with more of them broke the connection.
        self._most = self._count = count
        self._block = block
        self._topology = Topology(url)
        self._wire: Wire | None = None
        self.link = Link(f"stream {stream!r} of Redis", url, on_change, on_status)

    def leave(self) -> None:
        """Let the connection go."""
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        self._topology = Topology(self._url)
        self.link.forget()

    def run(self) -> None:
        self._epoch = self._home.epoch
        while self._home.epoch is self._epoch:
            address = None
            try:
                self.link.connecting()
                address = self._topology.locate(self.stream.encode())
                # Redis answers a blocking read when its time is over: silence beyond that is a connection that is dead.
                self._wire = Wire(self._url, address, timeout=self._block + TIMEOUT)
                self._read(self._wire)
            except MovedError as error:
                self._failed(error, None)
                if address is not None:
                    self._topology.learn_moved(error, address)
            except ResponseError as error:
                # No stream, no right to read it, a replica: it may pass, and people must see it.
                self._failed(refused("XREAD", error, self._url), address)
            except BROKEN as error:
                self._failed(error, address)
            gevent.sleep(self.link.pause())

    def _failed(self, error: Exception, address: Address | None) -> None:
        if self._home.epoch is not self._epoch:
            return
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()
        self._topology.failed(address)
        self.link.down(error)

    def _read(self, wire: Wire) -> None:
        self._check(wire)
        while True:
            entries = self._next(wire)
            self.link.up()
            if self._home.epoch is not self._epoch:
                return
            if not entries or len(entries) == self._count:
                # Nothing for a while: is the stream still the one it was? Very much: did it still reach back to us?
                self._check(wire)
                if self._home.epoch is not self._epoch:
                    return
            self._count = min(self._most, self._count + 1)
            if entries:
                self.last = self._given = entries[-1][0]
                call(self._on_entries, self.stream, entries)
                gevent.sleep(0)

    def _next(self, wire: Wire) -> Entries:
        """The entries after our position; none, if there is none for a while."""
        # Not before it has been answered once are we connected: it may be refused.
        block = ("BLOCK", int(self._block * 1000)) if self.link.connected else ()
        try:
            reply = wire.ask("XREAD", "COUNT", self._count, *block, "STREAMS", self.stream, self.last)
        except ResponseError:
            raise
        except BROKEN:
            # It may have been too much for the server's limits, or for those of something between: not again the same.
            self._count = max(1, self._count // 2)
            raise
        entries: Entries = []
        for identifier, fields in reply[0][1] if reply else ():
            entries.append((identifier.decode(), dict(zip(fields[::2], fields[1::2], strict=True))))
        return entries

    def _check(self, wire: Wire) -> None:
        """Compare our position with the stream."""
        first, newest = _START, _START
        try:
            reply = wire.ask("XINFO", "STREAM", self.stream)
        except MovedError:
            raise
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
        else:
            about = dict(zip(reply[::2], reply[1::2], strict=True))
            newest = about[b"last-generated-id"].decode()
            if about[b"first-entry"]:
                first = about[b"first-entry"][0].decode()
        if self.last == "$":
            self.last = newest
        elif _number(newest) < _number(self.last):
            # What it still holds was given on before; what is new may well have smaller ids than ours.
            after, self.last = self.last, newest
            self._gap(after, "lost")
        elif first == _START or self.last == _START:
            return
        elif _number(first) > _number(self.last):
            self._gap(self.last, "trimmed")
        elif self._given == self.last and not wire.ask("XRANGE", self.stream, self.last, self.last):
            # It has newer entries already, but no longer this one: who knows what else it lost.
            self._given = ""
            self._gap(self.last, "lost")

    def _gap(self, after: str, reason: str) -> None:
        if self._on_gap is not None:
            call(self._on_gap, self.stream, after, reason)


def _number(identifier: str) -> tuple[int, int]:
    """The id of an entry, to be compared.

    Raises:
        ValueError: it is none.
    """
    milliseconds, _, sequence = identifier.partition("-")
    if not (milliseconds.isascii() and milliseconds.isdigit() and sequence.isascii() and sequence.isdigit()):
        raise ValueError("the id of an entry must be like 1700000000000-0, or $")
    return int(milliseconds), int(sequence)
