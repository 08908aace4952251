"""Exceptions in handlers: which error handler is asked, in which context, what its answer does, what is logged."""

import pytest
from flask import abort, g, request

from flask_socketio_py import ConnectionRefusedError, Namespace, SocketIO


@pytest.fixture
def failing(socketio):
    for namespace in ("/", "/n", "/m"):
        socketio.on("fail", namespace=namespace)(lambda *args: 1 / 0)
        socketio.on("fine", namespace=namespace)(lambda: "fine")
    return socketio


def ask(client, namespace="/", event="fail"):
    return client.emit(event, callback=True, namespace=namespace)


def test_of_the_namespace_else_the_default(failing, connect):
    failing.on_error("/n")(lambda error: ["n", type(error).__name__])
    failing.on_error_default(lambda error: ["default", type(error).__name__])
    assert ask(connect("/n"), "/n") == ["n", "ZeroDivisionError"]
    assert ask(connect("/m"), "/m") == ["default", "ZeroDivisionError"]
    assert ask(connect()) == ["default", "ZeroDivisionError"]


def test_of_the_main_namespace_only(failing, connect):
    failing.on_error()(lambda error: "main")
    assert ask(connect()) == "main"
    assert ask(connect("/n"), "/n") is None


def test_without_one_it_is_logged_and_not_acknowledged(failing, connect, caplog):
    client = connect()
    assert ask(client) is None
    assert "a handler of the event 'fail' failed" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert ask(client, event="fine") == "fine"


def test_an_error_that_was_answered_is_not_logged(failing, connect, caplog):
    failing.on_error_default(lambda error: None)
    assert ask(connect()) == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_it_runs_in_the_context_of_the_event(socketio, connect):
    @socketio.on("fail")
    def fail(*args):
        g.value = "kept"
        raise ValueError("on purpose")

    socketio.on_error()(
        lambda error: [request.event["message"], list(request.event["args"]), g.value, request.namespace, str(error)]
    )
    assert connect().emit("fail", 1, [2], callback=True) == ["fail", [1, [2]], "kept", "/", "on purpose"]


def test_an_error_handler_that_fails_is_logged(failing, connect, caplog):
    failing.on_error_default(lambda error: [].pop())
    client = connect()
    assert ask(client) is None
    assert "IndexError" in caplog.text
    assert ask(client, event="fine") == "fine"


def test_errors_of_flask_are_exceptions_like_others(socketio, connect):
    socketio.on("fail")(lambda: abort(403))
    socketio.on_error_default(lambda error: error.code)
    assert ask(connect()) == 403


def test_in_a_disconnect_handler(socketio, connect):
    seen = []
    socketio.on("disconnect")(lambda reason: 1 / 0)
    socketio.on_error_default(lambda error: seen.append(type(error)))
    connect().disconnect()
    assert seen == [ZeroDivisionError]


def test_in_a_connect_handler_its_answer_decides(socketio, connect):
    answers = iter([None, False])
    socketio.on("connect")(lambda: 1 / 0)
    socketio.on_error_default(lambda error: next(answers))
    assert connect().is_connected(), "the error was dealt with"
    assert connect().connect_error == {"message": "Connection rejected by server"}


def test_a_refusal_is_no_error(socketio, connect):
    seen = []

    @socketio.on("connect")
    def refuse():
        raise ConnectionRefusedError("no")

    socketio.on_error_default(seen.append)
    assert connect().connect_error == {"message": "no"}
    assert seen == []


def test_an_error_handler_may_refuse(socketio, connect):
    @socketio.on_error_default
    def refuse(error):
        raise ConnectionRefusedError(type(error).__name__)

    socketio.on("connect")(lambda: 1 / 0)
    assert connect().connect_error == {"message": "ZeroDivisionError"}


class Failing(Namespace):
    def on_fail(self):
        raise ValueError("on purpose")

    def error(self, exception):
        return ["class", str(exception)]


def test_the_method_error_of_a_class(socketio, connect):
    socketio.on_namespace(Failing("/c"))
    assert ask(connect("/c"), "/c") == ["class", "on purpose"]


@pytest.mark.parametrize("kind", ["namespace", "default"])
def test_a_decorated_error_handler_comes_before_the_method(socketio, connect, kind):
    socketio.on_namespace(Failing("/c"))
    decorator = socketio.on_error("/c") if kind == "namespace" else socketio.on_error_default
    decorator(lambda error: "decorated")
    assert ask(connect("/c"), "/c") == "decorated"


def test_a_class_without_the_method_leaves_it_to_the_others(socketio, connect):
    class Plain(Namespace):
        def on_fail(self):
            raise ValueError("on purpose")

    socketio.on_namespace(Plain("/c"))
    socketio.on_error_default(lambda error: "default")
    assert ask(connect("/c"), "/c") == "default"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_wishes_to_end_are_no_errors_of_a_handler(app, error, caplog):
    """They reach no error handler, and end neither the server's loop nor the client."""
    socketio = SocketIO(app)
    seen = []
    socketio.on_error_default(seen.append)

    @socketio.on("end")
    def end():
        raise error

    socketio.on("fine")(lambda: "fine")
    client = socketio.test_client(app)
    client.emit("end")
    assert seen == []
    assert client.emit("fine", callback=True) == "fine"
    client.close()
