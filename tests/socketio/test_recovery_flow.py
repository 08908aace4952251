"""Owns the way back of a client whose connection broke, through all of the server: what it finds, what it missed."""

import json

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.returning import Browser, names
from contract.waiting import turn, wait_until

from flask_socketio_py.engineio.reasons import Reason
from flask_socketio_py.engineio.session import State
from flask_socketio_py.errors import ConnectionRefusedError


@pytest.fixture
def application():
    return Application(("/", "/chat"))


@pytest.fixture
def server(application):
    return serve(application, connection_state_recovery=True)


def test_everything_is_as_it_was(server):
    browser = Browser(server)
    socket = browser.connect(token=1)
    assert not socket.recovered
    socket.join("red", "blue")
    server.of("/").adapter.join(socket.id, ("a", 1))
    socket.data["name"] = "Ada"
    socket.leave("blue")
    browser.vanish()
    assert server.of("/").sockets == {}
    server.to("/").emit("to all", 1)
    server.to("/", "blue").emit("not for it")
    server.to("/", "red").to(("b",)).except_(("c",)).emit("to red")
    server.to("/").except_("red").emit("not for it")
    server.to("/", socket.id).emit("to it")
    again = browser.connect(token=2)
    assert again is not socket
    assert (again.id, again.recovered, again.data) == (socket.id, True, {"name": "Ada"})
    assert set(again.rooms) == {again.id, "red", ("a", 1)}
    assert (again.auth, again.handshake.auth) == ({"token": 2}, {"token": 2})
    assert names(browser) == [["to all", 1], ["to red"], ["to it"]]
    kinds = [kind for kind, _, _ in browser.news]
    assert kinds == [0, 2, 2, 2]  # what it missed comes after CONNECT: cut in between, it would come twice
    assert browser.news[0][2] == {"sid": again.id, "pid": browser.ids["/"]}


def test_a_room_joined_late_has_no_past_even_if_the_connection_breaks_twice(server):
    browser = Browser(server)
    socket = browser.connect()
    server.to("/", "red").emit("before it joined")
    socket.join("red")
    browser.peer.transport.room = 0  # what is sent now never arrives
    server.to("/", "red").emit("lost")
    browser.vanish()
    server.to("/", "red").emit("missed")
    again = browser.peer = Peer(server, room=0)
    again.push("0" + json.dumps({"pid": browser.ids["/"]}))
    assert server.to("/").count() == 1
    browser.vanish()
    browser.connect()
    assert names(browser) == [["lost"], ["missed"]]


def test_what_happens_in_the_connect_handler_follows_what_was_missed(application, server):
    application.connects["/"] = lambda socket, auth: (
        socket.emit("hello", socket.recovered),
        server.to("/").emit("news"),
    )
    browser = Browser(server)
    browser.connect()
    assert names(browser) == [["hello", False], ["news"]]
    browser.vanish()
    server.to("/").emit("missed")
    browser.connect()
    assert names(browser)[2:] == [["missed"], ["hello", True], ["news"]]
    assert [kind for kind, _, _ in browser.news] == [0, 2, 2, 2]


def test_it_may_break_again_and_again(server):
    browser = Browser(server)
    first = browser.connect()
    for number in range(5):
        browser.vanish()
        server.to("/").emit("e", number)
        socket = browser.connect()
        assert (socket.id, socket.recovered) == (first.id, True)
    browser.vanish()
    socket = browser.connect()
    assert (socket.id, names(browser)) == (first.id, [["e", number] for number in range(5)])
    assert list(server.of("/").adapter.recovery.present.values()) == [first.id]


def test_without_an_event_ever_received_there_is_no_offset_and_it_works(server):
    browser = Browser(server)
    server.to("/").emit("before it came")
    first = browser.connect()
    browser.vanish()
    server.to("/").emit("missed")
    assert browser.connect().id == first.id
    assert names(browser) == [["missed"]]


def test_one_that_comes_back_before_its_death_was_noticed(application, server):
    reasons = []
    application.disconnects["/"] = lambda socket, reason: reasons.append(reason)
    browser = Browser(server)
    old = browser.connect()
    chat = browser.connect("/chat", browser.peer)
    half_open = browser.peer
    old.join("red")
    half_open.transport.room = 0
    server.to("/").emit("lost on the way")
    new = browser.connect()
    assert half_open.session.state is State.CLOSED
    assert (old.connected, chat.connected, reasons) == (False, False, [Reason.TRANSPORT_CLOSE])
    assert (new.id, new.recovered, new.rooms) == (old.id, True, [old.id, "red"])
    assert names(browser) == [["lost on the way"]]
    assert browser.connect("/chat", browser.peer).id == chat.id
    assert list(server.of("/").sockets.values()) == [new]


def test_each_namespace_comes_back_for_itself(server):
    browser = Browser(server)
    main = browser.connect()
    chat = browser.connect("/chat", browser.peer)
    browser.vanish()
    server.to("/").emit("in main")
    server.to("/chat").emit("in chat")
    assert browser.connect().id == main.id
    assert browser.connect("/chat", browser.peer).id == chat.id
    assert names(browser) == [["in main"], ["in chat"]]
    browser.ids["/"], browser.ids["/chat"] = browser.ids["/chat"], browser.ids["/"]
    browser.vanish()
    assert not browser.connect().recovered
    assert not browser.connect("/chat", browser.peer).recovered


