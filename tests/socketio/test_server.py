"""Owns the way of a message to its sockets from whichever greenlet or thread, and the end of everybody."""

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.socketio.namespace import Namespace


@pytest.fixture
def server():
    return serve(Application(("/", "/chat")))


def test_a_namespace_is_made_once(server):
    assert server.of("/chat") is server.of("/chat")
    assert isinstance(server.of("/"), Namespace)
    assert (server.of("/").prefix, server.of("/chat").prefix) == (b"", b"/chat,")


def test_sockets_are_known_while_they_are_there(server):
    peer = Peer(server)
    socket = peer.join("/chat")
    assert server.of("/chat").sockets == {socket.id: socket}
    assert server.of("/").sockets == {}
    peer.session.close()
    assert server.of("/chat").sockets == {}


def test_emits_of_threads_keep_their_order_and_reach_everybody(server):
    peers = [Peer(server) for _ in range(3)]
    for peer in peers:
        peer.join()
        peer.texts()

    def emit():
        for number in range(50):
            server.to("/").emit("e", number)

    gevent.get_hub().threadpool.apply(emit)
    wait_until(lambda: all(len(peer.taken) == 51 for peer in peers))
    for peer in peers:
        assert [args[1] for args in peer.events()] == list(range(50))


def test_threads_know_that_they_are_none_of_the_hub(server):
    Peer(server)
    done = []
    assert server.in_home_thread()
    server.in_home_thread_do(done.append, "here")
    assert done == ["here"]
    assert gevent.get_hub().threadpool.apply(server.in_home_thread) is False
    gevent.get_hub().threadpool.apply(server.in_home_thread_do, (done.append, "from there"))
    wait_until(lambda: len(done) == 2)
    assert done == ["here", "from there"]


def test_a_greenlet_that_emits_much_to_one_lets_the_hub_write(server):
    peer = Peer(server)
    socket = peer.join()
    peer.transport.room = 0
    limit = server.options.max_outbox_size
    turns = []

    def read():
        while True:
            turns.append(peer.session.outbox_size)
            peer.transport.make_room(1000)
            gevent.sleep(0)

    reader = gevent.spawn(read)
    for _ in range(300):
        socket.emit("e", "x" * 100_000)
        peer.transport.room = 0
    reader.kill()
    assert peer.transport.closed is None  # thirty megabytes, of which never more than the outbox waited
    assert max(turns) < limit


def test_a_server_that_closes_runs_every_disconnect_handler():
    application, reasons = Application(("/", "/chat")), []
    application.disconnects["/"] = application.disconnects["/chat"] = lambda socket, reason: reasons.append(reason)
    server = serve(application)
    for _ in range(3):
        peer = Peer(server)
        peer.join()
        peer.join("/chat")
    server.close()
    turn()
    assert reasons == [Reason.SERVER_SHUTTING_DOWN] * 6
    assert server.engine.sessions == {}
    assert server.of("/").sockets == server.of("/chat").sockets == {}
