"""Owns what a client of Socket.IO 4 (revision 3 of Engine.IO) is spared and told otherwise: joins, ids, refusals."""

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until
from gevent.event import Event

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.errors import ConnectionRefusedError


@pytest.fixture
def application():
    return Application(("/", "/chat"))


@pytest.fixture
def server(application):
    return serve(application, cors_allowed_origins=[])


def opened(server):
    peer = Peer(server, revision="3")
    turn()
    return peer


def test_the_main_namespace_is_joined_by_opening_and_its_socket_has_the_private_id(server):
    peer = opened(server)
    assert peer.texts() == ["0"]
    assert peer.client.sockets["/"].id == peer.session.sid
    assert list(server.of("/").sockets) == [peer.session.sid]


def test_another_namespace_is_answered_without_data_and_its_socket_named_after_both(server):
    peer = opened(server)
    peer.push("0/chat,")
    assert peer.texts() == ["0", "0/chat,"]
    assert list(server.of("/chat").sockets) == [f"/chat#{peer.session.sid}"]


@pytest.mark.parametrize(
    ("packet", "auth"),
    [
        ("0/chat", None),
        ("0/chat?", None),
        ("0/chat?token=a%20b%2Cc+d&empty=,", {"token": "a b,c d", "empty": ""}),
        ("0/chat?a=1&a=2,", {"a": "2"}),
        ("0/chat?__proto__=x", {"__proto__": "x"}),
        ('0/chat,{"not":"looked at"}', None),
    ],
)
def test_the_query_of_a_connect_is_its_auth(application, server, packet, auth):
    seen = []
    application.connects["/chat"] = lambda socket, auth: seen.append(auth)
    peer = opened(server)
    peer.push(packet)
    assert seen == [auth]
    assert peer.texts() == ["0", "0/chat,"]


def test_a_query_of_very_many_values_ends_the_client(server):
    peer = opened(server)
    peer.push("0/chat?" + "a=1&" * 200)
    assert peer.transport.closed is Reason.FORCED_CLOSE


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ConnectionRefusedError(), '"Connection rejected by server"'),
        (ConnectionRefusedError("no"), '"no"'),
        (ConnectionRefusedError("no", {"why": 1}), '{"why":1}'),
        (ConnectionRefusedError("no", "data"), '"data"'),
        (ConnectionRefusedError("no", 1, 2), "[1,2]"),
        (ConnectionRefusedError("no", 7), '"no"'),
        (ConnectionRefusedError("no", ""), '"no"'),
        (ConnectionRefusedError("no", [object()]), '"no"'),
        (ValueError("secret"), '"Internal server error"'),
    ],
)
@pytest.mark.parametrize("namespace", ["/", "/chat"])
def test_a_refusal_is_one_value(application, server, namespace, error, answer):
    def connect(socket, auth):
        raise error

    application.connects[namespace] = connect
    peer = opened(server)
    if namespace == "/":
        assert peer.texts() == ["4" + answer]
    else:
        peer.push("0/chat,")
        assert peer.texts() == ["0", "4/chat," + answer]
    assert namespace not in peer.client.sockets
    assert not server.of(namespace).sockets


def test_an_unknown_namespace_is_refused_with_a_string(server):
    peer = opened(server)
    peer.push("0/unknown?a=b,")
    assert peer.texts() == ["0", '4/unknown,"Invalid namespace"']


def test_a_main_namespace_that_is_not_served_is_refused_and_the_client_sent_away_in_time(application):
    application.namespaces = ("/chat",)
    peer = opened(serve(application, connect_timeout=0.05))
    assert peer.texts() == ['4"Invalid namespace"']
    wait_until(lambda: peer.transport.closed)
    assert peer.transport.closed is Reason.CONNECT_TIMEOUT


def test_the_connect_timeout_is_over_with_the_main_namespace(application):
    server = serve(application, connect_timeout=0.02)
    old, new = opened(server), Peer(server)
    wait_until(lambda: new.transport.closed)
    assert old.transport.closed is None


def test_a_late_refusal_is_a_disconnect_without_data(application):
    def connect(socket, auth):
        raise ConnectionRefusedError("no", {"why": 1})

    application.connects["/"] = connect
    peer = opened(serve(application, always_connect=True))
    assert peer.texts() == ["0", "1"]


def test_a_connect_packet_for_the_main_namespace_is_one_too_many(server):
    peer = opened(server)
    peer.push("0")
    assert peer.transport.closed is Reason.FORCED_CLOSE


def test_what_a_connect_handler_emits_comes_after_connect(application, server):
    def connect(socket, auth):
        socket.emit("early", b"x")
        gevent.sleep(0.002)

    application.connects["/"] = connect
    peer = opened(server)
    wait_until(lambda: len(peer.taken) == 2)
    assert peer.texts() == ["0", '51-["early",{"_placeholder":true,"num":0}]']


def test_events_rooms_acks_and_broadcasts_reach_both_protocols(application, server):
    application.events["join"] = lambda socket, args: socket.join(args[1])
    application.events["echo"] = lambda socket, args: tuple(args[1:])
    old, new = opened(server), Peer(server)
    new.join()
    for peer in (old, new):
        peer.texts()
        peer.push('2["join","room"]', '27["echo",1,"2"]')
        assert peer.texts() == ['37[1,"2"]']
    server.to("/", "room").emit("all", b"x")
    turn()
    assert old.taken[-1] is new.taken[-1], "encoded once for both"
    assert old.events() == new.events() == [["all", b"x"]]
    server.to("/", old.session.sid).emit("one")
    turn()
    assert (old.events(), new.events()) == ([["one"]], [])


def test_both_directions_of_a_disconnect(application, server):
    reasons = []
    application.disconnects["/"] = application.disconnects["/chat"] = lambda socket, reason: reasons.append(
        (socket.id, str(reason))
    )
    peer = opened(server)
    peer.push("0/chat,", "1/chat,")
    peer.client.sockets["/"].disconnect()
    turn()
    assert peer.texts() == ["0", "0/chat,", "1"]
    sid = peer.session.sid
    assert reasons == [(f"/chat#{sid}", "client namespace disconnect"), (sid, "server namespace disconnect")]


def test_a_namespace_joined_again_while_its_disconnect_handler_runs_belongs_to_the_new_socket(application, server):
    go = Event()
    application.disconnects["/chat"] = lambda socket, reason: go.wait()
    peer = opened(server)
    peer.push("0/chat,")
    peer.client.sockets["/chat"].join("old room")
    peer.push("1/chat,", "0/chat,")
    new = peer.client.sockets["/chat"]
    assert server.of("/chat").adapter.rooms_of(new.id) == [new.id]
    new.join("new room")
    go.set()
    turn()
    assert server.of("/chat").sockets == {new.id: new}
    assert server.of("/chat").adapter.rooms_of(new.id) == [new.id, "new room"]
    peer.texts()
    server.to("/chat", "new room").emit("still here")
    turn()
    assert peer.events() == [["still here"]]
