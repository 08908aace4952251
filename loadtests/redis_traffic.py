"""What one emit costs Redis: commands, and bytes in and out, under each dialect and for several numbers of workers.

    python loadtests/redis_traffic.py [--workers 2 4] [--redis redis://localhost:6379]

Starts a Redis server of its own, unless one is named (nobody else may use it meanwhile), and for each dialect so many
workers with one client each; reads Redis' own counters around some hundred emits. What is asked for without an emit
(pings, a stream's waiting) is measured in a silence of the same length, and subtracted.
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


class Traffic(NamedTuple):
    """Of one emit: commands, bytes that Redis receives, bytes that it sends."""

    commands: float
    received: float
    sent: float


def counters(client: redis.Redis) -> Traffic:
    """Redis' own, since it started."""
    found = client.info()
    return Traffic(found["total_commands_processed"], found["total_net_input_bytes"], found["total_net_output_bytes"])


class Cluster:
    """Workers with a client each, and their Redis."""

    def __init__(self, swarms: Sequence[Swarm], client: redis.Redis) -> None:
        self.swarms = swarms
        self.client = client

    def pump(self, done: float) -> None:
        """All clients take what comes for a while."""
        end = time.monotonic() + done
        while time.monotonic() < end:
            for swarm in self.swarms:
                swarm.pump(0.001)

    def sends(self, data: bytes, count: int) -> float:
        """The first client sends so often, one after the other's acknowledgement; the seconds that took."""
        first, started = self.swarms[0], time.monotonic()
        for _ in range(count):
            before = first.acks
            first.send(0, data)
            while first.acks == before:
                for swarm in self.swarms:
                    swarm.pump(0.001)
        self.pump(0.3)
        return time.monotonic() - started

    def traffic(self, data: bytes, count: int = COUNT) -> Traffic:
        """Of one such event."""
        self.sends(data, 5)
        first = counters(self.client)
        seconds = self.sends(data, count)
        second = counters(self.client)
        self.pump(seconds)
        silence = counters(self.client)
        return Traffic(*((b - a - (c - b)) / count for a, b, c in zip(first, second, silence, strict=True)))


@contextlib.contextmanager
def cluster(url: str, dialect: str, workers: int) -> Iterator[Cluster]:
    """Workers of one dialect; only the first one's client is in the room."""
    with contextlib.ExitStack() as stack:
        swarms = []
        for _ in range(workers):
            port = processes.free_port()
            command = ["-m", "gunicorn", "-k", "flask_socketio_py.workers.SocketIOWorker", "-b", f"127.0.0.1:{port}"]
            command += ["--log-level", "error", "loadtests.capacity_app:app"]
            queue = url.replace("redis", dialect, 1)
            stack.enter_context(processes.running(command, port, MESSAGE_QUEUE=queue))
            swarm = Swarm(port)
            swarm.open(1)
            stack.callback(swarm.close)
            swarms.append(swarm)
        found = Cluster(swarms, redis.Redis.from_url(url))
        stack.callback(found.client.close)
        found.pump(1.0)
        found.sends(JOIN, 1)
        yield found


def measure(url: str, workers: Sequence[int], dialects: Sequence[str] = DIALECTS, count: int = COUNT) -> Iterator[str]:
    """A table in Markdown."""
    yield "| dialect | workers | what | commands | bytes in | bytes out |"
    yield "|---|---:|---|---:|---:|---:|"
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
