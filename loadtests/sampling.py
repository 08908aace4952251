"""What a load run is like from outside, second by second: the server's processes, and the requests locust was told of.

Knows processes and numbers; neither Socket.IO nor a plot.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import psutil

from .processes import cores, cpu_seconds, resident_kib

PERCENTILES = (50, 95, 99)


class Sample(NamedTuple):
    """One look; CPU since the look before, in percent of one core."""

    at: float
    users: int
    #: Open descriptors of the server beyond those it had while nobody was there.
    connections: int
    cpu: float
    #: MiB, pages that several processes share divided among them.
    memory: float
    #: The load generator's own CPU: near 100 % it is itself what the run measures.
    own_cpu: float


class GoneError(Exception):
    """A process that is looked at has ended."""


class Sampler:
    """Looks at a server's processes, the master and its workers."""

    def __init__(self, pid: int, users: Callable[[], int]) -> None:
        self.samples: list[Sample] = []
        self._users = users
        master = psutil.Process(pid)
        self._processes = [master, *master.children()]
        self._pids = [process.pid for process in self._processes]
        self._own = os.getpid()
        self._descriptors = self._count_descriptors()
        self._began = time.monotonic()
        self._last = self._began, self._cpu_seconds(), cpu_seconds(self._own)
        self.memory_before = self._memory()

    def _count_descriptors(self) -> int:
        return sum(process.num_fds() for process in self._processes)

    def _cpu_seconds(self) -> float:
        return sum(map(cpu_seconds, self._pids))

    def _memory(self) -> float:
        return sum(map(resident_kib, self._pids)) / 1024

    def look(self) -> Sample:
        """Take a sample.

        Raises:
            GoneError: one of the server's processes is
        """
        then, cpu_then, own_then = self._last
        try:
            now, cpu, own = time.monotonic(), self._cpu_seconds(), cpu_seconds(self._own)
            connections = max(0, self._count_descriptors() - self._descriptors)
            memory = self._memory()
        except (OSError, psutil.NoSuchProcess) as error:
            raise GoneError("a process of the server has ended") from error
        self._last = now, cpu, own
        share = 100 / (now - then)
        sample = Sample(
            now - self._began, self._users(), connections, (cpu - cpu_then) * share, memory, (own - own_then) * share
        )
        self.samples.append(sample)
        return sample


class Requests:
    """Everything that locust's request event tells in a run, with its time. ``note`` is the listener."""

    def __init__(self) -> None:
        self.failures: Counter[tuple[str, str, str]] = Counter()
        self.count = 0
        self._began = time.monotonic()
        self._times: dict[str, list[float]] = {}
        self._milliseconds: dict[str, list[float]] = {}

    def note(
        self, request_type: str, name: str, response_time: float, exception: BaseException | None = None, **_: Any
    ) -> None:
        self.count += 1
        if exception is not None:
            self.failures[request_type, name, f"{type(exception).__name__}: {exception}"] += 1
            return
        self._times.setdefault(request_type, []).append(time.monotonic() - self._began)
        self._milliseconds.setdefault(request_type, []).append(response_time)

    @property
    def failed(self) -> int:
        return self.failures.total()

    def kinds(self) -> list[str]:
        return list(self._times)

    def rate(self, since: float, until: float) -> float:
        """Successful requests a second in a part of the run, of all kinds."""
        found = sum(int(np.diff(np.searchsorted(times, (since, until)))[0]) for times in self._times.values())
        return found / (until - since)

    def succeeded(self, kind: str) -> int:
        return len(self._times.get(kind, ()))

    def percentiles(self, kind: str) -> tuple[float, ...] | None:
        """Milliseconds for each of PERCENTILES; None if there was nothing of that kind."""
        found = self._milliseconds.get(kind)
        return None if not found else tuple(float(one) for one in np.percentile(found, PERCENTILES))

    def recent(self, kind: str, seconds: float = 2.0) -> tuple[float, ...] | None:
        """The same of what came last."""
        times = self._times.get(kind, [])
        first = int(np.searchsorted(times, time.monotonic() - self._began - seconds))
        found = self._milliseconds.get(kind, [])[first:]
        return None if not found else tuple(float(one) for one in np.percentile(found, PERCENTILES))

    def by_second(self, kind: str) -> Iterator[tuple[int, int, tuple[float, ...]]]:
        """(second, how many, percentiles in milliseconds), for the seconds in which there was something."""
        seconds = np.asarray(self._times.get(kind, []), dtype=float).astype(int)
        milliseconds = np.asarray(self._milliseconds.get(kind, []), dtype=float)
        for second in np.unique(seconds):
            found = milliseconds[seconds == second]
            yield int(second), len(found), tuple(float(one) for one in np.percentile(found, PERCENTILES))


def places() -> tuple[int, int]:
    """The core for the server, and the one for the load; the same where there is only one."""
    able = cores()
    return able[0], able[min(1, len(able) - 1)]
