"""Owns what is kept of clients in Redis: when it is written, who is given it, and what nobody is given."""

import gevent
import pytest
from contract.waiting import wait_until

from flask_socketio_py.errors import ClusterError, ConnectionRefusedError
from flask_socketio_py.socketio.adapters.redis.sessions import insist

from .streaming import Cluster, Traveller, dialect_of, emit, forget, keys, ttl


@pytest.fixture
def cluster(server):
    cluster = Cluster(server)
    yield cluster
    cluster.close()


@pytest.fixture
def pair(cluster):
    return cluster.add(), cluster.add()


@pytest.mark.parametrize(
    "offset",
    ["x", "1", "1-", "-1", "1-1-1", "\u0661-\u0661", "9" * 50 + "-0", "9" * 20 + "-0", " 1-1", "1-1\n", 5, None, {}],
)
def test_what_is_no_offset(cluster, pair, offset):
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()
    traveller.offsets["/"] = offset
    socket = traveller.go(second)
    assert socket.recovered is (offset is None)  # of one who has received nothing, all is told
    assert socket.auth is None or "pid" not in socket.auth


@pytest.mark.parametrize("pid", ["", "x", "*", "a" * 100, "x\r\ny", "é" * 10, "never-given-to-anybody"])
def test_what_is_no_private_id(cluster, pair, pid):
    traveller = Traveller(pair[0])
    traveller.ids["/"] = pid
    assert not traveller.go(pair[1]).recovered


def test_not_in_another_namespace(cluster, pair):
    """Whoever was let into one is not let into another one by that: middleware is skipped for those who come back."""
    first, second = pair

    def guard(socket, auth):
        raise ConnectionRefusedError("not you")

    second.application.guards["/chat"] = guard
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()
    thief = Traveller(second)
    thief.ids["/chat"], thief.offsets["/chat"] = traveller.ids["/"], traveller.offsets["/"]
    assert thief.refused(second, "/chat") == {"message": "not you"}


def test_sessions_are_refreshed(server):
    cluster = Cluster(server, {"max_disconnection_duration": 1.5})
    try:
        first = cluster.add()
        traveller = Traveller(first)
        traveller.go(first)
        [key] = keys(cluster)
        gevent.sleep(4)
        assert keys(cluster) == [key]
        assert 0 < ttl(cluster)[0] <= 2000
        traveller.vanish()
        wait_until(lambda: 0 < ttl(cluster)[0] <= 1500, "it is written once more")
    finally:
        cluster.close()


def test_a_last_word_that_comes_late_is_put_right(cluster, pair):
    """The server that a client comes from may be slower than the client."""
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "it is kept")
    [key] = keys(cluster)
    old = cluster.redis.ask("GET", key)
    back = traveller.go(second)
    back.join("red")
    wait_until(lambda: cluster.redis.ask("GET", key) not in (None, old), "it is kept again")
    cluster.redis.ask("SET", key, old, "PX", 30_000)
    gevent.sleep(1.3)
    forget(second)
    assert set(traveller.go(first).rooms) == {back.id, "red"}


def test_our_own_last_word_comes_first(cluster, pair):
    first = pair[0]
    traveller = Traveller(first)
    socket = traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "it is kept")
    dialect_of(first).bus.publisher.send("BLPOP", "nothing", 1)  # what we write now is late
    socket.join("red")
    assert set(traveller.go(first).rooms) == {socket.id, "red"}


def test_what_the_connect_handler_refuses_is_forgotten(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()

    def refuse(socket, auth):
        raise ConnectionRefusedError("not you")

    second.application.connects["/"] = refuse
    assert traveller.refused(second) == {"message": "not you"}
    wait_until(lambda: not keys(cluster), "it is forgotten")
    assert dialect_of(second).pending.of("/") == []


def test_whoever_was_sent_away_does_not_come_back(cluster, pair):
    first, second = pair
    for leave in (lambda socket, peer: socket.disconnect(), lambda socket, peer: peer.push("1")):
        traveller = Traveller(first)
        socket = traveller.go(first)
        emit(first, 1)
        traveller.wait(1)
        wait_until(lambda: keys(cluster), "it is kept")
        leave(socket, traveller.peer)
        wait_until(lambda: not keys(cluster), "it is forgotten")
        assert not traveller.go(second).recovered
        traveller.peer.client.sockets["/"].disconnect()
        wait_until(lambda: not keys(cluster), "it is forgotten, too")


def test_a_session_serves_once(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()
    clones = []
    for server in (first, second, first):
        clone = Traveller(server)
        clone.ids, clone.offsets = dict(traveller.ids), dict(traveller.offsets)
        clones.append(clone)
    jobs = [gevent.spawn(clone.go, clone.server) for clone in clones]
    gevent.joinall(jobs, timeout=10, raise_error=True)
    # Of several at the same moment one gets the state; or they follow each other, and the last one has it.
    wait_until(
        lambda: len(connected := [job.value.id for job in jobs if job.value.connected]) == len(set(connected)),
        "no two are the same client",
    )
    assert any(job.value.recovered for job in jobs)


def test_what_redis_refuses_is_asked_once(server, publisher):
    server.ask("SET", "text", "x")
    asked = []

    def ask(*command, timeout):
        asked.append(command)
        return publisher.ask(*command, timeout=timeout)

    with pytest.raises(ClusterError, match="WRONGTYPE"):
        insist(ask, "XLEN", "text")
    assert len(asked) == 1


def test_data_that_is_too_large_is_not_kept(server, caplog):
    cluster = Cluster(server, max_size=10_000)
    try:
        first = cluster.add()
        traveller = Traveller(first)
        socket = traveller.go(first)
        [key] = wait_until(lambda: keys(cluster), "it is kept")
        length = server.ask("STRLEN", key)
        socket.data = "x" * 10_000
        traveller.vanish()
        wait_until(lambda: "its data can't be kept" in caplog.text, "it is told")
        wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is said")
        assert server.ask("STRLEN", key) == length
    finally:
        cluster.close()
