"""What an object has in one process: the hub it lives in, and its greenlets. Knows no Redis.

After a fork the child's copy of an object starts afresh: its greenlets are the parent's no more, nor are the
descriptors that they wait on, which both processes would otherwise read from. Nothing starts before it is used, and
nothing is left when it is closed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from gevent.monkey import get_original
from greenlet import getcurrent

from ....errors import ClusterError

# The native one: held for moments between real threads, never while something else may run in this one.
make_lock = get_original("_thread", "allocate_lock")
_homes: weakref.WeakSet[Home] = weakref.WeakSet()
#: Seconds that a greenlet may take to end after it was told to.
_FAREWELL = 2.0


class Home:
    """The hub and the greenlets of one object. ``start`` runs in the hub's thread when it is first used in a process;
    ``leave`` in a child after a fork: let go of what is the parent's, sending nothing.
    """

    def __init__(self, start: Callable[[], None], leave: Callable[[], None]) -> None:
        self._start = start
        self._leave = leave
        self._hub: Any = None
        self._greenlets: set[gevent.Greenlet[..., Any]] = set()
        self._lock = make_lock()
        self.closed = False
        #: Another after a fork and a close: a greenlet that may still run before it is told to end compares it.
        self.epoch = object()
        _homes.add(self)

    def enter(self) -> None:
        """Live in this process; the first thread to ask is the one whose hub does the work.

        Raises:
            ClusterError: it is closed.
        """
        if self.closed:
            raise ClusterError("the connection to Redis is closed")
        if self._hub is None:
            with self._lock:
                first = self._hub is None
                if first:
                    self._hub = get_hub()
            if first:
                self._start()

    @property
    def here(self) -> bool:
        """Whether the caller is in the hub's thread. (Threads' idents tell greenlets apart in a patched process.)"""
        return self._hub is not None and get_hub_if_exists() is self._hub

    def spawn(self, function: Callable[..., Any], *args: Any) -> gevent.Greenlet[..., Any]:
        """A greenlet that ends at the latest when this is closed."""
        greenlet = gevent.spawn(function, *args)
        self._greenlets.add(greenlet)
        greenlet.rawlink(self._greenlets.discard)
        return greenlet

    def call(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in the hub's thread: now if this is it, else in the hub's next turn."""
        if self.here:
            function(*args)
        elif self._hub is not None:
            self._hub.loop.run_callback_threadsafe(function, *args)

    def later(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in the hub's next turn."""
        self._hub.loop.run_callback_threadsafe(function, *args)

    def close(self, finish: Callable[[], None]) -> None:
        """End the greenlets, then call ``finish`` in the hub's thread; returns after that where the caller may wait."""
        if self.closed:
            return
        self.closed = True
        self.epoch = object()
        if self._hub is None:
            finish()
        elif self.here:
            self._end(finish)
        else:
            self._hub.loop.run_callback_threadsafe(self._end, finish)

    def _end(self, finish: Callable[[], None]) -> None:
        if getcurrent() is self._hub or getcurrent() in self._greenlets:
            # The hub can't wait, nor can a greenlet for its own end.
            gevent.spawn(self._end, finish)
            return
        gevent.killall(list(self._greenlets), timeout=_FAREWELL)
        finish()

    def _after_fork(self) -> None:
        if self._hub is None:
            return
        greenlets, mine = self._greenlets, self.here
        self._hub, self._greenlets = None, set()
        self.epoch = object()
        self._lock = make_lock()
        if mine:
            # The child may go on to use this hub. Before their descriptors are closed, which would wake them up.
            gevent.killall(list(greenlets), block=False)
        self._leave()


def _after_fork() -> None:
    for home in list(_homes):
        home._after_fork()


os.register_at_fork(after_in_child=_after_fork)
