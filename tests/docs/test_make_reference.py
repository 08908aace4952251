"""Owns that the generated reference is current, and that its generator reads whatever a class may hold."""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import types

import pytest

import flask_socketio_py
from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
FIX = "run: .venv/bin/python docs/make_reference.py"

SAMPLE = '''
from __future__ import annotations
import functools
from contextlib import contextmanager
from dataclasses import dataclass
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function")


class Base:
    """Sends."""

    def emit(self, event: str, *args: Any, to: str = "all", limit: int = 3) -> None:
        """Emit.

        Args:
            event: the name, which may be long enough to go on
                in a second line.
            to: whom.

        Returns:
            nothing.

        Raises:
            TypeError, ValueError: for data that can't be sent.
        """

    in_ = emit

    def overridden(self) -> "Base":
        """The inherited one."""


@dataclass
class Child(Base):
    """A child of :class:`Base`."""

    #: How big it is.
    size: int = 1_000
    silent: int = 0

    # -- the first section ---------------------------------------------------------------------------------

    def overridden(self) -> Other:
        """Its own."""

    @property
    def other(self) -> list[Other]:
        """A property.

        With a second paragraph::

            and a block
        """

    @functools.cached_property
    def cached(self) -> int:
        """Computed once."""

    # -- the second section --------------------------------------------------------------------------------

    def decorator(self, name: str) -> Callable[[Function], Function]:
        """Decorator: see :meth:`Child.emit` and ``literal``."""

    @contextmanager
    def session(self, /, sid: str, *, last: bool = False):
        """A context manager."""

    @staticmethod
    def static(a: int) -> Function:
        """Without self."""

    @classmethod
    def made(cls, a: object = object()) -> Child:
        """From the class."""

    def _private(self) -> None: ...


class Other:
    """Has attributes."""

    __slots__ = ("seen", "unseen")

    def __init__(self) -> None:
        #: One that has
        #: two lines of comment.
        self.seen = 1
        self.unseen = 2
        self._private = 3


#: A value.
proxy: Child = None
'''


