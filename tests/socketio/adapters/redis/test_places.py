"""Owns where Redis may be: behind TLS, at a Unix socket, in a database, in a cluster, behind sentinels."""

import pytest
from contract.waiting import wait_until
from gevent.event import Event
from gevent.server import StreamServer
from redis_places import TLSServer, tls_url, watched
from redis_server import RedisServer, free_port, redis_cluster, until

from flask_socketio_py.socketio.adapters.redis.blocking import BlockingClient
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher


def check(url, opened, subscribe, read):
    """Everything once, at one place."""
    publisher, subscriber, reader = opened(Publisher(url)), subscribe(url, "a"), read(url, "s")
    publisher.send("PUBLISH", "a", "m")
    publisher.send("XADD", "s", "*", "n", 1, durable=True)
    assert publisher.ask("SET", "k", "v") == b"OK"
    assert publisher.count_subscribers("a") == 1
    wait_until(lambda: subscriber.heard == [(b"a", b"m")] and len(reader.got) == 1)
    client = opened(BlockingClient(url))
    assert client.send(("PUBLISH", "a", "2"), ("GET", "k")) == [1, b"v"]
    # Both directions at once, while it reads.
    names = [f"c{number}" for number in range(300)]
    subscriber.subscribe(*names)
    for name in names:
        publisher.send("PUBLISH", "a", name)
    assert subscriber.ready(10)
    wait_until(lambda: len(subscriber.heard) == 302)


@pytest.fixture(scope="module")
def tls_server():
    with TLSServer() as server:
        server.ask("ACL", "SETUSER", "us:er", "on", ">p@/w", "+@all", "~*", "&*")
        yield server


@pytest.mark.parametrize("credentials", ["", "us%3Aer:p%40%2Fw@"])
def test_tls_with_a_certificate_of_ours(tls_server, opened, subscribe, read, credentials):
    check(tls_url(tls_server.port, credentials), opened, subscribe, read)


def test_large_commands_over_tls(tls_server, opened):
    publisher = opened(Publisher(tls_url(tls_server.port)))
    publisher.ask("SET", "large", b"x" * 3_000_000)
    assert publisher.ask("STRLEN", "large") == 3_000_000


def test_tls_that_checks_nothing(tls_server, opened):
    url = tls_url(tls_server.port, ca="") + "&ssl_cert_reqs=none"
    assert opened(Publisher(url)).ask("PING") == b"PONG"
    assert opened(BlockingClient(url)).send(("PING",)) == [b"PONG"]


def test_a_redis_cluster_over_tls(opened, subscribe, read):
    with TLSServer(cluster_enabled="yes", cluster_port=str(free_port()), tls_cluster="yes") as server:
        server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        until(lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"), "it serves")
        check(tls_url(server.port).replace("rediss", "rediss+cluster"), opened, subscribe, read)


def test_sentinels_over_tls(opened, subscribe, read):
    with TLSServer() as server:
        monitor = f"sentinel monitor main 127.0.0.1 {server.port} 1"
        with TLSServer(sentinel=monitor, tls_replication="yes") as sentinel:
            url = tls_url(sentinel.port).replace("rediss", "rediss+sentinel").replace("?", "/main?")
            check(url, opened, subscribe, read)


def test_an_end_in_the_midst_of_a_handshake_leaves_nothing(opened):
    greeted, over = [], Event()

    def never_answer(sock, _):
        greeted.append(sock.recv(1))
        over.wait()

    silent = StreamServer(("127.0.0.1", 0), never_answer)
    silent.start()
    try:
        publisher = opened(Publisher(f"rediss://127.0.0.1:{silent.server_port}?ssl_cert_reqs=none"))
        publisher.start()
        wait_until(lambda: len(greeted) == 2, "both lanes wait for the answer")
        publisher.close()
    finally:
        over.set()
        silent.stop()


def test_a_unix_socket(opened, subscribe, read):
    with RedisServer(unix=True) as server:
        check(server.url, opened, subscribe, read)


def test_a_user_and_a_database(server, opened, subscribe, read):
    server.ask("ACL", "SETUSER", "us:er", "on", ">p@/w", "+@all", "~*", "&*")
    check(f"redis://us%3Aer:p%40%2Fw@127.0.0.1:{server.port}/3", opened, subscribe, read)
    assert server.ask("DBSIZE") == 0


def cluster_url(servers):
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)


def test_a_cluster(cluster, opened, subscribe, read):
    check(cluster_url(cluster[:2]), opened, subscribe, read)


