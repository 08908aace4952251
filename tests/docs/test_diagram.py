"""Owns that the diagram of a session's states is the one that the code's table makes."""

import os
import subprocess
import sys

from flask_socketio_py.engineio.session import TRANSITIONS
from tests.docs.pages import ROOT

SCRIPT = ROOT / "docs" / "make_diagram.py"
PAGE = ROOT / "docs" / "topics" / "sessions.md"


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_the_committed_diagram_is_current():
    checked = run("--check")
    assert checked.returncode == 0, checked.stderr


def test_a_stale_diagram_is_noticed_and_repaired(tmp_path):
    copy = tmp_path / "sessions.md"
    text = PAGE.read_text("utf-8")
    copy.write_text(text.replace("open --> upgrading", "open --> closed", 1), "utf-8")
    assert copy.read_text("utf-8") != text
    assert run("--check", str(copy)).returncode == 1
    assert run(str(copy)).returncode == 0
    assert copy.read_text("utf-8") == text


def test_every_transition_is_drawn():
    text = PAGE.read_text("utf-8")
    for (state, event), (target, _) in TRANSITIONS.items():
        line = next(item for item in text.splitlines() if item.strip().startswith(f"{state.value} --> {target.value}:"))
        assert event.value in line
