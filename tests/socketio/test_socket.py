"""Owns a socket's acknowledgements: late, double, invented, given up; and what is sent to it in which order."""

import gc
import weakref

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import in_hub, turn, wait_until

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.errors import DisconnectedError, SocketIOError, TimeoutError
from flask_socketio_py.socketio import socket as module


@pytest.fixture
def peer():
    return Peer(serve(Application(("/", "/chat"))))


@pytest.fixture
def socket(peer):
    socket = peer.join()
    peer.texts()
    return socket


def test_an_emit_is_one_packet(peer, socket):
    socket.emit("e", 1, {"a": None}, [b"x"])
    assert peer.events() == [["e", 1, {"a": None}, [b"x"]]]


def test_an_answer_runs_the_callback_with_its_arguments(peer, socket):
    answers = []
    socket.emit("ask", callback=lambda *args: answers.append(args))
    socket.emit("ask", callback=lambda *args: answers.append(args))
    assert peer.texts() == ['21["ask"]', '22["ask"]']
    peer.push("32[]")
    peer.push('61-1["a",{"_placeholder":true,"num":0}]', b"x")
    assert answers == [(), ("a", b"x")]


@pytest.mark.parametrize("packet", ["32[]", "30[]", "39007199254740991[]", "39999999999999999[]"])
def test_an_answer_to_nothing_is_ignored(peer, socket, packet):
    answers = []
    socket.emit("ask", callback=lambda *args: answers.append(args))
    peer.push(packet)
    assert answers == []
    peer.push('31["the right one"]')
    assert answers == [("the right one",)]


def test_an_answer_counts_once(peer, socket):
    answers = []
    socket.emit("ask", callback=lambda *args: answers.append(args))
    peer.push("31[1]", "31[2]", "31[3]")
    assert answers == [(1,)]


def test_another_client_cannot_answer(peer, socket):
    answers = []
    other = Peer(peer.server)
    other.join()
    socket.emit("ask", callback=lambda *args: answers.append(args))
    other.push("31[1]")
    assert answers == []


def test_a_callback_that_fails_is_logged_and_costs_nobody(peer, socket, caplog):
    answers = []
    socket.emit("ask", callback=lambda: 1 / 0)
    socket.emit("ask", callback=lambda *args: answers.append(args))
    peer.push("31[]", "31[1]", "32[2]")
    assert answers == [(2,)]
    assert [record.message for record in caplog.records] == ["an acknowledgement callback failed"]


def test_the_counter_is_the_namespaces(peer, socket):
    chat = peer.join("/chat")
    peer.texts()
    for target in (socket, chat, socket):
        target.emit("ask", callback=print)
    peer.server.to("/").emit("ask", callback=print)
    assert peer.texts() == ['21["ask"]', '2/chat,1["ask"]', '22["ask"]', '23["ask"]']


# --- call ------------------------------------------------------------------------------------------------------------


def call(socket, **options):
    """A call in a greenlet of its own."""
    greenlet = gevent.spawn(socket.call, "ask", 1, **options)
    gevent.sleep(0)
    return greenlet


def test_a_call_returns_the_arguments_of_the_answer(peer, socket):
    for answer, expected in (("[]", None), ("[1]", 1), ("[[1],2]", ([1], 2)), ("[null]", None), ("[[]]", [])):
        greenlet = call(socket)
        [text] = peer.texts()
        ack_id = text[1:].split("[")[0]
        assert text == f'2{ack_id}["ask",1]'
        peer.push(f"3{ack_id}{answer}")
        assert greenlet.get(timeout=20) == expected


def test_a_call_that_is_not_answered_times_out_and_a_late_answer_is_ignored(peer, socket):
    greenlet = call(socket, timeout=0.01)
    with pytest.raises(TimeoutError) as error:
        greenlet.get(timeout=20)
    assert isinstance(error.value, SocketIOError)
    assert not isinstance(error.value, DisconnectedError)
    peer.push("31[]")
    assert call_ends(peer, socket) == "fine"


