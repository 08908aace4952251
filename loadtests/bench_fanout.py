"""What a broadcast costs for each receiver: choosing them, and all the way to their sockets.

python loadtests/bench_fanout.py [pyperf's options]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio.adapters.local import LocalAdapter
from loadtests.inprocess import Rig
from loadtests.measure import Bench, Timed, calling, run_as_script

RECEIVERS, ROOMS, MEMBERS = 200, 1000, 10


class Listener:
    """A recipient that only counts."""

    connected = True

    def __init__(self, number: int) -> None:
        self.id = f"sid{number}"
        self.received = 0

    def deliver(self, message: PreparedMessage, volatile: bool = False) -> None:
        self.received += 1

    def disconnect(self, *, close: bool = False) -> None: ...


def adapter_with_rooms() -> LocalAdapter:
    """Ten thousand sockets in a thousand rooms of ten."""
    adapter = LocalAdapter()
    for number in range(ROOMS * MEMBERS):
        listener = Listener(number)
        adapter.add(listener)
        adapter.join(listener.id, f"room{number % ROOMS}")
    return adapter


def targets(*rooms: str, except_: tuple[str, ...] = ()) -> Callable[[ExitStack], Timed]:
    return lambda stack: calling(adapter_with_rooms().targets, rooms, except_)


def deliver(stack: ExitStack) -> Timed:
    adapter, message = adapter_with_rooms(), PreparedMessage(b'42["chat","hello"]')
    return calling(lambda: adapter.broadcast(message, adapter.targets(("room17",))))


def join_and_leave(stack: ExitStack) -> Timed:
    adapter = adapter_with_rooms()

    def work() -> None:
        adapter.join("sid17", "another")
        adapter.leave("sid17", "another")

    return calling(work)


def broadcasting(receivers: int, rooms: int) -> Callable[[ExitStack], Timed]:
    """``emit`` to each of some rooms, until everybody has it."""

    def make(stack: ExitStack) -> Timed:
        rig = Rig(stack)
        rig.connect(receivers)
        for number, socket in enumerate(rig.socketio.sockets.values()):
            socket.join(f"room{number % rooms}")
        names = [f"room{number}" for number in range(rooms)]

        def timed(loops: int) -> float:
            spent = 0.0
            for _ in range(loops):
                started = time.process_time()
                for name in names:
                    rig.socketio.emit("chat", "x" * 22, to=name)
                rig.wait(lambda: rig.readable() == receivers)
                spent += time.process_time() - started
                rig.drain()
            return spent

        return timed

    return make


BENCHES: list[Bench] = [
    Bench("targets: a room of 10", targets("room17")),
    Bench("targets: three rooms of 10", targets("room1", "room2", "room3")),
    Bench("targets: a room but for another one", targets("room17", except_=("room18",))),
    Bench("targets and calls: a room of 10", deliver),
    Bench("join a room and leave it", join_and_leave),
    Bench(f"emit to {RECEIVERS}, each delivery", broadcasting(RECEIVERS, 1), RECEIVERS, pairs=RECEIVERS),
    Bench("emit to rooms of 10, each delivery", broadcasting(200, 20), 200, pairs=200),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
