"""Owns the house rules that a program can check: sizes, docstrings, names, and words that are in no file of ours."""

import ast
import os
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "flask_socketio_py"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

# Put together from pieces, so that this file may be searched like every other.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
HOSTS = re.compile(
    "|".join([r"pypi\." + "org", r"pythonhosted\." + "org", r"registry\." + "npmjs", r"deb\." + "debian"])
)


def lines_in(path):
    return path.read_text("utf-8").count("\n")


def our_files():
    """Every file that git knows or would add, as text where it is text."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        run = None
    if run is None or run.returncode:
        assert os.environ.get("CI") != "true", "CI works on a clone"
        pytest.skip("this is no git clone")
    files = {}
    for name in run.stdout.split("\0"):
        path = ROOT / name
        # A file may be deleted and the deletion not yet committed.
        if name and path.is_file() and b"\0" not in (content := path.read_bytes()):
            files[name] = content.decode("utf-8")
    return files


def test_the_package_is_here():
    assert "flask_socketio_py/__init__.py" in NAMES


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_is_short_enough_to_have_one_subject(path):
    assert lines_in(path) <= 400


def test_half_of_the_modules_fit_on_two_screens():
    assert statistics.median(map(lines_in, MODULES)) < 160


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_a_module_opens_with_what_it_owns(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_a_test_file_says_what_it_owns_and_stays_small(path):
    if "node_modules" not in path.parts:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert lines_in(path) <= 400


def kind_then_name(name):
    """Constants, then classes, then functions: the order that ruff keeps too."""
    return (0 if name.isupper() else 1 if name.lstrip("_")[:1].isupper() else 2), name


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_public_names_are_sorted_and_once(path):
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names = ast.literal_eval(node.value)
            assert list(names) == sorted(set(names), key=kind_then_name)


def test_nothing_is_left_unfinished():
    found = [f"{name}: {match[0]}" for name, text in our_files().items() for match in UNFINISHED.finditer(text)]
    assert found == []
    assert [name for name, path in zip(NAMES, MODULES, strict=True) if "NotImplementedError" in path.read_text()] == []


def test_no_file_names_the_host_of_a_registry():
    assert [f"{name}: {match[0]}" for name, text in our_files().items() for match in HOSTS.finditer(text)] == []


def test_what_the_set_up_makes_is_never_committed():
    made = re.compile(r"(^|/)(node_modules|\.venv|__pycache__|build)/|^flask_socketio_py/client/|\.pyc$")
    assert [name for name in our_files() if made.search(name)] == []
