"""Owns that the table "Node's API and ours" is complete and true: no empty cell, every test and every name exists."""

import ast
import builtins
import functools
import inspect
import re

import pytest

import flask_socketio_py
from flask_socketio_py import SocketIO
from flask_socketio_py.config import OPTION_NAMES
from flask_socketio_py.socketio.socket import Socket
from tests.docs.pages import ROOT, page, rows
from tests.docs.test_make_reference import reader

PAGE = page("docs/reference/node.md")
ROWS = [cells for cells in rows(PAGE, 3) if cells[0] != "Node"]
#: What a program calls them, in the column "Here".
ROOTS = {"socketio": SocketIO, "current_socket": Socket}
#: Where nothing is, nothing can be shown.
UNTESTED = ("not here",)


@functools.cache
def functions_in(path):
    """The names of the test functions of a file, those of classes included."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def named_tests(cell):
    return [] if cell in ("-", "?") else [name.strip().strip("`") for name in cell.split(",")]


def missing_test(name):
    """What is wrong with the name of a test; empty if it exists."""
    path, colons, function = name.partition("::")
    if not colons or not re.fullmatch(r"tests/[\w/]+\.py", path):
        return f"{name}: not of the form tests/.../test_x.py::test_name"
    if not (ROOT / path).is_file():
        return f"{name}: no such file"
    return "" if function in functions_in(path) else f"{name}: no such test"


def attribute(kind, name):
    """The class that an attribute of a class (or what it returns) is of, if that is one of ours, and the attribute."""
    found = next((member for member in reader().members(kind) if member.name == name), None)
    assert found is not None or hasattr(kind, name), f"{kind.__name__} has no {name}"
    return (found.returns[0] if found is not None and found.returns else None), inspect.getattr_static(kind, name, None)


def check_names(node):
    """Raises AssertionError for a name in an expression that does not exist; gives the class of its value, if known."""
    if isinstance(node, ast.Name):
        return ROOTS.get(node.id)
    if isinstance(node, ast.Attribute):
        kind = check_names(node.value)
        return None if kind is None else attribute(kind, node.attr)[0]
    if isinstance(node, ast.Call):
        for argument in node.args:
            check_names(argument)
        if isinstance(node.func, ast.Attribute) and (kind := check_names(node.func.value)) is not None:
            returns, function = attribute(kind, node.func.attr)
            parameters = inspect.signature(function).parameters
            free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
            unknown = {keyword.arg for keyword in node.keywords} - set(parameters)
            assert free or not unknown, f"{node.func.attr} has no parameter {unknown}"
            return returns
        return check_names(node.func)
    for child in ast.iter_child_nodes(node):
        check_names(child)
    return None


def check_here(cell):
    """Raises AssertionError for a name of ours in the column "Here" that does not exist."""
    for code in re.findall(r"`([^`]+)`", cell):
        if option := re.match(r"(\w+)=", code):
            assert option[1] in OPTION_NAMES, code
        elif re.search(r"\b(socketio|current_socket)\b", code):
            check_names(ast.parse(code))
        elif re.fullmatch(r"[A-Z]\w*Error", code):
            assert hasattr(flask_socketio_py, code) or hasattr(builtins, code), code
    for option in re.findall(r"options? `(\w+)`", cell) + re.findall(r"^key.* of `(\w+)`", cell):
        assert option in OPTION_NAMES, option


def test_there_is_a_table_for_each_part():
    assert len(ROWS) > 350
    assert PAGE.headings[1:] == [
        "Options",
        "The engine",
        "The server",
        "Namespaces",
        "Sockets",
        "Many sockets at once",
        "Connection state recovery",
    ]


def test_every_named_test_exists():
    assert [wrong for cells in ROWS for name in named_tests(cells[2]) if (wrong := missing_test(name))] == []


def test_no_cell_is_empty_or_open():
    assert [" | ".join(cells) for cells in ROWS if "" in cells or "?" in cells] == []


def test_what_is_here_is_shown_by_a_test():
    for node, here, test in ROWS:
        assert test != "-" or here.startswith(UNTESTED), f"{node}: a test is missing"


@pytest.mark.parametrize("here", sorted({cells[1] for cells in ROWS}))
def test_every_name_of_ours_exists(here):
    check_here(here)


def test_every_option_is_named():
    """But for those of Flask-SocketIO, and those that only this server has."""
    ours = {"logger", "engineio_logger", "async_mode", "async_handlers", "always_connect", "manage_session", "json"}
    limits = {"max_outbox_size", "max_handlers_per_client", "max_namespaces_per_client", "body_timeout", "client_dir"}
    cluster = {"client_manager", "channel", "requests_timeout", "max_cluster_message_size"}
    named = {name for cells in ROWS for name in re.findall(r"\b\w+\b", cells[1])}
    assert OPTION_NAMES - named - ours - limits - cluster <= {"cors_credentials"}


@pytest.mark.parametrize(
    "cell",
    [
        "`socketio.nowhere`",
        "`socketio.of(name).nowhere`",
        "`socketio.to(room).timeout(seconds).nowhere`",
        "`socketio.disconnect_sockets(shut=True)`",
        "`current_socket.handshake.nowhere`",
        "`set(socketio.nowhere)`",
        "`pingTimeout=20`",
        "the option `nowhere`",
        "key `threshold` of `nowhere`",
        "`NowhereError`",
    ],
)
def test_a_name_that_does_not_exist_is_noticed(cell):
    with pytest.raises(AssertionError):
        check_here(cell)


@pytest.mark.parametrize(
    "name", ["tests/docs/test_nowhere.py::test_x", "tests/docs/test_links.py::test_nowhere", "tests/docs/test_links.py"]
)
def test_a_test_that_does_not_exist_is_noticed(name):
    assert missing_test(name)
    assert not missing_test("tests/docs/test_links.py::test_links_lead_somewhere")
