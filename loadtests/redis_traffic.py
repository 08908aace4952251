"""What one emit costs a cluster: Redis' commands, bytes and CPU, and the CPU of the workers, under each dialect.

    python loadtests/redis_traffic.py [--workers 2 4] [--redis redis://localhost:6379]

Starts a Redis server of its own, unless one is named (nobody else may use it meanwhile), and for each dialect so many
workers with one client each; reads Redis' own counters and the workers' clocks around some hundred emits. What is
there without an emit (pings, a stream's waiting) is measured in a silence of the same length, and subtracted.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

import redis

from loadtests import processes
from loadtests.swarm import Swarm, frame

DIALECTS = ("redis", "redis+sharded", "redis+streams", "redis+queue")
TEXT = "x" * 32
ALL = frame(f'421["all","{TEXT}"]'.encode())
ROOM = frame(f'421["room","red","{TEXT}"]'.encode())
JOIN = frame(b'421["join",["red"]]')
FETCH = frame(b'421["fetch"]')
COUNT = 300
#: Emits under way at once where CPU is measured.
BUSY = 10


class Traffic(NamedTuple):
    """Of one emit: commands, bytes that Redis receives and sends; microseconds of Redis, of the worker that emits, and
    of each other worker.
    """

    commands: float
    received: float
    sent: float
    redis: float
    here: float
    there: float


class Cluster:
    """Workers with a client each, and their Redis."""

    def __init__(self, swarms: Sequence[Swarm], pids: Sequence[int], client: redis.Redis) -> None:
        self.swarms = swarms
        self.pids = pids
        self.client = client

    def counters(self) -> Traffic:
        """Since each of them started."""
        found = self.client.info()
        names = ("total_commands_processed", "total_net_input_bytes", "total_net_output_bytes")
        here, *there = (processes.cpu_seconds(pid) * 1e6 for pid in self.pids)
        own = (found["used_cpu_user"] + found["used_cpu_sys"]) * 1e6
        return Traffic(*(found[name] for name in names), own, here, sum(there) / len(there))

    def pump(self, done: float) -> None:
        """All clients take what comes for a while."""
        end = time.monotonic() + done
        while time.monotonic() < end:
            for swarm in self.swarms:
                swarm.pump(0.001)

    def sends(self, data: bytes, count: int, window: int = 1) -> float:
        """The first client sends so often, so many of them not yet acknowledged; the seconds that took."""
        first, started, before = self.swarms[0], time.monotonic(), self.swarms[0].acks
        for sent in range(1, count + 1):
            first.send(0, data)
            allowed = window - 1 if sent < count else 0
            while sent - (first.acks - before) > allowed:
                for swarm in self.swarms:
                    swarm.pump(0.001)
        self.pump(0.3)
        return time.monotonic() - started

    def traffic(self, data: bytes, count: int = COUNT) -> Traffic:
        """Of one such event: what goes over the wire when it is alone, and CPU when ten are under way."""
        alone, busy = self._traffic(data, count, 1), self._traffic(data, count * 3, BUSY)
        return Traffic(*alone[:3], *busy[3:])

    def _traffic(self, data: bytes, count: int, window: int) -> Traffic:
        self.sends(data, 5)
        first = self.counters()
        seconds = self.sends(data, count, window)
        second = self.counters()
        self.pump(seconds)
        silence = self.counters()
        return Traffic(*((b - a - (c - b)) / count for a, b, c in zip(first, second, silence, strict=True)))


@contextlib.contextmanager
def cluster(url: str, dialect: str, workers: int) -> Iterator[Cluster]:
    """Workers of one dialect; only the first one's client is in the room."""
    with contextlib.ExitStack() as stack:
        swarms, pids = [], []
        for _ in range(workers):
            port = processes.free_port()
            command = ["-m", "gunicorn", "-k", "flask_socketio_py.workers.SocketIOWorker", "-b", f"127.0.0.1:{port}"]
            command += ["--log-level", "error", "loadtests.capacity_app:app"]
            queue = url.replace("redis", dialect, 1)
            pids.append(stack.enter_context(processes.running(command, port, MESSAGE_QUEUE=queue)))
            swarm = Swarm(port)
            swarm.open(1)
            stack.callback(swarm.close)
            swarms.append(swarm)
        found = Cluster(swarms, pids, redis.Redis.from_url(url))
        stack.callback(found.client.close)
        found.pump(1.0)
        found.sends(JOIN, 1)
        yield found


def measure(url: str, workers: Sequence[int], dialects: Sequence[str] = DIALECTS, count: int = COUNT) -> Iterator[str]:
    """A table in Markdown."""
    yield "| dialect | workers | what | commands | bytes in | bytes out | Redis us | this worker us | each other us |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|"
    for dialect in dialects:
        for number in workers:
            with cluster(url, dialect, number) as running:
                for what, data in (("to everybody", ALL), ("to a room of this worker", ROOM), ("fetch_sockets", FETCH)):
                    found = running.traffic(data, count)
                    yield f"| {dialect} | {number} | {what} | " + " | ".join(f"{value:,.1f}" for value in found) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=(2, 4))
    parser.add_argument("--redis", help="redis://host:port of a server that nobody uses")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = arguments.redis
        if url is None:
            from tests.redis_server import RedisServer

            url = stack.enter_context(RedisServer()).url
        for line in measure(url, arguments.workers):
            print(line, flush=True)


if __name__ == "__main__":
    main()
