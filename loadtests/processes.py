"""What processes cost: CPU time and memory, read from the kernel from outside.

Linux only. Knows nothing of what the processes do.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def cpu_seconds(pids: Iterable[int]) -> float:
    """The CPU time, user and system, that these processes have used: all their threads, ended ones too.

    Raises:
        OSError: one of them is gone
    """
    # The clock of a process has nanoseconds; utime and stime in /proc have hundredths of a second. Linux makes the
    # number of the clock from that of the process: clock_getcpuclockid(3), which Python doesn't have.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def memory_kib(pids: Iterable[int]) -> int:
    """The memory of these processes in KiB, pages that several share divided among them (PSS).

    Raises:
        OSError: one of them is gone
    """
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Inside, this process stays on one core, and so does for good what it starts there; None: anywhere."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
