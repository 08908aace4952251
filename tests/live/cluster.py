"""Servers of one cluster: official ones in Node and ours, told what to do over HTTP in the same words.

Owns their life; what the words mean is written in ``apps/cluster.py`` and ``js/node_server.cjs``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.live.jsclient import JS, Client, Driver, pack, unpack
from tests.live.servers import ROOT, Server, wait_for
from tests.redis_server import RedisServer

NODE_ADAPTER = JS.parents[1] / "node_modules" / "@socket.io" / "redis-adapter"


class NodeServer(Server):
    """An official server."""

    def __init__(self, redis_url: str, adapter: str, name: str, **options: Any) -> None:
        super().__init__(host_kind="node", cwd=ROOT)
        self._arguments = [redis_url, adapter, name, json.dumps(options)]

    def command(self) -> list[str]:
        return ["node", str(JS / "node_server.cjs"), str(self.port), *self._arguments]


class Member:
    """A server of the cluster, and a client of it."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server
        self.client: Client

    def __repr__(self) -> str:
        return self.name

    @property
    def official(self) -> bool:
        return isinstance(self.server, NodeServer)

    def do(self, operation: str, **parameters: Any) -> Any:
        """Let the server do something; what it returns."""
        request = urllib.request.Request(
            f"{self.server.url}/do?operation={operation}",
            json.dumps(pack(parameters)).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return unpack(json.load(response))
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{self} could not {operation}: {error.read().decode()[-2000:]}") from None


class Cluster:
    """Two official servers and two of ours over one Redis, each with a client."""

    def __init__(self, redis: RedisServer, adapter: str, url_parts: str) -> None:
        self.redis = redis
        self.adapter = adapter
        url = redis.url.replace("redis://", f"{url_parts}://")
        self.members = [
            *(Member(name, NodeServer(redis.url, adapter, name)) for name in ("node 1", "node 2")),
            *(
                Member(name, Server("tests.live.apps.cluster:app", kind, options={"message_queue": url, "name": name}))
                for name, kind in (("ours 1", "run"), ("ours 2", "gevent"))
            ),
        ]

    @contextlib.contextmanager
    def running(self) -> Iterator[Cluster]:
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.enter_context(member.server)
            yield self

    def connect(self, driver: Driver) -> None:
        """A new client for each server; all servers know each other afterwards."""
        for member in self.members:
            member.client = driver.open(member.server.url, transports=["websocket"])
        for member in self.members:
            member.client.sid()
        for member in self.members:
            wait_for(lambda member=member: member.do("servers") == 4, f"{member} knows the other servers")

    def fence(self) -> None:
        """Returns when what all servers said before has arrived everywhere."""
        marks = [f"mark {time.monotonic_ns()} of {member}" for member in self.members]
        for member, mark in zip(self.members, marks, strict=True):
            member.do("emit", args=[mark])
        for member in self.members:
            for mark in marks:
                member.client.wait_event(mark)

    def others(self, member: Member) -> list[Member]:
        return [other for other in self.members if other is not member]


@contextlib.contextmanager
def official_and_ours(adapter: str, url_parts: str) -> Iterator[Cluster]:
    """A cluster with a Redis of its own; ``url_parts`` stands before ``://`` in our URL."""
    if not NODE_ADAPTER.is_dir():
        pytest.skip("missing: @socket.io/redis-adapter (npm install --prefix tests)")
    with RedisServer() as redis, Cluster(redis, adapter, url_parts).running() as cluster:
        yield cluster


def until_equal(found: Callable[[], Any], expected: Any) -> None:
    """Waits until something is as expected, and says what it was instead."""
    last: list[Any] = []

    def equal() -> bool:
        last[:] = [found()]
        return bool(last[0] == expected)

    try:
        wait_for(equal, "what is expected", 20)
    except AssertionError:
        print(f"found {last[0]!r}, expected {expected!r}", file=sys.stderr)
        raise
