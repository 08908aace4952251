"""Owns what every cluster promises, whatever its wire: one suite over the servers of one process and all dialects.

Two or three servers, real clients without a network. What only some wires can is marked in ``cluster_kinds.py``.
"""

import gevent
import pytest

from contract.application import Application, Peer, serve
from contract.waiting import wait_until
from flask_socketio_py import BroadcastTimeoutError
from flask_socketio_py.socketio.remote_socket import RemoteSocket

from .cluster_servers import Servers, everybody, got, long_timers, nothing_more

DATA = [1, "text é", [None, True, 1.5], {"a": {"b": [b"\0\1\xff", "x"]}}, b"", "😀"]


def test_a_broadcast_reaches_the_clients_of_all_servers(servers, pair):
    (first, _), (second, _) = pair
    for server in servers:
        everybody(server).emit("hello", *DATA)
        assert got(first) == got(second) == [["hello", *DATA]]
    nothing_more(servers, first, second)


def test_events_of_one_server_keep_their_order(servers, pair):
    (first, _), (second, _) = pair
    for number in range(200):
        everybody(servers.servers[0]).emit("n", number)
    expected = [["n", number] for number in range(200)]
    assert got(first, 200) == got(second, 200) == expected


def test_namespaces_are_apart(servers, pair):
    (_, _), (second, _) = pair
    second.join("/chat")
    servers.servers[0].to("/chat").emit("chat")
    assert got(second) == [["chat"]]
    nothing_more(servers, second)


def test_rooms_and_exceptions(servers, pair):
    (first, here), (second, there) = pair
    third = Peer(servers.servers[1])
    other = third.join()
    here.join("red")
    there.join("red", "blue")
    start = everybody(servers.servers[0])
    start.to("red").emit("red")
    assert got(first) == got(second) == [["red"]]
    start.to("red", "blue").emit("each once")
    assert got(first) == got(second) == [["each once"]]
    start.to(other.id).emit("by id")
    assert got(third) == [["by id"]]
    start.except_(there.id).emit("not you")
    assert got(first) == got(third) == [["not you"]]
    start.to("red").local.emit("here only")
    assert got(first) == [["here only"]]
    nothing_more(servers, first, second, third)


def test_excepted_rooms(servers, pair):
    (first, _), (second, there) = pair
    there.join("blue")
    everybody(servers.servers[0]).except_("blue").emit("not blue")
    assert got(first) == [["not blue"]]
    nothing_more(servers, first, second)


def test_a_broadcast_is_acknowledged_by_all(servers, pair):
    answers = {}

    def answer(peer, value):
        [text] = [text for text in peer.texts() if "question" in text] or [None]
        if text is not None:
            answers[value] = True
            peer.push(f'3{text[1:].split("[")[0]}["{value}"]')

    (first, _), (second, _) = pair
    asking = gevent.spawn(everybody(servers.servers[0]).timeout(20).emit_with_ack, "question", 1)
    wait_until(lambda: (answer(first, "one"), answer(second, "two")) and len(answers) == 2, "both are asked")
    assert sorted(asking.get(timeout=20)) == ["one", "two"]


def test_who_does_not_answer_is_counted(servers, pair):
    (_, here), _ = pair
    with pytest.raises(BroadcastTimeoutError) as error:
        everybody(servers.servers[0]).timeout(0.4).emit_with_ack("question")
    assert error.value.responses == []
    assert error.value.missing == [here.id]
    assert error.value.elsewhere == 1
    assert everybody(servers.servers[0], "nobody").timeout(5).emit_with_ack("question") == []


def test_sockets_of_all_servers_are_found(servers, pair):
    (_, here), (_, there) = pair
    there.join("red")
    there.data = {"name": "Ada", "list": [1, None]}
    start = everybody(servers.servers[0])
    found = start.fetch_sockets()
    assert found.complete
    assert {socket.id for socket in found} == {here.id, there.id}
    [remote] = start.to("red").fetch_sockets()
    assert isinstance(remote, RemoteSocket)
    assert (remote.id, set(remote.rooms), remote.data) == (there.id, {there.id, "red"}, there.data)
    assert remote.handshake["url"] == there.handshake.url
    assert start.count() == 2
    assert start.to("red").count() == 1
    assert start.local.count() == 1
    assert start.to("nobody").fetch_sockets() == []
    assert servers.servers[0].of("/").shared.room_sizes() == {"red": 1}


def test_a_remote_socket_can_be_used(servers, pair):
    _, (second, there) = pair
    [remote] = everybody(servers.servers[0], there.id).fetch_sockets()
    remote.emit("for you", 1)
    assert got(second) == [["for you", 1]]
    remote.join("red", "blue")
    remote.leave("blue")
    wait_until(lambda: set(there.rooms) == {there.id, "red"}, "it is moved")
    remote.disconnect()
    wait_until(lambda: there.disconnected, "it is disconnected")


