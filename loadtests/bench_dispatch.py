"""What it costs to run a handler in a pooled greenlet, and an event with its acknowledgement all the way.

python loadtests/bench_dispatch.py [pyperf's options]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import gevent
from flask import request
from gevent.event import Event

from flask_socketio_py.socketio.dispatch import Dispatcher
from loadtests.inprocess import Rig, masked
from loadtests.measure import Bench, Timed, run_as_script

#: Clients with an event each, in one turn of the hub.
CLIENTS = 50


def in_hub(function: Callable[[], Any]) -> float:
    """CPU seconds of ``function`` called as a watcher's callback, and of what it leaves to the hub's next turns."""
    done = Event()
    started = time.process_time()

    def call() -> None:
        function()
        gevent.get_hub().loop.run_callback(done.set)

    gevent.get_hub().loop.run_callback(call)
    done.wait()
    return time.process_time() - started


def starting(handler: Callable[[Any], Any]) -> Callable[[ExitStack], Timed]:
    def make(stack: ExitStack) -> Timed:
        dispatcher = Dispatcher()
        dispatcher.bind(gevent.get_hub())

        def timed(loops: int) -> float:
            spent = 0.0
            while loops > 0:  # no more at once than the pool keeps
                batch = range(min(loops, 200))
                loops -= len(batch)

                def start(batch: range = batch) -> None:
                    for number in batch:
                        dispatcher.start(handler, (number,))

                spent += in_hub(start)
                while dispatcher.running:
                    gevent.sleep(0)
            return spent

        return timed

    return make


def nothing(number: int) -> None:
    """A handler that returns at once."""


def pause(number: int) -> None:
    """A handler that waits once."""
    gevent.sleep(0)


def echoing(size: int, ack: bool) -> Callable[[ExitStack], Timed]:
    """Each client sends an event, and is answered: by its acknowledgement, or by an emit to it."""

    def make(stack: ExitStack) -> Timed:
        rig = Rig(stack)

        @rig.socketio.on("chat")
        def chat(data: str) -> str | None:
            if ack:
                return data
            rig.socketio.emit("chat", data, to=request.sid)  # type: ignore[attr-defined]
            return None

        clients = rig.connect(CLIENTS)
        frame = masked(b'42%b["chat","%b"]' % (b"1" if ack else b"", b"x" * size))
        answer = b"431" if ack else b"42["
        large = size > 100

        def timed(loops: int) -> float:
            return sum(rig.send(frame, clients).run(b"" if large else answer) for _ in range(loops))

        return timed

    return make


BENCHES: list[Bench] = [
    Bench("start a handler that returns", starting(nothing)),
    Bench("start a handler that waits once", starting(pause)),
    Bench("event with ack, 32 B, socket to socket", echoing(22, ack=True), CLIENTS, pairs=CLIENTS),
    Bench("event with ack, 16 kB, socket to socket", echoing(16_000, ack=True), CLIENTS, pairs=CLIENTS),
    Bench("event and an emit to its sender", echoing(22, ack=False), CLIENTS, pairs=CLIENTS),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
