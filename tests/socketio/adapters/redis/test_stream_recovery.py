"""Owns the way back of a client to whichever server: its session, what it missed, once and in order."""

import gevent
import pytest
from contract.waiting import turn, wait_until

from .streaming import Cluster, Traveller, dialect_of, emit, forget, keys, numbers, to


@pytest.fixture
def cluster(server):
    cluster = Cluster(server)
    yield cluster
    cluster.close()


@pytest.fixture
def pair(cluster):
    return cluster.add(), cluster.add()


def test_back_on_another_server(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    socket = traveller.go(first)
    socket.join("red", 5)
    socket.data = {"name": "Ada", "list": [1, None, b"x"]}
    emit(first, 1)
    emit(second, 2, rooms=["red"])
    assert sorted(numbers(traveller, 2)) == [1, 2]  # two servers emitted them at the same time
    traveller.vanish()
    emit(first, 3)
    emit(first, 4, rooms=["red"])
    emit(first, 5, rooms=["blue"])
    to(first).except_("red").emit("n", 6)
    to(second, namespace="/chat").emit("n", 7)
    emit(first, 8, rooms=[5])
    emit(first, 9, rooms=[socket.id])
    back = traveller.go(second)
    assert back.recovered
    assert (back.id, set(back.rooms), back.data) == (socket.id, {socket.id, "red", 5}, socket.data)
    assert numbers(traveller, 6)[2:] == [3, 4, 8, 9]
    emit(first, 10, rooms=["red"])
    assert numbers(traveller, 7)[-1] == 10
    assert first.of("/").sockets == {}


def test_all_clients_see_one_order(cluster, pair):
    travellers = [Traveller(server) for server in pair for _ in range(2)]
    for traveller in travellers:
        traveller.go(traveller.server)
    for value in range(100):
        emit(pair[value % 2], value)
        if not value % 7:
            gevent.sleep(0)
    seen = [numbers(traveller, 100) for traveller in travellers]
    assert sorted(seen[0]) == list(range(100))
    assert seen == [seen[0]] * 4


def test_a_server_that_was_killed(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    socket = traveller.go(first)
    wait_until(lambda: keys(cluster), "the session is there at once")
    socket.join("red")
    socket.data["name"] = "Ada"
    emit(second, 1)
    assert numbers(traveller, 1) == [1]
    traveller.peer.push('2["touch"]')  # any event: the data may be another afterwards
    gevent.sleep(1.2)
    forget(first)
    emit(second, 2, rooms=["red"])
    back = traveller.go(second)
    assert back.recovered
    assert (back.id, back.data) == (socket.id, {"name": "Ada"})
    assert numbers(traveller, 2) == [1, 2]


def test_a_client_that_received_nothing_yet(cluster, pair):
    first, second = pair
    for before in (None, 1):  # on an empty stream, and on one with an entry
        if before is not None:
            other = Traveller(first)
            other.go(first)
            emit(first, before)
            other.wait(1)
        traveller = Traveller(first)
        traveller.go(first)
        assert traveller.offsets == {}
        traveller.vanish()
        assert traveller.go(second).recovered
        traveller.vanish()
        emit(first, 5)
        assert traveller.go(second).recovered
        assert numbers(traveller, 1) == [5]


def test_a_room_has_no_past(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    socket = traveller.go(first)
    emit(second, 1, rooms=["red"])
    emit(second, 2)
    assert numbers(traveller, 1) == [2]
    socket.join("red")
    traveller.vanish()
    emit(second, 3, rooms=["red"])
    traveller.offsets["/"] = "0-1"
    assert not traveller.go(second).recovered  # an offset that never was
    again = Traveller(first)
    socket = again.go(first)
    emit(second, 4, rooms=["red"])
    emit(second, 5)
    again.wait(1)
    offset = again.offsets.pop("/")
    socket.join("red")
    again.vanish()
    emit(second, 6, rooms=["red"])
    again.events.clear()  # it never arrived
    assert again.go(second).recovered
    assert numbers(again, 2) == [5, 6]
    assert again.events[0][-1] == offset


def test_the_old_connection_hangs_on_another_server(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    old = traveller.go(first)
    chat = traveller.peer.join("/chat")
    emit(first, 1)
    traveller.wait(1)
    emit(first, 2)
    back = traveller.go(second)
    assert back.recovered
    assert back.id == old.id
    wait_until(lambda: not old.connected and not chat.connected, "the old connection is ended")
    assert numbers(traveller, 2) == [1, 2]
    emit(first, 3)
    assert numbers(traveller, 3) == [1, 2, 3]
    home = traveller.go(first)  # and home again, while that one hangs
    assert home.recovered
    wait_until(lambda: not back.connected, "the old connection is ended")
    assert home.connected
    emit(second, 4)
    assert numbers(traveller, 4) == [1, 2, 3, 4]
    assert list(first.of("/").sockets) == [old.id]
    assert second.of("/").sockets == {}


def test_in_a_dynamic_namespace(cluster, pair):
    for server in pair:
        server.application.searches["/dynamic"] = lambda socket: "/chat"
    first, second = pair
    traveller = Traveller(first)
    old = traveller.go(first, "/dynamic")
    second.of("/dynamic")
    to(second, namespace="/dynamic").emit("n", 1)
    assert numbers(traveller, 1) == [1]
    back = traveller.go(second, "/dynamic")
    assert back.recovered
    wait_until(lambda: not old.connected, "the old connection is ended")
    first.namespaces.pop("/dynamic", None)  # nobody is there
    traveller.vanish()
    to(second, namespace="/dynamic").emit("n", 2)
    assert traveller.go(first, "/dynamic").recovered
    assert numbers(traveller, 2) == [1, 2]


def test_handlers_that_run_one_after_the_other(cluster):
    first, second = cluster.add(async_handlers=False), cluster.add(async_handlers=False)
    traveller = Traveller(first)
    traveller.go(first)
    to(first).emit("n", 1)
    traveller.wait(1)
    traveller.vanish()
    to(first).emit("n", 2)
    assert traveller.go(second).recovered
    assert numbers(traveller, 2) == [1, 2]


def test_the_client_goes_while_it_is_looked_for(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 1)
    traveller.wait(1)
    traveller.vanish()
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "it is kept")
    traveller.server = second
    cluster.redis.pause()
    try:
        traveller.connect()
        traveller.vanish()
    finally:
        cluster.redis.resume()
    wait_until(lambda: second.of("/").idle, "it is looked for in vain")
    wait_until(lambda: not dialect_of(second).bus.publisher.waiting, "it is kept again")
    assert traveller.go(first).recovered
    assert numbers(traveller, 1) == [1]


def test_the_old_connection_hangs_on_the_same_server(cluster, pair):
    traveller = Traveller(pair[0])
    old = traveller.go(pair[0])
    emit(pair[1], 1)
    traveller.wait(1)
    emit(pair[1], 2)
    back = traveller.go(pair[0])
    assert back.recovered
    assert not old.connected
    assert numbers(traveller, 2) == [1, 2]


def test_a_stream_that_was_trimmed(server):
    cluster = Cluster(server, max_length=100)
    try:
        first, second = cluster.add(), cluster.add()
        traveller, quiet = Traveller(first), Traveller(first)
        traveller.go(first)
        quiet.go(first)
        emit(first, 0)
        traveller.wait(1)
        quiet.wait(1)
        traveller.vanish()
        quiet.vanish()
        emit(first, *range(1, 50))
        assert quiet.go(second).recovered
        assert numbers(quiet, 50) == list(range(50))
        emit(first, *range(1000))
        witness = Traveller(second)
        witness.go(second)
        emit(first, "end")
        witness.wait(1)
        assert not traveller.go(second).recovered
    finally:
        cluster.close()


def test_many_pages_while_more_is_emitted(cluster, pair):
    first, second = pair
    traveller = Traveller(first)
    traveller.go(first)
    emit(first, 0)
    traveller.wait(1)
    traveller.vanish()
    emit(first, *range(1, 1500))
    witness = Traveller(second)
    witness.go(second)
    emit(first, "all")
    wait_until(lambda: witness.read() or any(event[1] == "all" for event in witness.events), "all is read")
    busy = True

    def more():
        value = 1500
        while busy:
            emit(pair[value % 2], value)
            value += 1
            gevent.sleep(0.0005)
        return value

    job = gevent.spawn(more)
    for hop in range(30):
        assert traveller.go(pair[hop % 2]).recovered
        gevent.sleep(0.004 * (hop % 4))
        if hop < 29:
            traveller.vanish()
            gevent.sleep(0.01)  # a client needs longer than that
    busy = False
    total = job.get()
    seen = [value for value in numbers(traveller, total + 1) if value != "all"]
    turn()
    assert len(numbers(traveller, total + 1)) == total + 1
    assert sorted(seen) == list(range(total))
    for half in (0, 1):
        assert [value for value in seen if value >= 1500 and value % 2 == half] == list(range(1500 + half, total, 2))
    assert [value for value in seen if value < 1500] == list(range(1500))


def test_all_clients_of_a_server_that_was_killed_come_back_at_once(cluster, pair):
    """What they missed is read once, not once for each."""
    first, second = pair
    travellers = [Traveller(first) for _ in range(40)]
    for number, traveller in enumerate(travellers):
        traveller.go(first).join(f"room {number % 4}")
    for value in range(40):  # so that their offsets are not all the same
        emit(second, value, rooms=[f"room {value % 4}"])
    for traveller in travellers:
        assert len(numbers(traveller, 10)) == 10
        traveller.vanish()
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "their rooms are kept")
    forget(first)
    emit(second, *range(40, 200), rooms=["room 1", "room 2"])
    late = cluster.add()
    cluster.redis.ask("CONFIG", "RESETSTAT")
    for traveller in travellers:
        traveller.server = late
        traveller.connect()
    wait_until(lambda: len(late.of("/").sockets) == 40, "all are there")
    wait_until(lambda: all(socket.connected for socket in late.of("/").sockets.values()), "all are let in")
    assert all(socket.recovered for socket in late.of("/").sockets.values())
    for number, traveller in enumerate(travellers):
        room = number % 4
        expected = [*range(room, 40, 4), *(range(40, 200) if room in (1, 2) else ())]
        assert numbers(traveller, len(expected)) == expected
    about = cluster.redis.ask("INFO", "commandstats").decode()
    calls = [int(line.split("calls=")[1].split(",")[0]) for line in about.splitlines() if "range" in line]
    assert 0 < sum(calls) < 20
