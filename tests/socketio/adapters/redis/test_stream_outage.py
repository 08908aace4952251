"""Owns what becomes of broadcasts and clients while Redis is away, restarts, or comes back without what it had."""

import gevent
import pytest
from contract.application import Peer
from contract.waiting import turn, wait_until
from redis_server import RedisServer

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis import publisher, stream_pending

from .streaming import Cluster, Traveller, dialect_of, forget, to

#: Long enough for a restart of Redis, short enough to wait for.
GRACE = 1.5


@pytest.fixture
def cluster(own_server):
    cluster = Cluster(own_server)
    yield cluster
    cluster.close()


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(stream_pending, "OUTAGE_GRACE", GRACE)


def away(server):
    wait_until(lambda: not dialect_of(server).pending.connected, "it notices")


def here(server):
    wait_until(lambda: dialect_of(server).pending.connected, "it is connected again")


def plain(events):
    return [event[:2] for event in events]


def test_a_short_outage_delays_and_changes_nothing(cluster, own_server):
    first, second = cluster.add(), cluster.add()
    one, two = Traveller(first), Traveller(second)
    one.go(first)
    two.go(second)
    own_server.kill()
    away(first)
    for value in range(50):
        to(first).emit("n", value)
    turn()
    one.read()
    assert one.events == []
    own_server.start()
    assert one.wait(50) == two.wait(50) == [["n", value] for value in range(50)]
    assert one.events == two.events  # with their offsets


def test_a_long_outage(cluster, own_server, short_grace):
    first, second = cluster.add(), cluster.add()
    one, two = Peer(first), Peer(second)
    socket, _ = one.join(), two.join()
    own_server.kill()
    away(first)
    to(first).emit("n", 1)
    socket.emit("only", "you")
    turn()
    assert one.events() == [["only", "you", None]]  # who is here need not wait
    seen = []
    wait_until(lambda: seen.extend(one.events()) or seen, "it is told without the log")
    assert seen == [["n", 1]]
    for value in (2, 3):
        to(first).emit("n", value)
    wait_until(lambda: seen.extend(one.events()) or len(seen) == 3, "at once now")
    assert seen == [["n", 1], ["n", 2], ["n", 3]]
    own_server.start()
    others = []
    wait_until(lambda: others.extend(two.events()) or len(others) == 3, "the others are told in the end")
    assert plain(others) == [["n", 1], ["n", 2], ["n", 3]]
    here(first)
    to(first).emit("n", 4)
    wait_until(lambda: seen.extend(one.events()) or len(seen) > 3, "and it goes on")
    assert seen[3][:2] == ["n", 4]
    assert len(seen) == 4
    assert len(seen[3]) == 3
    assert not dialect_of(first).pending.any_early


def test_who_comes_back_after_an_outage_is_given_what_was_delivered_early(cluster, own_server, short_grace):
    first, second = cluster.add(), cluster.add()
    traveller, witness = Traveller(second), Traveller(first)
    traveller.go(second)
    witness.go(first)
    to(first).emit("n", 0)
    traveller.wait(1)
    traveller.vanish()
    dialect = dialect_of(first)
    wait_until(lambda: not dialect.bus.publisher.waiting, "all is said")
    dialect.pending.changed(False)  # it can read and write, but the log will be late
    dialect.pending.out = True
    dialect.bus.publisher.send("BLPOP", "nothing", 1)
    to(first).emit("n", 1)
    number = max(dialect.pending._waiting)
    wait_until(lambda: number not in dialect.pending._waiting, "it is early")
    assert dialect.pending.any_early
    dialect.pending.out = False  # Redis has just come back
    assert traveller.go(first).recovered
    assert len(traveller.events) == 1
    assert traveller.wait(2) == [["n", 0], ["n", 1]]
    witness.read()
    assert len(witness.events) == 2
    dialect.pending.changed(True)
    to(first).emit("n", 2)
    assert traveller.wait(3)[-1] == ["n", 2]
    assert witness.wait(3)[-1] == ["n", 2]


