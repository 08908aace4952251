"""An application and a SocketIO for each test, clients for it, and the check that nothing of them remains."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_socketio_py import SocketIO, SocketIOTestClient


@pytest.fixture
def app() -> Flask:
    app = Flask("extension_under_test")
    app.config["SECRET_KEY"] = "only for tests"
    return app


@pytest.fixture
def socketio(app: Flask) -> SocketIO:
    return SocketIO(app)


@pytest.fixture
def connect(app: Flask) -> Iterator[Callable[..., SocketIOTestClient]]:
    """``connect(namespace, ...)`` opens a test client; when the test is over they all go, and leave nothing behind."""
    clients = []

    def open_client(namespace: str | None = None, **options: Any) -> SocketIOTestClient:
        client = app.extensions["socketio"].test_client(app, namespace, **options)
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()
    if clients:
        extension = app.extensions["socketio"]
        assert extension.server.manager.rooms == {}
        assert extension.server.eio.sockets == {}
        assert extension.server.environ == {}
