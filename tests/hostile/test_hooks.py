"""Thousands of fuzzed requests against an engine with every hook set: none brings a traceback, a 5xx or a hang."""

from __future__ import annotations

import io
import json
import logging
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from conformance.launch import FOREIGN, Server
from contract.recording import RecordingHandler

from flask_socketio_py.config import Options
from flask_socketio_py.engineio.hooks import Hooks
from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.engineio.server import EngineServer

from .mutate import mutate, mutations

pytestmark = pytest.mark.skipif(bool(FOREIGN), reason="hooks are functions of ours")

METHODS = [
    "GET",
    "GET",
    "GET",
    "POST",
    "POST",
    "OPTIONS",
    "HEAD",
    "PUT",
    "DELETE",
    "TRACE",
    "get",
    "BREW",
    "",
    "G\x00T",
]
REVISIONS = ["4", "4", "4", "3", "", "44", "04", "-4", "4.0", "\u0664", "4\x00", "9" * 5000, "true", "[4]"]
TRANSPORTS = ["polling", "polling", "websocket", "webtransport", "", "constructor", "__proto__", "polling,websocket"]
SIDS = [
    "",
    "AAAAAAAAAAAAAAAAAAAA",
    "__proto__",
    "__class__",
    "../x",
    "\x00",
    "a" * 9000,
    "\r\nSet-Cookie: a=b",
    "\ud800",
]
VALUES = [
    "",
    "1",
    "a" * 9000,
    "\x00",
    "\r\nX-Injected: 1",
    "\xe4\xff",
    "\u20ac",
    "null",
    "*",
    "{}",
    "a=b; c=d",
    ";;;=,,",
]
HEADERS = ["HTTP_ORIGIN", "HTTP_COOKIE", "HTTP_HOST", "HTTP_USER_AGENT", "HTTP_ACCEPT_ENCODING", "HTTP_UPGRADE"]
HEADERS += ["HTTP_CONNECTION", "HTTP_SEC_WEBSOCKET_VERSION", "HTTP_SEC_WEBSOCKET_KEY", "HTTP_X_FORWARDED_HOST"]
HEADERS += ["CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"]
GOOD = [
    "websocket",
    "Upgrade",
    "13",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "https://a.example",
    "gzip",
    "2",
    "text/plain",
    "chunked",
]
BODIES = [b"", b"40", b"4a\x1e4b", b"2", b"3", b"1", b"\xff\x1e", b"bAQ==", b"x", b"4" * 3000]


class Reader:
    """What the application's hooks are like that look closely at a request, and echo from it into the answer."""

    def __init__(self) -> None:
        self.count = 0
        self.refused: list[int] = []

    def hooks(self) -> Hooks:
        return Hooks(
            before_request=self.look,
            allow_request=lambda environ: environ.get("HTTP_COOKIE", "")[:3] != "a=b" or environ["HTTP_COOKIE"],
            generate_id=self.make_id,
            initial_headers=lambda headers, environ: [*headers, ("X-Cookie", environ.get("HTTP_COOKIE", ""))],
            headers=lambda headers, environ: headers.append((environ.get("HTTP_HOST", "Host"), "x")),
            connection_error=lambda error, environ: self.refused.append(error.code),
        )

    def look(self, environ: dict[str, Any]) -> None:
        gevent.sleep(0)
        json.dumps({key: value for key, value in environ.items() if isinstance(value, str)})

    def make_id(self, environ: dict[str, Any]) -> str:
        self.count += 1
        return f"id-{self.count}"


def requests(count: int, engine: EngineServer) -> Iterator[dict[str, Any]]:
    chance = random.Random(20)
    for _ in range(count):
        sids = [*SIDS, *list(engine.sessions)[-3:]]
        query = [("EIO", chance.choice(REVISIONS)), ("transport", chance.choice(TRANSPORTS))]
        if chance.random() < 0.6:
            query.append(("sid", chance.choice(sids)))
        chance.shuffle(query)
        text = "&".join(f"{name}={value}" for name, value in query * chance.choice([1, 1, 1, 2]))
        if chance.random() < 0.2:
            text = mutate(chance, text.encode("utf-8", "replace")).decode("latin-1")
        environ = {
            "REQUEST_METHOD": chance.choice(METHODS),
            "QUERY_STRING": text,
            "PATH_INFO": "/socket.io/",
            "SERVER_PROTOCOL": chance.choice(["HTTP/1.1", "HTTP/1.0"]),
            "SERVER_NAME": "a",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(chance.choice(BODIES)),
        }
        if chance.random() < 0.5:  # valid so far, but for what follows
            sid = chance.choice(list(engine.sessions)[-3:] or [""]) if chance.random() < 0.7 else ""
            environ["QUERY_STRING"] = f"EIO=4&transport=polling&sid={sid}"
            environ["REQUEST_METHOD"] = chance.choice(["GET", "POST"]) if sid else "GET"
        for name in chance.sample(HEADERS, chance.randint(0, 4)):
            environ[name] = chance.choice([*VALUES, *GOOD])
        yield environ


