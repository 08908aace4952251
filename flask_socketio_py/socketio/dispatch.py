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

    __slots__ = ("_hub", "_idle", "_workers")

    def __init__(self) -> None:
        self._hub: Any = None
        self._idle: list[Any] = []
        self._workers = 0

    @property
    def running(self) -> int:
        """Functions running (or blocked) now."""
        return self._workers - len(self._idle)

    def start(self, function: Callable[..., Any], *args: Any) -> None:
        """Run ``function(*args)`` in a greenlet and a context of its own: now from the hub, else in the hub's next
        turn.
        """
        hub = self._hub
        if hub is None:
            hub = self._hub = get_hub()
        if getcurrent() is not hub:
            hub.loop.run_callback(self.start, function, *args)
        elif self._idle:
            self._idle.pop().switch((function, args))
        else:
            greenlet(self._work, hub).switch((function, args))

    def _work(self, job: _Job) -> None:
        """The life of a worker: a job, a place among the idle, the next job."""
        idle, hub, worker = self._idle, self._hub, getcurrent()
        received: _Job | None = job
        self._workers += 1
        try:
            while received is not None:
                try:
                    Context().run(received[0], *received[1])
                except GreenletExit:
                    return
                except BaseException:
                    # What handlers raise is dealt with where they are called: a defect of ours, or a wish to end.
                    log.exception("a handler's greenlet failed")
                if len(idle) >= MAX_IDLE:
                    return
                idle.append(worker)
                received = self._wait(hub)
        finally:
            self._workers -= 1

    def _wait(self, hub: Any) -> _Job | None:
        """Be idle until a job comes; ``None``: the greenlet is to end."""
        try:
            while True:
                job = hub.switch()
                if type(job) is tuple:
                    return job
        except GreenletExit:
            self._idle.remove(getcurrent())
            return None
        except BaseException:
            # A gevent.Timeout that an earlier job started and never cancelled: it has nobody to reach any more.
            log.warning("an exception reached an idle handler greenlet (a gevent.Timeout that was never closed?)")
            return self._wait(hub)
