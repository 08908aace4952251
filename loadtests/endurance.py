"""Endurance: many clients of several gunicorn workers on one port, undisturbed, while a worker is killed, or Redis.

    python loadtests/endurance.py workers [--sessions 200] [--seconds 60] [--workers 4]
    python loadtests/endurance.py kill    [--sessions 200] [--seconds 60] [--workers 4] [--kills 1]
    python loadtests/endurance.py redis   [--sessions 60] [--restarts 20] [--workers 2]

``workers``: every event is acknowledged, in order for each client, and nobody meets an error. ``kill``: a worker is
killed and replaced, with streams and recovery; every client comes back and receives each event of its room once.
``redis``: Redis is killed and started again and again; every event is received once, in one order, and nothing grows.

Starts what it needs on the loopback interface and ends it. Progress goes to standard error; what was found, and PASS or
FAIL, to standard output. The exit code is 0 or 1.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool

# Not this folder, but where the package is.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask_socketio_py import Emitter
from loadtests.client import POLLING, UPGRADING
from loadtests.crowd import Member, Redelivery, together
from tests.live.servers import Server, children
from tests.redis_server import RedisServer

APP = "loadtests.endurance_app:app"
RECOVERY = {"max_disconnection_duration": 120}


class Run:
    """One run: its server, its clients, and what was wrong."""

    def __init__(self, server: Server, arguments: argparse.Namespace) -> None:
        self.server = server
        self.arguments = arguments
        self.members: list[Member] = []
        self.faults: list[str] = []
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", file=sys.stderr, flush=True)

    def report_on(self, seconds: float = 5.0) -> None:
        """Say again and again how it goes."""
        while True:
            gevent.sleep(seconds)
            connected = sum(member.client.connected for member in self.members)
            acked = sum(member.client.counts.acked for member in self.members)
            told = sum(len(member.told) for member in self.members)
            self.say(f"{connected} connected, {acked} acknowledgements, {told} events of the room")

    def connect(self) -> None:
        """Half polling only, half upgrading; half of the polling ones open a connection for each request."""
        self._wait_for_workers()
        for number in range(self.arguments.sessions):
            transports = (POLLING, UPGRADING)[number % 2]
            self.members.append(Member(self.server.url, number, transports, keep_alive=number % 4 != 2))
        together(self.members, Member.connect, 10)
        by_worker = Counter(member.worker for member in self.members)
        self.say(f"connected; sessions by worker: {sorted(by_worker.values())}")
        upgraded = self.eventually(lambda: all(member.upgraded for member in self.members))
        if not upgraded:
            self.faults.append("not everybody upgraded")
        if len(by_worker) < 2 <= self.arguments.workers and len(self.members) > 20:
            self.faults.append("one worker got all sessions: this shows nothing")

    def _wait_for_workers(self) -> None:
        """The first to be ready would get all clients."""
        seen: set[str] = set()

        def look(_: int) -> None:
            seen.add(self.server.get("/worker").body.decode())

        def all_serve() -> bool:
            list(Pool(20).imap_unordered(look, range(20)))
            return len(seen) == self.arguments.workers

        if not self.eventually(all_serve):
            self.faults.append(f"of {self.arguments.workers} workers {len(seen)} serve")

    def eventually(self, condition: Callable[[], Any]) -> bool:
        deadline = time.monotonic() + self.arguments.patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            gevent.sleep(0.05)
        return True

    def finish_acks(self) -> None:
        """All have stopped to emit; every acknowledgement must come now."""
        self.eventually(lambda: not any(member.outstanding for member in self.members))
        for member in self.members:
            self.faults += member.ack_faults()

    def finish_told(self, expected: dict[str, int]) -> None:
        """Nobody emits to the room any more; everybody must have received each number of each speaker once."""
        count = sum(expected.values())
        self.eventually(lambda: all(len(member.told) >= count for member in self.members))
        gevent.sleep(0.5)  # for what should not come
        for member in self.members:
            self.faults += Redelivery(expected).faults(member)

    def finish_errors(self, *, calm: bool) -> None:
        """``calm``: there was no reason for any connection to break."""
        for member in self.members:
            self.faults += member.errors(calm=calm)

    def summary(self) -> None:
        latencies = sorted(one for member in self.members for one in member.latencies)
        print(f"sessions:          {len(self.members)}, half polling only, half upgraded")
        print(f"acknowledgements:  {sum(member.client.counts.acked for member in self.members)}")
        print(f"  asked by server: {sum(member.client.counts.answered for member in self.members)}")
        if len(latencies) > 100:
            print(
                f"  took:            {statistics.median(latencies) * 1000:.1f} ms in the middle, "
                f"{latencies[len(latencies) * 99 // 100] * 1000:.0f} ms the slowest hundredth"
            )


def run_workers(arguments: argparse.Namespace) -> list[str]:
    """No Redis, no balancer, no stickiness."""
    with Server(arguments.app, "worker", args=("-w", str(arguments.workers))) as server:
        run = Run(server, arguments)
        run.connect()
        progress = gevent.spawn(run.report_on)
        talkers = [gevent.spawn(member.talk, 1.0) for member in run.members]
        gevent.sleep(arguments.seconds)
        stop(run, talkers)
        run.finish_acks()
        progress.kill()
        run.finish_errors(calm=True)
        run.summary()
        together(run.members, Member.leave)
    return run.faults


def run_kill(arguments: argparse.Namespace) -> list[str]:
    """Workers are killed, one at a time, while an emitter and clients of the workers tell the room numbers."""
    with RedisServer() as redis, streaming(redis, arguments) as server:
        run = Run(server, arguments)
        run.connect()
        gevent.sleep(1.5)  # what a client needs to come back is kept a second after it changed
        progress = gevent.spawn(run.report_on)
        said = Counter[str]()
        over = Event()

        def tell() -> None:
            with Emitter(streams(redis)) as emitter:
                while not over.wait(2 / arguments.rate):
                    emitter.to("everybody").emit("told", ["outside", said["outside"]])
                    said["outside"] += 1

        # Over WebSockets: their connections are not cut off when another worker is killed.
        speakers = list({member.worker: member for member in run.members if not member.polling}.values())
        jobs = [gevent.spawn(tell)]
        jobs += [gevent.spawn(member.tell, arguments.rate / 2 / len(speakers), said) for member in speakers]
        jobs += [gevent.spawn(member.talk, 2.0) for member in run.members]
        pause = arguments.seconds / (arguments.kills + 1)
        for _ in range(arguments.kills):
            gevent.sleep(pause)
            kill_a_worker(run, speakers)
        gevent.sleep(pause)
        over.set()
        stop(run, jobs)
        if not run.eventually(lambda: all(member.client.connected for member in run.members)):
            run.faults.append(f"{sum(not member.client.connected for member in run.members)} clients never came back")
        run.finish_acks()
        run.finish_told(dict(said))
        progress.kill()
        run.finish_errors(calm=False)
        run.summary()
        print(f"told to the room:  {sum(said.values())} events, {said['outside']} of them by an emitter")
        together(run.members, Member.leave)
    return run.faults


def kill_a_worker(run: Run, speakers: list[Member]) -> None:
    """Kill the one with the most sessions; returns when it is replaced, and its clients are back."""
    before = set(children(run.server.pid))
    by_worker = Counter(member.worker for member in run.members)
    victim = max(before, key=lambda pid: by_worker[pid])
    theirs = [member for member in run.members if member.worker == victim]
    ids = {member: member.client.sid for member in theirs}
    # What a worker has not yet written when it is killed nobody can receive: it must be silent.
    mute = [member for member in speakers if member.worker == victim]
    for member in mute:
        member.mute = True
    run.eventually(lambda: not any(member.telling for member in mute))
    run.say(f"killing worker {victim}, which has {len(theirs)} sessions")
    since = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    if not run.eventually(lambda: len(set(children(run.server.pid)) - {victim}) == len(before)):
        run.faults.append("gunicorn did not replace the worker")
    away = set(theirs)

    def all_are_back() -> bool:
        away.difference_update([member for member in away if member.moved()])
        return not away

    if not run.eventually(all_are_back):
        run.faults.append(f"{len(away)} clients of the killed worker did not come back")
    took = max(member.connected_at for member in theirs) - since
    # A connection that it had just accepted may have been meant for another worker.
    cut = [member for member in run.members if member not in ids and member.moved()]
    print(f"killed a worker:   {len(theirs)} clients were back after {took:.1f} s; of others {len(cut)} were cut off")
    for member, sid in ids.items():
        if not member.client.recovered or member.client.sid != sid:
            run.faults.append(f"client {member.number} of the killed worker was not recovered")


def run_redis(arguments: argparse.Namespace) -> list[str]:
    """Redis is killed and started again while clients of every worker tell the room numbers."""
    with RedisServer(aof=True) as redis, streaming(redis, arguments) as server:
        run = Run(server, arguments)
        run.connect()
        progress = gevent.spawn(run.report_on)
        speakers = list({member.worker: member for member in run.members}.values())
        warm_up = min(2, arguments.restarts // 2)
        said = Counter[str]()
        restart_under_load(run, redis, speakers, said, warm_up)
        half = (arguments.restarts - warm_up) // 2
        looks = [inside(run, speakers)]
        for restarts in (half, arguments.restarts - warm_up - half):
            restart_under_load(run, redis, speakers, said, restarts)
            looks.append(inside(run, speakers))
        run.finish_acks()
        run.finish_told(dict(said))
        progress.kill()
        first = run.members[0].told
        run.faults += [f"client {member.number} saw another order" for member in run.members if member.told != first]
        run.finish_errors(calm=True)
        compare(run, *looks)
        run.summary()
        print(f"told to the room:  {sum(said.values())} events by {len(said)} workers, {arguments.restarts} restarts")
        print(f"broken meanwhile:  {sum(member.drops for member in run.members)} connections")
        together(run.members, Member.leave)
    return run.faults


def restart_under_load(run: Run, redis: RedisServer, speakers: list[Member], said: Counter[str], restarts: int) -> None:
    """Each time a client loses its connection, too, a moment before or after."""
    telling = [gevent.spawn(member.tell, run.arguments.rate / len(speakers), said) for member in speakers]
    listeners = [member for member in run.members if member not in speakers]
    for number in range(restarts):
        gevent.sleep(random.uniform(0.3, 0.8) if run.arguments.restarts < 10 else random.uniform(0.8, 1.5))
        before, after = random.choice(((True, False), (False, True)))
        if before:
            drop_one(listeners)
        redis.kill()
        away = random.choice((0.0, 0.1, 0.5, 1.0))
        gevent.sleep(away)
        redis.start()
        if after:
            drop_one(listeners)
        run.say(f"restart {number + 1} of {restarts}, away for {away} s and its start")
    gevent.sleep(0.5)
    stop(run, telling)
    count = sum(said.values())
    run.eventually(lambda: all(len(member.told) >= count and member.client.connected for member in run.members))


def drop_one(members: list[Member]) -> None:
    """Break the connection of a client that can come back: one that is here, and knows where it is in the log."""
    able = [member for member in members if member.client.connected and member.told]
    if able:
        member = random.choice(able)
        member.drops += 1
        member.client.drop()


def inside(run: Run, speakers: list[Member]) -> dict[int, dict[str, int]]:
    """What each worker holds while nothing happens: the least of a few looks."""
    gevent.sleep(1.0)
    looks = [[member.client.call("inside") for member in speakers] for _ in range(3)]
    return {
        one[0]["pid"]: {name: min(look[name] for look in one) for name in ("greenlets", "descriptors", "kilobytes")}
        for one in zip(*looks, strict=True)
    }


def compare(run: Run, *looks: dict[int, dict[str, int]]) -> None:
    """One of anything a restart would be growth; memory may vary by what the allocator keeps."""
    if len({frozenset(look) for look in [*looks, children(run.server.pid)]}) > 1:
        run.faults.append("the workers are not those of before")
        return
    for name in ("greenlets", "descriptors"):
        # Of all workers: who comes back may come back to another.
        counts = [sum(held[name] for held in look.values()) for look in looks]
        print(f"{name + ':':<18} {', '.join(map(str, counts))} (first, in the middle, last)")
        if counts[-1] - counts[0] > max(8, run.arguments.restarts // 2):
            run.faults.append(f"{counts[-1] - counts[0]} more {name}")
    for pid in looks[0]:
        sizes = [look[pid]["kilobytes"] for look in looks]
        print(f"kB in a worker:    {', '.join(map(str, sizes))}")
        # What is kept on purpose, up to a limit, has mostly been filled in the first half.
        if sizes[-1] - sizes[1] > 4096:
            run.faults.append(f"{sizes[-1] - sizes[1]} kB more memory in worker {pid}")


def stop(run: Run, jobs: list[gevent.Greenlet]) -> None:
    for member in run.members:
        member.stopped = True
    gevent.joinall(jobs)
    run.faults += [f"a client: {job.exception!r}" for job in jobs if job.exception is not None]
    for member in run.members:
        member.stopped = False


def streams(redis: RedisServer) -> str:
    return redis.url.replace("redis://", "redis+streams://")


def streaming(redis: RedisServer, arguments: argparse.Namespace) -> Server:
    options = {"message_queue": streams(redis), "connection_state_recovery": RECOVERY}
    return Server(arguments.app, "worker", options=options, args=("-w", str(arguments.workers)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    runs = {"workers": run_workers, "kill": run_kill, "redis": run_redis}
    parser.add_argument("run", choices=runs)
    parser.add_argument("--sessions", type=int, help="clients (200; with redis 60)")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, help="gunicorn's workers (4; with redis 2)")
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--patience", type=float, default=30, help="seconds that what must come gets in the end")
    parser.add_argument("--app", default=APP, help="another application with the same events")
    parser.add_argument("--rate", type=float, help="events a second to the room (5; with redis 20)")
    arguments = parser.parse_args()
    redis = arguments.run == "redis"
    arguments.sessions = arguments.sessions or (60 if redis else 200)
    arguments.workers = arguments.workers or (2 if redis else 4)
    arguments.rate = arguments.rate or (20 if redis else 5)
    try:
        faults = runs[arguments.run](arguments)
    except AssertionError as error:
        faults = [str(error)]
    for fault, times in Counter(faults).most_common(30):
        print(f"fault:             {fault}" + (f" ({times} times)" if times > 1 else ""))
    print(f"FAIL: {len(faults)} faults" if faults else "PASS")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
