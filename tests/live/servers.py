"""Owns the life of one real server process: start under a host, wait until it answers, read its log, stop it.

A *host* is the WSGI server that carries the application:

- ``run``: ``socketio.run(app, ...)`` in a program that patches the standard library first;
- ``gevent``: ``gunicorn -k gevent``;
- ``geventwebsocket``: gunicorn with gevent-websocket's worker;
- ``worker``: gunicorn with our own worker;
- ``cli``: ``python -m flask_socketio_py run module:name``.

Nothing here knows what the application does, except that ``GET /`` answers something.
"""

import atexit
import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
OURS = "flask_socketio_py"
PACKAGE = os.environ.get("SOCKETIO_PACKAGE", OURS)
# Flask-SocketIO, as oracle, serves the official client under the first only.
KINDS = ("run", "gevent", "geventwebsocket", "worker") if PACKAGE == OURS else ("run",)
GUNICORN_WORKERS = {
    "gevent": "gevent",
    "geventwebsocket": "geventwebsocket.gunicorn.workers.GeventWebSocketWorker",
    "worker": "flask_socketio_py.workers.SocketIOWorker",
}
# Errors that the applications raise to see what becomes of them say so; every other traceback fails the test.
ON_PURPOSE = "on purpose"
# gunicorn's own TLS servers show one for each client that breaks its handshake off, as a closing browser may.
BROKEN_OFF = ("ssl.SSLEOFError", "ConnectionResetError")


