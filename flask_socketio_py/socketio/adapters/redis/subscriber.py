"""Hears channels of Redis: what is wanted, and over which connections.

One connection is enough, but for the sharded channels of a cluster: they are heard from the server that owns their
slot, so there each such server has a connection of its own, and channels follow their slot when it moves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from .feed import Feed, Wanted
from .home import Home
from .link import Link, Status, call, worst
from .topology import Topology
from .urls import Address, RedisURL, parse
from .wire import BROKEN

#: Seconds without a word after which a server is pinged; after twice as many it is given up.
INTERVAL = 10.0
#: Seconds between two looks at a cluster that has moved a slot and can't say yet where to.
_SETTLE = 0.2
#: The feed for what has no slot.
_ANYWHERE = Address("", 0)


class Subscriber:
    """See the module.

    ``on_message(channel, data)``, ``on_state(connected)`` and ``on_status()`` (:attr:`status` may be another) are
    called in the thread of the hub that was there at the first subscription (or at ``start``); they must not block,
    and what they raise is logged. Connected means that everything wanted is confirmed. A message that is published
    while there is no connection is not heard.

    Raises:
        ValueError: for a URL that can't be meant.
    """

    def __init__(
        self,
        url: str | RedisURL,
        on_message: Callable[[bytes, bytes], Any],
        *,
        on_state: Callable[[bool], Any] | None = None,
        on_status: Callable[[], Any] | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self.url = parse(url) if isinstance(url, str) else url
        self._on_message = on_message
        self._on_state = on_state
        self._on_status = on_status
        self._interval = interval
        self._topology = Topology(self.url)
        self._wanted: dict[Wanted, None] = {}
        self._feeds: dict[Address, Feed] = {}
        self._link = Link("the cluster of Redis", self.url, on_status=on_status)
        self._connected = False
        self._placed = True
        self._changed = Event()
        self._place_again = Event()
        self.home = Home(self._start, self._leave)

    @property
    def status(self) -> Status:
        """How the connections fare; of several the worst."""
        statuses = [feed.status for feed in self._feeds.values()]
        return worst(statuses if self._placed else [*statuses, self._link.status])

    def start(self) -> None:
        """Connect now, not at the first subscription; the caller's hub does the work."""
        self.home.enter()

    def close(self) -> None:
        """End: nothing is heard after this."""
        self.home.close(self._leave)

    def subscribe(self, *channels: str | bytes) -> None:
        """Hear channels, from now on and over reconnects; from any thread, returns at once.

        Raises:
            ClusterError: it is closed.
        """
        self._change(True, "", channels)

    def psubscribe(self, *patterns: str | bytes) -> None:
        """Hear all channels that match a pattern, as :meth:`subscribe`."""
        self._change(True, "P", patterns)

    def ssubscribe(self, *channels: str | bytes) -> None:
        """Hear sharded channels (Redis 7), as :meth:`subscribe`."""
        self._change(True, "S", channels)

    def unsubscribe(self, *channels: str | bytes) -> None:
        """Hear channels no longer."""
        self._change(False, "", channels)

    def punsubscribe(self, *patterns: str | bytes) -> None:
        """Hear what matches a pattern no longer."""
        self._change(False, "P", patterns)

    def sunsubscribe(self, *channels: str | bytes) -> None:
        """Hear sharded channels no longer."""
        self._change(False, "S", channels)

    def ready(self, timeout: float) -> bool:
        """Wait until everything that is wanted now is confirmed; whether it was within ``timeout`` seconds.

        For a greenlet of the hub that does the work.
        """
        self.home.enter()
        deadline = time.monotonic() + timeout
        while not self._all_ready():
            left = deadline - time.monotonic()
            self._changed.clear()
            if left <= 0 or not self._changed.wait(left):
                return self._all_ready()
        return True

    def _all_ready(self) -> bool:
        return self._placed and bool(self._feeds) and all(feed.ready for feed in self._feeds.values())

    def _change(self, wish: bool, kind: str, names: tuple[str | bytes, ...]) -> None:
        wanted = [(kind, name.encode() if isinstance(name, str) else name) for name in names]
        self.home.enter()
        self.home.call(self._apply, wish, wanted)

    def _apply(self, wish: bool, wanted: list[Wanted]) -> None:
        if self.home.closed:
            return
        for one in wanted:
            if wish:
                self._wanted[one] = None
            else:
                self._wanted.pop(one, None)
            if one[0] != "S" or self.url.mode != "cluster":
                feed = self._feeds[_ANYWHERE]
                (feed.want if wish else feed.unwant)(one)
            else:
                self._disturb()

    def _start(self) -> None:
        self._changed, self._place_again = Event(), Event()
        self._feed(_ANYWHERE)
        self._apply(True, list(self._wanted))
        if self.url.mode == "cluster":
            self.home.spawn(self._place_for_ever)

    def _leave(self) -> None:
        feeds, self._feeds = self._feeds, {}
        for feed in feeds.values():
            feed.leave()
        self._connected = False
        self._placed = True
        self._topology = Topology(self.url)

    def _feed(self, address: Address) -> Feed:
        feed = self._feeds.get(address)
        if feed is None:
            feed = self._feeds[address] = Feed(
                self.url,
                self.home,
                (lambda: self._topology.locate(None)) if address is _ANYWHERE else (lambda: address),
                interval=self._interval,
                on_message=self._on_message,
                on_change=self._tell,
                on_lost=self._lost,
                on_moved=self._moved,
                on_status=self._on_status,
            )
        return feed

    def _tell(self) -> None:
        self._changed.set()
        connected = self._placed and all(feed.connected for feed in self._feeds.values())
        if connected != self._connected:
            self._connected = connected
            if self._on_state is not None:
                call(self._on_state, connected)

    def _lost(self, address: Address | None) -> None:
        self._topology.failed(address)
        if any(kind == "S" for kind, _ in self._wanted):
            self._disturb()

    def _moved(self) -> None:
        self._topology.failed(None)
        self._disturb()

    # -- the sharded channels of a cluster ----------------------------------------------------------------------------

    def _disturb(self) -> None:
        if self.url.mode == "cluster":
            self._placed = False
            self._place_again.set()

    def _place_for_ever(self) -> None:
        while True:
            self._place_again.wait()
            self._place_again.clear()
            try:
                self._place()
                self._placed = not self._place_again.is_set()
                self._link.up()
            except BROKEN as error:
                self._topology.failed(None)
                self._link.down(error)
                self._place_again.set()
                gevent.sleep(self._link.pause())
            self._tell()
            # Slots move by the thousand, and a server may be the last to know.
            gevent.sleep(_SETTLE if self._place_again.is_set() else 0)

    def _place(self) -> None:
        """Give every sharded channel to the server that owns its slot."""
        places: dict[Wanted, Address] = {}
        for wanted in list(self._wanted):
            if wanted[0] == "S":
                places[wanted] = self._topology.locate(wanted[1])
        for address, feed in list(self._feeds.items()):
            if address is _ANYWHERE:
                continue
            for wanted in list(feed.wanted):
                if places.get(wanted) != address:
                    feed.unwant(wanted)
            if not feed.wanted and address not in places.values():
                del self._feeds[address]
                feed.close()
        for wanted, address in places.items():
            if wanted in self._wanted:
                self._feed(address).want(wanted)
