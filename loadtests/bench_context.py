"""What Flask's context costs for each event: as it is, and with what a handler may ask for.

python loadtests/bench_context.py [pyperf's options]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import Context
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask import g, request, session

from flask_socketio_py.context import HandlerContext
from loadtests.inprocess import Rig
from loadtests.measure import Bench, Timed, calling, run_as_script


def nothing() -> None:
    """A handler that needs no context."""


def use_request() -> Any:
    return request.sid  # type: ignore[attr-defined]


def use_g() -> None:
    g.user = "somebody"


def read_session() -> Any:
    return session.get("user")


def using(handler: Callable[[], Any], *, managed: bool = True, teardown: bool = False) -> Callable[[ExitStack], Timed]:
    def make(stack: ExitStack) -> Timed:
        rig = Rig(stack)
        rig.connect(1)
        (socket,) = rig.socketio.sockets.values()
        if teardown:
            rig.app.teardown_appcontext(lambda error: None)

        def work() -> None:
            HandlerContext(rig.app, socket, "chat", ("hello",), managed).run(handler, ())

        return calling(lambda: Context().run(work))

    return make


BENCHES: list[Bench] = [
    Bench("a handler", using(nothing)),
    Bench("a handler that uses request", using(use_request)),
    Bench("a handler that uses g", using(use_g)),
    Bench("a handler that reads the session", using(read_session)),
    Bench("a handler that reads Flask's own session", using(read_session, managed=False)),
    Bench("a handler, and a teardown function", using(nothing, teardown=True)),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
