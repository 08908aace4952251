"""What is measured: each workload against one server, as one figure of what the server's processes used.

Knows how to take a figure; nothing of rounds, tables or pictures.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from loadtests.compare.crowd import Crowd
from loadtests.compare.loop import Loop
from loadtests.compare.polling import Pollers
from loadtests.compare.servers import Server
from loadtests.compare.wire import LoadError
from loadtests.processes import cpu_seconds, on_core, resident_kib
from tests.redis_server import RedisServer, binary

MICROSECONDS, KIB = "us", "KiB"


class Cores(NamedTuple):
    """Where the servers run, and where the load (and Redis)."""

    server: int
    load: int


class Effort(NamedTuple):
    """How much is done for one figure: how many clients, for how many seconds; before that, without counting, until the
    servers have used `warm_up` seconds of CPU time. (On a busy machine a second of waiting would warm up nobody.)
    """

    connections: int
    seconds: float
    warm_up: float


class Figure(NamedTuple):
    """What came out: for each of `messages` (or connections) the servers used `value`.

    `busy` is the part of the time that the servers were at work. Far below 1, they waited for the load, or for others
    that use their core: then a server finds few messages in each turn of its loop, and each costs it more. `swapped`
    messages came before one that had been sent earlier.
    """

    value: float
    messages: int
    busy: float | None
    swapped: int = 0


class Workload(NamedTuple):
    """One row of the table; in its title stands how many `{clients}` there are. `size` in bytes."""

    title: str
    unit: str
    connections: int
    take: Callable[[Loop, Sequence[Server], Effort, int], Figure]
    size: int = 32
    redis: bool = False


def _used(servers: Sequence[Server]) -> float:
    return sum(cpu_seconds(server.pid) for server in servers)


def _memory(servers: Sequence[Server]) -> int:
    return sum(resident_kib(server.pid) for server in servers)


def _cpu(servers: Sequence[Server], job: Callable[[], int]) -> Figure:
    """The CPU time of the servers for each thing that the job has counted, in microseconds."""
    began, before = time.monotonic(), _used(servers)
    count = job()
    used, wall = _used(servers) - before, time.monotonic() - began
    return Figure(used / count * 1e6, count, used / wall)


def _crowd(loop: Loop, servers: Sequence[Server], connections: int) -> Crowd:
    crowd = Crowd(loop, [server.port for server in servers])
    crowd.open(connections)
    return crowd


def _warm_up(servers: Sequence[Server], seconds: float, go: Callable[[float], int]) -> None:
    enough, patience = _used(servers) + seconds, time.monotonic() + 10 * seconds
    while _used(servers) < enough and time.monotonic() < patience:
        go(seconds / 5)


def _exchange(crowd: Crowd, servers: Sequence[Server], effort: Effort) -> Figure:
    _warm_up(servers, effort.warm_up, crowd.go)
    return _cpu(servers, lambda: crowd.go(effort.seconds))._replace(swapped=crowd.swapped)


def echo(loop: Loop, servers: Sequence[Server], effort: Effort, size: int) -> Figure:
    """Every client sends an event, and the next one when the acknowledgement is there."""
    crowd = _crowd(loop, servers, effort.connections)
    crowd.begin_echo(size)
    return _exchange(crowd, servers, effort)


def fanout(loop: Loop, servers: Sequence[Server], effort: Effort, size: int) -> Figure:
    """One client has its event told to all, and sends the next one when it has received its own."""
    crowd = _crowd(loop, servers, effort.connections)
    if len(servers) > 1:
        # Two servers know each other as soon as both have subscribed, and neither says when that is.
        loop.run(0.5)
    crowd.begin_fanout(size)
    return _exchange(crowd, servers, effort)


def connect(loop: Loop, servers: Sequence[Server], effort: Effort, size: int) -> Figure:
    """Clients connect, a hundred at a time: upgrade, Engine.IO's and Socket.IO's handshake."""
    _crowd(loop, servers, min(effort.connections, 500))

    def job() -> int:
        _crowd(loop, servers, effort.connections)
        # What a server puts off until nobody waits for it belongs to it.
        loop.run(0.1)
        return effort.connections

    return _cpu(servers, job)


def memory(loop: Loop, servers: Sequence[Server], effort: Effort, size: int) -> Figure:
    """Connected clients that are silent."""
    before = _memory(servers)
    _crowd(loop, servers, effort.connections)
    loop.run(1.0)
    return Figure((_memory(servers) - before) / effort.connections, effort.connections, None)


def poll(loop: Loop, servers: Sequence[Server], effort: Effort, size: int) -> Figure:
    """Every client POSTs an event and GETs its acknowledgement."""
    pollers = Pollers(loop, servers[0].port, effort.connections, size)
    _warm_up(servers, effort.warm_up, pollers.go)
    return _cpu(servers, lambda: pollers.go(effort.seconds))


WORKLOADS = {
    "echo32": Workload("event with acknowledgement, 32 B", MICROSECONDS, 100, echo),
    "echo1k": Workload("event with acknowledgement, 1 kB", MICROSECONDS, 50, echo, size=1000),
    "echo16k": Workload("event with acknowledgement, 16 kB", MICROSECONDS, 50, echo, size=16000),
    "fanout": Workload("broadcast to {clients:,} clients, each delivery", MICROSECONDS, 1000, fanout),
    "redis": Workload("the same, from two servers over Redis", MICROSECONDS, 1000, fanout, redis=True),
    "poll": Workload("long-polling: POST an event, GET the answer", MICROSECONDS, 20, poll),
    "connect": Workload("opening a connection", MICROSECONDS, 3000, connect),
    "memory": Workload("memory of an idle connection", KIB, 5000, memory),
}


def redis_is_missing() -> str | None:
    """How to get a Redis, if there is none."""
    try:
        binary()
    except (pytest.skip.Exception, pytest.fail.Exception):
        return "there is no Redis: apt-get install redis-server"
    return None


def measure(workload: Workload, name: str, effort: Effort, cores: Cores) -> Figure:
    """One figure of fresh servers; they are ended before their clients are, which saves them the farewells.

    Raises:
        LoadError: they did not do what they have to
    """
    with contextlib.closing(Loop()) as loop, contextlib.ExitStack() as stack:
        url = None
        if workload.redis:
            with on_core(cores.load):
                url = stack.enter_context(RedisServer()).url
        servers = [stack.enter_context(Server(name, cores.server, url)) for _ in range(2 if workload.redis else 1)]
        with on_core(cores.load):
            try:
                return workload.take(loop, servers, effort, workload.size)
            except LoadError as error:
                raise LoadError("\n".join([str(error), *(server.log() for server in servers)])) from None
