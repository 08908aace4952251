"""What runs around every event: teardown functions with the exception, and Flask's signals."""

import flask
import pytest
from flask import g

SIGNALS = ["appcontext_pushed", "appcontext_tearing_down", "appcontext_popped", "request_tearing_down"]


@pytest.fixture
def journal(app):
    journal = []
    app.teardown_request(lambda error: journal.append(("request", error)))
    app.teardown_appcontext(lambda error: journal.append(("appcontext", error)))
    return journal


def test_teardown_runs_for_every_event(socketio, connect, journal):
    for event in ("connect", "ask", "disconnect"):
        socketio.on(event)(lambda *args, event=event: journal.append(event))
    client = connect()
    client.emit("ask")
    client.disconnect()
    around = [("request", None), ("appcontext", None)]
    assert journal == ["connect", *around, "ask", *around, "disconnect", *around]


def test_teardown_is_given_the_exception(socketio, connect, journal):
    error = ValueError("on purpose")

    @socketio.on("fail")
    def fail():
        raise error

    connect().emit("fail")
    assert journal == [("request", error), ("appcontext", error)]


def test_teardown_is_given_nothing_when_an_error_handler_answered(socketio, connect, journal):
    socketio.on("fail")(lambda: 1 / 0)
    socketio.on_error_default(lambda error: "answered")
    assert connect().emit("fail", callback=True) == "answered"
    assert journal == [("request", None), ("appcontext", None)]


def test_teardown_sees_what_the_handler_did(app, socketio, connect):
    closed = []

    @app.teardown_appcontext
    def close(error):
        resource = g.pop("resource", None)
        if resource is not None:
            closed.append((resource, flask.current_app.name))

    @socketio.on("use")
    def use(name):
        g.resource = name

    client = connect()
    client.emit("use", "a")
    client.emit("use", "b")
    assert closed == [("a", app.name), ("b", app.name)]


def test_a_teardown_that_fails_does_not_keep_the_others_from_running(app, socketio, connect, caplog):
    ran = []
    app.teardown_appcontext(lambda error: ran.append("appcontext"))

    @app.teardown_request
    def fail(error):
        raise RuntimeError("on purpose")

    socketio.on("ask")(lambda: "answered")
    client = connect()
    client.emit("ask")
    client.emit("ask")
    assert ran == ["appcontext", "appcontext"]
    assert "on purpose" in caplog.text
    assert client.is_connected()


def test_the_teardown_of_a_blueprint_does_not_run(app, socketio, connect, journal):
    blueprint = flask.Blueprint("other", __name__)
    blueprint.teardown_request(lambda error: journal.append("blueprint"))
    blueprint.teardown_app_request(lambda error: journal.append("app"))
    app.register_blueprint(blueprint)
    socketio.on("ask")(lambda: None)
    connect().emit("ask")
    assert journal == ["app", ("request", None), ("appcontext", None)]


@pytest.mark.parametrize("name", SIGNALS)
def test_signal(app, socketio, connect, name):
    received = []

    def receive(sender, **data):
        received.append((sender, data.get("exc")))

    socketio.on("ask")(lambda: received.append("ask"))
    with getattr(flask, name).connected_to(receive, app):
        client = connect()
        client.emit("ask")
    expected = [(app, None), "ask"] if name == "appcontext_pushed" else ["ask", (app, None)]
    assert received == expected


def test_signals_carry_the_exception(app, socketio, connect):
    received = []

    def receive(sender, exc=None, **data):
        received.append(type(exc))

    socketio.on("fail")(lambda: 1 / 0)
    with (
        flask.appcontext_tearing_down.connected_to(receive, app),
        flask.request_tearing_down.connected_to(receive, app),
    ):
        connect().emit("fail")
    assert received == [ZeroDivisionError, ZeroDivisionError]


def test_signals_of_templates_and_flashes(app, socketio, connect):
    received = []

    def receive(sender, **data):
        received.append(data.get("message") or data["template"].name)

    @socketio.on("ask")
    def ask():
        flask.flash("flashed")
        return flask.render_template_string("x")

    with flask.message_flashed.connected_to(receive, app), flask.template_rendered.connected_to(receive, app):
        connect().emit("ask")
    assert received == ["flashed", None]
