"""Two minutes through the load scenarios, each against a fresh server, with a report to open afterwards. `make load`.

    python -m loadtests.tour [--seconds 12] [--scale 1.0] [--report loadtests/report] [ChatRooms BroadcastStorm ...]

Starts what it needs on the loopback interface, the server on one core and the load on another where there are two, and
ends it. Progress goes to standard error. The exit code is 1 if there was a failure: what a scenario provokes on purpose
is none.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import contextlib
import inspect
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gevent
from locust.env import Environment
from locust.user.users import User

from tests.live.servers import ROOT, Server, children, wait_for
from tests.redis_server import RedisServer, find_binary

from . import locustfile
from .processes import allow_files, on_core
from .report import Result, write, write_stats
from .sampling import GoneError, Requests, Sample, Sampler, places
from .shapes.waves import Waves

REPORT = ROOT / "loadtests" / "report"
APP = "loadtests.server_app:app"
#: Seconds from one sample to the next.
STEP = 0.5
#: Seconds that the first user gets beyond the time of a very short run.
PATIENCE = 20.0


class Stop(NamedTuple):
    """One scenario on the tour: so many users, so many of them coming each second."""

    scenario: type[User]
    users: int
    rate: int
    workers: int = 1
    redis: bool = False
    waves: bool = False

    @property
    def name(self) -> str:
        return self.scenario.__name__

    @property
    def title(self) -> str:
        return (
            "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in self.name).strip().capitalize()
        )


#: Bounded for a laptop with two cores.
TOUR = (
    Stop(locustfile.ChatRooms, users=500, rate=250),
    Stop(locustfile.BroadcastStorm, users=2000, rate=500),
    Stop(locustfile.RequestResponse, users=200, rate=100),
    Stop(locustfile.ConnectStorm, users=100, rate=100, waves=True),
    Stop(locustfile.MassReconnect, users=500, rate=250),
    Stop(locustfile.PollingOnly, users=100, rate=50),
    Stop(locustfile.MixedTransports, users=200, rate=100),
    Stop(locustfile.SlowReaders, users=30, rate=30),
    Stop(locustfile.Cluster, users=100, rate=50, workers=4, redis=True),
)


class Progress:
    """A line for each scenario: on a terminal it is rewritten, elsewhere there is one every few seconds."""

    def __init__(self, number: int, of: int, title: str, seconds: float) -> None:
        self._head, self._seconds = f"[{number}/{of}] {title:<17}", seconds
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def tell(self, text: str, *, now: float = 0.0, last: bool = False) -> None:
        """Say how it is going, ``now`` seconds after its start."""
        if not self._terminal and now < self._next and not last:
            return
        self._next = now + 3.0
        bar = "#" * round(10 if last else now / self._seconds * 10)
        line = f"{self._head} [{bar:<10}] {text}"
        if self._terminal:
            print(f"\r\033[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def run(stop: Stop, arguments: argparse.Namespace, progress: Progress, core: int, endings: list[Ending]) -> Result:
    """One scenario: its server, its load, and what they were like. The server ends while the next one starts.

    Raises:
        AssertionError: the server did not start; it says why
        GoneError: the server ended meanwhile
    """
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {}
        if stop.redis:
            options["message_queue"] = stack.enter_context(RedisServer()).url
        progress.tell("starting the server")
        server = Server(APP, "worker", options=options, args=("-w", str(stop.workers)))
        with on_core(core):
            stack.enter_context(server)
        wait_for(lambda: len(children(server.pid)) == stop.workers, "all workers are there")
        result = load(stop, server, arguments, progress)
        endings.append(Ending(stop.title, stack.pop_all()))
    return result


class Ending(gevent.Greenlet):
    """The end of what a scenario needed; ``fault`` is what went wrong with it: a traceback in the server's log, say."""

    def __init__(self, title: str, stack: contextlib.ExitStack) -> None:
        super().__init__()
        self.fault = ""
        self._title, self._stack = title, stack
        self.start()

    def _run(self) -> None:
        try:
            self._stack.close()
        except AssertionError as error:
            self.fault = f"{self._title}: {error}"


