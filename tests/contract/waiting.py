"""Waiting for what must become true, with a deadline that only a defect reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import get_hub

PATIENCE = 10.0


def wait_until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Let the hub run until ``condition()`` is true; returns what it returned."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        gevent.sleep(0.002)
    return value


def turn(times: int = 3) -> None:
    """Let the hub run everything that is ready now."""
    for _ in range(times):
        gevent.sleep(0)


def in_hub(function: Callable[..., Any], *args: Any) -> Any:
    """Run a function as the hub's callbacks run, and return what it returned or raise what it raised."""
    results: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            results.append((function(*args), None))
        except BaseException as error:
            results.append((None, error))

    get_hub().loop.run_callback(run)
    wait_until(lambda: results, "the hub runs a callback")
    value, error = results[0]
    if error is not None:
        raise error
    return value
