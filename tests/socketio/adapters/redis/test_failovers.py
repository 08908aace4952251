"""Owns that a cluster goes on when its Redis moves under traffic: sentinels promote a replica, a Redis Cluster replaces
a master or moves a slot. What a dialect promises of what is emitted meanwhile is kept, and what is lost is told.
"""

import gevent
import pytest
from contract.waiting import wait_until
from redis_places import watched
from redis_server import redis_cluster, until

from flask_socketio_py.socketio.adapters.redis import publisher
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect

from .fleet import Fleet, eventually, increasing

#: All keys and channels with it have one slot.
TAG = "{sio}"


@pytest.fixture
def fleet():
    """``fleet(dialect_class, url, **options)``: closed in the end."""
    fleets = []

    def make(*args, **options):
        fleets.append(Fleet(*args, **options))
        return fleets[-1]

    yield make
    for one in fleets:
        one.close()


def in_a_thread(function, *args):
    return gevent.get_hub().threadpool.spawn(function, *args).get()


def test_sentinels_promote_the_replica(fleet, caplog, monkeypatch):
    monkeypatch.setattr(publisher, "PATIENCE", 0.3)
    with watched(sentinels=3) as redis:
        classic = fleet(ClassicDialect, redis.url())
        streams = fleet(StreamsDialect, redis.url("streams"), channel="log")
        with classic.traffic(), streams.traffic():
            in_a_thread(redis.master.kill)
        assert redis.replica.ask("ROLE")[0] == b"master"
        check_channels(classic, caplog)
        check_log(streams, caplog)


def check_channels(fleet, caplog):
    """All of it here; there what was not lost, and that some was is told."""
    assert fleet.got_near == list(range(fleet.sent))
    assert increasing(fleet.got_far)
    assert fleet.dialect.bus.publisher.lost > 0
    assert len(fleet.got_far) < fleet.sent
    assert "messages to the other servers were lost" in caplog.text


def check_log(fleet, caplog):
    """All of it here; there, too, unless the replica had not received what Redis had acknowledged: which is told."""
    assert sorted(fleet.got_near) == list(range(fleet.sent))
    assert increasing(fleet.got_far)
    if "Redis has lost entries" not in caplog.text:
        assert fleet.got_near == fleet.got_far == list(range(fleet.sent))


def test_a_replica_takes_over_that_had_not_received_everything(fleet, caplog):
    """What Redis has acknowledged is gone; who has been told it is not told again, and it goes on from the new end."""
    with watched() as redis:
        streams = fleet(StreamsDialect, redis.url("streams"))
        for _ in range(5):
            streams.emit()
        streams.settle()
        until(lambda: redis.replica.ask("XLEN", "socket.io") == redis.master.ask("XLEN", "socket.io"), "it follows")
        # The replica loses its master, and can't come back to it: it has no password.
        redis.master.ask("CONFIG", "SET", "requirepass", "secret")
        redis.replica.ask("CLIENT", "KILL", "TYPE", "master")
        for _ in range(20):
            streams.emit()
        streams.settle()
        redis.master.kill()
        streams.emit()
        eventually(lambda: "Redis has lost entries of the log" in caplog.text, "it is told")
        streams.settle()
        # Of what was under way nobody knows: here it is told in any case.
        assert streams.got_near == list(range(streams.sent))
        assert increasing(streams.got_far)
        assert len(streams.got_far) >= streams.sent - 1


def owner(servers, key):
    slot = servers[0].ask("CLUSTER", "KEYSLOT", key)
    for server in servers:
        for first, last, master, *_ in server.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last and master[1] == server.port:
                return server
    raise AssertionError("nobody owns it")


def test_a_master_of_a_redis_cluster_is_replaced(fleet, caplog, monkeypatch):
    monkeypatch.setattr(publisher, "PATIENCE", 0.3)
    with redis_cluster(replica_of=TAG) as servers:
        *_, replica = servers
        url = f"redis+cluster://127.0.0.1:{servers[0].port},127.0.0.1:{servers[1].port}"
        sharded, streams = fleet(ShardedDialect, url, channel=TAG), fleet(StreamsDialect, url, channel=TAG + "log")
        with sharded.traffic(), streams.traffic():
            in_a_thread(owner(servers, TAG).kill)
        assert replica.ask("ROLE")[0] == b"master"
        check_channels(sharded, caplog)
        check_log(streams, caplog)


def move(servers, key):
    """Let another master have the slot, with the keys in it, as redis-cli does."""
    slot = servers[0].ask("CLUSTER", "KEYSLOT", key)
    source = owner(servers, key)
    target = servers[(servers.index(source) + 1) % len(servers)]
    ids = {server: server.ask("CLUSTER", "MYID").decode() for server in servers}
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    for name in source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        assert source.ask("MIGRATE", "127.0.0.1", target.port, name, 0, 5000) == b"OK"
    for server in (target, source, *servers):
        server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    assert owner(servers, key) is target


def test_a_slot_moves(fleet, cluster, caplog):
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    sharded, streams = fleet(ShardedDialect, url, channel=TAG), fleet(StreamsDialect, url, channel=TAG + "log")
    with sharded.traffic(), streams.traffic():
        for _ in range(4):
            in_a_thread(move, cluster, TAG)
            sharded.flows()
            streams.flows()
    assert sharded.got_near == list(range(sharded.sent))
    assert increasing(sharded.got_far)
    assert streams.got_near == streams.got_far == list(range(streams.sent))
    assert "Redis has lost" not in caplog.text
    assert sharded.dialect.bus.publisher.lost == streams.dialect.bus.publisher.lost == 0


def test_a_slot_that_moves_and_is_back_before_anybody_looks(cluster, subscribe):
    source = owner(cluster, "back")
    slot = source.ask("CLUSTER", "KEYSLOT", "back")
    other = next(server for server in cluster if server is not source)
    subscriber = subscribe(f"redis+cluster://127.0.0.1:{source.port}", "back", "{back}2", sharded=True)
    ids = [server.ask("CLUSTER", "MYID").decode() for server in (other, source)]
    client = source.client()
    for identifier in ids:
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", identifier)
    client.close()
    wait_until(lambda: source.ask("SPUBLISH", "back", "m") == 1, "it is heard again")
    wait_until(lambda: source.ask("SPUBLISH", "{back}2", "m") == 1, "so is its neighbour")
    assert subscriber.ready(10)