@pytest.mark.parametrize("end", ["client", "server", "server closes"])
def test_what_was_somebodys_decision_is_final(server, end):
    browser = Browser(server)
    socket = browser.connect()
    if end == "client":
        browser.peer.push("1")
    else:
        socket.disconnect(close=end != "server")
    recovery = server.of("/").adapter.recovery
    assert (recovery.empty, recovery.present) == (True, {})
    again = browser.connect()
    assert not again.recovered
    assert again.id != socket.id


def test_a_disconnect_handler_that_still_runs_does_not_touch_the_new_socket(application, server):
    gate = gevent.event.Event()
    seen = []

    def disconnect(socket, reason):
        seen.append(list(socket.rooms))
        gate.wait()
        socket.leave("red")
        socket.join("blue")
        seen.append("done")

    application.disconnects["/"] = disconnect
    browser = Browser(server)
    old = browser.connect()
    old.join("red")
    browser.vanish()
    new = browser.connect()
    assert new.rooms == [old.id, "red"]
    gate.set()
    wait_until(lambda: "done" in seen)
    turn()
    assert seen == [[old.id, "red"], "done"]
    assert list(server.of("/").sockets.values()) == [new]
    assert new.rooms == [old.id, "red"]
    assert server.of("/").adapter.recovery.present == {browser.ids["/"]: new.id}


def test_a_connect_handler_of_the_old_socket_that_fails_late_does_not_touch_the_new_one(application, caplog):
    gate = gevent.event.Event()

    def connect(socket, auth):
        gate.wait()
        if not socket.recovered:
            raise RuntimeError("on purpose")

    application.connects["/"] = connect
    server = serve(application, connection_state_recovery=True, always_connect=True)
    browser = Browser(server)
    old = browser.connect()
    peer = browser.peer
    browser.vanish()
    new = browser.connect()
    gate.set()
    wait_until(lambda: peer.client.in_flight == browser.peer.client.in_flight == 0)
    assert new.connected
    assert server.of("/").adapter.recovery.present == {browser.ids["/"]: old.id}
    browser.vanish()
    assert browser.connect().id == old.id


@pytest.mark.parametrize("skip", [True, False])
def test_whether_middleware_is_skipped(application, skip):
    asked = []
    application.guards["/"] = lambda socket, auth: asked.append(socket.recovered)
    server = serve(application, connection_state_recovery={"skip_middlewares": skip})
    browser = Browser(server)
    browser.connect()
    browser.vanish()
    assert browser.connect().connected
    assert asked == ([False] if skip else [False, True])


def test_one_that_is_refused_on_its_way_back_is_gone(application):
    application.guards["/"] = lambda socket, auth: None
    server = serve(application, connection_state_recovery={"skip_middlewares": False})
    browser = Browser(server)
    browser.connect()
    browser.vanish()
    server.to("/").emit("missed")

    def refuse(socket, auth):
        raise ConnectionRefusedError("not any more")

    application.guards["/"] = refuse
    assert browser.connect() is None
    assert browser.news == [(4, "/", {"message": "not any more"})]
    application.guards["/"] = lambda socket, auth: None
    assert not browser.connect().recovered


def test_a_connection_that_breaks_on_the_way_back_can_be_recovered_still(application):
    gate = gevent.event.Event()
    application.guards["/"] = lambda socket, auth: socket.recovered and gate.wait()
    server = serve(application, connection_state_recovery={"skip_middlewares": False})
    browser = Browser(server)
    first = browser.connect()
    first.join("red")
    browser.vanish()
    server.to("/").emit("missed")
    browser.connect()
    peer = browser.peer
    browser.vanish()
    gate.set()
    wait_until(lambda: peer.client.in_flight == 0)
    again = browser.connect()
    assert (again.id, again.recovered, again.rooms) == (first.id, True, [first.id, "red"])
    assert names(browser) == [["missed"]]


@pytest.mark.parametrize(
    "claims",
    ['{"pid":1}', '{"pid":null}', '{"pid":["PID"]}', '{"pid":{"a":1}}', '{"pid":""}', '{"offset":"OFFSET"}', "",
     '{"pid":"PID","offset":1}', '{"pid":"PID","offset":[]}', '{"pid":"PID","offset":""}', '{"pid":"PID","offset":{}}',
     '{"pid":"PID","offset":"SID"}', '{"pid":"SID","offset":"OFFSET"}', '{"pid":"PID","offset":false}'],
)  # fmt: skip
def test_claims_that_are_none_make_a_new_socket(server, claims):
    browser = Browser(server)
    old = browser.connect()
    server.to("/").emit("e")
    browser.vanish()
    for word, value in (("PID", browser.ids["/"]), ("OFFSET", browser.offsets["/"]), ("SID", old.id)):
        claims = claims.replace(word, value)
    new = Peer(server).join(auth=claims)
    assert not new.recovered
    assert new.id != old.id
    assert new.presence.pid not in (browser.ids["/"], old.id)
