"""How far one worker goes: CPU and memory for each connection, message, delivery; from 100 connections to 20,000.

    python loadtests/capacity.py                          # about four minutes
    python loadtests/capacity.py --sizes 100 1000 --idle 5
    python loadtests/capacity.py --plot results.json      # the pictures again

One gunicorn worker on one core, the load (``swarm``) on another. Every figure is the **server's** CPU time: what the
process of the worker used, user and system, while so many messages went through, divided by their number. It is taken
while the worker is busy, so several messages share one look at the descriptors; at a tenth of the load a message costs
more, since each wakes the worker by itself. The loopback interface has no network card: what the kernel spends on
interrupts and on the other end of a connection is for the greater part charged to whoever sends.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from loadtests import capacity_plots, processes
from loadtests.swarm import Swarm, frame

SIZES = (100, 1000, 5000, 10_000, 20_000)
ROOMS = (1, 10, 100, 1000, 10_000)
#: Members of each room, and connections while rooms are measured.
MEMBERS = 10
CLIENTS = 10_000
#: Descriptors that a process needs for itself.
SPARE = 200
#: Messages of one measurement, under way at once, and deliveries by broadcasts.
MESSAGES, WINDOW, DELIVERIES = 40_000, 50, 200_000
TEXT = "x" * 32
ECHO = frame(f'421["echo","{TEXT}"]'.encode())
ALL = frame(f'421["all","{TEXT}"]'.encode())

Row = dict[str, float]


class Capacity:
    """A run: one server, one swarm."""

    def __init__(
        self,
        pid: int,
        swarm: Swarm,
        messages: int = MESSAGES,
        deliveries: int = DELIVERIES,
        members: int = MEMBERS,
    ) -> None:
        self.pid = pid
        self.swarm = swarm
        self.messages = messages
        self.deliveries = deliveries
        self.members = members
        self.started = time.monotonic()
        self.memory = processes.resident_kib(pid)
        #: What joining a room cost, when the last of them were joined.
        self.join_us = 0.0

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", file=sys.stderr, flush=True)

    def cost(self, work: Callable[[], Any]) -> float:
        """Microseconds of the server's CPU for some work of the clients."""
        before = processes.cpu_seconds(self.pid)
        work()
        return (processes.cpu_seconds(self.pid) - before) * 1e6

    def grow(self, size: int) -> float:
        """So many connections; what each new one cost."""
        new = size - len(self.swarm)
        return self.cost(lambda: self.swarm.open(new, self._progress)) / new

    def _progress(self, size: int) -> None:
        if size % 2500 == 0:
            self.say(f"{size} connections")

    def message(self, clients: int = 0) -> float:
        """An event with an acknowledgement, from each connection in turn, or from a few of them."""

        def work(count: int) -> None:
            self.swarm.exchange(lambda client: ECHO, count, WINDOW, clients=clients)

        work(self.messages // 10)  # warm
        return self.cost(lambda: work(self.messages)) / self.messages

    def delivery(self) -> float:
        """A broadcast to everybody, for each receiver."""
        size = len(self.swarm)
        rounds = max(3, self.deliveries // size)
        self.swarm.exchange(lambda client: ALL, 2, 1, size + 1)
        return self.cost(lambda: self.swarm.exchange(lambda client: ALL, rounds, 1, size + 1)) / rounds / size

    def join(self, rooms: range) -> float:
        """More rooms; what joining one cost, for each member."""
        size = len(self.swarm)
        joined: dict[int, list[str]] = {}
        for place in range(rooms.start * self.members, rooms.stop * self.members):
            joined.setdefault(place % size, []).append(f"room{place // self.members}")
        frames = {client: frame(f'421["join",{json.dumps(names)}]'.encode()) for client, names in joined.items()}

        def work() -> None:
            before = self.swarm.acks
            for done, (client, data) in enumerate(frames.items()):
                self.swarm.send(client, data)
                if done - (self.swarm.acks - before) > WINDOW:
                    self.swarm.pump(1.0)
            self.swarm.until(lambda: self.swarm.acks - before == len(frames))

        return self.cost(work) / (len(rooms) * self.members)

    def room_message(self, rooms: int) -> float:
        """An event whose handler emits to a room: one message in, one to each member, and an acknowledgement."""
        count, answers = self.messages // 8, self.members + 1
        frames = [frame(f'421["room","room{number * 7919 % rooms}","{TEXT}"]'.encode()) for number in range(2000)]
        turn = iter(range(2 * count))

        def next_frame(client: int) -> bytes:
            return frames[next(turn) % len(frames)]

        self.swarm.exchange(next_frame, count // 10, WINDOW // 5, answers)
        return self.cost(lambda: self.swarm.exchange(next_frame, count, WINDOW // 5, answers)) / count

    # -- the two series ------------------------------------------------------------------------------------------------

    def sizes(self, sizes: Sequence[int], idle: float) -> Iterator[Row]:
        """By the number of connections."""
        for size in sizes:
            row: Row = {"connections": size, "open_us": self.grow(size)}
            before, started = processes.cpu_seconds(self.pid), time.monotonic()
            pings = self.swarm.idle(idle)
            spent, seconds = processes.cpu_seconds(self.pid) - before, time.monotonic() - started
            row["idle_percent"] = spent / seconds * 100
            row["heartbeat_us"] = spent / max(1, pings) * 1e6
            row["memory_kib"] = (processes.resident_kib(self.pid) - self.memory) / size
            row["message_us"] = self.message()
            row["message_of_100_us"] = self.message(min(100, size))
            row["delivery_us"] = self.delivery()
            self.say(", ".join(f"{name} {value:,.2f}" for name, value in row.items()))
            yield row

    def rooms(self, counts: Sequence[int]) -> Iterator[Row]:
        """By the number of rooms, with the connections that there are."""
        known = 0
        for count in counts:
            row: Row = {"rooms": count}
            self.join_us = self.join(range(known, count))
            known = count
            row["message_us"] = self.message()
            row["room_message_us"] = self.room_message(count)
            self.say(", ".join(f"{name} {value:,.2f}" for name, value in row.items()))
            yield row


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both series, each with a server of its own."""
    limit = processes.allow_files(max(arguments.sizes) + SPARE)
    most = limit - SPARE
    sizes = list(dict.fromkeys(min(size, most) for size in arguments.sizes))
    if max(arguments.sizes) > most:
        print(f"only {limit} open files are allowed here, so there are {most} connections at most", file=sys.stderr)
    server, *others = processes.cores()
    found: dict[str, Any] = {"machine": machine(), "limit": limit}
    for name in ("sizes", "rooms"):
        port = processes.free_port()
        command = ["-m", "gunicorn", "-k", "flask_socketio_py.workers.SocketIOWorker", "-w", "1", "--backlog", "4096"]
        command += ["--log-level", "error", "-b", f"127.0.0.1:{port}", "loadtests.capacity_app:app"]
        with processes.on_core(server):
            serving = processes.running(command, port)
            pid = serving.__enter__()
        try:
            if others:
                os.sched_setaffinity(0, others)
            swarm = Swarm(port)
            capacity = Capacity(pid, swarm, arguments.messages, arguments.deliveries, arguments.members)
            if name == "sizes":
                found[name] = list(capacity.sizes(sizes, arguments.idle))
            else:
                capacity.grow(min(arguments.clients, most))
                found["clients"], found["members"] = len(swarm), arguments.members
                found[name] = list(capacity.rooms(arguments.rooms))
                found["join_us"] = capacity.join_us
            swarm.close()
        finally:
            serving.__exit__(None, None, None)
            os.sched_setaffinity(0, [server, *others])
    return found


def machine() -> str:
    """What this is."""
    from loadtests import bench

    return f"{bench.machine()}, Python {sys.version.split()[0]}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """As Markdown."""
    yield "| " + " | ".join(rows[0]) + " |"
    yield "|" + "---:|" * len(rows[0])
    for row in rows:
        yield (
            "| "
            + " | ".join(f"{value:,.0f}" if value == int(value) else f"{value:,.2f}" for value in row.values())
            + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of connections")
    parser.add_argument("--rooms", type=int, nargs="+", default=ROOMS, help="numbers of rooms")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="connections while rooms are measured")
    parser.add_argument("--members", type=int, default=MEMBERS, help="of each room")
    parser.add_argument("--idle", type=float, default=27, help="seconds of silence; a round of heartbeats takes 25")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="in one measurement")
    parser.add_argument("--deliveries", type=int, default=DELIVERIES, help="in one measurement")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--plot", type=Path, help="make the pictures from such a file, and measure nothing")
    parser.add_argument("--images", type=Path, help="the folder for pictures")
    arguments = parser.parse_args()
    found = json.loads(arguments.plot.read_text()) if arguments.plot else measure(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    print(found["machine"])
    for name in ("sizes", "rooms"):
        print()
        print("\n".join(table(found[name])))
    print(f"\njoining a room: {found['join_us']:.1f} us each, several in one event")
    if arguments.images:
        capacity_plots.draw(found, arguments.images)


if __name__ == "__main__":
    main()
