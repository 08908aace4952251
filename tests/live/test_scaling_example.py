"""Owns the proof that `examples/scaling` does what its README says, step by step: four workers of one host without
Redis, then with it, then two hosts behind a real nginx, one of which goes away.
"""

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.browser import Browser
from tests.live.jsclient import Client, Driver
from tests.live.nginx import Nginx, changed
from tests.live.servers import ROOT, Server, wait_for
from tests.redis_server import RedisServer

SCALING = ROOT / "examples" / "scaling"
POLLING, WEBSOCKET, UPGRADING = ["polling"], ["websocket"], ["polling", "websocket"]
QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}


class Host(Server):
    """The example under gunicorn with several workers, as one host."""

    def __init__(self, workers: int, name: str, queue: str | None = None) -> None:
        env = {"HOST_NAME": name, **({"SOCKETIO_MESSAGE_QUEUE": queue} if queue else {})}
        super().__init__("app:app", "worker", args=("--chdir", str(SCALING), "-w", str(workers)), env=env)
        if queue is None:
            self.env.pop("SOCKETIO_MESSAGE_QUEUE", None)


@contextlib.contextmanager
def together(*servers: Server) -> Iterator[None]:
    """They start, and end, all at once."""
    with ThreadPoolExecutor(len(servers)) as threads:
        try:
            list(threads.map(lambda server: server.start(), servers))
            yield
            list(threads.map(lambda server: server.process and server.stop(), servers))
        except BaseException:
            for server in servers:
                print(f"--- log of {server.host_kind} {server.url}\n{server.log()}")
            raise
        finally:
            for server in servers:
                server.discard()


class Visitor:
    """An official client of the example, and where its session is."""

    def __init__(self, js: Driver, url: str, transports: list[str], route: str | None = None) -> None:
        query = {} if route is None else {"route": route}
        self.client: Client = js.open(url, transports=transports, query=query, **QUICK)
        self.upgrades = transports == UPGRADING

    def place(self) -> tuple[str, int]:
        [welcome] = self.client.wait_event("welcome", max(1, len(self.client.received("welcome"))))
        if self.upgrades:
            self.client.wait("upgrade", transport="websocket")
        return welcome["host"], welcome["worker"]

    def texts(self) -> list[str]:
        return [message["text"] for [message] in self.client.received("said")]

    def see(self, text: str) -> None:
        wait_for(lambda: text in self.texts(), f"{text!r}, but there is {self.texts()}", interval=0.001)


Open = Callable[..., list[Visitor]]


@pytest.fixture
def visitors(js: Driver) -> Open:
    """``visitors(url, transports, places=2)`` opens clients, each with a key of its own, until their sessions are at so
    many places: workers, or with `at` what that function makes of a place.
    """

    def opened(
        url: str, *transports: list[str], places: int = 2, at: Callable[[tuple[str, int]], object] = lambda place: place
    ) -> list[Visitor]:
        found: list[Visitor] = []
        while len({at(one.place()) for one in found}) < places:
            assert len(found) < 200, f"no {places} places have sessions"
            keys = [f"key {len(found) + number}" for number in range(4)]
            new = [Visitor(js, url, transports[n % len(transports)], route=key) for n, key in enumerate(keys)]
            for one in new:
                one.client.sid()
            found += new
        return found

    return opened


def say(visitor: Visitor, text: str, room: str | None = None) -> None:
    answer = visitor.client.call("say", text, room)
    assert (answer["text"], answer["from"]["worker"]) == (text, visitor.place()[1])


def counted(visitor: Visitor) -> dict[tuple[str, int], int]:
    return {(row["host"], row["worker"]): row["clients"] for row in visitor.client.call("who")}


def places(visitors: list[Visitor]) -> dict[tuple[str, int], int]:
    found = [one.place() for one in visitors]
    return {place: found.count(place) for place in found}


def job(queue: str, *arguments: str) -> None:
    """The job that emits, as cron runs it."""
    command = [sys.executable, str(SCALING / "emit_job.py"), *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "SOCKETIO_MESSAGE_QUEUE": queue}
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def everything_reaches_everybody(everybody: list[Visitor], queue: str) -> None:
    """What works in a cluster: events, rooms, presence, and who emits from outside."""
    first, last = everybody[0], next(one for one in everybody if one.place() != everybody[0].place())
    wait_for(lambda: counted(first) == places(everybody), "the servers know each other")
    say(first, "to all")
    say(last, "from elsewhere")
    job(queue, "from a job")
    for visitor in everybody:
        for text in ("to all", "from elsewhere", "from a job"):
            visitor.see(text)
    for member in (first, last):
        assert member.client.call("join", "red") == "red"
    say(first, "to a room", "red")
    job(queue, "to the same room", "red")
    say(first, "the end")  # of the same server as what went to the room, so it is later everywhere
    for visitor in everybody:
        visitor.see("the end")
        expected = ["to all", "from elsewhere", "from a job", "the end"]
        expected += ["to a room", "to the same room"] if visitor in (first, last) else []
        assert sorted(visitor.texts()) == sorted(expected)
        assert visitor.client.found("disconnect") == []
    assert counted(last) == places(everybody)


