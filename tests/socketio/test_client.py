"""Owns one client's life: CONNECT first, handlers in order, attachments gathered, violations that end it."""

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.waiting import turn, wait_until
from gevent.event import Event

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import Event as Happening
from flask_socketio_py.engineio.session import State
from flask_socketio_py.errors import ConnectionRefusedError

PLACE = '{"_placeholder":true,"num":0}'


@pytest.fixture
def application():
    return Application(("/", "/chat"))


@pytest.fixture
def server(application):
    return serve(application, cors_allowed_origins=[])


@pytest.fixture
def peer(server):
    return Peer(server)


def test_connect_is_answered_with_the_public_id_and_not_the_private_one(peer):
    socket = peer.join()
    assert peer.texts() == [f'0{{"sid":"{socket.id}"}}']
    assert socket.id != peer.session.sid
    assert len(socket.id) == 20


def test_each_namespace_has_a_socket_of_its_own(peer):
    first, second = peer.join(), peer.join("/chat")
    assert first.id != second.id
    assert peer.texts()[1] == f'0/chat,{{"sid":"{second.id}"}}'
    assert peer.client.sockets == {"/": first, "/chat": second}


@pytest.mark.parametrize(("auth", "given"), [("", None), ('{"token":"x"}', {"token": "x"})])
def test_the_connect_handler_is_given_what_the_client_sent(application, peer, auth, given):
    seen = []
    application.connects["/"] = lambda socket, auth: seen.append(auth)
    peer.join("/", auth)
    assert seen == [given]


def test_what_a_connect_handler_emits_comes_after_connect(application, server, peer):
    def connect(socket, auth):
        socket.join("room")
        socket.emit("to itself", b"x")
        gevent.sleep(0.002)
        server.to("/").to("room").emit("to the room")
        socket.emit("volatile", volatile=True)

    application.connects["/"] = connect
    peer.join()
    texts = [text[:5] for text in peer.texts()]
    assert texts == ['0{"si', '51-["', '2["to']
    assert peer.taken[1].attachments == (b"x",)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ConnectionRefusedError(), '{"message":"Connection rejected by server"}'),
        (ConnectionRefusedError("no", {"why": 1}), '{"message":"no","data":{"why":1}}'),
        (ConnectionRefusedError("no", 1, 2), '{"message":"no","data":[1,2]}'),
        (ConnectionRefusedError("no", object()), '{"message":"no"}'),
        (ValueError("secret"), '{"message":"Internal server error"}'),
        (gevent.Timeout(1), '{"message":"Internal server error"}'),
    ],
)
def test_a_connect_handler_that_refuses_leaves_nothing(application, server, peer, error, answer):
    def connect(socket, auth):
        socket.join("room")
        socket.emit("never sent")
        raise error

    application.connects["/chat"] = connect
    application.disconnects["/chat"] = lambda socket, reason: pytest.fail("it was never connected")
    peer.push("0/chat,")
    assert peer.texts() == ["4/chat," + answer]
    assert peer.client.sockets == {}
    assert server.of("/chat").sockets == {}
    assert server.of("/chat").adapter.rooms == {}
    assert peer.session.state is State.OPEN
    application.connects.clear()
    application.disconnects.clear()
    peer.join("/chat")  # and may try again


def test_an_unknown_namespace_is_refused_and_not_made(server, peer):
    peer.push("0/unknown,")
    assert peer.texts() == ['4/unknown,{"message":"Invalid namespace"}']
    assert "/unknown" not in server.namespaces
    assert peer.session.state is State.OPEN


def test_handlers_start_in_the_order_of_the_events_and_overlap(application, peer):
    log = []

    def handler(socket, args):
        log.append(args[1])
        gevent.sleep(0.001 * (5 - args[1]))
        log.append(-args[1])

    application.events["e"] = handler
    peer.join()
    peer.push(*[f'2["e",{number}]' for number in range(1, 5)])
    wait_until(lambda: len(log) == 8)
    assert [number for number in log if number > 0] == [1, 2, 3, 4]
    assert log != [1, -1, 2, -2, 3, -3, 4, -4]


