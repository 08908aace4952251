"""One greenlet that sends the commands of an outbox and hears the answers, over connections of its own.

Owns the rules of trying again: what is durable stays at the head until it is answered (or, if it is large, until it has
ended too many connections); what may be lost is sent once more if the connection broke, not if the server was silent
(measured: a server that was only slow delivers both); a question is sent once. A server's "not now" (a failover, a
cluster without its slot) is no answer. While there is no connection commands wait, each for its patience.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from redis.exceptions import AskError, MovedError, ResponseError, TimeoutError

from ....errors import ClusterError
from ..complaints import EVERY
from .faults import describe, refused
from .home import Home
from .link import Link, Status, call
from .outbox import UNANSWERED, Entry, Outbox
from .topology import Topology
from .urls import Address, RedisURL
from .wire import BROKEN, PASSING, Wire, pack

log = logging.getLogger(__name__)

#: Commands, and bytes of them, that are sent in one go.
BATCH = 256
BATCH_BYTES = 1 << 20
#: Bytes from which on a durable command is given up when it has ended so many connections: some limit between here and
#: Redis does not let it pass, and it would hold up all that is behind it for ever.
LARGE = 1 << 18
MAX_ENDINGS = 10
#: Seconds without a command after which the connection is tried, so that its state is known.
HEARTBEAT = 10.0
#: Seconds of rest after which a connection is looked at before it is used.
_REST = 0.5
#: Redirections that one command follows before they count as trouble.
_HOPS = 5
_ASKING = pack(("ASKING",))


class Lane:
    """See the module. ``what`` names it in the log."""

    def __init__(
        self,
        url: RedisURL,
        home: Home,
        what: str,
        *,
        max_entries: int,
        max_bytes: int,
        on_state: Callable[[bool], Any] | None = None,
        on_status: Callable[[], Any] | None = None,
    ) -> None:
        self._url = url
        self._what = f"{what} ({url})"
        #: Commands that may be lost, and were (or may have been: nobody answered).
        self.lost = 0
        self._told_lost = (0, 0.0)
        self.outbox = Outbox(max_entries, max_bytes)
        self.topology = Topology(url)
        self._link = Link(what, url, on_state, on_status)
        self._wires: dict[Address, Wire] = {}
        self._used = 0.0
        # What is on its way, and how many at most: fewer for a while where connections end under them.
        self._batch: list[Entry] = []
        self._count = BATCH
        self._wake = Event()
        self._home = home

    @property
    def status(self) -> Status:
        return self._link.status

    def put(self, entry: Entry) -> None:
        """Queue an entry, from any thread.

        Raises:
            ClusterError: there is no room, or this is closed.
        """
        self._home.enter()
        for dropped in self.outbox.put(entry):
            self._home.later(self._lose, dropped, "too much waits for Redis already")
        self._home.call(self._wake.set)

    def start(self) -> None:
        """Begin, in the hub's thread."""
        self._wake = Event()
        self._home.spawn(self._run)

    def finish(self) -> None:
        """After the greenlet's end: what waits fails."""
        self._let_go()
        batch, self._batch = self._batch, []
        for entry in (*batch, *self.outbox.clear()):
            self._lose(entry, "the connection to Redis was closed")

    def leave(self) -> None:
        """In a child after a fork: what waits is the parent's to send."""
        self.outbox.clear()
        self._batch = []
        self.lost, self._told_lost = 0, (0, 0.0)
        self.topology = Topology(self._url)
        self._let_go()

    def _let_go(self) -> None:
        self._link.forget()
        wires, self._wires = self._wires, {}
        for wire in wires.values():
            wire.close()

    def _run(self) -> None:
        epoch = self._home.epoch
        error = self._probe()
        while True:
            if error is not None:
                self._link.down(error)
                gevent.sleep(self._link.pause())
            elif not self.outbox.waiting:
                self._wake.wait(HEARTBEAT)
            if self._home.epoch is not epoch:
                return
            self._wake.clear()
            # Not only now and then: a message that has become old is not sent late.
            for entry in self.outbox.expire(time.monotonic()):
                self._lose(entry, "Redis was away for too long")
            self._tell_lost()
            self._batch = self.outbox.take(self._count, BATCH_BYTES)
            if not self._batch:
                error = self._probe()
                continue
            error = self._exchange(self._batch)
            batch, self._batch = self._batch, []
            self._finish(batch, error)
            # The answers may all have been there already: others have their turn.
            gevent.sleep(0)

    def _probe(self) -> BaseException | None:
        self._link.connecting()
        return self._exchange([Entry("PING", pack(("PING",)), None, "ask")])

    def _exchange(self, batch: list[Entry]) -> BaseException | None:
        """Send entries and note the answers in them; returns what went wrong with a connection."""
        groups: dict[Address, list[Entry]] = {}
        try:
            for entry in batch:
                address = entry.address or entry.asking or self.topology.locate(entry.key)
                groups.setdefault(address, []).append(entry)
        except BROKEN as error:
            self.topology.failed(None)
            return error
        trouble: BaseException | None = None
        for address, entries in groups.items():
            failure = self._converse(address, entries)
            if failure is not None:
                trouble = failure
                self.topology.failed(address)
                wire = self._wires.pop(address, None)
                if wire is not None:
                    wire.close()
        if trouble is None:
            self._link.up()
        return trouble

    def _converse(self, address: Address, entries: list[Entry]) -> BaseException | None:
        passing, sent = None, False
        try:
            wire = self._wire(address)
            sent = True
            for entry in entries:
                entry.attempts += 1
            wire.write(b"".join([(_ASKING if entry.asking else b"") + entry.packed for entry in entries]))
            for entry in entries:
                passing = self._hear(wire, entry, address) or passing
        except BROKEN as error:
            silent = isinstance(error, TimeoutError)
            for entry in entries:
                entry.timed_out = silent and sent
            if sent and not silent:
                self._ended_under(entries)
            return error
        self._used = time.monotonic()
        self._count = min(BATCH, 2 * self._count)
        return passing

    def _ended_under(self, entries: list[Entry]) -> None:
        """A connection has ended before all were answered."""
        self._count = max(1, self._count // 2)
        first = next(entry for entry in entries if entry.answer is UNANSWERED)
        first.endings += 1
        if first.kind == "durable" and first.size > LARGE and first.endings >= MAX_ENDINGS:
            first.answer = ClusterError(
                f"{first.name} failed: whenever its {len(first.packed)} bytes are sent, the connection ends"
            )

    def _wire(self, address: Address) -> Wire:
        wire = self._wires.get(address)
        if wire is not None and time.monotonic() - self._used > _REST and wire.stale:
            wire.close()
            wire = None
        if wire is None:
            wire = self._wires[address] = Wire(self._url, address)
        return wire

    def _hear(self, wire: Wire, entry: Entry, address: Address) -> BaseException | None:
        """Note the answer to an entry; returns it if it says "not now"."""
        first: ResponseError | None = None
        answer: Any = None
        for _ in range(entry.replies + (entry.asking is not None)):
            try:
                answer = wire.read()
            except ResponseError as error:
                # In a transaction the first error says why, the last one only that.
                first = first or error
                answer = error
        entry.asking = None
        # Outside of a cluster's URL trying again would lead to the same server.
        redirected = isinstance(first, AskError) and self._url.mode == "cluster"
        if not isinstance(answer, ResponseError):
            entry.answer = answer
        elif redirected and entry.hops < _HOPS:
            entry.hops += 1
            entry.attempts -= 1
            if isinstance(first, MovedError):
                self.topology.learn_moved(first, address)
            else:
                entry.asking = self.topology.moved(first, address)
        elif redirected or isinstance(first, PASSING):
            entry.hops = 0
            entry.attempts -= 1
            return first
        else:
            entry.answer = refused(entry.name, first or answer, self._url)
        return None

    def _finish(self, batch: list[Entry], error: BaseException | None) -> None:
        kept = []
        for entry in batch:
            if entry.answer is not UNANSWERED:
                self.outbox.settle(entry)
                if isinstance(entry.answer, ClusterError):
                    self.lost += entry.kind == "lossy"
                    if entry.kind == "lossy" or entry.done is None:
                        self._link.refused(entry.answer)
                if entry.done is not None:
                    call(entry.done, entry.answer)
            elif entry.kind == "durable" or (
                entry.attempts < (2 if entry.kind == "lossy" else 1) and not entry.timed_out
            ):
                entry.timed_out = False
                kept.append(entry)
            else:
                self.outbox.settle(entry)
                self._lose(entry, describe(error, self._url) if error is not None else "no answer")
        self.outbox.put_back(kept)

    def _lose(self, entry: Entry, why: str) -> None:
        if entry.kind == "lossy":
            self.lost += 1
        if entry.done is not None:
            call(entry.done, ClusterError(f"{entry.name} failed: {why}"))

    def _tell_lost(self) -> None:
        told, when = self._told_lost
        now = time.monotonic()
        if self.lost > told and (not when or now - when > EVERY):
            log.warning("%s: %d messages to the other servers were lost", self._what, self.lost - told)
            self._told_lost = (self.lost, now)
