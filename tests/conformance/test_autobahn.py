"""Owns RFC 6455 and RFC 7692 as a whole: the Autobahn cases, of the 216 on compression those that take seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .launch import FOREIGN, Server

pytestmark = pytest.mark.skipif(bool(FOREIGN), reason="runs against this package's own WebSocket layer")

#: How a case may end. NON-STRICT: where the specification says SHOULD; INFORMATIONAL: where it says nothing.
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
#: A thousand messages each: of 1 kB, 16 kB, 16 kB in fragments of 256 bytes, 128 kB in fragments of 32 kB. Left out are
#: shorter ones, because the runner fails at an answer that is not compressed, and those that take ten seconds each.
COMPRESSED = ["12.1.4", "12.*.7", "12.*.12", "12.1.18", "13.*.4", "13.*.7", "13.*.12"]
#: The client asks that we do with a window of 512 bytes, which we do only if we do it for everybody.
SMALL_WINDOW = ["13.3.*", "13.5.*"]


def run_cases(tmp_path: Path, selection: list[str], **options: Any) -> dict[str, Any]:
    """The report on the cases that ``selection`` (arguments of the runner) names, against a server with ``options``."""
    runner = Path(sys.executable).with_name("kosoku")
    if not runner.exists():
        assert os.environ.get("CI") != "true", "CI has the runner of the Autobahn cases"
        pytest.skip("the runner of the Autobahn cases (kosoku) is not installed")
    server = Server(Path(__file__).with_name("echo_server.py"), options)
    try:
        command = [str(runner), *selection, "--outdir", str(tmp_path), "{}:{}".format(*server.address)]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
    finally:
        server.stop()
    assert server.log_at_exit == ""
    report = tmp_path / "index.json"
    assert report.exists(), run.stdout
    (cases,) = json.loads(report.read_text()).values()
    assert isinstance(cases, dict)
    return cases


def failures(cases: dict[str, Any]) -> dict[str, str]:
    return {
        name: f"{case['behavior']}, close: {case['behaviorClose']} ({case['remoteCloseCode']})"
        for name, case in cases.items()
        if case["behavior"] not in PASSED or case["behaviorClose"] not in PASSED
    }


def included(names: list[str]) -> list[str]:
    return [argument for name in names for argument in ("--include", name)]


def test_every_autobahn_case_passes(tmp_path: Path) -> None:
    cases = run_cases(tmp_path, ["--exclude", "12.*", "--exclude", "13.*"])
    assert len(cases) == 301
    assert failures(cases) == {}


def test_compressed_messages(tmp_path: Path) -> None:
    excluded = [argument for name in SMALL_WINDOW for argument in ("--exclude", name)]
    cases = run_cases(tmp_path, included(COMPRESSED) + excluded, deflate={"threshold": 0})
    assert len(cases) == 12 + 5 * 3
    assert failures(cases) == {}


def test_an_offer_with_too_small_a_window_is_declined(tmp_path: Path) -> None:
    cases = run_cases(tmp_path, included(["13.3.4", "13.5.4"]), deflate={"threshold": 0})
    assert {name: case["behavior"] for name, case in cases.items()} == dict.fromkeys(
        ["13.3.4", "13.5.4"], "UNIMPLEMENTED"
    )


def test_a_small_window_for_everybody(tmp_path: Path) -> None:
    names = [f"13.{group}.{size}" for group in (3, 5, 7) for size in (4, 12)]
    cases = run_cases(tmp_path, included(names), deflate={"threshold": 0, "server_max_window_bits": 9})
    assert len(cases) == 6
    assert failures(cases) == {}