@pytest.mark.parametrize(
    ("result", "ack"),
    [(None, "[]"), (1, "[1]"), ("a", '["a"]'), ([1, 2], "[[1,2]]"), ((1, 2), "[1,2]"), ((), "[]"),
     ({"a": None}, '[{"a":null}]'), (False, "[false]")],
)  # fmt: skip
def test_what_a_handler_returns_is_the_acknowledgement(application, peer, result, ack):
    application.events["e"] = lambda socket, args: result
    peer.join()
    peer.texts()
    peer.push('27["e"]', '2["e"]', '20["e"]')
    assert peer.texts() == ["37" + ack, "30" + ack]


def test_a_binary_result_is_a_binary_acknowledgement(application, peer):
    application.events["e"] = lambda socket, args: (b"x", args[1])
    peer.join()
    peer.texts()
    peer.push(f'51-7["e",{PLACE}]', b"y")
    assert peer.texts() == [f"62-7[{PLACE},{PLACE.replace('0', '1')}]"]
    assert peer.taken[-1].attachments == (b"x", b"y")


@pytest.mark.parametrize("result", [object(), [b"x"] * 11])
def test_a_handler_that_fails_acknowledges_nothing_and_costs_nobody(application, peer, caplog, result):
    application.events["e"] = lambda socket, args: result
    application.events["fail"] = lambda socket, args: 1 / 0
    application.events["fine"] = lambda socket, args: "ok"
    peer.join()
    peer.texts()
    peer.push('21["e"]', '22["fail"]', '23["fine"]')
    assert peer.texts() == ['33["ok"]']
    assert len(caplog.records) == 2
    assert peer.client.in_flight == 0


def test_attachments_are_gathered_in_order(application, peer):
    got = []
    application.events["e"] = lambda socket, args: got.append(args)
    peer.join()
    peer.push(f'52-["e",{PLACE.replace("0", "1")},{PLACE}]', b"first", b"second", '2["e"]')
    assert got == [["e", b"second", b"first"], ["e"]]


def test_an_event_nobody_listens_to_is_ignored(peer):
    peer.join()
    peer.texts()
    peer.push('2["unknown",1]', '27["unknown",1]', f'51-["unknown",{PLACE}]', b"x")
    assert (peer.texts(), peer.session.state) == ([], State.OPEN)


#: What ends the connection: packets after a CONNECT to the main namespace.
VIOLATIONS = {
    "no packet": ["x"],
    "a second CONNECT": ["0"],
    "an event to a namespace not joined": ['2/chat,["e"]'],
    "an acknowledgement to a namespace not joined": ["3/chat,1[]"],
    "leaving a namespace not joined": ["1/chat,"],
    "CONNECT_ERROR of a client": ['4{"message":"x"}'],
    "text among attachments": [f'51-["e",{PLACE}]', '2["e"]'],
    "a packet among attachments": [f'52-["e",{PLACE},{PLACE}]', b"x", "1"],
    "unannounced binary data": [b"x"],
    "one attachment too many": [f'51-["e",{PLACE}]', b"x", b"y"],
    "a placeholder of nothing": ['51-["e",{"_placeholder":true,"num":1}]', b"x"],
    "a reserved name": ['2["disconnect"]'],
}


