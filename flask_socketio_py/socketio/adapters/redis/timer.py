"""Time in the hub: a function that is called once, later; and turns for others in a long piece of work.

Knows nothing of who uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent import get_hub, sleep

#: Seconds that one piece of work may take without letting others run.
SLICE = 0.005


class Timer:
    """Calls a function once, in the hub."""

    def __init__(self) -> None:
        self._timer: Any = None

    def restart(self, function: Callable[[], None], delay: float) -> None:
        """Call it after so many seconds, and not when it was to be called before."""
        self.stop()
        self._timer = get_hub().loop.timer(delay, ref=False)
        self._timer.start(function)

    def stop(self) -> None:
        """Call nothing."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
            timer.close()


class Turns:
    """A piece of work of a greenlet; calling this gives others a turn, if it is time for one."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._began > SLICE:
            sleep(0)
            self._began = time.monotonic()
