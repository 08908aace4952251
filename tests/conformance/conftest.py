"""Servers for the conformance tests: started once per set of options, stopped at the end, their logs checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .launch import FOREIGN, Server

Serve = Callable[..., Server]


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """`serve(**options)` gives the running server with these options."""
    servers: dict[str, Server] = {}

    def start(**options: Any) -> Server:
        key = json.dumps(options, sort_keys=True)
        if key not in servers:
            servers[key] = Server(Path(__file__).with_name("app.py"), options, FOREIGN)
        return servers[key]

    yield start
    logs = []
    for server in servers.values():
        server.stop()
        logs.append(server.log_at_exit)
    if not FOREIGN:
        assert not [log for log in logs if "Traceback" in log], "\n".join(logs)


@pytest.fixture(scope="session")
def server(serve: Serve) -> Server:
    """The one most tests share: defaults, but any origin and quick upgrades' end."""
    return serve(cors_allowed_origins="*", upgrade_timeout=0.5, max_http_buffer_size=100_000)


@pytest.fixture(scope="session")
def patient_server(serve: Serve) -> Server:
    """Pings often, and gives a busy machine time to answer."""
    return serve(ping_interval=0.3, ping_timeout=10)


@pytest.fixture(scope="session")
def strict_server(serve: Serve) -> Server:
    """Pings often and waits for no one."""
    return serve(ping_interval=0.3, ping_timeout=0.2, connect_timeout=30)
