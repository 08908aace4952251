"""Owns the log as the servers of one cluster use it, with Redis in order: what is written, who is given what when."""

import base64
import json
import random
import re
import time
from threading import Thread

import gevent
import msgpack
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until

from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect

from .streaming import Cluster, Traveller, dialect_of, to

OFFSET = re.compile("[0-9]+-[0-9]+")


@pytest.fixture
def make(server):
    """``make(**options)``: a cluster that is closed in the end."""
    clusters = []

    def make(**options):
        clusters.append(Cluster(server, **options))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.close()


def entries(redis, stream="socket.io"):
    """The ids and the fields of all entries."""
    with redis.client() as client:
        return client.xrange(stream)


def got(peer, count=1):
    found = []

    def enough():
        found.extend(peer.events())
        return len(found) >= count

    wait_until(enough, f"{count} events, not {found[-5:]}")
    return found


def add(redis, *fields):
    redis.ask("XADD", "socket.io", "*", *fields)


def official(data, uid="0123456789abcdef", kind=3):
    return ("uid", uid, "nsp", "/", "type", kind, "data", json.dumps(data))


def broadcast(*event, rooms=(), excepted=(), **flags):
    options = {"rooms": list(rooms), "except": list(excepted), "flags": flags}
    return {"packet": {"type": 2, "data": list(event)}, "opts": options}


def test_an_entry_is_what_the_official_adapter_writes(make, server):
    first = make().add()
    to(first, "red").except_("blue").emit("hello", 1, {"a": [True, None]})
    to(first).emit("bin", b"\1\2\3\4")
    to(first, "red").sockets_join("blue")
    wait_until(lambda: len(entries(server)) == 3, "it is written")
    text, binary, join = (fields for _, fields in entries(server))
    uid = dialect_of(first).bus.uid.encode()
    assert text == {
        b"uid": uid,
        b"nsp": b"/",
        b"type": b"3",
        b"data": b'{"packet":{"type":2,"data":["hello",1,{"a":[true,null]}]},'
        b'"opts":{"rooms":["red"],"except":["blue"],"flags":{}}}',
        b"seq": b"1",
    }
    assert binary[b"data"] == b"gqZwYWNrZXSCpHR5cGUCpGRhdGGSo2JpbsQEAQIDBKRvcHRzg6Vyb29tc5CmZXhjZXB0kKVmbGFnc4A="
    assert (join[b"type"], join[b"seq"]) == (b"4", b"3")


def test_a_session_is_what_the_official_adapter_writes(make, server):
    first = make().add()
    traveller = Traveller(first)
    socket = traveller.go(first)
    socket.join("red")
    traveller.vanish()
    key = f"sio:session:{traveller.ids['/']}"

    def session():
        return msgpack.unpackb(base64.b64decode(server.ask("GET", key)))

    wait_until(lambda: "red" in session()["rooms"], "the last word")
    kept = session()
    assert list(kept)[:4] == ["sid", "pid", "rooms", "data"]
    assert kept["rooms"] == [socket.id, "red"]
    assert 0 < server.ask("PTTL", key) <= 30_000


def test_another_channel_names_everything(make, server):
    first = make(channel="mine").add()
    traveller = Traveller(first)
    traveller.go(first)
    to(first).emit("x")
    traveller.wait(1)
    assert len(entries(server, "mine")) == 1
    assert server.ask("KEYS", "mine:session:*")
    assert server.ask("PUBSUB", "CHANNELS", "mine#/#")


def test_offsets_are_there_with_recovery_only(make):
    for recovery, offsets in ((None, 0), (True, 1)):
        first = make(recovery=recovery).add()
        peer = Peer(first)
        socket = peer.join()
        to(first).emit("all")
        socket.emit("one")
        events = got(peer, 2)
        if not offsets:  # nobody else need hear of the second, so it went at once
            assert events == [["one"], ["all"]]
        else:
            assert [event[0] for event in events] == ["all", "one"]
            assert all(OFFSET.fullmatch(event[1]) for event in events)


