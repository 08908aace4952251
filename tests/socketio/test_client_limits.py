"""Owns what one client may take: handlers at once, namespaces; and handlers strictly one after another."""

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_socketio_py.engineio.session import State


@pytest.fixture
def application():
    return Application(("/", "/a", "/b", "/c"))


def test_a_client_with_too_many_handlers_is_not_read_until_one_ends(application):
    go, log = Event(), []

    def wait(socket, args):
        log.append(args[1])
        go.wait()

    application.events["wait"] = wait
    peer = Peer(serve(application, max_handlers_per_client=3))
    other = Peer(peer.server)
    peer.join()
    other.join()
    for number in range(1, 5):
        assert peer.transport.paused is (number > 3)
        peer.push(f'2["wait",{number}]')
    assert (peer.transport.paused, peer.client.in_flight) == (True, 4)
    assert not other.transport.paused
    go.set()
    wait_until(lambda: peer.client.in_flight == 0)
    assert not peer.transport.paused
    assert log == [1, 2, 3, 4]


@settings(deadline=None, max_examples=40)
@given(limit=st.integers(1, 4), steps=st.lists(st.sampled_from(["event", "end"]), max_size=20), serial=st.booleans())
def test_paused_is_always_what_the_number_of_handlers_says(limit, steps, serial):
    application, waiting = Application(), []

    def wait(socket, args):
        waiting.append(mine := Event())
        mine.wait()

    application.events["wait"] = wait
    peer = Peer(serve(application, max_handlers_per_client=limit, async_handlers=not serial))
    peer.join()
    expected = 0
    for step in steps:
        if step == "event":
            peer.push('2["wait"]')
            expected += 1
        elif expected:
            waiting.pop(0).set()
            expected -= 1
            turn()
        assert peer.client.in_flight == expected
        assert peer.session.paused is peer.transport.paused is (expected >= limit)
    while expected:
        waiting.pop(0).set()
        expected -= 1
        turn()
    assert not peer.session.paused


@pytest.mark.parametrize("failure", [ValueError, SystemExit, gevent.GreenletExit, gevent.Timeout])
@pytest.mark.parametrize("concurrent", [True, False], ids=["overlapping", "serial"])
def test_a_handler_that_fails_gives_its_place_back(application, failure, concurrent):
    log = []

    def fail(socket, args):
        raise failure

    application.events["fail"] = fail
    application.events["e"] = lambda socket, args: log.append(args[1])
    peer = Peer(serve(application, max_handlers_per_client=2, async_handlers=concurrent))
    peer.join()
    for number in range(4):
        peer.push('2["fail"]', f'2["e",{number}]')
    assert log == [0, 1, 2, 3]
    assert (peer.client.in_flight, peer.transport.paused, peer.session.state) == (0, False, State.OPEN)


# --- one after another -----------------------------------------------------------------------------------------------


def test_serial_handlers_never_overlap_and_keep_their_order(application):
    log = []

    def handler(socket, args):
        log.append(f"{args[1]} starts")
        gevent.sleep(0.002 if args[1] % 2 else 0)
        log.append(f"{args[1]} ends")

    application.events["e"] = handler
    application.connects["/"] = lambda socket, auth: gevent.sleep(0.005)
    application.disconnects["/"] = lambda socket, reason: log.append("disconnected")
    peer = Peer(serve(application, async_handlers=False))
    socket = peer.join()
    peer.push(*[f'2["e",{number}]' for number in range(6)])
    socket.disconnect()
    wait_until(lambda: "disconnected" in log)
    assert log == [f"{number} {what}" for number in range(6) for what in ("starts", "ends")] + ["disconnected"]


def test_serial_handlers_of_two_clients_do_overlap(application):
    go, log = Event(), []

    def handler(socket, args):
        log.append(args[1])
        go.wait()

    application.events["e"] = handler
    server = serve(application, async_handlers=False)
    for name in "ab":
        peer = Peer(server)
        peer.join()
        peer.push(f'2["e","{name}"]', f'2["e","{name} again"]')
    assert log == ["a", "b"]
    go.set()
    wait_until(lambda: len(log) == 4)


def test_a_serial_handler_can_wait_for_an_acknowledgement(application):
    answers = []

    def handler(socket, args):
        answers.append(socket.call("question", args[1], timeout=20))

    application.events["e"] = handler
    peer = Peer(serve(application, async_handlers=False, max_handlers_per_client=1))
    peer.join()
    peer.texts()
    peer.push('2["e",1]', '2["e",2]')
    assert peer.texts() == ['21["question",1]']
    peer.push('31["one"]')
    assert peer.texts() == ['22["question",2]']
    peer.push('32["two"]')
    assert answers == ["one", "two"]


def test_a_client_is_read_on_while_a_handler_waits_for_its_answer(application):
    answers = []
    application.events["e"] = lambda socket, args: answers.append(socket.call("question", timeout=20))
    peer = Peer(serve(application, max_handlers_per_client=1))
    peer.join()
    peer.texts()
    peer.push('2["e"]')
    assert not peer.transport.paused
    peer.push('31["answer"]')
    assert answers == ["answer"]
    assert (peer.client.in_flight, peer.transport.paused) == (0, False)


# --- namespaces ------------------------------------------------------------------------------------------------------


def test_a_client_joins_only_so_many_namespaces(application):
    peer = Peer(serve(application, max_namespaces_per_client=2))
    first = peer.join("/a")
    peer.join("/b")
    peer.texts()
    peer.push("0/c,")
    assert peer.texts() == ['4/c,{"message":"Too many namespaces"}']
    assert peer.session.state is State.OPEN
    first.disconnect()
    peer.join("/c")
    assert set(peer.client.sockets) == {"/b", "/c"}


def test_names_that_clients_choose_are_forgotten_again():
    class Anything(Application):
        def template(self, namespace):
            return namespace

    server = serve(Anything(), max_namespaces_per_client=10_000)
    peer = Peer(server)
    kept = peer.join("/kept")
    for number in range(2500):
        peer.session.receive(f"40/{number},")
        peer.session.receive(f"41/{number},")
    assert len(server.namespaces) <= 1001
    assert server.of("/kept").sockets == {kept.id: kept}
    assert set(peer.client.sockets) == {"/kept"}
