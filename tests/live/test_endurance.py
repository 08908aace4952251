"""Owns the short form of the endurance runs: the command is run as a person runs it, and must say PASS."""

import os
import subprocess
import sys

import pytest

from tests.live.servers import OURS, PACKAGE, ROOT
from tests.redis_server import binary

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")


def endurance(*arguments, **environment):
    command = [sys.executable, str(ROOT / "loadtests" / "endurance.py"), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=150
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("workers", "--sessions", "40", "--seconds", "4"), "acknowledgements: "),
        (("kill", "--sessions", "40", "--seconds", "4"), "clients were back after"),
        (("redis", "--sessions", "20", "--restarts", "3"), "3 restarts"),
    ],
    ids=["workers", "kill", "redis"],
)
def test_a_run_passes(arguments, said):
    if arguments[0] != "workers":
        binary()  # or skipped
    run = endurance(*arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("PASS\n")
    assert said in run.stdout