def test_too_much_waits(own_server, monkeypatch):
    monkeypatch.setattr(publisher.Publisher.__init__, "__kwdefaults__", {
        **publisher.Publisher.__init__.__kwdefaults__, "max_entries": 50,
    })  # fmt: skip
    cluster = Cluster(own_server)
    try:
        first = cluster.add()
        traveller = Traveller(first)
        socket = traveller.go(first)
        wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is said")
        own_server.kill()
        away(first)
        told, error = 0, None
        while error is None:
            try:
                to(first).emit("n", told)
                told += 1
            except ClusterError as refused:
                error = refused
        assert "XADD" in str(error)
        assert 40 < told <= 50
        socket.emit("only", 1)  # to a client that is here
        turn()
        traveller.read()
        assert plain(traveller.events) == [["only", 1]]
        own_server.start()
        traveller.wait(told + 1)
        assert plain(traveller.events) == [["only", 1], *(["n", value] for value in range(told))]
    finally:
        cluster.close()


def test_redis_restarts_empty(short_grace, caplog):
    with RedisServer() as redis:
        cluster = Cluster(redis)
        try:
            first, second = cluster.add(), cluster.add()
            traveller, witness = Traveller(first), Traveller(second)
            traveller.go(first)
            witness.go(second)
            to(first).emit("n", 1)
            traveller.wait(1)
            witness.wait(1)
            redis.restart()
            here(first)
            here(second)
            to(first).emit("n", 2)
            assert traveller.wait(2)[-1] == ["n", 2]
            assert witness.wait(2)[-1] == ["n", 2]
            traveller.vanish()
            traveller.offsets = {"/": traveller.events[0][-1]}
            assert not traveller.go(second).recovered  # from before the loss
            to(first).emit("n", 3)
            assert witness.wait(3)[-1] == ["n", 3]
            witness.vanish()
            wait_until(lambda: not dialect_of(second).bus.publisher.waiting, "its session is there again")
            to(first).emit("n", 4)
            assert witness.go(first).recovered  # from after it
            assert witness.wait(4)[-1] == ["n", 4]
        finally:
            cluster.close()
    assert "Redis has lost" in caplog.text


def test_redis_restarts_behind(caplog):
    with RedisServer() as redis:
        cluster = Cluster(redis)
        try:
            first, second = cluster.add(), cluster.add()
            traveller = Traveller(first)
            traveller.go(first)
            to(first).emit("n", 1)
            traveller.wait(1)
            wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is kept")
            redis.ask("SAVE")
            to(first).emit("n", 2)
            traveller.wait(2)
            redis.restart()
            for server in (first, second):
                wait_until(lambda server=server: dialect_of(server).reader.lost_up_to > (0, 0), "it is noticed")
                here(server)
            forget(first)
            traveller.offsets["/"] = traveller.events[0][-1]  # it is there still, but what came after it is not
            assert not traveller.go(second).recovered
            to(second).emit("n", 3)
            assert traveller.wait(3)[-1] == ["n", 3]
        finally:
            cluster.close()
    assert "Redis has lost" in caplog.text


def test_who_comes_back_while_redis_is_away_starts_anew(cluster, own_server, short_grace):
    first = cluster.add()
    traveller = Traveller(first)
    traveller.go(first)
    to(first).emit("n", 1)
    traveller.wait(1)
    own_server.kill()
    away(first)
    traveller.vanish()
    assert not traveller.go(first).recovered
    to(first).emit("n", 2)
    traveller.wait(2)
    assert traveller.events[-1] == ["n", 2]


def test_a_server_that_begins_while_redis_is_away(own_server, short_grace):
    own_server.kill()
    cluster = Cluster(own_server)
    try:
        server_of = gevent.spawn(cluster.add)
        gevent.sleep(0.1)
        own_server.start()
        first = server_of.get(timeout=20)
        traveller = Traveller(first)
        traveller.go(first)
        to(first).emit("n", 1)
        assert traveller.wait(1) == [["n", 1]]
    finally:
        cluster.close()


