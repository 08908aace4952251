"""What opening a connection costs: from the request to the answer 101 with its session, and joining the namespace.

    python loadtests/bench_connect.py [pyperf's options]

The requests come through pairs of sockets, so accepting a TCP connection is not in it.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from loadtests.inprocess import CONNECT, Rig
from loadtests.measure import Bench, Timed, run_as_script

#: Connections at once.
BATCH = 20


def opening() -> Timed:
    rig = Rig()

    def timed(loops: int) -> float:
        spent = 0.0
        for _ in range(loops):
            timing = rig.accept(BATCH)
            spent += timing.run()
            rig.disconnect(timing.clients)
        return spent

    return timed


def joining() -> Timed:
    rig = Rig()

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
    Bench("open a WebSocket", opening, BATCH, system=True),
    Bench("join the main namespace", joining, BATCH, system=True),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
