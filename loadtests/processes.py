"""What the kernel tells of another process, and a server that runs apart from the load: CPU, memory, limits, cores."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, user and system, in seconds and finer than the kernel's ticks."""
    return time.clock_gettime((~pid << 3) | 2)  # the clock's number, as clock_getcpuclockid(3) makes it


def resident_kib(pid: int) -> int:
    """Memory of a process in KiB, what it shares with others counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("the kernel doesn't tell the memory of a process")


def allow_files(wanted: int) -> int:
    """Raise the limit of open files, as far as that is allowed; returns what it is then. Children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (wanted, hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), max(hard, limit)))
            break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def cores() -> list[int]:
    """The cores that may be used."""
    return sorted(os.sched_getaffinity(0))


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started meanwhile runs on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def ask(port: int, path: str, timeout: float = 30) -> dict[str, Any]:
    """What a page of the server answers, in JSON."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as answer:
        return dict(json.load(answer))


@contextlib.contextmanager
def running(command: Sequence[str], port: int, tree: Path = ROOT, **environment: str) -> Iterator[int]:
    """A server, with the package of a tree; the id of the process that serves, which its page ``/pid`` tells."""
    path = os.pathsep.join(dict.fromkeys([str(tree), str(ROOT)]))
    variables = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", **environment}
    server = subprocess.Popen([sys.executable, *command], cwd=tree, env=variables)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                pid = int(ask(port, "/pid")["pid"])
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the server did not start")
            time.sleep(0.1)
        yield pid
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
