"""What opening a connection costs: from the request to the answer 101 with its session, and joining the namespace.

    python loadtests/bench_connect.py [pyperf's options]

The requests come through pairs of sockets, so accepting a TCP connection is not in it.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from loadtests.inprocess import CONNECT, Rig
from loadtests.measure import Bench, Timed, run_as_script

#: Connections at once.
BATCH = 5


def opening(stack: ExitStack) -> Timed:
    rig = Rig(stack)

    def timed(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            timing = rig.accept(BATCH)
            spent += timing.run()
            rig.disconnect(timing.clients)
        return spent

    return timed


def joining(stack: ExitStack) -> Timed:
    rig = Rig(stack)

    @rig.socketio.on("connect")
    def connect() -> None: ...

    def timed(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            timing = rig.accept(BATCH)
            timing.run()
            spent += rig.send(CONNECT, timing.clients).run(b"40")
            rig.disconnect(timing.clients)
        return spent

    return timed


BENCHES: list[Bench] = [
    Bench("open a WebSocket", opening, BATCH, pairs=BATCH),
    Bench("join the main namespace", joining, BATCH, pairs=BATCH),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
