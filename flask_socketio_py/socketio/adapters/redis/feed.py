"""One connection that hears channels: reconnects for ever, and subscribes again to what is wanted.

One greenlet reads, another writes (subscriptions may be asked for at any time) and pings. A server that says nothing
for two intervals, though it was pinged, is given up. What arrives is given on in the order it arrived.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from redis.exceptions import AskError, ResponseError

from .home import Home
from .link import Link, Status, call
from .urls import Address, RedisURL
from .wire import BROKEN, Wire, pack, refused

log = logging.getLogger(__name__)

#: What is wanted: the kind of subscription (``""``, ``"P"`` or ``"S"``) and the name.
Wanted = tuple[str, bytes]

#: Seconds that one feed may read without letting others run.
SLICE = 0.005
_KINDS = {b"subscribe": "", b"psubscribe": "P", b"ssubscribe": "S"}
_ENDS = {b"unsubscribe": "", b"punsubscribe": "P", b"sunsubscribe": "S"}


class Feed:
    """See the module. ``locate()`` says where the server is, before each attempt; ``on_lost(address)`` hears that it
    failed, ``on_moved()`` that a sharded channel is no longer there, ``on_change()`` that :attr:`ready` may be another.
    """

    def __init__(
        self,
        url: RedisURL,
        home: Home,
        locate: Callable[[], Address],
        *,
        interval: float,
        on_message: Callable[[bytes, bytes], Any],
        on_change: Callable[[], Any],
        on_lost: Callable[[Address | None], Any],
        on_moved: Callable[[], Any],
    ) -> None:
        self._url = url
        self._locate = locate
        self._interval = interval
        self._on_message = on_message
        self._on_change = on_change
        self._on_lost = on_lost
        self._on_moved = on_moved
        self._link = Link(f"channels of Redis ({url})")
        self.wanted: dict[Wanted, None] = {}
        self._commands: list[bytes] = []
        # Names that we left and whose confirmation is under way, and how many confirmations are.
        self._leaving: Counter[Wanted] = Counter()
        self._unanswered = 0
        self._heard = 0.0
        self._wire: Wire | None = None
        self._wake = Event()
        self._reader = home.spawn(self._run)
        self._home = home
        self._epoch = home.epoch

    @property
    def status(self) -> Status:
        return self._link.status

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def ready(self) -> bool:
        """Connected, and everything that is wanted is confirmed."""
        return self._link.connected and not self._unanswered

    def want(self, wanted: Wanted) -> None:
        """Subscribe, now and after each reconnect."""
        if wanted not in self.wanted:
            self.wanted[wanted] = None
            self._command(wanted, "SUBSCRIBE")

    def unwant(self, wanted: Wanted) -> None:
        """Unsubscribe."""
        if wanted in self.wanted:
            del self.wanted[wanted]
            if self._command(wanted, "UNSUBSCRIBE"):
                self._leaving[wanted] += 1

    def close(self) -> None:
        """End, without waiting for it."""
        self._reader.kill(block=False)
        self.leave()

    def leave(self) -> None:
        """Let the connection go."""
        if self._wire is not None:
            self._wire.close()

    def _command(self, wanted: Wanted, verb: str) -> bool:
        if self._wire is None:
            return False
        kind, name = wanted
        # One name each: in a cluster the names of one command must share a slot.
        self._commands.append(pack((kind + verb, name)))
        self._unanswered += 1
        self._wake.set()
        return True

    def _run(self) -> None:
        while self._home.epoch is self._epoch:
            address = wire = writer = None
            try:
                self._link.connecting()
                address = self._locate()
                # A read that takes two intervals is the end: a ping was sent, and not answered.
                wire = self._wire = Wire(self._url, address, timeout=2 * self._interval)
                self._commands.clear()
                self._leaving.clear()
                self._unanswered = 0
                for wanted in self.wanted:
                    self._command(wanted, "SUBSCRIBE")
                self._heard = time.monotonic()
                writer = self._home.spawn(self._write, wire)
                if not self._unanswered:
                    self._up()
                self._read(wire)
            except BROKEN as error:
                if self._home.epoch is not self._epoch:
                    return
                self._link.down(error)
                self._on_lost(address)
            finally:
                self._wire = None
                if writer is not None:
                    writer.kill(block=False)
                if wire is not None:
                    wire.close()
            self._on_change()
            gevent.sleep(self._link.pause())

    def _up(self) -> None:
        self._link.up()
        self._on_change()

    def _write(self, wire: Wire) -> None:
        while True:
            woken = self._wake.wait(self._interval)
            self._wake.clear()
            data = b"".join(self._commands)
            self._commands.clear()
            if not woken or time.monotonic() - self._heard > self._interval:
                data += pack(("PING",))
            try:
                if data:
                    wire.write(data)
            except BROKEN as error:
                # The one who reads finds out, and connects anew.
                log.debug("could not write to Redis: %s", type(error).__name__)
                return

    def _read(self, wire: Wire) -> None:
        began = time.monotonic()
        while True:
            try:
                self._take(wire.read())
            except ResponseError as error:
                self._refused(error)
            self._heard = now = time.monotonic()
            if now - began > SLICE:
                gevent.sleep(0)
                began = time.monotonic()

    def _take(self, reply: Any) -> None:
        if not isinstance(reply, list) or not reply or self._home.epoch is not self._epoch:
            return  # PONG, of a connection without subscriptions
        kind = reply[0]
        if kind in (b"message", b"smessage"):
            call(self._on_message, reply[1], reply[2])
        elif kind == b"pmessage":
            call(self._on_message, reply[2], reply[3])
        elif kind in _KINDS:
            self._confirmed()
        elif kind in _ENDS:
            wanted = (_ENDS[kind], reply[1])
            if self._leaving[wanted] > 0:
                self._leaving[wanted] -= 1
                self._confirmed()
            else:
                # Nobody asked: the slot has moved to another server.
                self._on_moved()

    def _confirmed(self) -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self._up()

    def _refused(self, error: ResponseError) -> None:
        if isinstance(error, AskError):
            self._on_moved()
        else:
            self._link.refused(refused("SUBSCRIBE", error))
        self._confirmed()
