"""The pool of handler greenlets: plain blocking functions run here, started at once and in order. Knows no packets.

Switching into a waiting greenlet costs a third of spawning one, and starts the handler before the next packet is looked
at, so that one client's handlers start in the order of its events and each runs until it first blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

from gevent import spawn_raw
from gevent.hub import GreenletExit
from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)

#: Greenlets kept waiting for work; more exist while more handlers run.
MAX_IDLE = 256


class Dispatcher:
    """Runs functions in pooled greenlets of the hub that serves the clients."""

    __slots__ = ("_hub", "_idle", "_workers")

    def __init__(self) -> None:
        self._hub: Any = None
        # The switch methods of the greenlets that wait for work.
        self._idle: list[Any] = []
        self._workers = 0

    @property
    def running(self) -> int:
        """Functions running (or blocked) now."""
        return self._workers - len(self._idle)

    def bind(self, hub: Any) -> None:
        """This is the hub."""
        self._hub = hub

    def start(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run ``function(*args)`` in a greenlet and a context of its own.

        Now, if called from the hub, else in the hub's next turn. There must be at least one argument.
        """
        hub = self._hub
        if hub is None:
            # Nobody has connected yet, so nobody knows which thread will serve: what is to be done is this one's.
            spawn_raw(Context().run, function, *args)
        elif getcurrent() is not hub:
            hub.loop.run_callback(self.start, function, args)
        else:
            if not self._idle:
                # Without the job: a greenlet keeps what it was first given for as long as it lives.
                greenlet(self._work, hub).switch()
            self._idle.pop()(function, *args)

    def _work(self) -> None:
        """The life of a worker: a job, a place among the idle, the next job."""
        idle, wait, wake = self._idle, self._hub.switch, getcurrent().switch
        job: Any = ()
        self._workers += 1
        while True:
            try:
                while True:
                    if job:
                        Context().run(*job)
                    if len(idle) >= MAX_IDLE:
                        break
                    idle.append(wake)
                    job = ()
                    while not job:  # a switch that was meant for an earlier job carries none
                        job = wait()
                        if type(job) is not tuple:
                            job = ()
            except GreenletExit:
                log.debug("a handler's greenlet was told to end")
            except BaseException:
                # What handlers raise is dealt with where they are called. This is a defect of ours, or a gevent.Timeout
                # that an earlier job started and never closed: it must not end the pool.
                log.exception("a handler's greenlet failed")
                if wake in idle:
                    idle.remove(wake)
                job = ()
                continue
            if wake in idle:
                idle.remove(wake)
            self._workers -= 1
            return
