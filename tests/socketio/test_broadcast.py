"""Owns the broadcast operator: a value that never changes, and an emit that encodes once."""

import dataclasses

import pytest
from contract.application import Application, Peer, serve
from contract.waiting import wait_until


@pytest.fixture
def server():
    return serve(Application(("/", "/chat")))


def join_three(server, namespace="/"):
    peers = [Peer(server) for _ in range(3)]
    sockets = [peer.join(namespace) for peer in peers]
    for peer in peers:
        peer.texts()
    return peers, sockets


def test_every_step_is_a_new_value(server):
    start = server.to("/")
    steps = [
        start, start.to("a"), start.to("a").to("b", "c"), start.except_("x"), start.to("a").except_("x", "y"),
        start.volatile, start.to("a").volatile,
    ]  # fmt: skip
    assert [(step.rooms, step.excepted, step.flags.volatile) for step in steps] == [
        ((), (), False), (("a",), (), False), (("a", "b", "c"), (), False), ((), ("x",), False),
        (("a",), ("x", "y"), False), ((), (), True), (("a",), (), True),
    ]  # fmt: skip
    assert start == server.to("/")
    assert len(set(steps)) == len(steps)
    with pytest.raises(dataclasses.FrozenInstanceError):
        start.rooms = ("a",)


def test_it_reaches_those_it_names(server):
    peers, (first, second, third) = join_three(server)
    first.join("red")
    second.join("red", "blue")
    all_of_them = server.to("/")
    for number, operator in enumerate(
        [all_of_them, all_of_them.to("red"), all_of_them.to("red").except_("blue"), all_of_them.except_(first.id),
         all_of_them.to(third.id), all_of_them.to("blue", third.id), all_of_them.to("nobody"),
         all_of_them.to("red").except_("red")]
    ):  # fmt: skip
        operator.emit("e", number)
    received = [[args[1] for args in peer.events()] for peer in peers]
    assert received == [[0, 1, 2], [0, 1, 3, 5], [0, 3, 4, 5]]


def test_namespaces_and_their_rooms_are_apart(server):
    peers, _ = join_three(server)
    chat = peers[0].join("/chat")
    chat.join("red")
    peers[0].texts()
    server.to("/").to("red").emit("e")
    server.to("/chat").to("red").emit("e")
    assert [peer.texts() for peer in peers] == [['2/chat,["e"]'], [], []]


def test_all_recipients_get_the_very_same_message(server):
    peers, _ = join_three(server)
    server.to("/").emit("e", {"a": [b"x"]})
    messages = [peer.taken[-1] for peer in peers]
    assert messages[0].attachments == (b"x",)
    assert messages[0] is messages[1] is messages[2]


def test_send_is_a_message_event(server):
    peers, _ = join_three(server)
    server.to("/").send("hello", 1)
    assert peers[1].texts() == ['2["message","hello",1]']


def test_a_volatile_broadcast_is_dropped_where_it_would_wait(server):
    peers, _ = join_three(server)
    peers[1].transport.room = 0
    server.to("/").volatile.emit("e")
    peers[1].transport.make_room(5)
    assert [len(peer.texts()) for peer in peers] == [1, 0, 1]


def test_one_question_is_answered_by_many(server):
    peers, _ = join_three(server)
    answers = []
    server.to("/").emit("ask", callback=lambda *args: answers.append(args))
    ids = [peer.texts() for peer in peers]
    assert ids[0] == ids[1] == ids[2] == ['21["ask"]']
    peers[0].push("31[0]")
    peers[2].push("31[2,3]", "31[4]")  # the second answer of one client counts for nothing
    wait_until(lambda: len(answers) == 2)
    assert answers == [(0,), (2, 3)]
    server.to("/").emit("ask", callback=answers.append)
    assert peers[1].texts() == ['22["ask"]']


@pytest.mark.parametrize(
    ("event", "args", "error"),
    [(1, (), TypeError), (None, (), TypeError), (b"e", (), TypeError), ("connect", (), ValueError),
     ("disconnect", (), ValueError), ("e", (object(),), TypeError), ("e", (b"x",) * 11, ValueError)],
)  # fmt: skip
def test_what_cannot_be_sent_is_the_callers_mistake_and_reaches_nobody(server, event, args, error):
    peers, sockets = join_three(server)
    for emit in (server.to("/").emit, sockets[0].emit):
        with pytest.raises(error):
            emit(event, *args)
        with pytest.raises(error):
            emit(event, *args, callback=print)
    with pytest.raises(error):
        sockets[0].call(event, *args)
    assert [peer.texts() for peer in peers] == [[], [], []]


def test_a_server_that_nobody_ever_connected_to_emits_to_nobody(server):
    server.to("/").emit("e", 1)
    with pytest.raises(TypeError):
        server.to("/").emit("e", object())
