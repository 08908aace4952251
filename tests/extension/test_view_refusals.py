"""Guards written for views refuse clients too: what they return or raise is believed as a view's answer would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, abort, redirect

from flask_socketio_py import SocketIO


def connect_error(handler: Callable[[], Any]) -> dict[str, Any] | None:
    app = Flask(__name__)
    socketio = SocketIO(app)
    socketio.on("connect")(handler)
    client = socketio.test_client(app)
    assert client.is_connected() is (client.connect_error is None)
    return client.connect_error


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (lambda: Response("no", 401), 401),
        (lambda: ("no", 403), 403),
        (lambda: ("no", 401, {"WWW-Authenticate": "Basic"}), 401),
        (lambda: (Response("no", 401), {"X-Header": "1"}), 401),
        (lambda: abort(401), 401),
        (lambda: redirect("/login"), 302),
    ],
    ids=["a response", "a tuple", "a tuple with headers", "a response with headers", "abort", "a redirection"],
)
def test_what_a_view_would_refuse_with_refuses_the_client(handler: Callable[[], Any], status: int) -> None:
    error = connect_error(handler)
    assert error is not None
    assert error["data"] == {"status": status}


@pytest.mark.parametrize(
    "result",
    [None, True, "welcome", ("welcome", 200), Response("welcome"), (), (1, 2), ("a", True), {"status": 401}],
    ids=str,
)
def test_what_a_view_would_welcome_with_accepts_the_client(result: Any) -> None:
    assert connect_error(lambda: result) is None