@pytest.mark.timeout(300)
def test_twenty_restarts_under_load_lose_and_repeat_nothing(cluster, own_server):
    """Two servers emit without a pause while Redis is killed and started again and again; one client stays, one travels
    from server to server, and both receive everything once, in one order.
    """
    servers = cluster.add(), cluster.add()
    stays, travels = Traveller(servers[0]), Traveller(servers[1])
    stays.go(servers[0])
    travels.go(servers[1])
    emitting = True
    sent = [0, 0]

    def emit(which):
        while emitting:
            to(servers[which]).emit("n", [which, sent[which]])
            sent[which] += 1
            gevent.sleep(0.004)

    jobs = [gevent.spawn(emit, which) for which in (0, 1)]
    recovered = []
    for restart in range(20):
        gevent.sleep(0.4)
        own_server.process.kill()
        gevent.sleep(0.02 * (restart % 5))
        own_server.restart()
        if restart % 4 == 3:
            for server in servers:
                here(server)
            travels.vanish()
            gevent.sleep(0.05)
            recovered.append(travels.go(servers[restart // 4 % 2]).recovered)
    emitting = False
    gevent.joinall(jobs, raise_error=True)
    expected = {(which, number) for which in (0, 1) for number in range(sent[which])}
    assert len(expected) > 200
    for traveller in (stays, travels):
        seen = [tuple(event[1]) for event in traveller.wait(len(expected))]
        assert len(seen) == len(set(seen)), "nothing twice"
        assert set(seen) == expected
        for which in (0, 1):
            numbers = [number for source, number in seen if source == which]
            assert numbers == sorted(numbers)
    assert stays.events == travels.events
    assert recovered == [True] * 5


def test_too_much_waits_for_long(own_server, short_grace, monkeypatch, caplog):
    """The clients here are served, whoever emits needs no try; the log tells what the others will not be told."""
    monkeypatch.setattr(publisher.Publisher.__init__, "__kwdefaults__", {
        **publisher.Publisher.__init__.__kwdefaults__, "max_entries": 20,
    })  # fmt: skip
    cluster = Cluster(own_server)
    try:
        first, second = cluster.add(), cluster.add()
        one, two = Peer(first), Peer(second)
        socket, _ = one.join(), two.join()
        wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is said")
        own_server.kill()
        away(first)
        wait_until(lambda: dialect_of(first).pending.out, "it is known to be away")
        for value in range(50):
            to(first).emit("n", value)
            socket.emit("only", value)
        events = []
        wait_until(lambda: events.extend(one.events()) or len(events) >= 100, "who is here is served")
        assert [event[1] for event in events] == [value for value in range(50) for _ in range(2)]
        waiting = dialect_of(first).pending._waiting
        assert not waiting  # nothing is held that was delivered
        assert len(dialect_of(first).pending._early) <= 20  # nor is expected what Redis will never be told of
        own_server.start()
        others = []
        wait_until(lambda: others.extend(two.events()) or len(others) == 10, "what could wait")
        assert plain(others) == [["n", value] for value in range(10)]
        here(first)
        to(first).emit("n", 50)
        wait_until(lambda: events.extend(one.events()) or len(events) > 100, "and it goes on")
        assert [event[:2] for event in events[100:]] == [["n", 50]]
    finally:
        cluster.close()
    assert "could not be told to the other servers" in caplog.text


def test_what_was_lost_leaves_nothing_behind(cluster, own_server):
    """After a loss some of what was delivered early may never come back; who comes back is not remembered for ever."""
    first, second = cluster.add(), cluster.add()
    dialect = dialect_of(first)
    dialect.pending.add(10**9, "/", Broadcast(["n", 0], (), (), False, True))
    dialect.pending.written(10**9)
    dialect.pending._deliver_early(10**9)
    assert dialect.pending.any_early
    travellers = [Traveller(second) for _ in range(30)]
    for traveller in travellers:
        traveller.go(second)
    to(second).emit("n", 1)
    for traveller in travellers:
        traveller.wait(1)
        traveller.vanish()
        assert traveller.go(first).recovered
        traveller.vanish()
    recovery = first.of("/").adapter.recovery
    assert len(recovery._late) < 5
    assert len(recovery._ahead) < 5
