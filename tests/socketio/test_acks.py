"""Owns the ways of waiting for answers, of one client or of many: each ends once, and leaves no timer behind."""

import gc

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until

from flask_socketio_py.errors import BroadcastTimeoutError, DisconnectedError, TimeoutError


@pytest.fixture(autouse=True)
def no_timer_is_left():
    """A timer keeps itself alive until it is closed."""
    gc.collect()
    before = active_timers()
    yield
    gc.collect()
    wait_until(lambda: active_timers() <= before, "every timer is closed")


def active_timers():
    """Timers of acks.py that still run, by their callbacks."""
    found = 0
    for item in gc.get_objects():
        if type(item).__name__ == "timer" and item.callback is not None:
            found += getattr(item.callback, "__module__", None) == "flask_socketio_py.socketio.acks"
    return found


def answer(peer, *values):
    """Acknowledge the last question."""
    text = peer.texts()[-1]
    peer.push("3" + text[1 : text.index("[")] + "[" + ",".join(map(str, values)) + "]")


def idle(sockets):
    """Whether nobody waits for any answer."""
    return all(not socket._acks and not socket.client._calls for socket in sockets)


def test_the_timers_of_this_module_are_found(peers, sockets):
    before = active_timers()
    sockets[0].timeout(60).emit("ask", callback=print)
    sockets[0].namespace.server.to("/").timeout(60).emit("ask", callback=print)
    assert active_timers() == before + 2
    peers[0].push("31[]")
    for peer in peers:
        peer.push("32[]")
    assert active_timers() == before


# --- one client ------------------------------------------------------------------------------------------------------


def test_with_a_timeout_the_callback_is_told_of_success_first(peers, sockets):
    answers = []
    sockets[0].timeout(60).emit("ask", 1, callback=lambda *args: answers.append(args))
    answer(peers[0], 1, 2)
    assert answers == [(None, 1, 2)]
    peers[0].push("31[3]")
    assert answers == [(None, 1, 2)]
    assert idle(sockets)


def test_with_a_timeout_the_callback_is_told_of_failure_once(peers, sockets):
    answers = []
    sockets[0].timeout(0.01).emit("ask", callback=lambda *args: answers.append(args))
    wait_until(lambda: answers)
    answer(peers[0], 1)
    [[error]] = answers
    assert str(error) == "operation has timed out"
    assert type(error) is TimeoutError
    assert idle(sockets)


@pytest.mark.parametrize("end", ["before", "after", "in its middleware"])
def test_with_a_timeout_the_callback_is_told_that_the_client_has_gone(server, peers, sockets, end):
    answers, socket = [], sockets[0]
    if end == "in its middleware":
        gate = gevent.event.Event()
        server.listener.guards["/chat"] = lambda socket, auth: gate.wait()
        peers[0].push("0/chat,")
        [socket] = server.of("/chat").sockets.values()
    if end == "before":
        peers[0].session.close()
    socket.timeout(60).emit("ask", callback=lambda *args: answers.append(args))
    if end != "before":
        turn()
        assert answers == []
        peers[0].session.close()
    wait_until(lambda: answers)
    [[error]] = answers
    assert type(error) is DisconnectedError
    if end == "in its middleware":
        gate.set()
        wait_until(lambda: not server.of("/chat").sockets)
    assert idle(sockets)


def test_an_answer_that_is_awaited(peers, sockets):
    for values, expected in (((), None), ((1,), 1), ((1, 2), 1), (("[]",), [])):
        greenlet = gevent.spawn(sockets[0].emit_with_ack, "ask")
        turn()
        answer(peers[0], *values)
        assert greenlet.get(timeout=20) == expected
    assert idle(sockets)


@pytest.mark.parametrize("kill", [True, False])
def test_a_wait_that_is_given_up_leaves_nothing(peers, sockets, kill):
    server = sockets[0].namespace.server
    asking = (sockets[0].timeout(60).emit_with_ack, server.to("/").emit_with_ack, sockets[0].call)
    greenlets = [gevent.spawn(ask, "ask") for ask in asking]
    turn()
    assert sum(socket.client._calls for socket in sockets) == 5
    if kill:
        gevent.killall(greenlets)
    else:
        for greenlet in greenlets:
            greenlet.kill(gevent.Timeout(1))
    turn()
    assert idle(sockets)


# --- a broadcast -----------------------------------------------------------------------------------------------------


def ask_all(server, operator=None, timeout=60):
    answers = []
    (operator or server.to("/")).timeout(timeout).emit("ask", callback=lambda *args: answers.append(args))
    return answers


def test_a_broadcast_ends_when_all_have_answered_in_the_order_of_arrival(server, peers, sockets):
    answers = ask_all(server)
    answer(peers[2], 3, 4)
    answer(peers[0])
    assert answers == []
    answer(peers[1], "[1]")
    assert answers == [(None, [3, None, [1]])]
    assert idle(sockets)


