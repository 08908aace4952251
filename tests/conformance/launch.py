"""Starts a server under test in a process of its own and stops it. Owns the process, its port and its log.

`CONFORMANCE_COMMAND`, when set, names another server to hold the same tests against (an official one, say): a command
that takes the same JSON argument `{"port": …, "options": {…}}` as app.py beside this file.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .raw import Target, wait_until

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = os.environ.get("CONFORMANCE_COMMAND")


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server(Target):
    """A running server process: a Target that can be stopped and whose log can be read."""

    def __init__(self, app: Path, options: dict[str, Any], foreign: str | None = None) -> None:
        super().__init__("127.0.0.1", find_free_port())
        command = shlex.split(foreign) if foreign else [sys.executable, "-W", "error", str(app)]
        argument = json.dumps({"port": self.address[1], "options": options})
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self.process = subprocess.Popen(
            [*command, argument], stdout=self.log, stderr=subprocess.STDOUT, env=environ, cwd=ROOT
        )
        try:
            wait_until(self.is_serving, "the server listens")
        except BaseException:
            self.stop()
            raise

    def is_serving(self) -> bool:
        assert self.process.poll() is None, f"the server died:\n{self.read_log()}"
        try:
            self.connect().close()
        except ConnectionError:
            return False
        return True

    def read_log(self) -> str:
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end within 20 s of SIGTERM") from None
        finally:
            self.log_at_exit = self.read_log()
            self.log.close()


def ours(value: Any, *, node: Any) -> Any:
    """What to expect where this package deviates; each use is a line of the table in __init__.py."""
    return node if FOREIGN else value
