"""Owns what is kept of the log for those who come back together: made once, bounded, and right for each of them."""

import json
import time

import pytest
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.redis.log_messages import LogMessages
from flask_socketio_py.socketio.adapters.redis.stream_log import Entry

from .streaming import Cluster, Traveller, dialect_of, emit, to


@pytest.fixture
def cluster(server):
    cluster = Cluster(server)
    yield cluster
    cluster.close()


def entry(value="x", sequence=1, uid="0123456789abcdef", data=None):
    event = {"packet": {"type": 2, "data": ["n", value]}, "opts": {"rooms": ["red"], "except": ["blue"]}}
    return Entry(uid, "/", 3, (json.dumps(event) if data is None else data).encode(), sequence, False)


def test_what_many_missed_is_made_once(cluster):
    first, second = cluster.add(), cluster.add()
    travellers = [Traveller(first) for _ in range(5)]
    for number, traveller in enumerate(travellers):
        socket = traveller.go(first)
        if number % 2:
            socket.join("red")
    emit(first, 0)
    for traveller in travellers:
        traveller.wait(1)
        traveller.vanish()
    emit(first, 1)
    emit(first, 2, rooms=["red"])
    to(first).except_("red").emit("n", 3)
    wait_until(lambda: not dialect_of(first).bus.publisher.waiting, "all is said")
    recovery = second.of("/").adapter.recovery
    missed = [recovery.restore(one.ids["/"], one.offsets["/"], time.monotonic())[1] for one in travellers]
    assert [len(messages) for messages in missed] == [2] * 5
    assert len({id(messages[0]) for messages in missed}) == 1
    assert len({id(messages[1]) for messages in missed}) == 2
    recovery.expire(time.monotonic())
    assert recovery._messages.size == 0


def test_it_is_bounded_in_bytes(cluster):
    first = cluster.add()
    messages = LogMessages(first.of("/"), dialect_of(first).log_codec, 50_000)
    for number in range(200):
        message = messages.of(f"{number}-0", entry("x" * 100, number), lambda broadcast: True)
        assert message is not None
        assert messages.size <= 50_000
    assert messages.of("0-0", entry("x" * 100_000), lambda broadcast: True) is not None  # not kept, but there
    assert messages.size == 0


def test_an_id_that_redis_gives_twice(cluster):
    first = cluster.add()
    messages = LogMessages(first.of("/"), dialect_of(first).log_codec, 50_000)
    one = messages.of("1-0", entry("a"), lambda broadcast: True)
    assert messages.of("1-0", entry("b", sequence=2), lambda broadcast: True) is not one
    assert messages.of("1-0", entry("c", uid="another"), lambda broadcast: True) is not one
    assert messages.of("1-0", entry("a"), lambda broadcast: True) is one


def test_who_is_meant_is_asked_for_each(cluster):
    first = cluster.add()
    messages = LogMessages(first.of("/"), dialect_of(first).log_codec, 50_000)
    asked = []
    for answer in (True, False, True):
        message = messages.of("1-0", entry(), lambda broadcast, answer=answer: asked.append(broadcast[1:3]) or answer)
        assert (message is not None) is answer
    assert asked == [(("red",), ("blue",))] * 3


@pytest.mark.parametrize(
    "data",
    ["", "{", "{}", "[]", '{"packet":{"type":2,"data":["connect"]},"opts":{"rooms":[],"except":[]}}'],
)
def test_what_cannot_be_sent_is_nobodys(cluster, data, caplog):
    first = cluster.add()
    messages = LogMessages(first.of("/"), dialect_of(first).log_codec, 50_000)
    for _ in range(3):
        assert messages.of("1-0", entry(data=data), lambda broadcast: True) is None
    assert caplog.text.count("can't be sent") == 1