def judge(environ: dict[str, Any], told: list[Any], body: bytes) -> None:
    [(status, headers)] = told
    assert status[:3] in {"200", "204", "400", "403", "408", "413", "426"}, (environ, status)
    for name, value in headers:
        assert re.fullmatch(r"[!-9;-~]+", name), (environ, name)
        assert re.fullmatch(r"[\t -~\x80-\xff]*", value), (environ, name, value)
    names = [name.lower() for name, _ in headers]
    assert names.count("content-length") == 1
    assert "x-injected" not in names


def test_fuzzed_environments(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader()
    options = Options(
        cors={"origin": re.compile(r"https://\w+\.example"), "credentials": True, "exposed_headers": ["X-Cookie"]},
        cookie={"name": "io", "Domain": lambda environ: environ.get("HTTP_HOST", "a.example"), "path": "/"},
        initial_packet=lambda: "hello",
        max_http_buffer_size=2000,
        body_timeout=1,
    )
    engine = EngineServer(options, RecordingHandler(), reader.hooks())
    seen: dict[str, int] = {}
    with gevent.Timeout(120):
        for environ in requests(6000, engine):
            for session in list(engine.sessions.values())[-5:]:
                session.send(PreparedMessage(b"4so that no poll waits"))
            told: list[Any] = []
            answer = engine(environ, lambda status, headers, told=told: told.append((status, headers)))
            judge(environ, told, b"".join(answer))
            seen[told[0][0][:3]] = seen.get(told[0][0][:3], 0) + 1
    engine.close()
    engine.abandon()
    assert engine.sessions == {}
    assert min(seen["200"], seen["400"], seen["403"]) > 50, seen
    assert set(reader.refused) >= {0, 1, 2, 3, 4, 5}
    traces = [record for record in caplog.records if record.exc_info]
    assert {record.getMessage().partition(":")[0] for record in traces} <= {"the cookie is not set"}
    assert not [record for record in caplog.records if record.levelno > logging.ERROR]


@pytest.fixture(scope="module")
def engine() -> Iterator[Server]:
    app = Path(__file__).parents[1] / "conformance" / "engine_app.py"
    server = Server(app, {"cors_allowed_origins": "*", "body_timeout": 1, "ping_interval": 1, "ping_timeout": 1})
    yield server
    server.stop()


def test_fuzzed_bytes(engine: Server) -> None:
    wishes = "X-Before: 503\r\nX-Allow: no\r\nX-Id: abc\r\nX-Head: inject\r\nX-Report: raise\r\nCookie: a=b\r\n"
    upgrade = "".join(f"{name}: {value}\r\n" for name, value in engine.handshake_headers())
    url = engine.url()
    seeds = [
        f"GET {url} HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode() for line in ["X: 1", *wishes.split("\r\n")[:-1]]
    ]
    seeds += [
        f"GET {engine.url(transport='websocket')} HTTP/1.1\r\nHost: a\r\n{upgrade}X-Head: framing\r\n\r\n".encode(),
        f"GET {engine.url(transport='websocket')} HTTP/1.1\r\nHost: a\r\n{upgrade}X-Allow: no\r\n\r\n".encode(),
        f"POST {engine.url(sid='abc')} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n4a".encode(),
        f"OPTIONS {url} HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n".encode(),
    ]
    for data in mutations(seeds, 1000, seed=9):
        with engine.connect() as connection:
            connection.send(data)
            try:
                connection.sock.shutdown(1)
            except OSError:
                continue
            answer = connection.read_to_end()
        status = answer[9:12]
        assert not status.startswith(b"5") or status in {b"501", b"503", b"505"}, (data, answer)
        assert b"\r\nX-Injected" not in answer
    assert engine.process.poll() is None
    with engine.open_polling() as session:
        session.send("4a")
        assert session.poll().text == "4a"
    parts = engine.read_log().split("Traceback (most recent call last)")[1:]
    # The WSGI server's own complaints about what is no HTTP are its affair.
    ours = [part for part in parts if "flask_socketio_py/" in part]
    assert not [part for part in ours if "on purpose" not in part and "generate_id" not in part]
