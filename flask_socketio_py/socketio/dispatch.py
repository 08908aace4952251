"""The pool of handler greenlets: plain blocking functions run here, started at once and in order. Knows no packets.

Switching into a waiting greenlet costs a third of spawning one, and starts the handler before the next packet is looked
at, so that one client's handlers start in the order of its events and each runs until it first blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

from gevent import get_hub
from gevent.hub import GreenletExit
from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)

#: Greenlets kept waiting for work; more exist while more handlers run.
MAX_IDLE = 256
_Job = tuple[Callable[..., Any], tuple[Any, ...]]


class Dispatcher:
    """Runs functions in pooled greenlets of the hub it was first used with."""

    __slots__ = ("_hub", "_idle", "running")

    def __init__(self) -> None:
        self._hub: Any = None
        self._idle: list[Any] = []
        #: Functions running (or blocked) now.
        self.running = 0

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Run ``function(*args)`` in a greenlet and a context of its own: now from the hub, else in the hub's next turn."""
        hub = self._hub
        if hub is None:
            hub = self._hub = get_hub()
        if getcurrent() is hub:
            worker = self._idle.pop() if self._idle else greenlet(self._work, hub)
            worker.switch((function, args))
        else:
            hub.loop.run_callback(self.start, function, *args)

    def _work(self, job: _Job) -> None:
        hub, idle, worker = self._hub, self._idle, getcurrent()
        while True:
            self.running += 1
            try:
                Context().run(job[0], *job[1])
            except GreenletExit:
                return
            except BaseException:
                # What handlers raise is dealt with where they are called: this is a defect of ours, or a wish to end.
                log.exception("a handler's greenlet failed")
            finally:
                self.running -= 1
            if len(idle) >= MAX_IDLE:
                return
            idle.append(worker)
            received = self._wait(hub)
            if received is None:
                return
            job = received

    @staticmethod
    def _wait(hub: Any) -> _Job | None:
        while True:
            try:
                job = hub.switch()
            except GreenletExit:
                return None
            except BaseException:
                # A gevent.Timeout that an earlier job started and never cancelled: it has nobody to reach any more.
                log.warning("an exception reached an idle handler greenlet (a gevent.Timeout that was never closed?)")
                continue
            if type(job) is tuple:
                return job
