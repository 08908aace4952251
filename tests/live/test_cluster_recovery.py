"""Owns the official client that comes back to another server of one cluster: ours, official ones, in any direction."""

import os
import signal
import threading
import time

import pytest

from tests.live.cluster import Member, NodeServer, until_equal
from tests.live.jsclient import JS
from tests.live.servers import Server, wait_for
from tests.redis_server import RedisServer

NODE_ADAPTER = JS.parents[1] / "node_modules" / "@socket.io" / "redis-streams-adapter"
#: The client comes back after so many milliseconds.
AWAY = 300

pytestmark = pytest.mark.usefixtures("javascript")


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


def ours(redis, name, kind):
    options = {
        "message_queue": redis.url.replace("redis://", "redis+streams://"),
        "connection_state_recovery": {"max_disconnection_duration": 60},
        "name": name,
    }
    return Member(name, Server("tests.live.apps.cluster:app", kind, options=options))


@pytest.fixture(scope="module")
def official(redis, javascript):
    if not NODE_ADAPTER.is_dir():
        pytest.skip("missing: @socket.io/redis-streams-adapter (npm install --prefix tests)")
    options = {"connectionStateRecovery": {"maxDisconnectionDuration": 60_000}}
    with NodeServer(redis.url, "streams", "node", **options) as server:
        yield Member("node", server)


@pytest.fixture(scope="module")
def one(redis):
    member = ours(redis, "ours 1", "run")
    with member.server:
        yield member


@pytest.fixture(scope="module")
def two(redis):
    member = ours(redis, "ours 2", "gevent")
    with member.server:
        yield member


class Journey:
    """A client that travels, and is sent numbers."""

    def __init__(self, js, start, others):
        self.client = js.open(start.server.url, transports=["websocket"], reconnectionDelay=AWAY, randomizationFactor=0)
        self.place = start
        self.sid = self.client.sid()
        self.count = 0
        self.travels = False
        members = start, *others
        wait_for(lambda: {member.do("servers") for member in members} == {len(members)}, "they know each other")

    def send(self, *members, **whom):
        for member in members:
            self.count += 1
            member.do("emit", args=["n", self.count], **whom)
            if self.place.official and not self.travels:
                # It gives its clients what it emits when the log has it, perhaps before older entries of others; and
                # goes by the last one when they come back.
                self.numbers()

    def numbers(self):
        """What it was given so far, once there is all of it."""
        wait_for(lambda: len(self.client.received("n")) >= self.count, f"all of {self.count}")
        return [args[0] for args in self.client.received("n")]

    def go(self, place, *, rudely=True, meanwhile=lambda: None):
        """Its connection breaks, and the next one goes to another server. Returns whether it was recovered."""
        connects = len(self.client.found("connect"))
        self.travels = True
        self.client.move(place.server.url)
        self.client.break_off(rudely=rudely)
        self.client.wait("disconnect", connects)
        meanwhile()
        self.place = place
        recovered = self.client.wait("connect", connects + 1)["recovered"]
        self.travels = False
        return recovered


@pytest.mark.parametrize("way", ["node ours node", "ours node ours", "ours ours ours"])
def test_it_comes_back_to_another_server(official, one, two, js, way):
    places = iter((one, two, one))
    stops = [official if kind == "node" else next(places) for kind in way.split()]
    journey = Journey(js, stops[0], [member for member in (official, one, two) if member is not stops[0]])
    stops[0].do("join", rooms=[journey.sid], moved=["red"])
    stops[0].do("data", sid=journey.sid, data={"name": "Ada", "list": [1, None, {"a": "é"}]})
    journey.send(stops[0], stops[1])
    assert sorted(journey.numbers()) == [1, 2]
    for stop in stops[1:]:

        def meanwhile():
            for member in (official, one, two):
                journey.send(member)
                journey.send(member, rooms=["red"])
                member.do("emit", args=["n", -1], rooms=["blue"])
                member.do("emit", args=["n", -2], excepted=["red"])

        assert journey.go(stop, meanwhile=meanwhile)
        assert journey.client.sid() == journey.sid
        [found] = stop.do("fetch", rooms=[journey.sid])
        assert set(found["rooms"]) == {journey.sid, "red"}
        assert found["data"] == {"name": "Ada", "list": [1, None, {"a": "é"}]}
        journey.send(one, rooms=["red"])
        journey.send(official)
        assert sorted(journey.numbers()) == list(range(1, journey.count + 1))
    for member in (official, one, two):
        until_equal(lambda member=member: len(member.do("fetch", rooms=[journey.sid])), 1)


def test_who_was_disconnected_starts_anew(official, one, two, js):
    journey = Journey(js, one, [official, two])
    journey.send(one)
    journey.numbers()
    one.do("disconnect", rooms=[journey.sid])
    journey.client.wait("disconnect")
    journey.client.connect()
    journey.client.wait("connect", 2)
    assert not journey.client.found("connect")[1]["recovered"]


@pytest.mark.parametrize("kind", ["run", "gevent"])
def test_a_server_is_killed_in_the_midst(redis, official, one, two, js, kind):
    """Numbers are emitted without a pause; the client of the server that is killed receives each of them once."""
    victim = ours(redis, "victim", kind)
    with victim.server:
        journey = Journey(js, victim, [official, one, two])
        victim.do("join", rooms=[journey.sid], moved=["red"])
        until_equal(lambda: len(two.do("fetch", rooms=["red"])), 1)
        time.sleep(1.2)  # what has changed is kept a second later
        over = threading.Event()

        def emit():
            while not over.is_set():
                journey.send(two, **({"rooms": ["red"]} if journey.count % 2 else {}))

        emitting = threading.Thread(target=emit)
        emitting.start()
        try:
            wait_for(lambda: len(journey.client.received("n")) > 20, "it flows")
            journey.client.move(two.server.url)
            os.killpg(victim.server.pid, signal.SIGKILL)
            assert journey.client.wait("connect", 2)["recovered"]
            assert journey.client.sid() == journey.sid
            before = journey.count
            wait_for(lambda: journey.count > before + 20, "it flows on")
        finally:
            over.set()
            emitting.join()
        assert journey.numbers() == list(range(1, journey.count + 1))
        victim.server.kill()