def test_what_has_no_offset_does_not_look_like_one(make, server):
    first, second = (cluster := make()).add(), cluster.add()
    peer = Peer(first)
    peer.join()
    to(first).local.emit("x", "text")
    assert got(peer) == [["x", "text", None]]
    to(second).volatile.emit("x", "text")
    assert got(peer) == [["x", "text", None]]
    add(server, *official(broadcast("x", "text", volatile=True)))  # as Node writes it
    assert got(peer) == [["x", "text", None]]


def test_what_is_emitted_while_the_first_connections_are_made(server):
    application = Application()
    dialect = StreamsDialect(server.url)
    for _ in range(3):
        add(server, *official(broadcast("old")))
    peer = None
    cluster_server = serve(application, dialect=dialect, connection_state_recovery=True)
    application.connects["/"] = lambda socket, auth: to(cluster_server).emit("n", 0)
    try:
        peer = Peer(cluster_server)
        peer.push("0")
        for value in range(1, 20):
            to(cluster_server).emit("n", value)
        assert [event[1] for event in got(peer, 20)] == list(range(20))
    finally:
        cluster_server.close()


def test_a_repetition_reaches_nobody(make, server):
    cluster = make()
    first, second = cluster.add(), cluster.add()
    traveller, peer = Traveller(first), Peer(second)
    traveller.go(first)
    peer.join()
    to(first).emit("n", 1)
    to(first).emit("n", 2)
    traveller.wait(2)
    traveller.vanish()

    def repeat():
        """As a publisher does whose connection broke."""
        for fields in [fields for _, fields in entries(server)]:
            add(server, *(part for pair in fields.items() for part in pair))

    repeat()
    to(first).emit("n", 3)
    wait_until(lambda: len(entries(server)) == 5, "it is written")
    repeat()
    to(first).emit("n", 4)
    assert [event[:2] for event in got(peer, 4)] == [["n", value] for value in (1, 2, 3, 4)]
    late = cluster.add()  # it has not seen any of this
    for place in (late, second):
        assert traveller.go(place).recovered
        assert traveller.wait(4) == [["n", 1], ["n", 2], ["n", 3], ["n", 4]]
        traveller.vanish()
        del traveller.events[2:]  # what it was given there was lost on the way
        traveller.offsets["/"] = entries(server)[1][0].decode()
        wait_until(lambda place=place: not dialect_of(place).bus.publisher.waiting, "it is kept")


def test_events_before_a_disconnect_arrive(make):
    first = make().add()
    peer = Peer(first)
    socket = peer.join()
    to(first).emit("all", 1)
    socket.emit("one", 2)
    to(first).except_(socket.id).emit("others")
    socket.disconnect()
    texts = []
    wait_until(lambda: texts.extend(peer.texts()) or "1" in texts, "it is disconnected")
    assert [text for text in texts if text[0] != "0"] == ['2["all",1]', '2["one",2]', "1"]


def test_acknowledged_and_volatile_events_leave_no_trace_in_the_log(make, server):
    first = make().add()
    peer = Peer(first)
    peer.join()
    to(first).volatile.emit("v")
    job = gevent.spawn(to(first).timeout(10).emit_with_ack, "ack")
    question = []
    wait_until(lambda: question.extend(text for text in peer.texts() if "ack" in text) or question, "it is asked")
    peer.push(f'3{question[0][1:].split("[")[0]}["yes"]')
    assert job.get(timeout=10) == ["yes"]
    assert entries(server) == []