@pytest.mark.parametrize("packets", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_ends_the_connection_and_runs_no_handler_after_it(application, server, peer, packets):
    events, ends = [], []
    application.events["e"] = lambda socket, args: events.append(args)
    application.disconnects["/"] = lambda socket, reason: ends.append(reason)
    peer.join()
    peer.push(*packets, '2["e","after"]')
    assert ["e", "after"] not in events
    assert ends == [Reason.FORCED_CLOSE]
    assert peer.session.state is State.CLOSED
    assert peer.transport.closed is Reason.FORCED_CLOSE
    assert server.engine.sessions == {}
    assert server.of("/").sockets == {}


@pytest.mark.parametrize("packets", [['2["e"]'], ["1"], ["31[]"], [f'51-["e",{PLACE}]'], [b"x"]])
def test_nothing_is_said_before_connect(peer, packets):
    peer.push(*packets)
    assert peer.session.state is State.CLOSED


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda peer, socket: peer.push("1"), Reason.CLIENT_NAMESPACE_DISCONNECT),
        (lambda peer, socket: socket.disconnect(), Reason.SERVER_NAMESPACE_DISCONNECT),
        (lambda peer, socket: socket.disconnect(close=True), Reason.SERVER_NAMESPACE_DISCONNECT),
        (lambda peer, socket: peer.session.receive("1"), Reason.TRANSPORT_CLOSE),
        (lambda peer, socket: peer.session.apply(Happening.TRANSPORT_FAILED), Reason.TRANSPORT_ERROR),
        (lambda peer, socket: peer.session.apply(Happening.PING_TIMED_OUT), Reason.PING_TIMEOUT),
        (lambda peer, socket: peer.server.close(), Reason.SERVER_SHUTTING_DOWN),
    ],
)
def test_the_disconnect_handler_runs_once_with_the_reason_and_the_rooms(application, server, peer, end, reason):
    seen = []

    def disconnect(socket, reason):
        gevent.sleep(0.002)
        seen.append((reason, socket.rooms[1:], socket.connected))

    application.disconnects["/"] = disconnect
    socket = peer.join()
    socket.join("room")
    end(peer, socket)
    wait_until(lambda: not server.of("/").sockets)
    socket.disconnect(close=True)
    peer.session.close()
    turn()
    assert seen == [(reason, ["room"], False)]
    assert server.of("/").adapter.rooms == {}
    assert socket.rooms == []


def test_one_namespace_ends_without_the_others(application, peer):
    first, second = peer.join(), peer.join("/chat")
    peer.texts()
    first.disconnect()
    assert peer.texts() == ["1"]
    assert (first.connected, second.connected, peer.session.state) == (False, True, State.OPEN)
    peer.push('2["sent before the client knew"]')
    assert peer.session.state is State.OPEN
    again = peer.join()
    assert again.id != first.id
    second.disconnect(close=True)
    assert sorted(peer.texts()[-2:]) == ["1", "1/chat,"]
    assert peer.transport.closed is Reason.FORCED_SERVER_CLOSE


def test_a_client_that_leaves_while_its_connect_handler_runs_is_told_to_the_application(application, server, peer):
    log, go = [], Event()

    def connect(socket, auth):
        log.append("connect")
        go.wait()

    application.connects["/"] = connect
    application.disconnects["/"] = lambda socket, reason: log.append(str(reason))
    peer.push("0")
    peer.session.apply(Happening.TRANSPORT_CLOSED)
    assert log == ["connect"]
    go.set()
    wait_until(lambda: not server.of("/").sockets)
    turn()
    assert log == ["connect", "transport close"]
    assert peer.texts() == []


def test_a_client_disconnected_by_its_connect_handler_learns_of_both(application, peer):
    application.connects["/"] = lambda socket, auth: socket.disconnect()
    peer.push("0")
    assert [text[0] for text in peer.texts()] == ["0", "1"]


def test_always_connect_answers_first_and_refuses_by_a_disconnect(application):
    def connect(socket, auth):
        raise ConnectionRefusedError("no")

    application.connects["/"] = connect
    peer = Peer(serve(application, always_connect=True))
    peer.push("0")
    texts = peer.texts()
    assert texts[0].startswith('0{"sid"')
    assert texts[1:] == ["1"], "official clients break off at a DISCONNECT with data"
    assert peer.client.sockets == {}


def test_a_client_that_joins_nothing_is_sent_away(application):
    server = serve(application, connect_timeout=0.05)
    idle, lively = Peer(server), Peer(server)
    lively.join()
    wait_until(lambda: idle.transport.closed)
    assert idle.transport.closed is Reason.CONNECT_TIMEOUT
    assert lively.session.state is State.OPEN


def test_a_slow_connect_handler_is_waited_for(application):
    application.connects["/"] = lambda socket, auth: gevent.sleep(0.15)
    peer = Peer(serve(application, connect_timeout=0.05))
    peer.join()
    assert peer.session.state is State.OPEN
