"""``socketio.server`` and what hangs below it, under python-socketio's names, as public applications use them."""

import pytest
from flask import request

from extension.wire import Wire, wait_for
from flask_socketio_py import SocketIO


@pytest.fixture
def socketio(app):
    return SocketIO(app, namespaces=["/", "/n"])


@pytest.fixture
def clients(socketio, connect):
    """Two clients of "/", one of them in "/n" too; their sids as ``.sid``."""
    socketio.on("sid")(lambda: request.sid)
    clients = [connect(), connect()]
    for client in clients:
        client.sid = client.emit("sid", callback=True)
    clients[1].connect("/n")
    return clients


@pytest.fixture
def server(socketio):
    return socketio.server


def names(client):
    return [item["name"] for item in client.get_received()]


def test_manager_rooms(socketio, server, clients):
    first, second = clients
    server.enter_room(first.sid, "r", namespace="/")
    server.enter_room(second.sid, "r")
    rooms = server.manager.rooms
    assert set(rooms) == {"/", "/n"}
    assert rooms["/"]["r"] == {first.sid: first.eio_sid, second.sid: second.eio_sid}
    assert rooms["/"][first.sid] == {first.sid: first.eio_sid}
    assert set(rooms["/"][None]) == {first.sid, second.sid}
    assert len(rooms.get("/", {}).get("r", {})) == 2
    assert rooms.get("/nowhere", {}) == {}
    assert set(rooms["/"].keys()) == {None, "r", first.sid, second.sid}


def test_manager_rooms_of_nobody(socketio):
    assert socketio.server.manager.rooms == {}
    assert socketio.server.manager.get_namespaces() == []


def test_get_participants(server, clients):
    first, second = clients
    server.enter_room(first.sid, "r")
    participants = server.manager.get_participants
    assert list(participants("/", "r")) == [(first.sid, first.eio_sid)]
    assert sorted(participants("/", None)) == sorted((client.sid, client.eio_sid) for client in clients)
    assert list(participants("/", second.sid)) == [(second.sid, second.eio_sid)]
    assert sorted(sid for sid, _ in participants("/", ["r", second.sid])) == sorted([first.sid, second.sid])
    assert list(participants("/", "nobody")) == list(participants("/nowhere", None)) == []


def test_get_rooms_and_namespaces(server, clients):
    sid = clients[0].sid
    server.enter_room(sid, "r")
    assert server.manager.get_rooms(sid, "/") == [sid, "r"]
    assert server.manager.get_rooms("nobody", "/") == []
    assert sorted(server.manager.get_namespaces()) == ["/", "/n"]


def test_is_connected(server, clients):
    first, second = clients
    assert server.manager.is_connected(first.sid, "/")
    assert not server.manager.is_connected(first.sid, "/n")
    assert not server.manager.is_connected("nobody", "/")
    first.disconnect()
    assert not server.manager.is_connected(first.sid, "/")
    assert server.manager.is_connected(second.sid, "/")


def test_sids_and_the_ids_of_their_connections(server, clients):
    manager = server.manager
    for client in clients:
        assert manager.eio_sid_from_sid(client.sid, "/") == client.eio_sid
        assert manager.sid_from_eio_sid(client.eio_sid, "/") == client.sid
    assert manager.sid_from_eio_sid(clients[0].eio_sid, "/n") is None
    other = manager.sid_from_eio_sid(clients[1].eio_sid, "/n")
    assert other not in (None, clients[1].sid)
    assert manager.eio_sid_from_sid(other, "/n") == clients[1].eio_sid
    assert manager.eio_sid_from_sid("nobody", "/") is None
    assert manager.sid_from_eio_sid("nobody", "/") is None


def test_environ(app, socketio, connect, server):
    client = connect(query_string="a=1", headers={"X-Mine": "yes"})
    environ = server.environ[client.eio_sid]
    assert environ["HTTP_X_MINE"] == "yes"
    assert environ["QUERY_STRING"] == "a=1"
    sid = server.manager.sid_from_eio_sid(client.eio_sid, "/")
    assert server.get_environ(sid) is environ
    assert server.get_environ(sid, namespace="/") is environ
    assert server.get_environ("nobody") is None


def test_eio(socketio, server, clients):
    assert set(server.eio.sockets) == {client.eio_sid for client in clients}
    assert len(server.eio.sockets) == 2
    assert server.eio.async_mode == server.async_mode == "gevent"
    assert server.eio.cors_allowed_origins is None
    server.eio.disconnect(clients[0].eio_sid)
    assert set(server.eio.sockets) == {clients[1].eio_sid}
    server.eio.disconnect("nobody")
    server.eio.disconnect()
    assert server.eio.sockets == {}


