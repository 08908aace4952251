"""Owns the shell commands of the documentation: each names a program, file, make target and options that exist.

Nothing runs here; commands that serve are run by ``test_serving.py``.
"""

import re
import shlex
import subprocess

import pytest
from gunicorn.config import Config

from flask_socketio_py.__main__ import _parser
from loadtests.compare.__main__ import parser as compare_parser
from tests.docs.pages import PAGES, ROOT

#: Programs of the system that the documentation uses for what they are known for.
SYSTEM = {"apt-get", "git", "cd", "curl", "kill", "nginx", "openssl", "source", "systemctl", "ulimit"}
CASES = [
    pytest.param(command, id=f"{page.name}:{block.line}:{number}")
    for page in PAGES
    for block in page.bash()
    for number, command in enumerate(block.commands(), 1)
]


def make_targets():
    return re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def check(command):
    """Raises AssertionError for a command that can't work."""
    words = [word for word in shlex.split(command, comments=True) if word != "sudo"]
    while "=" in words[0]:
        del words[0]  # an environment variable
    program = words.pop(0)
    if program == "make":
        targets = [word for word in words if "=" not in word]
        assert set(targets) <= set(make_targets()), f"no such target: {command}"
        if targets == ["compare"]:
            options = " ".join(word.removeprefix("ARGS=") for word in words if word.startswith("ARGS="))
            parse_quietly(compare_parser(), shlex.split(options), command)
    elif program == "gunicorn":
        parse_quietly(Config().parser(), words, command)
    elif program == "python":
        check_python(words, command)
    elif program in ("bash", "node"):
        assert (ROOT / words[0]).is_file(), f"no such file: {command}"
    elif program in ("pip", "npm"):
        assert words[0] in ("install", "ci"), command
    elif program == ".venv/bin/locust":
        check_locust(words, command)
    elif program.startswith(".venv/bin/"):
        assert program.rpartition("/")[2] in ("python", "ruff", "mypy", "lint-imports"), command
        check_python(words, command) if program.endswith("python") else check_paths(words, command)
    else:
        assert program in SYSTEM, f"an unknown program: {command}"


def check_python(words, command):
    if words[0] != "-m":
        check_paths(words[:1], command)
    elif words[1] == "flask_socketio_py":
        parse_quietly(_parser(), words[2:], command)
    elif words[1] == "loadtests.compare":
        parse_quietly(compare_parser(), words[2:], command)
    elif words[1] == "pytest":
        check_paths(words[2:], command)
    else:
        assert words[1] in ("venv", "pip"), command


def check_locust(words, command):
    """Only what we name ourselves, files and scenarios: locust patches the standard library when it is imported."""
    check_paths(words[words.index("-f") + 1].split(","), command)
    options = {word for word in words if word.startswith("-")}
    assert options <= {"-f", "--host", "--headless", "-u", "-r", "-t", "--csv", "--class-picker"}, command
    scenarios = re.findall(r"^class (\w+)", (ROOT / "loadtests" / "scenarios.py").read_text(), re.MULTILINE)
    assert {word for word in words if word[:1].isupper()} <= set(scenarios), f"no such scenario: {command}"


def check_paths(words, command):
    for word in words:
        if "/" in word and not word.startswith("-"):
            assert (ROOT / word.partition("::")[0]).exists(), f"no such file: {command}"


def parse_quietly(parser, words, command):
    try:
        parser.parse_args(words)
    except SystemExit:
        raise AssertionError(f"unknown options: {command}") from None


@pytest.mark.parametrize("command", CASES)
def test_a_command_can_work(command):
    check(command)


@pytest.mark.parametrize(
    "command",
    [
        "make nonsense",
        "make compare ARGS=--nonsense",
        "gunicorn --nonsense app:app",
        "python -m flask_socketio_py serve app:app",
        "python examples/nowhere.py",
        "python -m loadtests.compare --nonsense",
        "bash .ci/nothing.sh",
        "node examples/nowhere.js",
        "nonsense",
        ".venv/bin/python -m pytest tests/nowhere",
        ".venv/bin/locust -f loadtests/nowhere.py ChatRooms",
        ".venv/bin/locust -f loadtests/locustfile.py Nowhere",
    ],
)
def test_a_command_that_can_not_work_is_noticed(command, capsys):
    with pytest.raises(AssertionError):
        check(command)


def test_bash_blocks_are_bash():
    for page in PAGES:
        for block in page.bash():
            run = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=30)
            assert run.returncode == 0, f"{page.name}:{block.line}: {run.stderr}"


def test_blocks_name_a_language_we_know():
    known = {"python", "bash", "html", "javascript", "text", "mermaid", "nginx", "ini"}
    for page in PAGES:
        assert {block.language for block in page.blocks} <= known, page.name
