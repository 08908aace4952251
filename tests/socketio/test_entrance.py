"""Owns the way in: who is asked in which order, what the client is told, and what is left of one that leaves."""

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import State
from flask_socketio_py.errors import ConnectionRefusedError

CONNECTED = '0{"sid":"'


@pytest.fixture
def application():
    application = Application(("/",))
    application.searches["/static"] = "template"
    return application


@pytest.fixture
def gate():
    return gevent.event.Event()


def left_over(server):
    """Sockets, rooms and places that anybody still holds."""
    found = [socket for namespace in server.namespaces.values() for socket in namespace.sockets.values()]
    rooms = [room for namespace in server.namespaces.values() for room in namespace.adapter.rooms]
    recovery = [namespace.adapter.recovery for namespace in server.namespaces.values()]
    return found, rooms, [list(kept.present) for kept in recovery if kept is not None and kept.present]


NOTHING = ([], [], [])


# --- middleware and handler ------------------------------------------------------------------------------------------


def test_the_middleware_comes_first_and_what_they_emit_follows_connect(application):
    order = []

    def guard(socket, auth):
        order.append(("guard", auth, socket.connected))
        socket.emit("from the middleware")
        gevent.sleep(0)

    def connect(socket, auth):
        order.append(("connect", auth, socket.connected))
        socket.emit("from the handler")

    application.guards["/"], application.connects["/"] = guard, connect
    peer = Peer(serve(application))
    peer.join(auth='{"a":1}')
    assert order == [("guard", {"a": 1}, False), ("connect", {"a": 1}, False)]
    first, *others = peer.texts()
    assert first.startswith(CONNECTED)
    assert others == ['2["from the middleware"]', '2["from the handler"]']


@pytest.mark.parametrize("handler", [True, False])
def test_always_connect_answers_when_the_middleware_has_let_in(application, gate, handler):
    seen = []
    application.guards["/"] = lambda socket, auth: gate.wait()
    if handler:
        application.connects["/"] = lambda socket, auth: seen.append(socket.connected)
    peer = Peer(serve(application, always_connect=True))
    peer.push("0")
    assert peer.texts() == []
    gate.set()
    wait_until(lambda: peer.taken, "CONNECT is answered")
    turn()
    assert [text[:8] for text in peer.texts()] == ['0{"sid":']
    assert seen == [True] * handler


@pytest.mark.parametrize("always_connect", [False, True])
def test_a_refusal_by_the_middleware_is_a_connect_error_and_nothing_else(application, always_connect):
    def refuse(socket, auth):
        socket.join("room")
        socket.emit("not for you")
        raise ConnectionRefusedError("no", {"code": 1})

    application.guards["/"] = refuse
    application.connects["/"] = application.disconnects["/"] = lambda *args: pytest.fail("it was refused")
    server = serve(application, always_connect=always_connect, connection_state_recovery=True)
    peer = Peer(server)
    peer.push("0")
    assert peer.texts() == ['4{"message":"no","data":{"code":1}}']
    assert left_over(server) == NOTHING
    assert peer.client.sockets == {}
    assert peer.client.in_flight == 0


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), gevent.Timeout(1), gevent.GreenletExit()])
def test_what_else_a_middleware_raises_lets_nobody_in(application, error, caplog):
    def fail(socket, auth):
        raise error

    application.guards["/"] = fail
    server = serve(application)
    peer = Peer(server)
    peer.push("0")
    wait_until(lambda: peer.taken, "it is answered")
    assert peer.texts() == ['4{"message":"Internal server error"}']
    assert (left_over(server), peer.client.sockets) == (NOTHING, {})


@pytest.mark.parametrize("stage", ["guards", "connects"])
@pytest.mark.parametrize("end", ["transport", "engine", "server"])
def test_a_client_that_leaves_meanwhile_leaves_nothing(application, gate, stage, end):
    told = []

    def wait(socket, auth):
        socket.join("room")
        gate.wait()

    getattr(application, stage)["/"] = wait
    if stage == "guards":
        application.connects["/"] = lambda *args: told.append("connect")
    application.disconnects["/"] = lambda socket, reason: told.append(reason)
    server = serve(application, connection_state_recovery=True)
    peer = Peer(server)
    peer.push("0")
    [socket] = server.of("/").sockets.values()
    if end == "transport":
        peer.session.close()
    elif end == "engine":
        peer.push(b"binary that nobody announced")
    else:
        socket.disconnect(close=True)
    turn()
    # Disconnected by the server in its connect handler it was let in first.
    assert bool(told) is (end == "server" and stage == "connects")
    gate.set()
    wait_until(lambda: left_over(server) == NOTHING, "nothing is left")
    turn()
    # Who never saw a connect does not see the disconnect.
    reason = Reason.SERVER_NAMESPACE_DISCONNECT if end == "server" else Reason.FORCED_CLOSE
    assert told == ([] if stage == "guards" else [reason])
    assert (peer.client.sockets, peer.client.in_flight) == ({}, 0)
    assert not socket.connected


