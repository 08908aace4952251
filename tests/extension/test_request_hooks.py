"""Functions of the application become what the Engine.IO server asks, in the request's context; their answers too."""

import pytest
from flask import Flask, Response, abort, current_app, g, redirect, request, session
from werkzeug.test import EnvironBuilder

from flask_socketio_py import ConnectionRefusedError
from flask_socketio_py.config import Options
from flask_socketio_py.engineio.hooks import Hooks
from flask_socketio_py.engineio.server import EngineServer
from flask_socketio_py.errors import EngineIOError
from flask_socketio_py.request_hooks import RequestHooks
from tests.contract.recording import RecordingHandler

KINDS = ("before_request", "initial_headers", "headers", "connection_error")


@pytest.fixture
def app():
    app = Flask(__name__)
    app.secret_key = "only for tests"
    return app


@pytest.fixture
def registered(app):
    registered = RequestHooks()
    registered.app = app
    return registered


def engine(**options):
    return EngineServer(Options(**options), RecordingHandler())


@pytest.fixture
def environ():
    return EnvironBuilder("/socket.io/", query_string="EIO=4&transport=polling&a=1").get_environ()


def answer_of(application, environ):
    """Status, headers and body of a WSGI application's answer."""
    response = Response.from_app(application, environ)
    return response.status_code, response.headers, response.get_data(as_text=True)


def test_where_nothing_is_registered_nothing_is_asked(app, registered):
    server = engine()
    registered.serve(app, server)
    assert server.hooks is None
    registered.add("headers", print)
    assert server.hooks is registered.hooks


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_function(registered, kind):
    with pytest.raises(TypeError, match=f"{kind} must be given a function, not int"):
        registered.add(kind, 1)
    assert registered.hooks == Hooks()


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_the_context_of_the_request_and_its_end(app, registered, environ, kind):
    seen, torn_down = [], []
    app.teardown_request(lambda error: torn_down.append(kind))
    app.teardown_appcontext(lambda error: torn_down.append("app"))

    def look(*args):
        g.seen = True
        session["a"] = 1
        seen.append((request.args["a"], request.path, current_app._get_current_object() is app))

    registered.add(kind, look)
    registered.add(kind, look)
    hook = getattr(registered.hooks, kind)
    {
        "before_request": lambda: hook(environ),
        "initial_headers": lambda: hook([], environ),
        "headers": lambda: hook([], environ),
        "connection_error": lambda: hook(EngineIOError(4), environ),
    }[kind]()
    assert seen == [("1", "/socket.io/", True)] * 2
    assert torn_down == [kind, "app"]


# --- before_request --------------------------------------------------------------------------------------------------


def test_the_first_answer_counts_and_passes_the_after_request_functions(app, registered, environ):
    asked = []

    @app.after_request
    def mark(response):
        response.headers["X-Marked"] = "yes"
        return response

    for number, answer in enumerate((None, ("stop", 429, {"Retry-After": "5"}), "never asked")):
        registered.add("before_request", lambda number=number, answer=answer: asked.append(number) or answer)
    status, headers, body = answer_of(registered.hooks.before_request(environ), environ)
    assert (status, body, headers["Retry-After"], headers["X-Marked"]) == (429, "stop", "5", "yes")
    assert asked == [0, 1]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(lambda: abort(401), 401), (lambda: abort(Response("no", 418)), 418), (lambda: Response("no", 403), 403),
     (lambda: {"error": 1}, 200), (lambda: "", 200), (lambda: ("", 204), 204)],
)  # fmt: skip
def test_what_a_view_may_answer_it_may(registered, environ, answer, status):
    registered.add("before_request", answer)
    assert answer_of(registered.hooks.before_request(environ), environ)[0] == status


def test_nobody_answers(registered, environ):
    registered.add("before_request", lambda: None)
    assert registered.hooks.before_request(environ) is None


def test_the_session_that_was_changed_is_sent_with_the_answer(registered, environ):
    registered.add("before_request", lambda: session.update(user="Ada") or "stop")
    _, headers, _ = answer_of(registered.hooks.before_request(environ), environ)
    assert headers["Set-Cookie"].startswith("session=")


def test_what_it_raises_is_the_engines_affair(registered, environ):
    registered.add("before_request", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registered.hooks.before_request(environ)


# --- allow_request and generate_id -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "given"),
    [(True, True), (1, True), ("no entry", "no entry"), (False, False), (None, False), (0, False)],
)  # fmt: skip
def test_whether_a_request_is_allowed(app, registered, environ, answer, given):
    seen = []
    registered.serve(app, engine(allow_request=lambda request: seen.append(request.args["a"]) or answer))
    assert registered.hooks.allow_request(environ) == given
    assert type(registered.hooks.allow_request(environ)) is type(given)
    assert seen == ["1", "1"]


@pytest.mark.parametrize(
    ("error", "given"),
    [(ConnectionRefusedError("no entry", {"secret": 1}), "no entry"),
     (ConnectionRefusedError(), "Connection rejected by server")],
)  # fmt: skip
def test_it_may_refuse_by_raising(app, registered, environ, error, given):
    def refuse(request):
        raise error

    registered.serve(app, engine(allow_request=refuse))
    assert registered.hooks.allow_request(environ) == given


def test_it_may_abort(app, registered, environ):
    registered.serve(app, engine(allow_request=lambda request: abort(401)))
    assert registered.hooks.allow_request(environ) == "Unauthorized"


@pytest.mark.parametrize("answer", [redirect("/login"), ("no", 302), Response("no", 302)])
def test_a_guard_made_for_views_may_answer(app, registered, environ, answer):
    registered.serve(app, engine(allow_request=lambda request: answer))
    assert registered.hooks.allow_request(environ) == "Found"
    registered.serve(app, engine(allow_request=lambda request: ("fine", 200)))
    assert registered.hooks.allow_request(environ) is True


def test_the_id_of_a_session(app, registered, environ):
    registered.serve(app, engine(generate_id=lambda request: f"id of {request.args['a']}"))
    assert registered.hooks.generate_id(environ) == "id of 1"


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["initial_headers", "headers"])
def test_headers_may_be_changed_added_and_removed(registered, environ, kind):
    def change(headers, request):
        headers["Content-Type"] = "text/x"
        headers.add("Set-Cookie", "a=1")
        headers.add("Set-Cookie", "b=2")
        del headers["X-Old"]

    registered.add(kind, change)
    registered.add(kind, lambda headers, request: headers.add("X-Path", request.path))
    given = [("Content-Type", "text/plain"), ("X-Old", "1")]
    assert getattr(registered.hooks, kind)(given, environ) == [
        ("Content-Type", "text/x"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Path", "/socket.io/"),
    ]  # fmt: skip
    assert given == [("Content-Type", "text/plain"), ("X-Old", "1")]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: evil=1", "a\nb"])
def test_a_header_can_not_hold_another(registered, environ, value):
    registered.add("headers", lambda headers, request: headers.add("X", value))
    with pytest.raises(ValueError, match="newline"):
        registered.hooks.headers([], environ)


def test_all_are_told_of_an_error_whoever_fails(registered, environ, caplog):
    told = []
    registered.add("connection_error", lambda error, request: 1 / 0)
    registered.add("connection_error", lambda error, request: told.append((error.code, error.context, request.path)))
    registered.hooks.connection_error(EngineIOError(3, "why"), environ)
    assert told == [(3, "why", "/socket.io/")]
    assert [record.message for record in caplog.records] == ["an on_connection_error function failed"]
