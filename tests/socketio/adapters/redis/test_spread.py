"""Owns what the log needs of a Redis Cluster, where it and each client's session have different masters, and of a user
with few rights behind TLS: that clients come back, and that streams are read wherever they are.
"""

from types import SimpleNamespace

import pytest
from contract.cluster_kinds import Classic, Queue, Sharded, Streams
from contract.cluster_places import Places, documented_rules
from contract.waiting import wait_until
from redis_places import watched

from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.outsider import Outsider
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher

from .fleet import Fleet
from .streaming import Cluster, Traveller, dialect_of, to


@pytest.fixture
def url(cluster):
    return f"redis+cluster://127.0.0.1:{cluster[0].port}"


@pytest.fixture(scope="module")
def places():
    places = Places()
    yield places
    places.close()


def come_back(url, count):
    """Clients of one server come back to another, and get what they missed."""
    cluster = Cluster(SimpleNamespace(url=url))
    try:
        first, second = cluster.add(), cluster.add()
        travellers = [Traveller(first) for _ in range(count)]
        for number, traveller in enumerate(travellers):
            traveller.go(first).join("room", f"own {number}")
        to(second, "room").emit("n", 1)
        for traveller in travellers:
            traveller.wait(1)
            traveller.vanish()
        wait_until(lambda: not first.of("/").sockets, "they are gone")
        wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is kept")
        yield
        to(second, "room").emit("n", 2)
        for number in range(count):
            to(first, f"own {number}").emit("n", 10 + number)
        for number, traveller in enumerate(travellers):
            assert traveller.go(second).recovered
            assert traveller.wait(3) == [["n", 1], ["n", 2], ["n", 10 + number]]
        to(first, "room").emit("n", 3)
        for traveller in travellers:
            assert traveller.wait(4)[-1] == ["n", 3]
    finally:
        cluster.close()


def test_clients_come_back_whose_sessions_are_anywhere(cluster, url):
    for _ in come_back(url, 12):
        # Each master has some of the sessions, and one has the log.
        kept = [server.ask("KEYS", "sio:session:*") for server in cluster]
        assert sum(map(len, kept)) == 12
        assert max(map(len, kept)) < 12
        assert sorted(len(server.ask("KEYS", "socket.io")) for server in cluster) == [0, 0, 1]


def test_clients_come_back_behind_sentinels(places):
    for _ in come_back(places.url("sentinel", "streams"), 2):
        pass


def test_the_documented_rights_suffice_to_come_back(places):
    for _ in come_back(places.url("tls", "streams"), 2):
        pass


def let_in(server, kind, *further):
    rule = [word.replace("PASSWORD", "secret") for word in documented_rules()[kind.name]]
    server.ask("ACL", "SETUSER", kind.name, *rule, *further)


def carries(kind, url):
    """Whether two servers over this URL become one cluster."""
    Fleet(kind.dialect_class, url.replace("://", f"://{kind.name}:secret@")).close()
    return True


KINDS = (Classic, Sharded, Streams, Queue)


def test_the_documented_rights_suffice_in_a_redis_cluster(cluster, url):
    for kind in KINDS:
        for master in cluster:
            let_in(master, kind, "+cluster|slots")
        assert carries(kind, url)


def test_the_documented_rights_suffice_behind_sentinels():
    with watched() as redis:
        for kind in KINDS:
            let_in(redis.master, kind, "+role")
            assert carries(kind, redis.url())


@pytest.mark.parametrize("dialect", ["classic", "sharded", "streams", "queue"])
@pytest.mark.parametrize("place", ["sentinel", "tls"])
def test_an_emitter_reaches_any_place(places, dialect, place):
    outsider = Outsider(places.url(place, dialect))
    try:
        outsider.tell("/", Broadcast(("n", 1), (), ()))
    finally:
        outsider.close()


def test_a_transaction_goes_to_the_master_of_its_key(cluster, url, opened):
    publisher = opened(Publisher(url))
    keys = [f"session:{number}" for number in range(30)]
    for key in keys:
        publisher.ask("SET", key, key)
    assert all(server.ask("DBSIZE") > 0 for server in cluster)
    for key in keys:
        assert publisher.transaction(("GET", key), ("DEL", key)) == [key.encode(), 1]
    assert publisher.transaction(("GET", keys[0]), ("DEL", keys[0])) == [None, 0]


def test_a_transaction_of_a_slot_that_has_just_moved(cluster, url, opened):
    publisher = opened(Publisher(url))
    assert publisher.ask("SET", "moving", "v") == b"OK"
    slot = cluster[0].ask("CLUSTER", "KEYSLOT", "moving")
    source = next(server for server in cluster if server.ask("CLUSTER", "COUNTKEYSINSLOT", slot))
    target = next(server for server in cluster if server is not source)
    ids = {server: server.ask("CLUSTER", "MYID").decode() for server in (source, target)}
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    source.ask("MIGRATE", "127.0.0.1", target.port, "moving", 0, 5000)
    for server in (target, source, *cluster):
        server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    assert publisher.transaction(("GET", "moving"), ("DEL", "moving")) == [b"v", 1]


def test_streams_of_several_masters_are_read_at_once(cluster, url, opened, read):
    names = [f"stream:{number}" for number in range(12)]
    reader = read(url, *names)
    publisher = opened(Publisher(url))
    for number in range(5):
        for name in names:
            publisher.send("XADD", name, "*", "n", number, durable=True)
    wait_until(lambda: len(reader.got) == 60)
    assert all(server.ask("KEYS", "stream:*") for server in cluster)
    for name in names:
        assert [int(fields[b"n"]) for stream, _, fields in reader.got if stream == name] == list(range(5))
    assert reader.gaps == []
