"""What an Engine.IO session costs for each packet, without a connection and without Socket.IO.

python loadtests/bench_session.py [pyperf's options]
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from flask_socketio_py.engineio.message import PING, PreparedMessage
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.request import EngineIORequest, parse
from flask_socketio_py.engineio.session import Session
from loadtests.measure import Bench, Timed, calling, of_call, run_as_script

ENVIRON = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/socket.io/",
    "QUERY_STRING": "EIO=4&transport=websocket",
    "HTTP_HOST": "example.org",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Nobody:
    """Handler and owner of a session that nobody uses."""

    max_outbox_size = 1_000_000

    def on_open(self, session: Session) -> None: ...

    def on_message(self, session: Session, data: str | bytes) -> None: ...

    def on_close(self, session: Session, reason: Reason) -> None: ...

    def ponged(self, session: Session) -> None: ...

    def extended(self, session: Session) -> None: ...

    def lingering(self, session: Session) -> None: ...

    def forget(self, session: Session) -> None: ...


class Sink:
    """A transport that takes everything, or nothing."""

    name = "websocket"

    def __init__(self, takes: bool = True) -> None:
        self.writable = self._takes = takes

    def write(self, message: PreparedMessage) -> bool:
        return self._takes

    def wake(self) -> None: ...

    def close(self, reason: Reason) -> bool:
        return True

    def discard(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


def session_of(request: EngineIORequest, takes: bool = True) -> Session:
    nobody = Nobody()
    session = Session("sid", nobody, nobody, request)
    session.transport = Sink(takes)
    return session


def request() -> EngineIORequest:
    return parse(ENVIRON, ("polling", "websocket"))


def receive(stack: ExitStack) -> Timed:
    return calling(session_of(request()).receive, '42["chat","hello"]')


def heartbeat(stack: ExitStack) -> Timed:
    session = session_of(request())

    def work() -> None:
        session.awaiting_pong = True
        session.send(PING)
        session.receive("3")

    return calling(work)


def send(stack: ExitStack) -> Timed:
    return calling(session_of(request()).send, PreparedMessage(b'42["chat","hello"]'))


def wait_and_drain(stack: ExitStack) -> Timed:
    session, message = session_of(request(), takes=False), PreparedMessage(b'42["chat","hello"]')

    def work() -> None:
        for _ in range(10):
            session.send(message)
        session.drain()

    return calling(work)


def life(stack: ExitStack) -> Timed:
    kept: Any = request()

    def work() -> None:
        session_of(kept).close()

    return calling(work)


BENCHES: list[Bench] = [
    of_call("check a request", parse, ENVIRON, ("polling", "websocket")),
    Bench("receive a message", receive),
    Bench("ping and pong", heartbeat),
    Bench("send a message", send),
    Bench("a message that waits for a poll", wait_and_drain, count=10),
    Bench("begin and end", life),
]

if __name__ == "__main__":
    run_as_script(BENCHES)