def wait_for(condition: Callable[[], Any], what: str, timeout: float = 30.0, interval: float = 0.02) -> Any:
    """The first true value of `condition()`; fails with `what` if there is none within a generous deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout} s in vain: {what}"
        time.sleep(interval)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@functools.cache
def certificate() -> tuple[str, str]:
    """Paths of a fresh self-signed certificate for 127.0.0.1 and of its key."""
    folder = Path(tempfile.mkdtemp(prefix="live-tls-"))
    atexit.register(shutil.rmtree, folder)
    certfile, keyfile = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-nodes",
        "-days",
        "2",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-keyout", str(keyfile), "-out", str(certfile)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return str(certfile), str(keyfile)


def tracebacks(log: str) -> list[str]:
    """The last line of each traceback in `log`: the exception."""
    found = []
    for block in log.split("Traceback (most recent call last):")[1:]:
        lines = block.splitlines()[1:]
        found.append(next((line for line in lines if line and not line[0].isspace()), "(cut off)"))
    return found


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def cookies(self) -> str:
        """What a browser would send back: the Cookie header for the next request."""
        return "; ".join(cookie.split(";")[0] for cookie in self.headers.get_all("Set-Cookie", []))


class Server:
    """One server process, as a context manager; `url` is answered inside the ``with`` block."""

    def __init__(
        self,
        app: str = "tests.live.apps.dropin:app",
        host_kind: str = "run",
        *,
        tls: bool = False,
        options: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        args: tuple[str, ...] = (),
        cwd: str | Path = ROOT,
        allow_traceback: bool = False,
    ) -> None:
        self.app = app
        self.host_kind = host_kind
        self.tls = tls
        self.args = args
        self.cwd = cwd
        self.allow_traceback = allow_traceback
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOCKETIO_PACKAGE": PACKAGE,
            "SOCKETIO_OPTIONS": json.dumps(options or {}),
            **(env or {}),
        }
        # Set by an outer gunicorn, Flask or CI, these would change what is under test.
        for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "FLASK_RUN_FROM_CLI", "WERKZEUG_RUN_MAIN"):
            self.env.pop(name, None)
        self.process: subprocess.Popen[bytes] | None = None
        descriptor, self.log_path = tempfile.mkstemp(prefix=f"live-{host_kind}-", suffix=".log")
        os.close(descriptor)

    def command(self) -> list[str]:
        certfile, keyfile = certificate() if self.tls else ("", "")
        tls = ["--certfile", certfile, "--keyfile", keyfile] if self.tls else []
        if self.host_kind == "run":
            command = ["-m", "tests.live.apps.run", self.app, "--port", str(self.port)]
        elif self.host_kind == "cli":
            command = ["-m", OURS, "run", self.app, "--port", str(self.port)]
        else:
            command = ["-m", "gunicorn", "-k", GUNICORN_WORKERS[self.host_kind], "-w", "1"]
            command += ["-b", f"127.0.0.1:{self.port}", "--no-control-socket", "--graceful-timeout", "30", self.app]
        return [sys.executable, *command, *tls, *self.args]

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the process, on the same port if it ran before, and returns when it serves."""
        assert self.process is None, "already started"
        with Path(self.log_path).open("ab") as log:
            # A session of its own, so that whatever is left at the end can be ended as one group.
            self.process = subprocess.Popen(
                self.command(), cwd=self.cwd, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self._answers, f"{self.host_kind} serves {self.url}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended at once with {self.process.returncode}:\n{self.log()}"
        try:
            self.get("/", timeout=5)
        except (OSError, http.client.HTTPException):
            return False
        return True

    def stop(self, signum: int = signal.SIGTERM, timeout: float = 40.0) -> int:
        """Signals the process, waits for its end, returns its exit code; the log may hold no unexpected traceback."""
        assert self.process is not None, "not started"
        if self.process.poll() is None:
            self.process.send_signal(signum)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the server outlived signal {signum} by {timeout} s:\n{self.log()}") from None
        self.kill()
        if not self.allow_traceback:
            unexpected = [line for line in tracebacks(self.log()) if ON_PURPOSE not in line]
            if self.tls and self.host_kind in ("gevent", "geventwebsocket"):
                unexpected = [line for line in unexpected if not line.startswith(BROKEN_OFF)]
            assert not unexpected, f"unexpected tracebacks {unexpected}; the log:\n{self.log()}"
        return code

    def kill(self) -> None:
        """Ends the process and whatever it started, at once."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def discard(self) -> None:
        """Leaves nothing behind: neither a process nor the log."""
        if self.process is not None:
            self.kill()
        Path(self.log_path).unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> "Server":
        try:
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, exc_type: object, exc: object, tb: object) -> None:
        try:
            if exc_type is not None:
                print(f"--- log of {self.host_kind} {self.url}\n{self.log()}")
            if self.process is not None and exc_type is None:
                self.stop()
        finally:
            self.discard()

    # -- looking inside -----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self.process is not None, "not started"
        return self.process.pid

    @property
    def worker_pid(self) -> int:
        """The process that runs the application: gunicorn's worker, or the server itself."""
        if self.host_kind not in GUNICORN_WORKERS:
            return self.pid
        return int(wait_for(lambda: children(self.pid), "gunicorn has a worker")[0])

    def log(self) -> str:
        path = Path(self.log_path)
        return path.read_text(errors="replace") if path.exists() else "(discarded)"

    def get(self, path: str, *, headers: dict[str, str] | None = None, timeout: float = 20.0) -> Answer:
        """One plain HTTP request on a connection of its own."""
        connection: http.client.HTTPConnection
        if self.tls:
            context = ssl.create_default_context(cafile=certificate()[0])
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get_json(self, path: str, *, headers: dict[str, str] | None = None) -> Any:
        answer = self.get(path, headers=headers)
        assert answer.status == 200, f"{path}: {answer}"
        return json.loads(answer.body)

    def journal(self, key: str) -> list[Any]:
        """What the application's handlers noted under `key` (see ``apps/dropin.py``)."""
        assert re.fullmatch(r"[\w.-]+", key), "a key is used in a URL"
        found = self.get_json(f"/journal/{key}")
        assert isinstance(found, list)
        return found

    def wait_journal(self, key: str, count: int = 1) -> list[Any]:
        """The notes under `key`, once there are `count` of them."""
        found = wait_for(lambda: len(self.journal(key)) >= count and self.journal(key), f"{count} notes under {key}")
        assert isinstance(found, list)
        return found