def test_rooms_for_use_outside_handlers(server, clients):
    first, second = clients
    for client in clients:
        server.enter_room(client.sid, "r", namespace="/")
    assert server.rooms(first.sid) == server.rooms(first.sid, namespace="/") == [first.sid, "r"]
    server.leave_room(first.sid, "r", namespace="/")
    assert server.rooms(first.sid) == [first.sid]
    server.close_room("r", namespace="/")
    assert server.rooms(second.sid) == [second.sid]
    assert server.rooms("nobody") == []


def test_emit_and_send(server, clients):
    first, second = clients
    server.emit("all", {"a": 1})
    server.emit("one", 1, to=first.sid)
    server.emit("room", 1, room=second.sid, namespace="/")
    server.emit("skip", skip_sid=first.sid)
    server.emit("data", data=(1, 2), to=[first.sid])
    server.send("text", to=first.sid)
    server.send("n", namespace="/n")
    assert first.get_received() == [
        {"name": "all", "args": [{"a": 1}], "namespace": "/"},
        {"name": "one", "args": [1], "namespace": "/"},
        {"name": "data", "args": [1, 2], "namespace": "/"},
        {"name": "message", "args": "text", "namespace": "/"},
    ]
    assert names(second) == ["all", "room", "skip"]
    assert second.get_received("/n") == [{"name": "message", "args": "n", "namespace": "/n"}]


def test_call_and_callback(server, clients):
    client, answers = clients[0], []
    client.answer("question", lambda value: value + 1)
    assert server.call("question", 1, to=client.sid, timeout=20) == 2
    assert server.call("question", 2, sid=client.sid, timeout=20) == 3
    server.emit("question", 3, to=client.sid, callback=answers.append)
    wait_for(lambda: answers, "the answer comes")
    assert answers == [4]


def test_disconnect(server, clients):
    first, second = clients
    there = server.manager.sid_from_eio_sid(second.eio_sid, "/n")
    server.disconnect(first.sid)
    server.disconnect(there, namespace="/n")
    server.disconnect("nobody")
    assert (first.is_connected(), second.is_connected(), second.is_connected("/n")) == (False, True, False)


def test_transport(app, server, clients):
    assert server.transport(clients[0].sid) == "websocket"
    with pytest.raises(KeyError, match="no client 'nobody'"):
        server.transport("nobody")


def test_session_per_client_and_namespace(server, clients):
    first, second = clients
    there = server.manager.sid_from_eio_sid(second.eio_sid, "/n")
    server.save_session(first.sid, {"name": "ann"})
    with server.session(second.sid) as session:
        session["name"] = "bob"
    with server.session(there, namespace="/n") as session:
        assert session == {}
        session["name"] = "bob there"
    assert server.get_session(first.sid) == {"name": "ann"}
    assert server.get_session(second.sid) == {"name": "bob"}
    assert server.get_session(there, namespace="/n") == {"name": "bob there"}
    with pytest.raises(KeyError):
        server.get_session("nobody")
    with pytest.raises(KeyError):
        server.save_session("nobody", {})


def test_a_session_is_readable_in_the_disconnect_handler(socketio, server, connect):
    seen = []
    socketio.on("connect")(lambda auth: server.save_session(request.sid, {"name": "ann"}))
    socketio.on("disconnect")(lambda reason: seen.append(dict(server.get_session(request.sid))))
    connect().close()
    assert seen == [{"name": "ann"}]


def test_tasks(server):
    done = []
    server.start_background_task(done.append, 1).join()
    server.sleep(0)
    assert done == [1]


def test_handle_request(app, server):
    from werkzeug.test import Client

    answer = Client(server.handle_request).get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 200
    assert answer.data.startswith(b'0{"sid":')
    server.shutdown()


def test_shutdown(server, clients):
    server.shutdown()
    wait_for(lambda: not server.eio.sockets, "all sessions are closed")
    assert server.manager.rooms == {}


def test_a_view_is_no_second_truth(server, clients):
    """What is written into a returned mapping changes nothing; a later look is fresh."""
    server.manager.rooms["/"]["forged"] = {clients[0].sid: "x"}
    server.environ.pop(clients[0].eio_sid)
    assert "forged" not in server.manager.rooms["/"]
    assert clients[0].eio_sid in server.environ


def test_internals_while_a_connect_handler_runs(app, socketio):
    seen = []

    @socketio.on("connect")
    def look():
        manager = socketio.server.manager
        seen.append([manager.is_connected(request.sid, "/"), request.sid in manager.rooms["/"][None]])

    wire = Wire(app)
    wire.join()
    assert seen == [[False, True]]
    wire.vanish()
