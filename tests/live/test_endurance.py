"""Owns the short form of the endurance runs: the command is run as a person runs it, and must say PASS."""

import subprocess
import sys

import pytest

from loadtests.client import POLLING
from loadtests.crowd import Member, Redelivery
from tests.live.servers import OURS, PACKAGE, ROOT
from tests.redis_server import binary

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")


def endurance(*arguments):
    command = [sys.executable, str(ROOT / "loadtests" / "endurance.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("workers", "--sessions", "30", "--seconds", "3"), "acknowledgements: "),
        (("kill", "--sessions", "24", "--seconds", "2", "--workers", "3"), "clients were back after"),
        (("redis", "--sessions", "20", "--restarts", "2"), "2 restarts"),
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


def test_a_run_fails():
    careless = "tests.live.apps.careless:app"
    run = endurance(
        "workers", "--app", careless, "--sessions", "6", "--workers", "2", "--seconds", "2", "--patience", "2"
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "acknowledgements out of order" in run.stdout
    assert "1 acknowledgements are missing" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("FAIL: ")


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([("a", 0), ("b", 0), ("a", 1), ("b", 1)], None),
        ([("a", 0), ("b", 0), ("a", 1)], "of b 1 are missing: [1]"),
        ([("a", 0), ("b", 0), ("a", 1), ("a", 0), ("b", 1)], "of a 1 came more than once: [0]"),
        ([("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)], "of a more than were said"),
        ([("a", 1), ("b", 0), ("b", 1), ("a", 0)], "of a not in order"),
    ],
)
def test_each_event_must_come_once_and_in_order(told, fault):
    member = Member("http://127.0.0.1:1", 7, POLLING, keep_alive=True)
    member.told += told
    expected = [] if fault is None else [f"client 7: {fault}"]
    assert Redelivery({"a": 2, "b": 2}).faults(member) == expected
