"""What a micro benchmark is, and how its price is taken on a machine that is not quiet. Knows no benchmark.

The figure is CPU time of this process, system calls included: waiting while another process has the core is not in it.
What is in it all the same (a neighbour's cache misses, a clock that changes) only ever adds. So many short samples are
taken, and the low end of them counts. Between them runs a calibration, a fixed piece of work of the same kind: what is
compared between machines, or between days, is how many times the calibration something costs.
"""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

#: Runs something so many times; the seconds of CPU that took.
Timed = Callable[[int], float]

#: CPU seconds of one sample: short enough that many of them are undisturbed.
SAMPLE = 0.001
SAMPLES = 100
#: Which sample of a process counts: a tenth of them were cheaper.
QUANTILE = 0.1
#: Most repetitions of a sample.
MOST = 1_000_000


@dataclass(frozen=True)
class Bench:
    """One thing that has a price.

    ``make`` prepares it and returns what runs it; what must be closed afterwards it leaves to the stack that it is
    given. ``count`` says how many units (deliveries, frames) one repetition is; ``pairs``: its price is for a good part
    what so many sockets cost, in system calls and in caches too small for all, so the calibration has as many.
    """

    name: str
    make: Callable[[ExitStack], Timed]
    count: int = 1
    pairs: int = 0


def calling(function: Callable[..., Any], *args: Any) -> Timed:
    """Runs ``function(*args)``; the loop around it is in the price."""

    def timed(loops: int) -> float:
        repeat = range(loops)
        started = time.process_time()
        for _ in repeat:
            function(*args)
        return time.process_time() - started

    return timed


def of_call(name: str, function: Callable[..., Any], *args: Any, count: int = 1) -> Bench:
    """The benchmark of one call."""
    return Bench(name, lambda stack: calling(function, *args), count)


# -- calibration -------------------------------------------------------------------------------------------------------


class _Thing:
    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def method(self, other: int) -> int:
        return self.value + other


def _python_work() -> int:
    """What our code is made of: calls, attributes, dictionaries, short text and bytes. Never change it."""
    total, names = 0, {}
    for number in range(100):
        thing = _Thing(number)
        total += thing.method(1)
        text = f"42{number}"
        names[text] = text.encode()
        if text.startswith("427") and text in names:
            total += len(b"".join((names[text], b"x", b"yz")))
        data = [text, number]
        total += len(data)
    return total


def calibration_of(pairs: int, stack: ExitStack) -> Timed:
    """Work without a system call; or, for some pairs of sockets, with a message through each."""
    if not pairs:
        return calling(_python_work)
    kept = [(*socket.socketpair(), _Thing(number), {"text": "x" * 40}) for number in range(pairs)]

    for one, other, *_ in kept:
        stack.enter_context(one)
        stack.enter_context(other)

    def work() -> None:
        for one, other, thing, data in kept:
            thing.value = thing.method(1)
            one.send(b"\x81" + f"{data['text']}{thing.value}".encode())
            other.recv(65536)
        _python_work()

    return calling(work)


# -- samples -----------------------------------------------------------------------------------------------------------


def low(samples: Sequence[float]) -> float:
    """The low end of what was measured."""
    return sorted(samples)[int(len(samples) * QUANTILE)]


def fit(timed: Timed, seconds: float = SAMPLE) -> int:
    """How many repetitions take so long."""
    loops = 1
    while loops < MOST:
        spent = timed(loops)
        if spent >= seconds / 3:
            return max(1, min(MOST, round(loops * seconds / spent)))
        loops *= 4 if spent < seconds / 12 else 2
    return MOST


def price(bench: Bench, samples: int = SAMPLES, seconds: float = SAMPLE) -> tuple[float, float]:
    """Seconds for each unit, and for the calibration in the same moments."""
    with ExitStack() as stack:
        return _price(bench.make(stack), calibration_of(bench.pairs, stack), bench.count, samples, seconds)


def _price(timed: Timed, calibration: Timed, count: int, samples: int, seconds: float) -> tuple[float, float]:
    loops, calibrating = fit(timed, seconds), fit(calibration, seconds)
    own, common = [], []
    gc.collect()
    gc.disable()  # a collection would hit one sample in some, and cost what else lives in this process
    try:
        for _ in range(samples):
            common.append(calibration(calibrating) / calibrating)
            own.append(timed(loops) / loops / count)
    finally:
        gc.enable()
    return low(own), low(common)


def run_as_script(benches: Sequence[Bench]) -> None:
    """What a ``bench_*.py`` does when it is run: pyperf, with all its options (``--fast``, ``-o``, ``--help``)."""
    import pyperf

    runner = pyperf.Runner()
    runner.parse_args()
    runner.metadata["clock"] = "CPU time of the process"
    for bench in benches:
        runner.bench_time_func(bench.name, _lazily(bench), inner_loops=bench.count)


def _lazily(bench: Bench) -> Timed:
    """Prepare it where it runs: pyperf runs each benchmark in processes of its own."""
    made: list[Timed] = []

    def timed(loops: int) -> float:
        if not made:
            made.append(bench.make(ExitStack()))  # pyperf ends the process
        return made[0](loops)

    return timed
