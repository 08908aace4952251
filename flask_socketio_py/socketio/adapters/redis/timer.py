"""Timer: calls a function once, later, in the hub, and without a greenlet. Knows nothing of who sets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent import get_hub


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
