"""Engine.IO alone, with every hook set: what the tests of hooks run against. Each request says what its hooks do.

Run as a program with one JSON argument: `{"port": 5000, "options": {…}}`, options as `config.Options` takes them, and
`initial`, what a function as `initial_packet` returns. Headers of a request choose: `X-Before`, `X-Allow`, `X-Id`,
`X-Head`, `X-Report`: `raise` to fail, anything else as below. `/report` tells what was refused, and forgets it.
"""

from gevent import monkey

monkey.patch_all()

import json
import logging
import secrets
import signal
import sys
from collections.abc import Iterable
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.hooks import Environ, Headers, Hooks, StartResponse, WSGIApp
from flask_socketio_py.engineio.message import PreparedMessage, prepare
from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.server import EngineServer
from flask_socketio_py.engineio.session import Session
from flask_socketio_py.errors import EngineIOError

seen: list[str] = []
refused: list[dict[str, Any]] = []


class Echo:
    """Sends messages back. `large 2000` asks for that many characters, `incompressible 2000` for some without gzip."""

    def on_open(self, session: Session) -> None:
        """The session needs nothing."""

    def on_message(self, session: Session, data: str | bytes) -> None:
        words = data.split() if isinstance(data, str) else []
        if len(words) == 2 and words[0] in ("large", "incompressible"):
            body = b"4" + b"x" * int(words[1])
            session.send(PreparedMessage(body, compress=words[0] == "large"))
        else:
            session.send(prepare(data))

    def on_close(self, session: Session, reason: Reason) -> None:
        """Nothing is kept."""


def wish(environ: Environ, hook: str) -> str:
    value = str(environ.get(f"HTTP_X_{hook}", ""))
    if value == "raise":
        raise RuntimeError(f"{hook} fails on purpose")
    return value


def before_request(environ: Environ) -> WSGIApp | None:
    seen.append(environ["REQUEST_METHOD"])
    wanted = wish(environ, "BEFORE")
    if wanted == "nonsense":
        return "no application"  # type: ignore[return-value]
    return {"503": unavailable, "broken": broken}.get(wanted)


def unavailable(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "9")])
    return [b"come back later"]


def broken(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError("the application fails on purpose")


def allow_request(environ: Environ) -> bool | str:
    wanted = wish(environ, "ALLOW")
    if wanted == "nothing":
        return None  # type: ignore[return-value]
    return {"": True, "no": False}.get(wanted, wanted)


def generate_id(environ: Environ) -> str:
    wanted = wish(environ, "ID")
    return {"": secrets.token_urlsafe(15), "number": 5}.get(wanted, wanted)  # type: ignore[return-value]


def initial_headers(headers: Headers, environ: Environ) -> Headers | None:
    if wish(environ, "HEAD") == "in place":
        headers.append(("X-First", "in place"))
        return None
    return [*headers, ("X-First", "1"), ("Set-Cookie", "mine=1")]


def all_headers(headers: Headers, environ: Environ) -> Headers:
    wanted = wish(environ, "HEAD")
    more: dict[str, Headers] = {
        "inject": [("X-Bad", "a\r\nX-Injected: 1"), ("X-Bad\r\nX-Injected", "1"), ("X-\u20ac", "1"), ("X-E", "\u20ac")],
        "types": [("X-Number", 5), (b"X-Bytes", "b"), ("", "empty")],  # type: ignore[list-item]
        "framing": [
            *(("Content-Length", "1"), ("Transfer-Encoding", "chunked"), ("Connection", "close")),
            *(("Upgrade", "h2c"), ("Sec-WebSocket-Accept", "x"), ("Sec-WebSocket-Protocol", "x")),
        ],
    }
    if wanted == "nonsense":
        return 5  # type: ignore[return-value]
    if wanted == "replace":
        headers = [pair for pair in headers if pair[0] != "Cache-Control"] + [("Cache-Control", "private")]
    return [*headers, *more.get(wanted, []), ("X-Each", "1")]


def connection_error(error: EngineIOError, environ: Environ) -> None:
    details = {key: value if isinstance(value, str | None) else repr(value) for key, value in error.details.items()}
    refused.append({"code": error.code, "message": str(error), "name": error.name, "details": details})
    wish(environ, "REPORT")


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] != "/report":
        return engine(environ, start_response)
    report = json.dumps({"seen": seen, "refused": refused, "sessions": engine.clients_count}).encode()
    seen.clear()
    refused.clear()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [report]


settings = json.loads(sys.argv[1])
options = settings["options"]
if "initial" in options:
    initial = options.pop("initial")
    options["initial_packet"] = lambda: initial
hooks = Hooks(before_request, allow_request, generate_id, initial_headers, all_headers, connection_error)
engine = EngineServer(Options(**options), Echo(), hooks)

if __name__ == "__main__":
    logging.basicConfig()
    server = WSGIServer(("127.0.0.1", settings["port"]), application, log=None)
    gevent.signal_handler(signal.SIGTERM, server.stop, 1)
    server.serve_forever()
