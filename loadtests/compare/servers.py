"""The servers of the comparison: what each needs, how it is started on a core of its own, and how it ends.

Each is one process on a free port of the loopback interface. Knows nothing of what is measured.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from loadtests.compare.loop import PATIENCE
from loadtests.compare.wire import LoadError
from loadtests.processes import free_port, on_core

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
MODULES = ROOT / "tests" / "node_modules"
PEERS = ROOT / ".venv-peers" / "bin" / "python"
OURS, NODE, FLASK_SOCKETIO = "ours", "node", "flask-socketio"
NAMES = (OURS, NODE, FLASK_SOCKETIO)


def missing(name: str) -> str | None:
    """What a server lacks on this machine, and how to get it; None: nothing."""
    if name == NODE:
        if shutil.which("node") is None:
            return "Node is not installed: apt-get install nodejs npm"
        if not (MODULES / "socket.io" / "package.json").is_file():
            return "its packages are not installed: bash .ci/client.sh tests"
    if name == FLASK_SOCKETIO and not PEERS.is_file():
        return "its environment is not there: bash .ci/peers.sh"
    return None


def command(name: str, port: int) -> list[str]:
    """What starts a server."""
    if name == NODE:
        return ["node", str(APPS / "node.cjs"), str(port)]
    python, package = (
        (str(PEERS), "flask_socketio") if name == FLASK_SOCKETIO else (sys.executable, "flask_socketio_py")
    )
    return [python, str(APPS / "flask_app.py"), package, str(port)]


@functools.cache
def versions(name: str) -> dict[str, str]:
    """The versions of what a server consists of; that of the server itself is the first."""
    if name == NODE:
        package = json.loads((MODULES / "socket.io" / "package.json").read_text())
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        return {"socket.io": package["version"], "Node": node.strip().lstrip("v")}
    ours = name == OURS
    packages = ["flask-socketio-py" if ours else "Flask-SocketIO", "gevent", "gevent-websocket", "Flask"]
    program = (
        "import importlib.metadata as m, json, platform, sys\n"
        "found = {name: m.version(name) for name in sys.argv[1:]}\n"
        "print(json.dumps({**found, platform.python_implementation(): platform.python_version()}))"
    )
    run = [sys.executable if ours else str(PEERS), "-c", program, *packages]
    return dict(json.loads(subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout))


def title(name: str) -> str:
    """How a server is called in tables."""
    if name == OURS:
        return "this package"
    product, version = next(iter(versions(name).items()))
    minor = ".".join(version.split(".")[:2])
    return f"Node, {product} {minor}" if name == NODE else f"{product} {minor}"


class Server:
    """One server process, from its start until it is left."""

    def __init__(self, name: str, core: int, redis_url: str | None = None) -> None:
        self.name = name
        self._core = core
        self._environment = {**os.environ, "NODE_PATH": str(MODULES)}
        self._environment.pop("PYTHONPATH", None)
        if name == OURS:
            # Of this checkout, whatever is installed.
            self._environment["PYTHONPATH"] = str(ROOT)
        if redis_url:
            self._environment["REDIS_URL"] = redis_url
        self._stack = contextlib.ExitStack()
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Server:
        self._log = self._stack.enter_context(tempfile.TemporaryFile())
        self.port = free_port()
        with on_core(self._core):
            self._process = subprocess.Popen(
                command(self.name, self.port),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise LoadError(f"{self.name} does not start:\n{self.log()}") from None
                time.sleep(0.05)
        # What a server does once after its start, and after the first connection, is no part of what is measured.
        time.sleep(0.3)

    def log(self) -> str:
        """The end of what it wrote."""
        assert self._log is not None
        self._log.seek(0)
        return self._log.read()[-2000:].decode(errors="replace")

    def _end(self) -> None:
        if self._process is not None:
            # Nothing of it is needed any more, and a farewell to thousands would take a while.
            self._process.kill()
            self._process.wait()
        self._stack.close()

    def __exit__(self, *exc: object) -> None:
        self._end()
