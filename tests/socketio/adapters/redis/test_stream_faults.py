"""Owns what a bad connection to Redis does to broadcasts of a log: nothing is lost, repeated or out of order."""

import gevent
import pytest
from contract.application import Peer
from contract.waiting import turn, wait_until

from flask_socketio_py.socketio.adapters.redis import wire

from .proxy import Proxy
from .streaming import Cluster, Traveller, dialect_of, to


@pytest.fixture
def cluster(own_server):
    cluster = Cluster(own_server)
    yield cluster
    cluster.close()


def collect(peer, events, count):
    wait_until(lambda: events.extend(peer.events()) or len(events) >= count, f"{count} events: {events[-3:]}")
    return [event[:2] for event in events]


@pytest.mark.parametrize("cut_after", [700, 3001, 9000])
def test_cut_in_the_middle_of_a_message(server, cut_after):
    proxy = Proxy(server.port)
    cluster = Cluster(proxy)
    try:
        first, second = cluster.add(), cluster.add()
        one, two = Peer(first), Peer(second)
        one.join(), two.join()
        seen = [], []
        proxy.cut_after = cut_after
        server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for value in range(200):
            to(first if value % 2 else second).emit("n", value)
            if not value % 10:
                gevent.sleep(0.01)
        wait_until(lambda: proxy.cuts > 2, "it is cut again and again")
        proxy.cut_after = None
        for peer, events in zip((one, two), seen, strict=True):
            assert sorted(event[1] for event in collect(peer, events, 200)) == list(range(200))
        assert seen[0] == seen[1]
        for half in (0, 1):
            numbers = [event[1] for event in seen[0] if event[1] % 2 == half]
            assert numbers == sorted(numbers)
    finally:
        cluster.close()
        proxy.close()


def test_a_redis_that_is_stopped_and_goes_on(cluster, own_server, monkeypatch):
    """Entries whose answer did not come in time are written once more; nobody is sent them twice."""
    monkeypatch.setattr(wire, "TIMEOUT", 0.3)
    first, second = cluster.add(), cluster.add()
    one, two = Peer(first), Peer(second)
    one.join(), two.join()
    for value in range(5):
        own_server.pause()
        for step in range(10):
            to(first).emit("n", 10 * value + step)
        gevent.sleep(0.8)
        own_server.resume()
        wait_until(lambda: dialect_of(first).pending.connected, "it is connected again")
    seen = [], []
    for peer, events in zip((one, two), seen, strict=True):
        assert collect(peer, events, 50) == [["n", value] for value in range(50)]
    with own_server.client() as client:
        written = [fields for _, fields in client.xrange("socket.io")]
    assert len(written) > 50  # the test is about repetitions
    turn()
    assert one.events() == two.events() == []


@pytest.mark.parametrize("where", ["greenlet", "hub"])
def test_the_end_during_an_outage(cluster, own_server, where):
    """What waits is delivered here, and closing does not wait for Redis to come back."""
    first = cluster.add()
    peer = Peer(first)
    socket = peer.join()
    own_server.kill()
    wait_until(lambda: not dialect_of(first).pending.connected, "it notices")
    for value in range(3):
        to(first).emit("n", value)
    dialect = dialect_of(first)
    if where == "hub":
        gevent.get_hub().loop.run_callback(dialect.close)
    else:
        dialect.close()
    events = []
    assert collect(peer, events, 3) == [["n", value] for value in range(3)]
    to(first).emit("n", 3)
    socket.emit("only", 4)
    assert collect(peer, events, 5)[3:] == [["n", 3], ["only", 4]]
    wait_until(lambda: not dialect.pending._waiting, "nothing is waited for")


def test_a_client_that_is_sent_away_during_an_outage_does_not_come_back(cluster, own_server, monkeypatch):
    first, second = cluster.add(), cluster.add()
    traveller = Traveller(first)
    socket = traveller.go(first)
    to(first).emit("n", 1)
    traveller.wait(1)
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "it is kept")
    own_server.kill()
    wait_until(lambda: not dialect_of(first).pending.connected, "it notices")
    socket.disconnect()
    turn()
    own_server.start()
    for server in (first, second):
        wait_until(lambda server=server: dialect_of(server).pending.connected, "it is connected again")
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is said")
    assert not traveller.go(second).recovered