def test_commands_and_sharded_channels_find_their_server(cluster, opened, subscribe):
    url = cluster_url(cluster[:1])
    names = [f"channel-{number}" for number in range(60)]
    publisher, subscriber = opened(Publisher(url)), subscribe(url, *names, sharded=True)
    assert {len(server.ask("PUBSUB", "SHARDCHANNELS")) > 0 for server in cluster} == {True}
    answers = []
    for name in names:
        publisher.send("SPUBLISH", name, "m", done=answers.append)
    wait_until(lambda: len(subscriber.heard) == 60)
    assert answers == [1] * 60
    assert {publisher.count_subscribers(name, sharded=True) for name in names} == {1}
    for name in names:
        publisher.send("SET", name, name)
    wait_until(lambda: publisher.waiting == 0)
    assert [publisher.ask("GET", name) for name in names] == [name.encode() for name in names]
    assert publisher.transaction(("SET", "{a}1", 1), ("GETDEL", "{a}1")) == [b"OK", b"1"]
    assert opened(BlockingClient(url)).send(*[("GETDEL", name) for name in names]) == [name.encode() for name in names]
    subscriber.sunsubscribe(*names)
    wait_until(lambda: not any(server.ask("PUBSUB", "SHARDCHANNELS") for server in cluster))


def test_a_slot_that_moves_takes_its_channels_and_streams_along(cluster, opened, subscribe, read):
    url = cluster_url(cluster)
    publisher, client = opened(Publisher(url)), opened(BlockingClient(url))
    slot = cluster[0].ask("CLUSTER", "KEYSLOT", "moving")
    subscriber, reader = subscribe(url, "moving", sharded=True), read(url, "moving")
    client.send(("GET", "moving"))
    publisher.send("XADD", "moving", "1-0", "n", 1, durable=True)
    wait_until(lambda: len(reader.got) == 1)
    publisher.ask("DEL", "moving")
    wait_until(lambda: reader.gaps)
    ids = [server.ask("CLUSTER", "MYID").decode() for server in cluster]
    owner = next(number for number, server in enumerate(cluster) if server.ask("PUBSUB", "SHARDCHANNELS"))
    target = (owner + 1) % len(cluster)
    for server in (cluster[target], cluster[owner], *cluster):
        server.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
    wait_until(lambda: subscriber.ready(10) and cluster[target].ask("PUBSUB", "SHARDCHANNELS"))
    answers = []
    publisher.send("SPUBLISH", "moving", "m", done=answers.append)
    publisher.send("XADD", "moving", "2-0", "n", 2, durable=True, done=answers.append)
    wait_until(lambda: len(answers) == 2)
    assert answers == [1, b"2-0"]
    wait_until(lambda: subscriber.heard == [(b"moving", b"m")] and len(reader.got) == 2)
    assert client.send(("EXISTS", "moving")) == [1]
    assert publisher.lost == 0


def test_a_key_that_is_on_its_way_is_found(cluster, opened):
    publisher = opened(Publisher(cluster_url(cluster)))
    slot = cluster[0].ask("CLUSTER", "KEYSLOT", "asked")
    ids = [server.ask("CLUSTER", "MYID").decode() for server in cluster]
    owner = next(
        number
        for number, server in enumerate(cluster)
        if any(first <= slot <= last for first, last in own_slots(server))
    )
    target = (owner + 1) % len(cluster)
    cluster[target].ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
    cluster[owner].ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    try:
        assert publisher.ask("SET", "asked", "v") == b"OK"
        assert publisher.ask("GET", "asked") == b"v"
        assert cluster[owner].ask("CLUSTER", "COUNTKEYSINSLOT", slot) == 0
    finally:
        cluster[owner].ask("CLUSTER", "SETSLOT", slot, "STABLE")
        cluster[target].ask("CLUSTER", "SETSLOT", slot, "STABLE")


def own_slots(server):
    return [(first, last) for first, last, owner, *_ in server.ask("CLUSTER", "SLOTS") if owner[1] == server.port]


def test_a_cluster_that_lost_a_server_still_carries_channels(opened, subscribe):
    with redis_cluster() as servers:
        for server in servers:
            server.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        url = cluster_url(servers)
        publisher, subscriber = opened(Publisher(url)), subscribe(url, "a")
        assert publisher.ask("PING") == b"PONG"
        servers[0].kill()

        def heard():
            publisher.send("PUBLISH", "a", "m")
            return subscriber.heard

        wait_until(heard)
        assert subscriber.ready(10)


def test_sentinels_name_the_master_and_the_next_one(opened, subscribe, read):
    with watched() as everything:
        [sentinel], master, replica = everything.sentinels, everything.master, everything.replica
        gone = RedisServer()
        gone.discard()
        url = f"redis+sentinel://127.0.0.1:{gone.port},127.0.0.1:{sentinel.port}/main"
        check(url, opened, subscribe, read)
        publisher, subscriber = opened(Publisher(url)), subscribe(url, "b")
        assert publisher.ask("SET", "who", "master") == b"OK"
        until(lambda: replica.ask("GET", "who") == b"master", "it is replicated")
        master.kill()
        answers = []
        publisher.send("XADD", "s", "*", "n", 2, durable=True, done=answers.append)
        wait_until(lambda: answers and subscriber.ready(1))
        assert replica.ask("XLEN", "s") == 2
        publisher.send("PUBLISH", "b", "m")
        wait_until(lambda: subscriber.heard == [(b"b", b"m")])