def test_a_client_that_was_never_let_in_has_nothing_to_come_back_to(application, gate):
    application.guards["/"] = lambda socket, auth: gate.wait()
    server = serve(application, connection_state_recovery=True)
    for _ in range(3):
        peer = Peer(server)
        peer.push("0")
        peer.session.close()
    gate.set()
    wait_until(lambda: left_over(server) == NOTHING)
    assert server.of("/").adapter.recovery.empty


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_middleware_that_disconnects_refuses(application, close, fails):
    """What was sent to the namespace meanwhile is not for a client that was not let in."""

    def disconnect(socket, auth):
        server.to("/").emit("secret")
        socket.disconnect(close=close)
        socket.disconnect(close=close)
        if fails:
            raise ConnectionRefusedError("a second answer")

    application.guards["/"] = disconnect
    application.connects["/"] = application.disconnects["/"] = lambda *args: pytest.fail("it was refused")
    server = serve(application)
    peer = Peer(server)
    peer.push("0")
    turn()
    assert peer.texts() == ['4{"message":"Connection rejected by server"}']
    assert (left_over(server), peer.client.sockets) == (NOTHING, {})
    assert (peer.session.state is State.OPEN) is not close
    if not close:
        del application.guards["/"], application.connects["/"], application.disconnects["/"]
        assert peer.join().connected


def test_one_that_was_disconnected_by_a_middleware_may_ask_again_while_that_still_runs(application, gate):
    def guard(socket, auth):
        if auth is None:
            socket.disconnect()
            gate.wait()

    application.guards["/"] = guard
    server = serve(application)
    peer = Peer(server)
    peer.push("0")
    socket = peer.join(auth='{"key":1}')
    gate.set()
    turn()
    assert [text[:8] for text in peer.texts()] == ['4{"messa', '0{"sid":']
    assert peer.client.sockets == {"/": socket}
    assert list(server.of("/").sockets.values()) == [socket]
    assert peer.client.in_flight == 0


def test_a_connect_handler_that_disconnects_has_let_in(application):
    told = []
    application.connects["/"] = lambda socket, auth: socket.disconnect()
    application.disconnects["/"] = lambda socket, reason: told.append(reason)
    server = serve(application)
    peer = Peer(server)
    peer.push("0")
    assert [text[:8] for text in peer.texts()] == ['0{"sid":', "1"]
    assert told == [Reason.SERVER_NAMESPACE_DISCONNECT]
    assert left_over(server) == NOTHING


@pytest.mark.parametrize("stage", ["guards", "searches"])
def test_a_second_connect_while_the_first_is_judged_ends_the_connection(application, gate, stage):
    getattr(application, stage)["/"] = lambda *args: gate.wait() and None
    application.namespaces = ()
    application.searches.setdefault("/", "/")
    server = serve(application)
    peer = Peer(server)
    peer.push("0", "0")
    assert peer.session.state is State.CLOSED
    gate.set()
    wait_until(lambda: peer.client.in_flight == 0)
    assert (peer.texts(), left_over(server), peer.client.sockets) == ([], NOTHING, {})


def test_what_waits_for_a_client_that_is_not_let_in_is_bounded(application, gate):
    application.guards["/"] = lambda socket, auth: gate.wait()
    server = serve(application, max_outbox_size=100_000)
    peer = Peer(server)
    peer.push("0")
    for number in range(2000):
        server.to("/").emit("e", number, "x" * 100)
    assert peer.session.state is State.CLOSED
    gate.set()
    wait_until(lambda: left_over(server) == NOTHING)


# --- the search for a dynamic namespace ------------------------------------------------------------------------------


def test_a_template_that_is_known_is_entered_at_once(application):
    server = serve(application)
    socket = Peer(server).join("/static")
    assert (socket.namespace.template, application.made) == ("template", ["/static"])