@functools.cache
def reader():
    """The module beside the script, which is no package."""
    specification = importlib.util.spec_from_file_location("reference_reader", DOCS / "reference_reader.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """A module, said to be one of the package, that holds what there may be."""
    path = tmp_path / "sample.py"
    path.write_text(SAMPLE)
    module = types.ModuleType("flask_socketio_py.sample")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(SAMPLE, str(path), "exec"), vars(module))
    yield module
    reader().source.cache_clear()
    reader()._own.cache_clear()


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(DOCS / "make_reference.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_the_committed_pages_are_current():
    checked = run("--check")
    assert checked.returncode == 0, f"{checked.stderr}{FIX}"


def test_a_stale_page_is_noticed_and_repaired(tmp_path):
    for name, old, new in [("api.md", "`close_room(", "`close_rooms("), ("options.md", "`25.0`", "`26.0`")]:
        shutil.copytree(DOCS / "reference", tmp_path, dirs_exist_ok=True)
        page = tmp_path / name
        text = page.read_text("utf-8")
        page.write_text(text.replace(old, new, 1), "utf-8")
        assert page.read_text("utf-8") != text
        checked = run("--check", tmp_path)
        assert checked.returncode == 1
        assert name in checked.stderr
        assert run(tmp_path).returncode == 0
        assert page.read_text("utf-8") == text


def test_what_is_written_by_hand_stays(tmp_path):
    shutil.copytree(DOCS / "reference", tmp_path, dirs_exist_ok=True)
    page = tmp_path / "api.md"
    page.write_text(page.read_text("utf-8").replace("# API\n", "# API\n\nBy hand.\n", 1) + "At the end.\n", "utf-8")
    text = page.read_text("utf-8")
    assert run(tmp_path).returncode == 0
    assert page.read_text("utf-8") == text


def test_a_page_without_the_markers_is_noticed(tmp_path):
    shutil.copytree(DOCS / "reference", tmp_path, dirs_exist_ok=True)
    (tmp_path / "options.md").write_text("# Options\n")
    assert run("--check", tmp_path).returncode == 2


def test_signatures(sample):
    members = {member.name: member.signature for member in reader().members(sample.Child)}
    assert members == {
        "size": "size",
        "silent": "silent",
        "overridden": "overridden() -> Other",
        "other": "other",
        "cached": "cached",
        "decorator": "decorator(name)",
        "session": "session(sid, *, last=False)",
        "static": "static(a)",
        "made": "made(a=...) -> Child",
        "emit": 'emit(event, *args, to="all", limit=3)',
        "in_": 'in_(event, *args, to="all", limit=3)',
    }


def test_sections_and_who_inherits_what(sample):
    members = {member.name: member for member in reader().members(sample.Child)}
    assert {name for name, member in members.items() if member.section == "the first section"} == {
        "overridden",
        "other",
        "cached",
    }
    assert members["decorator"].section == "the second section"
    assert members["emit"].owner is sample.Base
    assert members["in_"].doc == "Another name of ``emit``."
    assert members["overridden"].doc == "Its own."


def test_fields_and_attributes(sample):
    fields = {member.name: member for member in reader().members(sample.Child) if member.default is not None}
    assert {name: member.default for name, member in fields.items()} == {"size": "1_000", "silent": "0"}
    assert [fields[item.name].doc for item in dataclasses.fields(sample.Child)] == ["How big it is.", ""]
    attributes = {member.name: member.doc for member in reader().members(sample.Other)}
    assert attributes == {"seen": "One that has\ntwo lines of comment.", "unseen": ""}


def test_what_members_return_is_found(sample):
    members = {member.name: member for member in reader().members(sample.Child)}
    assert members["overridden"].returns == members["other"].returns == (sample.Other,)
    assert members["made"].returns == (sample.Child,)
    assert members["emit"].returns == ()


def test_a_docstring_becomes_markdown(sample):
    targets = {"Base": "#base"}
    assert reader().markdown(sample.Child.__doc__, targets) == ["A child of [`Base`](#base)."]
    assert reader().markdown(sample.Child.decorator.__doc__, targets, "[More](m.md).") == [
        "Decorator: see `Child.emit` and `literal`. [More](m.md)."
    ]
    assert reader().markdown(sample.Base.emit.__doc__, {}) == [
        "Emit.",
        "",
        "- `event`: the name, which may be long enough to go on in a second line.",
        "- `to`: whom.",
        "- Returns: nothing.",
        "- Raises `TypeError`, `ValueError`: for data that can't be sent.",
    ]
    lines = reader().markdown(sample.Child.other.__doc__, {}, "More.")
    assert lines == ["A property.", "", "With a second paragraph:", "", "```text", "and a block", "```", "", "More."]


def test_lists_and_tables_stay_as_they_are():
    text = "First.\n\n- one,\n  which goes on\n- two\n\n== ==\na  b\n== ==\n"
    lines = ["First.", "", "- one,", "  which goes on", "- two", "", "```text", "== ==", "a  b", "== ==", "```"]
    assert reader().markdown(text, {}) == lines


def test_no_line_ends_within_a_link_or_code():
    text = "word " * 22 + "[a link of several words](somewhere.md) and `some code of several words` " * 3
    lines = reader().markdown(text, {})
    assert len(lines) > 2
    assert all(line.count("[") == line.count(")") and line.count("`") % 2 == 0 for line in lines)
    assert " ".join(lines) == text.strip()


def test_an_exported_value_is_not_asked_for_what_it_stands_for(sample, monkeypatch):
    class Proxy:
        @property
        def __class__(self):
            raise RuntimeError("outside of a handler")

    monkeypatch.setattr(flask_socketio_py, "proxy", Proxy(), raising=False)
    assert not reader().is_class(Proxy())
    assert reader().exported("proxy") == ("proxy", "proxy", "A value.", object, "", False, None, ())
    assert reader().classes_named_by("proxy") == (sample.Child,)
    with contextlib.suppress(AttributeError):
        del sample.proxy
    sample.__file__ = __file__
    reader().source.cache_clear()
    with pytest.raises(reader().Wrong, match="proxy is exported"):
        reader().exported("proxy")