def test_malformed_entries_and_messages_hurt_nobody(make, server, caplog):
    first = make().add()
    peer = Peer(first)
    socket = peer.join()
    rng = random.Random(2)
    good = [
        official(broadcast("x")),
        official({"opts": {"rooms": [], "except": []}, "rooms": ["a"]}, kind=4),
        official({"opts": {"rooms": ["nobody"], "except": []}, "close": True}, kind=6),
        ("uid", "0123456789abcdef", "nsp", "/", "type", "3", "data", "gqZwYWNrZXSC", "seq", "x", "recovered", "1"),
    ]
    packed = msgpack.packb({"type": 7, "data": {"opts": {"rooms": [], "except": []}, "requestId": "x"}, "uid": "y"})
    with server.client() as client, client.pipeline(transaction=False) as pipeline:
        for _ in range(2000):
            fields = [str(part).encode() for part in rng.choice(good)]
            place = rng.randrange(len(fields))
            damaged = bytearray(fields[place] or b"x")
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            fields[place] = bytes(damaged)
            pipeline.execute_command("XADD", "socket.io", "*", *fields)
            data = bytearray(packed)
            data[rng.randrange(len(data))] = rng.randrange(256)
            pipeline.execute_command("PUBLISH", "socket.io#/#", bytes(data))
        pipeline.execute_command("XADD", "socket.io", "*", "nothing", "")
        pipeline.execute()
    to(first).emit("the end")
    wait_until(lambda: any(event[0] == "the end" for event in peer.events()), "it goes on")
    assert socket.connected
    assert all(record.exc_info is None for record in caplog.records if record.name.startswith("flask_socketio_py"))


def test_a_foreign_entry_cannot_pose_as_ours_and_moves_nobody(make, server):
    cluster = make()
    first = cluster.add()
    peer = Peer(first)
    socket = peer.join()
    add(server, *official({"opts": {"rooms": [], "except": []}, "rooms": ["red"]}, dialect_of(first).bus.uid, 4))
    add(server, *official(broadcast("n", 1)))
    assert got(peer)[0][:2] == ["n", 1]
    assert socket.rooms == [socket.id]  # what we say ourselves is done already


def test_what_redis_refuses_reaches_the_clients_here(make, own_server, caplog):
    cluster = Cluster(own_server)
    try:
        first = cluster.add()
        peer = Peer(first)
        peer.join()
        own_server.ask("CONFIG", "SET", "maxmemory", "1")
        to(first).emit("n", 1)
        assert got(peer) == [["n", 1]]
        own_server.ask("CONFIG", "SET", "maxmemory", "0")
        to(first).emit("n", 2)
        assert got(peer)[0][:2] == ["n", 2]
    finally:
        cluster.close()
    assert "could not be told to the other servers" in caplog.text


def test_too_large_is_the_callers_mistake(make):
    first = make(max_size=1000).add()
    peer = Peer(first)
    peer.join()
    for flagged in (to(first), to(first).volatile):
        with pytest.raises(ValueError, match="max_cluster_message_size"):
            flagged.emit("x", "y" * 1000)
    turn()
    assert peer.events() == []
    assert dialect_of(first).pending.of("/") == []


def test_after_the_end_nothing_raises(make):
    first = make().add()
    peer = Peer(first)
    socket = peer.join()
    first.application.disconnects["/"] = lambda socket, reason: to(first).emit("gone", socket.id)
    first.close()
    to(first).emit("x")
    socket.emit("x")
    turn()


def test_threads_write_in_the_order_of_their_numbers(make, server):
    """Else who has not read anything of this server yet would take the earlier number for a repetition."""
    rng = random.Random(3)

    def slow(value):
        time.sleep(rng.random() / 200)
        return str(value)

    first = make(default=slow).add()
    dialect = dialect_of(first)

    def emit(thread):
        for value in range(20):
            dialect.publish("/", Broadcast(["n", thread, value, 1j], (), (), False, True))

    threads = [Thread(target=emit, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        wait_until(lambda thread=thread: not thread.is_alive(), "it has emitted")
    wait_until(lambda: len(entries(server)) == 80, "all is written")
    numbers = [int(fields[b"seq"]) for _, fields in entries(server)]
    assert numbers == sorted(numbers)
