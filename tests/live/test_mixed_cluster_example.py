"""Owns the proof that `examples/mixed-cluster` is one cluster: its Python half and its Node half over one Redis, with
official clients and browsers at both.
"""

import json
import os
import sys
from collections.abc import Iterator

import pytest

from tests.live.browser import Browser
from tests.live.jsclient import JS, Client, Driver
from tests.live.servers import ROOT, Server, wait_for
from tests.redis_server import RedisServer

MIXED = ROOT / "examples" / "mixed-cluster"
TESTS = JS.parents[1]
NAMES = ("python", "node")


class Half(Server):
    """One of the two, as its reader starts it."""

    def __init__(self, name: str, redis: RedisServer) -> None:
        # The packages of the tests stand in for what `npm install` would fetch into the folder of the example.
        super().__init__(host_kind=name, env={"REDIS_URL": redis.url, "NODE_PATH": str(TESTS / "node_modules")})

    def command(self) -> list[str]:
        if self.host_kind == "node":
            return ["node", str(MIXED / "server.js"), str(self.port)]
        return [sys.executable, str(MIXED / "server.py"), "--port", str(self.port)]


@pytest.fixture(scope="module")
def halves(javascript: None) -> Iterator[dict[str, Half]]:
    if not (TESTS / "node_modules" / "@socket.io" / "redis-adapter").is_dir():
        assert os.environ.get("CI") != "true", "missing: @socket.io/redis-adapter"
        pytest.skip("missing: @socket.io/redis-adapter (npm install --prefix tests)")
    with RedisServer() as redis, Half("python", redis) as ours, Half("node", redis) as official:
        yield {"python": ours, "node": official}
        assert "Error" not in official.log()


@pytest.fixture
def guests(halves: dict[str, Half], js: Driver) -> dict[str, Client]:
    """A client at each, once the servers know of each other."""
    found = {}
    for name, half in halves.items():
        found[name] = js.open(half.url, auth={"name": f"guest of {name}"}, transports=["websocket"])
    for client in found.values():
        client.sid()
    for client in found.values():
        wait_for(lambda one=client: sorted(one.call("servers")) == sorted(NAMES), "the servers know each other")
    return found


def test_each_sees_what_the_other_says(guests: dict[str, Client]) -> None:
    for name, client in guests.items():
        client.emit("say", f"hello from {name} é😀")
        for other in guests.values():
            other.wait("event", args=[{"name": f"guest of {name}", "server": name, "text": f"hello from {name} é😀"}])


def test_presence_is_that_of_all(guests: dict[str, Client], js: Driver, halves: dict[str, Half]) -> None:
    expected = {client.sid(): (f"guest of {name}", name) for name, client in guests.items()}
    for client in guests.values():
        assert {one["id"]: (one["name"], one["server"]) for one in client.call("who")} == expected
    late = {name: js.open(half.url, auth={"name": "late"}, transports=["polling"]) for name, half in halves.items()}
    for name, client in late.items():
        wait_for(
            lambda one=client, at=name: (
                {"id": one.sid(), "name": "late", "server": at} in guests["python"].call("who")
                and {"id": one.sid(), "name": "late", "server": at} in guests["node"].call("who")
            ),
            "who came is seen by both",
        )
        client.disconnect()
    for client in guests.values():
        wait_for(lambda one=client: {each["id"] for each in one.call("who")} == set(expected), "who left is not")


def test_an_acknowledgement_across(guests: dict[str, Client]) -> None:
    for name, client in guests.items():
        client.answer("nudge", f"I am at {name}")
    for asking, client in guests.items():
        for name, asked in guests.items():
            assert client.call("nudge", asked.sid()) == {"answer": f"I am at {name}"}
            assert asked.wait("event", event="nudge", args=[f"guest of {asking}"])
        assert client.call("nudge", "nobody") == {"answer": None}


def test_servers_talk_to_each_other(guests: dict[str, Client]) -> None:
    for number in range(2):
        for name, client in guests.items():
            client.emit("note", f"note {number} of {name}")
    for name, client in guests.items():
        [other] = set(NAMES) - {name}
        for number in range(2):
            client.wait("event", event="noted", args=[{"by": name, "from": other, "text": f"note {number} of {other}"}])
        assert len(client.received("noted")) == 2


def test_whatever_a_client_sends_hurts_neither(guests: dict[str, Client], js: Driver, halves: dict[str, Half]) -> None:
    for half in halves.values():
        for auth in ({}, {"name": ""}, {"name": "x" * 25}, {"name": {"toString": 1}}):
            refused = js.open(half.url, auth=auth, transports=["websocket"])
            assert refused.wait("connect_error")["message"] == "A name of 1 to 24 characters, please."
    for client in guests.values():
        for odd in ({"toString": 1}, [], None, 5, "x" * 10_000, {"__proto__": None}):
            client.emit("say", odd)
            client.emit("note", odd)
            assert client.call("nudge", odd) == {"answer": None}
            client.emit("nudge", odd)
    for client in guests.values():
        client.wait("event", count=12, event="said")
        assert {len(message["text"]) for [message] in client.received("said")} == {0, 200}
        assert sorted(client.call("servers")) == sorted(NAMES)


def test_the_pages_of_both(halves: dict[str, Half]) -> None:
    for half in halves.values():
        if half.get("/socket.io/socket.io.min.js").status != 200:
            assert os.environ.get("CI") != "true", "the JavaScript client is missing"
            pytest.skip("the JavaScript client is missing: python -m flask_socketio_py install-client")
    with Browser() as browser:
        pages = {name: browser.open(half.url) for name, half in halves.items()}
        for name, page in pages.items():
            page.wait_for_text("#server", name)
        for page in pages.values():
            page.click("#again")
            page.wait_for_text("#servers", "node, python")
        people = {name: page.text("#me") for name, page in pages.items()}
        for name, page in pages.items():
            [other] = set(NAMES) - {name}
            page.wait_for_text("#who", f"{people[other]}, at {other}")
            page.type("#text", f"<b>hello</b> from {name}")
            page.press_enter()
            pages[other].wait_for_text("#log", f"{people[name]} ({name}): <b>hello</b> from {name}")
            page.evaluate("document.querySelector('#who button').click()")
            page.wait_for_text("#log", f"{people[other]} answers: Hello {people[name]}, I am {people[other]}")
            pages[other].wait_for_text("#log", f"{people[name]} nudges you")
        for page in pages.values():
            assert page.console_errors() == []
            page.close()


def test_the_packages_are_those_that_the_tests_run_with() -> None:
    wanted = json.loads((MIXED / "package.json").read_text("utf-8"))["dependencies"]
    tested = json.loads((TESTS / "package.json").read_text("utf-8"))["dependencies"]
    assert wanted == {name: tested[name] for name in wanted}
    script = (MIXED / "server.js").read_text("utf-8")
    assert {name for name in tested if f'require("{name}")' in script} == wanted.keys()