def test_many_are_moved(servers, pair):
    (_, here), (_, there) = pair
    start = everybody(servers.servers[0])
    start.sockets_join("red", "blue")
    wait_until(lambda: {*here.rooms} - {here.id} == {*there.rooms} - {there.id} == {"red", "blue"}, "joined")
    start.to("red").sockets_leave("blue")
    wait_until(lambda: {*here.rooms} - {here.id} == {*there.rooms} - {there.id} == {"red"}, "left")
    start.except_(here.id).disconnect_sockets(True)
    wait_until(lambda: there.disconnected, "disconnected")
    assert here.connected


def test_servers_talk(servers):
    first, second = servers.servers
    first.of("/").shared.server_side_emit(["who", 1, {"a": None}])
    wait_until(lambda: servers.applications[1].heard == [("/", (1, {"a": None}))], "it is heard")
    answers = second.of("/chat").shared.server_side_emit(["who", "x"], wait=True)
    assert answers.complete
    assert answers == [{"name": "server 0", "args": ["x"]}]
    assert servers.applications[0].heard == [("/chat", ("x",))]


def test_a_server_that_leaves_is_not_waited_for(servers, pair):
    first, second = servers.servers
    second.close()
    wait_until(lambda: first.cluster.others("/") == 0, "it has left")
    assert everybody(first).fetch_sockets().complete
    assert everybody(first).timeout(5).to("nobody").emit_with_ack("x") == []


def test_its_state_can_be_seen_and_every_change_is_told(kind):
    server = serve(Application(("/",)), dialect=kind.dialect())
    told = []
    server.cluster.watch.on_change = told.append
    assert server.cluster.watch.status.state == "idle"
    server.cluster.start()
    status = wait_until(lambda: server.cluster.watch.status.connected and server.cluster.watch.status, "connected")
    assert (status.error, status.lost, status.malformed) == (None, 0, 0)
    server.cluster.start()
    gevent.sleep(0.05)
    server.close()
    server.close()
    assert not server.cluster.watch.status
    assert [status.state for status in told if status.state != "connecting"] == ["connected", "closed"]
    assert told[-1].since == server.cluster.watch.status.since > told[0].since


def test_what_cannot_be_sent_is_the_callers_mistake(servers, pair):
    (first, _), (second, _) = pair
    for wrong in (object(), {1, 2}):
        with pytest.raises(TypeError):
            everybody(servers.servers[0]).emit("x", wrong)
    with pytest.raises(ValueError, match="reserved"):
        everybody(servers.servers[0]).emit("disconnect")
    nothing_more(servers, first, second)


def test_a_room_is_a_string_or_a_number_there(servers, pair):
    (_, here), (second, there) = pair
    for wrong in (("a", 1), None, b"a", 1.5, True):
        with pytest.raises(TypeError, match="in a cluster a room must be a string, or a whole number"):
            everybody(servers.servers[0]).sockets_join((wrong,) if type(wrong) is not tuple else [wrong])
    everybody(servers.servers[0]).sockets_join(5)
    wait_until(lambda: 5 in there.rooms and 5 in here.rooms, "joined")
    here.leave(5)
    wait_until(lambda: everybody(servers.servers[0], 5).count() == 1, "it is found")
    everybody(servers.servers[0], 5).emit("five")
    assert got(second) == [["five"]]


def test_a_server_that_does_not_answer(kind):
    if not kind.silence:
        pytest.skip("its servers can't be silenced")
    servers = Servers(kind, 3)
    try:
        kind.silence(servers.servers[2].cluster)
        found = everybody(servers.servers[0]).fetch_sockets()
        assert not found.complete
        answers = servers.servers[0].of("/").shared.server_side_emit(["who"], wait=True)
        assert not answers.complete
        assert [answer["name"] for answer in answers] == ["server 1"]
    finally:
        servers.close()


def test_nothing_is_kept_of_questions_that_all_have_answered(servers, pair):
    _, (second, there) = pair
    asking = gevent.spawn(everybody(servers.servers[0], there.id).timeout(3000).emit_with_ack, "question", 1)
    [text] = wait_until(lambda: [text for text in second.texts() if "question" in text], "it is asked")
    timers = long_timers()
    second.push(f'3{text[1:].split("[")[0]}["yes"]')
    assert asking.get(timeout=20) == ["yes"]
    wait_until(lambda: long_timers() < timers, "the timer is closed")
    assert not there._acks
