"""Owns that the reference is complete and current: options, public names, views, reasons, codes.

What is made from the code (``docs/make_reference.py``) has its own tests; here is what holds whoever writes it.
"""

import ast
import dataclasses
import inspect
import re

import pytest

import flask_socketio_py
from flask_socketio_py import SocketIO
from flask_socketio_py.__main__ import _parser
from flask_socketio_py.config import Options
from flask_socketio_py.engineio.http import error_response
from flask_socketio_py.errors import ENGINE_ERRORS, EngineIOError
from flask_socketio_py.socketio.packet import RESERVED
from flask_socketio_py.views import EngineView, ManagerView, ServerView
from flask_socketio_py.websocket.frames import CloseCode
from tests.docs.pages import page, rows

_SIGNATURE = re.compile(r"`(\w+)\(([^`]*)\)`")


def documented_options():
    found = rows(page("docs/reference/options.md"), 3)
    return {cells[0].strip("`"): cells[1].strip("`") for cells in found if cells[0].startswith("`")}


def section(name, heading):
    """The lines of a page below a heading of the second level."""
    after = page(name).text.split(f"\n## {heading}\n", 1)[1]
    return after.split("\n## ", 1)[0]


def signatures(text):
    """name -> parameters, of each signature in an item of a list; the first, where there are several."""
    found = {}
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        for name, parameters in _SIGNATURE.findall(item):
            found.setdefault(name, parameters)
    return found


def parameters_of(function):
    """The parameters as the documentation writes them."""
    shown = inspect.signature(function)
    empty = inspect.Parameter.empty
    kept = [item.replace(annotation=empty) for item in shown.parameters.values() if item.name != "self"]
    return str(inspect.Signature(kept))


def assert_same(written, function):
    wanted = parameters_of(function)
    code = ast.unparse(ast.parse(f"def f{wanted}: pass"))
    assert ast.unparse(ast.parse(f"def f({written}): pass")) == code, f"{function.__qualname__}{wanted}"


def public(kind):
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


@pytest.mark.parametrize("option", dataclasses.fields(Options), ids=lambda option: option.name)
def test_every_option_is_documented_with_its_default(option):
    assert ast.literal_eval(documented_options()[option.name]) == option.default


@pytest.mark.parametrize("option", dataclasses.fields(Options), ids=lambda option: option.name)
def test_an_option_that_is_a_number_is_documented_with_its_unit(option):
    if type(option.default) in (int, float):
        meaning = next(cells[2] for cells in rows(page("docs/reference/options.md"), 3) if option.name in cells[0])
        assert re.search("seconds|bytes|how many", meaning, re.IGNORECASE), meaning


@pytest.mark.parametrize("name", flask_socketio_py.__all__)
def test_every_public_name_has_its_place(name):
    assert f"`{name}`" in page("docs/reference/api.md").headings


@pytest.mark.parametrize(
    ("kind", "heading"),
    [
        (ServerView, "`socketio.server`"),
        (ManagerView, "`socketio.server.manager`"),
        (EngineView, "`socketio.server.eio`"),
    ],
    ids=["server", "manager", "eio"],
)
def test_views_are_documented_as_they_are(kind, heading):
    text = section("docs/reference/internals.md", heading)
    written = signatures(text)
    for name, member in public(kind).items():
        if inspect.isfunction(member):
            assert_same(written[name], member)
        else:
            assert f"`{name}`" in text, name
    assert set(written) <= set(public(kind))


def test_every_reason_is_documented():
    found = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(page("docs/reference/events.md"), 3)}
    for constant, reason in public(SocketIO.reason).items():
        assert found[reason] == constant


def test_every_reserved_name_is_documented():
    text = section("docs/reference/events.md", "Handlers")
    assert all(f"`{name}`" in text for name in RESERVED)


def test_every_http_error_is_documented():
    found = {(int(cells[0]), cells[1].strip("`"), cells[2]) for cells in rows(page("docs/reference/errors.md"), 4)[1:]}
    for code, message in ENGINE_ERRORS.items():
        status = error_response(EngineIOError(code), []).status[:3]
        assert (code, message, status) in found


def test_every_reason_why_a_request_was_refused_is_documented():
    wanted = set(re.findall(r"^(\d) +``([A-Z_]+)``", inspect.getdoc(EngineIOError), re.MULTILINE))
    assert len(wanted) == 13
    found = [re.fullmatch("([0-9]), `([A-Z_]+)`", cells[0]) for cells in rows(page("docs/reference/errors.md"), 3)]
    assert {match.groups() for match in found if match} == wanted


def test_documented_close_codes_exist():
    found = rows(page("docs/reference/errors.md"), 2)
    codes = [int(cells[0]) for cells in found if cells[0].isdigit()]
    assert len(codes) >= 5
    assert set(codes) <= set(map(int, CloseCode))


def test_every_option_of_the_command_line_is_documented():
    commands = next(action for action in _parser()._actions if action.dest == "command")
    for name, parser in commands.choices.items():
        text = section("docs/reference/command-line.md", f"`{name}`")
        for action in parser._actions:
            if action.option_strings and action.dest != "help":
                assert f"`{action.option_strings[-1]}`" in text, f"{name} {action.option_strings}"


def test_the_proxy_waits_longer_than_the_heartbeat():
    block = next(block for block in page("docs/deploy/nginx.md").blocks if block.language == "nginx")
    seconds = int(re.search(r"proxy_read_timeout (\d+)s;", block.text)[1])
    assert seconds > Options.ping_interval + Options.ping_timeout
    assert Options.max_http_buffer_size <= 2**20
    assert "client_max_body_size 1m;" in block.text


def test_the_place_for_the_benchmark_is_marked_once():
    assert page("README.md").text.count("<!-- benchmark -->") == 1
