"""Complaints: log lines about what other servers do wrong, without a flood: of each kind one a minute.

Owns when a line is due. Must not know what is complained about; the texts never hold what was received.
"""

from __future__ import annotations

import logging
import time
from typing import Any

#: Seconds between two log lines of one kind.
EVERY = 60.0
#: Kinds that are told apart; with more than that the lines of all begin anew.
MAX_KINDS = 100


class Complaints:
    """Writes warnings to ``log``."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._last: dict[str, float] = {}

    def warn(self, kind: str, text: str, *args: Any) -> None:
        """Log a warning, if none of this kind was logged within the last minute."""
        now = time.monotonic()
        if now - self._last.get(kind, -EVERY) < EVERY:
            return
        if len(self._last) >= MAX_KINDS:
            self._last.clear()
        self._last[kind] = now
        self._log.warning(text, *args)
