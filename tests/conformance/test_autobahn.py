"""Owns RFC 6455 as a whole: the Autobahn cases, all but those on compression, which is not offered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .launch import FOREIGN, Server

pytestmark = pytest.mark.skipif(bool(FOREIGN), reason="runs against this package's own WebSocket layer")

#: How a case may end. NON-STRICT: where the specification says SHOULD; INFORMATIONAL: where it says nothing.
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}


@pytest.fixture
def echo() -> Iterator[Server]:
    server = Server(Path(__file__).with_name("echo_server.py"), {})
    yield server
    server.stop()
    assert server.log_at_exit == ""


def test_every_autobahn_case_passes(echo: Server, tmp_path: Path) -> None:
    runner = Path(sys.executable).with_name("kosoku")
    if not runner.exists():
        assert os.environ.get("CI") != "true", "CI has the runner of the Autobahn cases"
        pytest.skip("the runner of the Autobahn cases (kosoku) is not installed")
    address = "{}:{}".format(*echo.address)
    command = [str(runner), "--exclude", "12.*", "--exclude", "13.*", "--outdir", str(tmp_path), address]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280)
    report = tmp_path / "index.json"
    assert report.exists(), run.stdout
    (cases,) = json.loads(report.read_text()).values()
    assert len(cases) == 301
    failed = {
        name: f"{case['behavior']}, close: {case['behaviorClose']} ({case['remoteCloseCode']})"
        for name, case in cases.items()
        if case["behavior"] not in PASSED or case["behaviorClose"] not in PASSED
    }
    assert failed == {}