def load(stop: Stop, server: Server, arguments: argparse.Namespace, progress: Progress) -> Result:
    """Let the users of one scenario at a server."""
    seconds, users = arguments.seconds, max(2, round(stop.users * arguments.scale))
    environment = Environment(user_classes=[stop.scenario], host=server.url)
    runner = environment.create_local_runner()
    sampler, requests = Sampler(server.pid, lambda: runner.user_count), Requests()
    environment.events.request.add_listener(requests.note)
    if stop.waves:
        environment.shape_class = shape = Waves()
        shape.runner, shape.users, shape.seconds = runner, users, seconds + 1
        runner.start_shape()
    else:
        gevent.spawn(runner.start, users, spawn_rate=stop.rate)
    began, before, looks, nobody = time.monotonic(), 0, 0, True
    while (now := time.monotonic() - began) < seconds or (nobody and now < seconds + PATIENCE):
        looks += 1
        gevent.sleep(max(0.01, (looks * STEP if nobody else min(looks * STEP, seconds)) - now))
        sample = sampler.look()
        progress.tell(status(sample, requests, (requests.count - before) / STEP), now=sample.at)
        before = requests.count
        nobody = nobody and not requests.failed and not (sample.connections and requests.succeeded("connect"))
    seconds = seconds if now < seconds + STEP else now
    runner.quit()
    result = Result(
        stop.name,
        stop.title,
        inspect.getdoc(stop.scenario) or "",
        workers=stop.workers,
        seconds=seconds,
        sampler=sampler,
        requests=requests,
        reasons=server.get_json("/reasons") if stop.workers == 1 else {},
        errors=[f"{one['msg']} ({one['count']} times)" for one in runner.exceptions.values()],
    )
    if not requests.count:
        result.errors.append("nothing happened")
    write_stats(result, environment, arguments.report)
    last = sampler.samples[-1]
    progress.tell(status(last, requests, requests.rate(seconds / 2, seconds), whole=True), last=True)
    return result


def status(sample: Sample, requests: Requests, rate: float, *, whole: bool = False) -> str:
    kind = "broadcast" if requests.succeeded("broadcast") else "ack" if requests.succeeded("ack") else "connect"
    latency = requests.percentiles(kind) if whole else requests.recent(kind)
    p95 = f"{kind} p95 {latency[1]:.1f} ms" if latency else ""
    return (
        f"{sample.users:5} users {rate:6.0f} requests/s {requests.failed:3} failures  server {sample.cpu:3.0f} %  {p95}"
    )


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="scenario", help=", ".join(stop.name for stop in TOUR))
    parser.add_argument("--seconds", type=float, default=12, help="for each scenario (12)")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the users (1.0)")
    parser.add_argument("--report", type=Path, default=REPORT, help="the folder to write to (loadtests/report)")
    arguments = parser.parse_args(words)
    if unknown := set(arguments.scenarios) - {stop.name for stop in TOUR}:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if arguments.seconds <= 0 or arguments.scale <= 0:
        parser.error("--seconds and --scale must be more than nothing")
    return arguments


def main() -> int:
    arguments = parse()
    allow_files(20_000)  # thousands of connections need them on both sides; what we start inherits it
    # It warns of ramps that are steep on purpose.
    logging.getLogger("locust.runners").setLevel(logging.ERROR)
    chosen = [stop for stop in TOUR if not arguments.scenarios or stop.name in arguments.scenarios]
    if find_binary() is None:
        skipped = [stop for stop in chosen if stop.redis]
        chosen = [stop for stop in chosen if not stop.redis]
        for stop in skipped:
            print(
                f"{stop.title} is left out: there is no Redis server (redis-server or valkey-server)", file=sys.stderr
            )
        if skipped and os.environ.get("CI"):
            return 1
    arguments.report.mkdir(parents=True, exist_ok=True)
    server_core, load_core = places()
    results: list[Result] = []
    broken: list[str] = []
    endings: list[Ending] = []
    with on_core(load_core):
        for number, stop in enumerate(chosen, 1):
            progress = Progress(number, len(chosen), stop.title, arguments.seconds)
            try:
                results.append(run(stop, arguments, progress, server_core, endings))
            except (AssertionError, GoneError) as error:
                progress.tell("FAILED", last=True)
                broken.append(f"{stop.title}: {error}")
        gevent.joinall(endings)
    broken += [ending.fault for ending in endings if ending.fault]
    page = write(results, broken, arguments.report)
    faults = [*broken, *(f"{result.title}: {fault}" for result in results for fault in result.faults())]
    for fault in faults:
        print(f"fault: {fault}")
    print(f"report: {page}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
