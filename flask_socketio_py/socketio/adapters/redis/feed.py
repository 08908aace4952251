"""One connection that hears channels: reconnects for ever, and subscribes again to what is wanted.

One greenlet reads, another writes (subscriptions may be asked for at any time) and pings. A server that says nothing
for two intervals, though it was pinged, is given up. What arrives is given on in the order it arrived. A channel
that is refused is asked for again and again, and the others are heard meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from redis.exceptions import AskError, ResponseError

from .faults import refused
from .home import Home
from .link import Link, Status, call
from .urls import Address, RedisURL
from .wire import BROKEN, Wire, pack

log = logging.getLogger(__name__)

#: What is wanted: the kind of subscription (``""``, ``"P"`` or ``"S"``) and the name.
Wanted = tuple[str, bytes]

#: Seconds until a channel that was refused is asked for again.
AGAIN = 2.0
#: Seconds that one feed may read without letting others run.
SLICE = 0.005
_KINDS = {b"subscribe": "", b"psubscribe": "P", b"ssubscribe": "S"}
_ENDS = {b"unsubscribe": "", b"punsubscribe": "P", b"sunsubscribe": "S"}


class Feed:
    """See the module. ``locate()`` says where the server is, before each attempt; ``on_lost(address)`` hears that it
    failed, ``on_moved()`` that a sharded channel is no longer there, ``on_change()`` that :attr:`ready` may be another,
    ``on_status()`` that :attr:`status` may be.
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
        on_status: Callable[[], Any] | None,
    ) -> None:
        self._url = url
        self._locate = locate
        self._interval = interval
        self._on_message = on_message
        self._on_change = on_change
        self._on_lost = on_lost
        self._on_moved = on_moved
        self._link = Link("channels of Redis", url, on_status=on_status)
        self.wanted: dict[Wanted, None] = {}
        self._commands: list[bytes] = []
        # What was asked for and is not confirmed yet, in order: a subscription (or its end), and of what.
        self._unanswered: deque[tuple[bool, Wanted]] = deque()
        self._refused: dict[Wanted, None] = {}
        self._heard = self._denied = 0.0
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
        return self._link.connected and not self._unanswered and not self._refused

    def want(self, wanted: Wanted) -> None:
        """Subscribe, now and after each reconnect."""
        if wanted not in self.wanted:
            self.wanted[wanted] = None
            self._command(wanted)

    def unwant(self, wanted: Wanted) -> None:
        """Unsubscribe."""
        if wanted in self.wanted:
            del self.wanted[wanted]
            self._command(wanted, subscribe=False)

    def close(self) -> None:
        """End, without waiting for it."""
        self._reader.kill(block=False)
        self.leave()

    def leave(self) -> None:
        """Let the connection go."""
        if self._wire is not None:
            self._wire.close()

    def _command(self, wanted: Wanted, *, subscribe: bool = True) -> None:
        self._refused.pop(wanted, None)
        if self._wire is not None:
            kind, name = wanted
            # One name each: in a cluster the names of one command must share a slot.
            self._commands.append(pack((kind + ("SUBSCRIBE" if subscribe else "UNSUBSCRIBE"), name)))
            self._unanswered.append((subscribe, wanted))
            self._wake.set()

    def _run(self) -> None:
        while self._home.epoch is self._epoch:
            address = wire = writer = None
            try:
                self._link.connecting()
                address = self._locate()
                # A read that takes two intervals is the end: a ping was sent, and not answered.
                wire = self._wire = Wire(self._url, address, timeout=2 * self._interval)
                self._commands.clear()
                self._unanswered.clear()
                for wanted in self.wanted:
                    self._command(wanted)
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
            woken = self._wake.wait(min(self._interval, AGAIN) if self._refused else self._interval)
            self._wake.clear()
            if self._refused and time.monotonic() - self._denied >= AGAIN:
                for wanted in list(self._refused):
                    self._command(wanted)
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
                self._deny(error)
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
            self._answered()
        elif kind in _ENDS:
            wanted = (_ENDS[kind], reply[1])
            if self._unanswered and self._unanswered[0] == (False, wanted):
                self._answered()
            else:
                # Nobody asked: the slot has moved to another server.
                self._moved(wanted)

    def _answered(self) -> None:
        self._unanswered.popleft()
        if not self._unanswered and not self._refused:
            self._up()

    def _moved(self, wanted: Wanted) -> None:
        # No longer here, so that it is asked for anew where it is; which may be here again.
        self.wanted.pop(wanted, None)
        self._on_moved()

    def _deny(self, error: ResponseError) -> None:
        if not self._unanswered:
            return  # of a ping
        subscribe, wanted = self._unanswered[0]
        if subscribe and wanted in self.wanted:
            if isinstance(error, AskError) and self._url.mode == "cluster":
                self._moved(wanted)
            else:
                self._refused[wanted] = None
                self._denied = time.monotonic()
                self._wake.set()
                self._link.down(refused(wanted[0] + "SUBSCRIBE", error, self._url))
                self._on_change()
        self._answered()
