"""Fixtures of the live tests: servers under each host, scenarios and clients in JavaScript, logs of what failed."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.live.jsclient import JS, Client, Driver, run_scenario
from tests.live.servers import KINDS, OURS, PACKAGE, Server

CLIENT_PACKAGE = JS.parents[1] / "node_modules" / "socket.io-client"
shared_servers: dict[str, Server] = {}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "differs(reason): Flask-SocketIO does otherwise, on purpose; skipped when run on it"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if PACKAGE == OURS:
        return
    for item in items:
        marker = item.get_closest_marker("differs")
        if marker is not None:
            item.add_marker(pytest.mark.skip(reason=f"{PACKAGE} differs: {marker.args[0]}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        used = getattr(item, "funcargs", {}).get("server")
        if isinstance(used, Server):
            report.sections.append((f"log of {used.host_kind} {used.url}", used.log()[-20_000:]))
    return report


@pytest.fixture(scope="session")
def javascript() -> None:
    """Node and the official client are there: skipped on a laptop without them, failed in CI."""
    missing = "node" if shutil.which("node") is None else None
    if missing is None and not CLIENT_PACKAGE.is_dir():
        missing = "socket.io-client (npm install --prefix tests)"
    if missing and os.environ.get("CI"):
        pytest.fail(f"missing: {missing}")
    if missing:
        pytest.skip(f"missing: {missing}")


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[str], Server]]:
    """The session's server for the drop-in application under a host, started when first asked for."""

    def get(kind: str) -> Server:
        if kind not in shared_servers:
            server = Server(host_kind=kind)
            server.start()
            shared_servers[kind] = server
        return shared_servers[kind]

    yield get
    faults = []
    for server in shared_servers.values():
        try:
            server.stop()
        except AssertionError as error:
            faults.append(str(error))
        finally:
            server.discard()
    shared_servers.clear()
    assert not faults, "\n".join(faults)


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, server_of: Callable[[str], Server]) -> Server:
    """The drop-in application, under each host in turn."""
    return server_of(request.param)


@pytest.fixture
def run_server(server_of: Callable[[str], Server]) -> Server:
    """The drop-in application under ``socketio.run``."""
    return server_of("run")


@pytest.fixture(params=["polling", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def key() -> str:
    """The key of this test's notes in the application's journal."""
    return uuid4().hex


@pytest.fixture
def scenario(javascript: None) -> Callable[..., Any]:
    """``scenario(name, server, transports=[...], **options)`` runs one of ``js/run.cjs`` and gives its result."""

    def run(name: str, server: Server, *, transports: list[str] | None = None, **options: Any) -> Any:
        if transports is not None:
            options["manager"] = {"transports": transports}
        return run_scenario(name, server.url, options)

    return run


@pytest.fixture(scope="session")
def driver(javascript: None) -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def js(driver: Driver) -> Iterator[Driver]:
    """The JavaScript client; its sockets are disconnected when the test ends."""
    yield driver
    driver.forget_clients()


@pytest.fixture
def connect(js: Driver, server: Server, transport: str, key: str) -> Callable[..., Client]:
    """Connected clients of `server` over `transport`: ``connect(namespace, auth=..., share=...)``."""

    def connected(namespace: str = "/", **options: Any) -> Client:
        query = {"key": key, **options.pop("query", {})}
        client = js.open(server.url, namespace, transports=[transport], query=query, **options)
        client.wait("connect")
        return client

    return connected
