"""Owns what every cluster promises at the edges, whatever its wire: other threads, callbacks, data of odd types."""

import enum
import json
import uuid
from datetime import date, datetime

import gevent
import pytest

from contract.application import Peer
from contract.waiting import wait_until
from flask_socketio_py.socketio.broadcast import BroadcastOperator

from .cluster_servers import everybody, got, long_timers, nothing_more


class Letter(enum.Enum):
    A = "a"


class Text(str):
    """As markup is."""


@pytest.mark.parametrize(
    "value",
    [
        *[datetime(2023, 11, 14, 22, 13, 20, 123456), date(2023, 11, 14), uuid.UUID(int=5), Letter.A, Text("x")],
        *[
            (1, (2,)),
            {1: {None: True}},
            float("nan"),
            -0.0,
            2**64,
            10**30,
            {"a": [b"", Letter.A]},
            [[]] * 300,
        ],
    ],
    ids=repr,
)
def test_what_has_no_form_of_its_own_has_the_same_for_all(servers, pair, value):
    (first, _), (second, _) = pair
    everybody(servers.servers[0]).emit("x", value)
    everybody(servers.servers[0]).emit(Text("y"), 1, value)
    assert taken(first) == taken(second)


def taken(peer):
    """Its events, numbers as JavaScript has them."""
    wait_until(lambda: len(peer.taken) == 3, "two events")
    texts = [message.text.decode() for message in peer.taken[1:]]
    return [(json.loads(text[text.index("[") :], parse_int=float), len(texts)) for text in texts]


def in_a_thread(function):
    """What a function returns in a thread of the system, while the hub goes on."""
    return gevent.get_hub().threadpool.apply(function)


def test_other_threads_emit_and_ask(servers, pair):
    (first, here), (second, there) = pair
    start = everybody(servers.servers[0])
    in_a_thread(lambda: [start.emit("n", number) for number in range(20)])
    expected = [["n", number] for number in range(20)]
    assert got(first, 20) == got(second, 20) == expected
    assert in_a_thread(lambda: {socket.id for socket in start.fetch_sockets()}) == {here.id, there.id}
    assert in_a_thread(start.count) == 2
    in_a_thread(lambda: start.to(there.id).sockets_join("red"))
    wait_until(lambda: "red" in there.rooms, "it has joined")
    answers = in_a_thread(lambda: servers.servers[0].of("/").shared.server_side_emit(["who"], wait=True))
    assert (list(answers), answers.complete) == ([{"name": "server 1", "args": []}], True)
    called, asked = [], everybody(servers.servers[0], there.id)
    in_a_thread(lambda: asked.emit("question", callback=lambda *args: called.append(args)))
    answer_question(second, "yes")
    wait_until(lambda: called == [("yes",)], "it is called")
    asking = gevent.spawn(in_a_thread, lambda: asked.timeout(60).emit_with_ack("question"))
    answer_question(second, "again")
    assert asking.get(timeout=20) == ["again"]


def answer_question(peer, value):
    [text] = wait_until(lambda: [text for text in peer.texts() if "question" in text], "it is asked")
    peer.push(f'3{text[1:].split("[")[0]}["{value}"]')


def test_a_callback_for_one_client_is_done_with_its_answer(servers, pair):
    _, (second, there) = pair
    called = []
    everybody(servers.servers[0], there.id).emit("question", callback=lambda *args: called.append(args))
    timers = long_timers()
    answer_question(second, "yes")
    wait_until(lambda: called == [("yes",)], "it is called")
    wait_until(lambda: servers.servers[0].cluster._open == {}, "nobody waits any more")
    wait_until(lambda: long_timers() <= timers - 2, "no timer is left")


def test_a_callback_for_many_is_called_for_each(servers, pair):
    """Also where the room has a name that might be a client's."""
    (first, here), (second, there) = pair
    third = Peer(servers.servers[1])
    called = []
    for socket in (here, there, third.join()):
        socket.join("a-room-of-20-letters")
    wait_until(lambda: everybody(servers.servers[0], "a-room-of-20-letters").count() == 3, "they are there")
    everybody(servers.servers[0], "a-room-of-20-letters").emit("question", callback=called.append)
    for number, peer in enumerate((first, second, third)):
        answer_question(peer, number)
        wait_until(lambda number=number: called[-1:] == [str(number)], "it is called")
    wait_until(lambda: servers.servers[0].cluster._open == {}, "nobody waits any more")


def test_who_is_not_let_in_yet_is_not_waited_for(servers, pair):
    _, (second, _) = pair
    gate = gevent.event.Event()
    servers.applications[1].guards["/chat"] = lambda socket, auth: gate.wait()
    second.push("0/chat,")
    assert servers.servers[1].of("/chat").sockets
    asking = BroadcastOperator(servers.servers[0].of("/chat")).timeout(20)
    try:
        assert asking.emit_with_ack("question") == []
    finally:
        gate.set()


def test_what_a_client_was_sent_in_place_of_binary_data_breaks_nobody(servers, pair):
    (first, _), (second, _) = pair
    data = {"_placeholder": True, "num": 7}
    with pytest.raises(ValueError, match="_placeholder"):
        everybody(servers.servers[0]).emit("x", data, b"\1")
    nothing_more(servers, first, second)


def test_a_question_that_is_given_up_leaves_nothing(servers, pair):
    (_, here), (_, there) = pair
    first, start = servers.servers[0], everybody(servers.servers[0])
    questions = [start.timeout(60).emit_with_ack, start.fetch_sockets, start.count, first.of("/").shared.room_sizes]
    asking = [gevent.spawn(ask, *(["question"] if ask == questions[0] else [])) for ask in questions]
    asking.append(gevent.spawn(first.of("/").shared.server_side_emit, ["who"], True))
    gevent.sleep(0)
    gevent.killall(asking)
    assert first.cluster._open == {}
    assert not here._acks
    assert there.connected
