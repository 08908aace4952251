"""Owns how emits and the log of a recovery go together: offsets, flags, order, and mistakes that must not spoil it."""

import pytest
from contract.application import Application, serve
from contract.returning import Browser, names

from flask_socketio_py.config import Options
from flask_socketio_py.socketio.json_codec import JsonCodec
from flask_socketio_py.socketio.parser import DefaultParser
from flask_socketio_py.socketio.server import Server


@pytest.fixture
def application():
    return Application(("/", "/chat"))


@pytest.fixture
def server(application):
    return serve(application, connection_state_recovery=True)


def test_which_events_carry_an_offset(server):
    browser = Browser(server)
    socket = browser.connect()
    socket.emit("plain")
    socket.compress(False).emit("uncompressed", 1)
    server.to("/").emit("broadcast", "text")
    [*events] = browser.peer.events()
    assert [len(event) for event in events] == [2, 3, 3]
    assert [one.compress for one in browser.peer.taken[-3:]] == [True, False, True]
    socket.emit("asked", "text", callback=print)
    socket.volatile.emit("volatile", 1)
    socket.volatile.emit("volatile", "text")  # the official client takes a text at the end (or the name) for its offset
    server.to("/").volatile.emit("volatile")
    assert browser.peer.events() == [["asked", "text"], ["volatile", 1], ["volatile", "text", None], ["volatile", None]]
    assert len(server.of("/").adapter.recovery._log) == 3


def test_a_function_that_sees_what_is_emitted_does_not_change_the_order(server):
    browser = Browser(server)
    socket = browser.connect()

    @socket.on_any_outgoing
    def nosy(event, *args):
        if event == "first":
            socket.emit("second")

    server.to("/").emit("first")
    browser.read()
    assert names(browser) == [["first"], ["second"]]
    offsets = [int(event[-1].split("-")[1], 16) for event in browser.events]
    assert offsets == sorted(offsets)


def test_a_room_that_can_be_no_key_is_the_callers_mistake_and_spoils_nothing(server):
    browser = Browser(server)
    socket = browser.connect()
    for rooms, excepted in (((["a"],), ()), ((), ({},))):
        with pytest.raises(TypeError):
            server.of("/").emit("e", (), rooms, excepted, server.to("/").flags)
    browser.vanish()
    server.to("/").emit("fine")
    assert browser.connect().id == socket.id
    assert names(browser) == [["fine"]]


def test_a_room_that_has_become_the_id_of_another_socket_is_left_out(server):
    browser, other = Browser(server), Browser(server)
    socket, friend = browser.connect(), other.connect()
    other.vanish()
    socket.join(friend.id, "red")
    browser.vanish()
    assert other.connect().id == friend.id
    again = browser.connect()
    assert (again.id, again.rooms) == (socket.id, [socket.id, "red"])


class Chatty:
    """Encoding it makes noise."""


def test_an_encoder_that_always_emits_ends(application):
    def encode(value):
        server.to("/").emit("noise")
        return {"v": 1}

    parser = DefaultParser(JsonCodec(encode))
    server = Server(Options(connection_state_recovery=True), application, parser)
    browser = Browser(server)
    browser.connect()
    server.to("/").emit("e", Chatty(), b"\x01")
    log = [entry.message for entry in server.of("/").adapter.recovery._log]
    assert [one.text.split(b'"')[1] for one in log] == [b"noise", b"e"]
    assert log == browser.peer.taken[-2:]
    assert browser.peer.events()[-1][:-1] == ["e", {"v": 1}, b"\x01"]


def test_what_nobody_can_have_missed_is_not_kept(server):
    server.to("/").emit("before anybody ever came")
    assert server.of("/").adapter.recovery.empty
    with pytest.raises(TypeError):
        server.to("/").emit("e", object())