def test_nobody_to_ask_is_answered_at_once(server, sockets):
    answers = ask_all(server, server.to("/", "nobody"))
    wait_until(lambda: answers)
    assert answers == [(None, [])]
    assert server.to("/", "nobody").emit_with_ack("ask") == []
    assert server.to("/chat").emit_with_ack("ask") == []


def test_the_time_is_up_for_those_who_did_not_answer(server, peers, sockets):
    answers = ask_all(server, timeout=0.05)
    answer(peers[1], 1)
    wait_until(lambda: answers)
    [(error, responses)] = answers
    assert isinstance(error, BroadcastTimeoutError)
    assert (error.responses, responses) == ([1], [1])
    assert sorted(error.missing) == sorted([sockets[0].id, sockets[2].id])
    assert str(error) == "operation has timed out: 2 of 3 clients did not acknowledge"
    for peer in peers:  # late, and double
        peer.push("31[9]")
    assert (responses, len(answers)) == ([1], 1)
    assert idle(sockets)


@pytest.mark.parametrize("waits", [True, False])
def test_those_who_leave_are_waited_for_no_more(server, peers, sockets, waits):
    if waits:
        greenlet = gevent.spawn(server.to("/").emit_with_ack, "ask")
        turn()
    else:
        answers = ask_all(server)
    peers[0].session.close()
    answer(peers[1], 1)
    peers[2].push("1")
    if waits:
        with pytest.raises(BroadcastTimeoutError) as raised:
            greenlet.get(timeout=20)
        error = raised.value
    else:
        wait_until(lambda: answers)
        [(error, _)] = answers
    assert (error.responses, error.missing) == ([1], [sockets[0].id, sockets[2].id])
    assert idle(sockets)


def test_another_client_cannot_answer_and_none_twice(server, peers, sockets):
    answers = ask_all(server, server.to("/", sockets[0].id, sockets[1].id))
    peers[2].push("31[9]")
    answer(peers[0], 0)
    peers[0].push("31[0]", "31[0]")
    assert answers == []
    answer(peers[1], 1)
    assert answers == [(None, [0, 1])]


def test_who_is_not_let_in_yet_is_not_waited_for(server, peers, sockets):
    gate = gevent.event.Event()
    server.listener.guards["/"] = lambda socket, auth: gate.wait()
    pending = Peer(server)
    pending.push("0")
    answers = ask_all(server)
    for number, peer in enumerate(peers):
        answer(peer, number)
    assert answers == [(None, [0, 1, 2])]
    gate.set()
    wait_until(lambda: pending.taken)
    assert pending.texts()[1:] == ['21["ask"]']  # but it is told, as of every event
    pending.push("31[9]")
    assert len(answers) == 1


def test_a_wait_without_end(server, peers, sockets):
    greenlet = gevent.spawn(server.to("/").timeout(None).emit_with_ack, "ask")
    turn()
    for number, peer in enumerate(peers):
        answer(peer, number)
    assert greenlet.get(timeout=20) == [0, 1, 2]


def test_the_default_is_the_option(peers):
    server = serve(Application(), default_ack_timeout=0.01)
    socket = Peer(server).join()
    with pytest.raises(BroadcastTimeoutError):
        server.to("/").emit_with_ack("ask")
    with pytest.raises(TimeoutError):
        socket.emit_with_ack("ask")
    with pytest.raises(TimeoutError):
        socket.call("ask")


def test_what_can_not_be_sent_asks_nobody(server, peers, sockets):
    for emit in (server.to("/").timeout(60).emit, sockets[0].timeout(60).emit):
        with pytest.raises(TypeError):
            emit("ask", object(), callback=print)
    for emit in (server.to("/").emit_with_ack, sockets[0].emit_with_ack):
        with pytest.raises(TypeError):
            emit("ask", object())
    assert idle(sockets)
    assert [peer.texts() for peer in peers] == [[], [], []]


def test_a_callback_that_fails_is_logged(server, peers, sockets, caplog):
    server.to("/").timeout(60).emit("ask", callback=lambda error, answers: 1 / 0)
    for peer in peers:
        answer(peer)
    assert [record.message for record in caplog.records] == ["an acknowledgement callback failed"]


def test_while_a_handler_asks_its_client_is_read(server):
    """The client has as many handlers as it may, and each waits for an answer that only arrives if it is read."""
    application = Application()
    application.events["e"] = lambda socket, args: socket.namespace.server.to("/").emit_with_ack("ask")
    server = serve(application, max_handlers_per_client=2)
    peer = Peer(server)
    socket = peer.join()
    peer.texts()
    peer.push('20["e"]', '21["e"]')
    assert not peer.session.paused
    peer.push("31[1]", "32[2]")
    assert peer.texts()[-2:] == ["30[[1]]", "31[[2]]"]
    assert idle([socket])


@pytest.mark.parametrize("value", [0, -1, True, "1", float("inf"), float("nan"), [1]])
def test_what_is_no_timeout(server, sockets, value):
    for target in (server.to("/"), sockets[0], sockets[0].volatile, sockets[0].broadcast):
        with pytest.raises(ValueError, match="timeout must be a number of seconds above 0"):
            target.timeout(value)