def test_four_workers_without_redis(visitors: Open, js: Driver) -> None:
    with Host(4, "one") as host:
        everybody = visitors(host.url, POLLING, UPGRADING)
        for number in range(10):  # each request of a polling client goes to some worker
            for visitor in everybody:
                assert visitor.client.call("join", f"room {number}") == f"room {number}"
        speaker = everybody[0]
        neighbours = [one for one in everybody if one.place() == speaker.place()]
        say(speaker, "to my worker")
        for visitor in neighbours:
            visitor.see("to my worker")
        for visitor in everybody:
            assert counted(visitor) == {visitor.place(): places(everybody)[visitor.place()]}
            assert visitor.texts() == (["to my worker"] if visitor in neighbours else [])
            assert visitor.client.found("disconnect") == []
            assert visitor.client.wait_event("welcome")[0]["cluster"] is False
        assert speaker.client.call("say", "x" * 201) == {"error": "The text must be a text of 1 to 200 characters."}
        assert speaker.client.call("join", [{}]) == {"error": "The room must be a text of 1 to 32 characters."}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def test_four_workers_with_redis(redis: RedisServer, visitors: Open) -> None:
    queue = f"{redis.url}/1"
    with Host(4, "one", queue) as host:
        everything_reaches_everybody(visitors(host.url, POLLING, UPGRADING, WEBSOCKET, places=3), queue)


@pytest.fixture(scope="module")
def hosts(redis: RedisServer) -> Iterator[list[Host]]:
    both = [Host(2, "one", redis.url), Host(2, "two", redis.url)]
    with together(*both):
        yield both


@pytest.fixture(scope="module")
def front(hosts: list[Host]) -> Iterator[Nginx]:
    ports = {f"server 127.0.0.1:{8001 + n};": f"server 127.0.0.1:{host.port};" for n, host in enumerate(hosts)}
    with Nginx(changed((SCALING / "nginx.conf").read_text("utf-8"), ports), "127.0.0.1:8080") as nginx:
        yield nginx


def test_two_hosts_behind_nginx(front: Nginx, redis: RedisServer, visitors: Open, js: Driver) -> None:
    everybody = visitors(front.url, POLLING, UPGRADING, WEBSOCKET, places=2, at=lambda place: place[0])
    for number in range(10):
        for visitor in everybody:
            assert visitor.client.call("leave", f"room {number}") == f"room {number}"
    everything_reaches_everybody(everybody, redis.url)
    assert {host for host, _ in places(everybody)} == {"one", "two"}


def test_who_has_no_key_goes_where_his_address_does(front: Nginx, js: Driver) -> None:
    everybody = [Visitor(js, front.url, transports) for transports in (POLLING, UPGRADING, WEBSOCKET) for _ in "123"]
    assert len({visitor.place()[0] for visitor in everybody}) == 1
    for _ in range(5):
        for visitor in everybody:
            assert visitor.client.call("join", "red") == "red"
    assert [visitor.client.found("disconnect") for visitor in everybody] == [[]] * len(everybody)


def test_the_page(front: Nginx, redis: RedisServer, js: Driver) -> None:
    if front.get("/socket.io/socket.io.min.js").status != 200:
        assert os.environ.get("CI") != "true", "the JavaScript client is missing"
        pytest.skip("the JavaScript client is missing: python -m flask_socketio_py install-client")
    other = Visitor(js, front.url, WEBSOCKET, "another")
    host, worker = other.place()
    with Browser() as browser:
        for transport in ("polling", "polling,websocket"):
            page = browser.open(f"{front.url}/?transport={transport}")
            page.wait_for_text("#place", "worker")
            page.wait_for_text("#transport", transport.rpartition(",")[2])
            page.wait_for_text("#plain", "worker")
            wait_for(
                lambda one=page: one.click("#again") or str(worker) in one.text("#who"), "all are counted", interval=0.2
            )
            say(other, f"to {transport} <b>")
            page.wait_for_text("#said", f"to {transport} <b> {host}, worker {worker}")
            page.type("#text", f"from {transport}")
            page.press_enter()
            other.see(f"from {transport}")
            page.type("#room", "red")
            page.click("#join")
            page.wait_for_text("#join", "Leave the room")
            job(redis.url, f"to red over {transport}", "red")
            page.wait_for_text("#said", f"[red] to red over {transport}")
            assert not page.evaluate("document.querySelector('#alone').checkVisibility()")
            assert page.console_errors() == []
            page.close()


def test_a_host_goes_away(front: Nginx, hosts: list[Host], redis: RedisServer, visitors: Open) -> None:
    everybody = visitors(front.url, POLLING, UPGRADING, WEBSOCKET, places=2, at=lambda place: place[0])
    gone = hosts[0]
    moved = [one for one in everybody if one.place()[0] == "one"]
    try:
        gone.kill()
        for visitor in moved:
            wait_for(lambda one=visitor: one.place()[0] == "two", "it comes back to the other host")
        wait_for(lambda: sum(counted(moved[0]).values()) == len(everybody), "the cluster knows who is there")
        say(moved[0], "still here")
        job(redis.url, "the job, too")
        for visitor in everybody:
            visitor.see("still here")
            visitor.see("the job, too")
            assert bool(visitor.client.found("disconnect")) == (visitor in moved)
    finally:
        gone.start()


def test_the_configuration_is_the_one_in_the_documentation() -> None:
    _, _, marked = (SCALING / "nginx.conf").read_text("utf-8").partition("# --- for the http block ---\n")
    marked, end, _ = marked.partition("    # --- until here ---\n")
    assert end
    assert f"```nginx\n{textwrap.dedent(marked).strip()}\n```" in (ROOT / "docs/deploy/nginx.md").read_text("utf-8")