def call_ends(peer, socket):
    peer.texts()
    greenlet = call(socket)
    [text] = peer.texts()
    peer.push("3" + text[1:].split("[")[0] + '["fine"]')
    return greenlet.get(timeout=20)


@pytest.mark.parametrize("end", ["client", "server", "transport"])
def test_a_call_ends_with_its_client(peer, socket, end):
    first, second = call(socket, timeout=None), call(socket)
    if end == "client":
        peer.push("1")
    elif end == "server":
        socket.disconnect()
    else:
        peer.session.close()
    for greenlet in (first, second):
        with pytest.raises(DisconnectedError):
            greenlet.get(timeout=20)
    with pytest.raises(DisconnectedError):
        socket.call("ask")


def test_a_killed_call_leaves_nothing(peer, socket):
    greenlet = call(socket)
    greenlet.kill()
    peer.push("31[]")
    assert call_ends(peer, socket) == "fine"


def test_callbacks_are_not_run_when_the_client_leaves(peer, socket):
    answers = []
    socket.emit("ask", callback=lambda *args: answers.append(args))
    peer.session.close()
    turn()
    assert answers == []


def test_only_so_many_answers_are_awaited_and_the_oldest_is_given_up(peer, socket):
    answers = []
    waiting = call(socket, timeout=None)
    for number in range(module.MAX_PENDING_ACKS):
        socket.emit("ask", callback=lambda number=number: answers.append(number))
    with pytest.raises(TimeoutError):
        waiting.get(timeout=20)
    peer.push("32[]", f"3{module.MAX_PENDING_ACKS + 1}[]")
    assert answers == [0, module.MAX_PENDING_ACKS - 1]


# --- order and end ---------------------------------------------------------------------------------------------------


def test_emits_of_many_greenlets_keep_each_ones_order(peer, socket):
    def emit(name):
        for number in range(20):
            socket.emit("e", name, number, b"x" * (number % 2))
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(emit, name) for name in "abc"], raise_error=True)
    events = peer.events()
    assert len(events) == 60
    for name in "abc":
        assert [number for _, who, number, _ in events if who == name] == list(range(20))


def test_an_emit_of_a_thread_reaches_the_client(peer, socket):
    in_hub(lambda: None)
    gevent.get_hub().threadpool.apply(socket.emit, ("from a thread", 1))
    gevent.get_hub().threadpool.apply(peer.server.to("/").emit, ("to all", 2))
    wait_until(lambda: len(peer.taken) == 3)
    assert peer.events() == [["from a thread", 1], ["to all", 2]]


def test_a_volatile_emit_is_dropped_where_it_would_wait(peer, socket):
    peer.transport.room = 1
    for number in range(3):
        socket.emit("e", number, volatile=True)
    socket.emit("e", 3)
    peer.transport.make_room(9)
    assert peer.events() == [["e", 0], ["e", 3]]


def test_a_disconnect_is_told_once(peer, socket):
    for _ in range(3):
        socket.disconnect()
    assert peer.texts() == ["1"]
    assert socket.disconnect_reason is Reason.SERVER_NAMESPACE_DISCONNECT


def test_rooms_are_the_adapters(peer, socket):
    socket.join("a", "b")
    socket.join("a")
    assert socket.rooms[0] == socket.id
    assert sorted(socket.rooms[1:]) == ["a", "b"]
    socket.leave("a", "never joined")
    assert socket.rooms == [socket.id, "b"]
    socket.disconnect()
    socket.join("c")
    assert (socket.rooms, peer.server.of("/").adapter.rooms) == ([], {})


def test_a_socket_that_left_is_freed(peer):
    socket = peer.join()
    socket.join("room")
    socket.data = remembered = type("Remembered", (), {})()
    remembered = weakref.ref(remembered)
    socket.emit("ask", callback=print)
    peer.push("1")
    del socket
    gc.collect()
    assert remembered() is None