def test_two_who_ask_at_once_meet_in_one_namespace(application, gate):
    def search(socket):
        gate.wait()
        return "template"

    application.searches["/dynamic"] = search
    server = serve(application)
    peers = [Peer(server) for _ in range(2)]
    for peer in peers:
        peer.push("0/dynamic,")
    assert application.made == []
    gate.set()
    wait_until(lambda: len(server.namespaces.get("/dynamic").sockets) == 2 if server.namespaces else False)
    assert application.made == ["/dynamic"]
    assert [text[:17] for peer in peers for text in peer.texts()] == ['0/dynamic,{"sid":'] * 2


@pytest.mark.parametrize("answer", ["template", None, ConnectionRefusedError("no", 1), RuntimeError("on purpose")])
def test_a_client_that_leaves_while_it_is_searched_leaves_nothing(application, gate, answer):
    def search(socket):
        gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    application.searches["/dynamic"] = search
    server = serve(application)
    peer, left = Peer(server), Peer(server)
    for one in (peer, left):
        one.push("0/dynamic,")
    peer.session.close()
    next(iter(left.client.sockets.values())).disconnect()
    gate.set()
    wait_until(lambda: peer.client.in_flight == left.client.in_flight == 0)
    assert (server.namespaces, peer.client.sockets, left.client.sockets) == ({}, {}, {})
    assert (peer.texts(), left.texts()) == ([], ['4/dynamic,{"message":"Connection rejected by server"}'])


@pytest.mark.parametrize(
    ("answer", "error"),
    [(None, '{"message":"Invalid namespace"}'), (ConnectionRefusedError("no", 1), '{"message":"no","data":1}'),
     (RuntimeError("on purpose"), '{"message":"Internal server error"}')],
)  # fmt: skip
def test_a_search_that_finds_nothing_refuses(application, answer, error):
    def search(socket):
        if isinstance(answer, Exception):
            raise answer
        return answer

    application.searches["/dynamic"] = search
    server = serve(application)
    peer = Peer(server)
    for _ in range(3):
        peer.push("0/dynamic,")
    assert peer.texts() == [f"4/dynamic,{error}"] * 3
    assert (server.namespaces, peer.client.sockets, application.made) == ({}, {}, [])


def test_a_search_sees_what_the_application_sent_but_not_the_private_id(application):
    seen = []

    def search(socket):
        seen.append((socket.auth, socket.handshake.auth))
        return "template"

    application.searches["/dynamic"] = search
    server = serve(application, connection_state_recovery=True)
    Peer(server).join("/dynamic", '{"pid":"private","offset":"x","token":1}')
    Peer(server).join("/dynamic", '{"pid":"private"}')
    assert seen == [({"token": 1}, {"token": 1}), (None, {})]


def test_a_namespace_addressed_before_its_template_was_found_gets_it(application):
    """Else whoever enters would meet neither the middleware nor the handlers of its parent."""
    application.searches["/dynamic"] = lambda socket: "template"
    application.guards["template"] = lambda socket, auth: seen.append(socket.namespace.name)
    seen = []
    server = serve(application)
    namespace = server.of("/dynamic")
    assert namespace.template == "/dynamic"
    assert Peer(server).join("/dynamic").namespace is namespace
    assert seen == ["/dynamic"]
    assert (application.made, application.found) == (["/dynamic"], [("/dynamic", "template")])
    Peer(server).join("/dynamic")
    assert len(application.found) == 1


def test_the_namespaces_of_one_client_are_counted(application):
    for number in range(5):
        application.searches[f"/{number}"] = "template"
    peer = Peer(serve(application, max_namespaces_per_client=3))
    for number in range(5):
        peer.push(f"0/{number},")
    assert [text[:20] for text in peer.texts()][3:] == ['4/3,{"message":"Too ', '4/4,{"message":"Too ']
    peer.push("1/0,", "0/4,")
    assert peer.texts()[0].startswith("0/4,")


def test_names_the_server_disconnected_do_not_pile_up(application):
    for number in range(200):
        application.searches[f"/{number}"] = "template"
    application.connects["template"] = lambda socket, auth: socket.disconnect()
    peer = Peer(serve(application, max_namespaces_per_client=10))
    for number in range(200):
        peer.push(f"0/{number},")
    assert len(peer.client._left) <= 10
    peer.push('2/199,["sent before it knew"]')
    assert peer.session.state is State.OPEN
