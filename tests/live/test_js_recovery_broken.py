"""Connection state recovery where networks break badly: half open, in the middle of a recovery, many at once.

Whoever is told that it was recovered has every event, once and in order.
"""

import random
import threading
import time

import pytest

from tests.live.proxy import Proxy
from tests.live.remote import IO, SOCKET, do, setting
from tests.live.servers import Server, wait_for
from tests.live.test_js_recovery import come_back, events


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app", options={"connection_state_recovery": True}) as server:
        yield server


@pytest.fixture
def helper(js, server):
    client = js.open(server.url, transports=["websocket"])
    client.sid()
    return client


@pytest.fixture
def proxy(server):
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def client(js, proxy, transport, key):
    """Behind the proxy, over each transport in turn; comes back when the test says so."""
    client = js.open(proxy.url, transports=[transport], query={"key": key}, reconnection=False)
    do(client, SOCKET.join("x"))
    return client


def test_a_client_comes_back_before_the_server_has_noticed(client, helper, proxy, transport, server, key):
    """The old connection is half open: the network has swallowed its end. Nothing is lost, nothing comes twice."""
    sid = client.sid()
    do(helper, IO.to("x").emit("number", 0))
    client.wait_event("number")
    proxy.freeze()
    client.break_off(rudely=transport == "websocket")
    client.wait("disconnect")
    do(helper, *(IO.to("x").emit("number", number) for number in range(1, 20)), SOCKET.to(sid).emit("number", 20))
    assert do(helper, IO.to("x").fetch_sockets()) == [sid], "the server has not noticed"
    proxy.frozen = False  # for new connections
    assert come_back(client)
    do(helper, IO.to("x").emit("number", 21))
    client.wait_event("number", 22)
    proxy.thaw()
    do(helper, IO.to(sid).emit("number", 22))
    client.wait_event("number", 23)
    assert events(client) == [("number", [number]) for number in range(23)]
    assert do(helper, IO.to("x").fetch_sockets()) == [sid]
    kinds = [("disconnect" if "disconnect" in entry else entry["recovered"]) for entry in server.journal(key)]
    assert sorted(map(str, kinds)) == ["False", "True", "disconnect"]


def test_a_client_comes_back_while_its_disconnect_handler_runs(client, helper, server, key):
    sid = client.sid()
    do(client, setting(SOCKET, "data", {"waits at the end": True}))
    client.break_off()
    wait_for(lambda: any("disconnect" in entry for entry in server.journal(key)), "the handler runs")
    do(helper, IO.to("x").emit("number", 0))
    assert come_back(client)
    do(helper, IO.to("x").emit("number", 1))
    client.wait_event("number", 2)
    server.get(f"/open/{key}")
    wait_for(lambda: do(helper, IO.engine.sessions.values().__len__()), "anything")
    assert sorted(do(client, SOCKET.rooms)) == sorted([sid, "x"]), "the end of the old socket is not the new one's"
    do(helper, IO.to("x").emit("number", 2), IO.to(sid).emit("number", 3))
    client.wait_event("number", 4)
    assert events(client) == [("number", [number]) for number in range(4)]


def test_a_recovery_that_breaks_while_its_connect_handler_runs(client, helper, server, key):
    sid = client.sid()
    do(client, setting(SOCKET, "data", {"waits when it comes back": True}))
    client.break_off()
    for times in range(1, 3):
        client.wait("closed", times)
        do(helper, IO.to("x").emit("number", times))
        client.connect()
        wait_for(lambda: len(recoveries(server, key)) == times, "the handler runs")  # noqa: B023
        if times == 1:
            client.break_off()
            # The connections of the helper and of nobody else: the server has noticed.
            wait_for(lambda: do(helper, IO.engine.sessions.__len__()) == 1, "the server has noticed")
    server.get(f"/open/{key}")
    entry = client.wait("connect", 2)
    assert (entry["recovered"], entry["sid"]) == (True, sid)
    do(helper, IO.to("x").emit("number", 3))
    client.wait_event("number", 3)
    assert events(client) == [("number", [1]), ("number", [2]), ("number", [3])]
    assert do(helper, IO.to("x").count()) == 1


def recoveries(server, key):
    return [entry for entry in server.journal(key) if entry.get("recovered")]


def test_a_recovery_that_breaks_in_the_middle(js, helper, proxy):
    """The new connection breaks, too, after so many bytes: in the answer, before, between and after the events."""
    # Where it breaks before Engine.IO's first packet, the client has only its timeout to notice.
    client = js.open(proxy.url, transports=["websocket"], reconnection=False, timeout=100)
    sid = client.sid()
    do(client, SOCKET.join("x"))
    sent = 0
    for budget in range(60, 700, 9):
        leave(client)
        do(helper, *(IO.to("x").emit("number", sent + number) for number in range(3)))
        sent += 3
        proxy.budget, ends = budget, ends_of(client)
        client.connect()
        while ends_of(client) == ends and len(client.received("number")) < sent:
            time.sleep(0.001)
        proxy.budget = None
        leave(client)  # the little that is left of the budget is not for what follows
        assert come_back(client)
        client.wait_event("number", sent)
        assert events(client) == [("number", [number]) for number in range(sent)], budget
    assert {entry["sid"] for entry in client.found("connect")} == {sid}


def leave(client):
    client.break_off()
    client.wait("disconnect", len(client.found("connect")))


def ends_of(client):
    return len(client.found("closed")) + len(client.found("connect_error"))


@pytest.mark.parametrize("seed", range(2))
def test_many_clients_cut_at_random_under_a_stream(js, server, helper, proxy, seed):
    count, numbers = 50, 400
    choose = random.Random(seed)
    quick = {"reconnectionDelay": 1, "reconnectionDelayMax": 20, "timeout": 300}
    clients = [
        js.open(
            (server, proxy)[number % 2].url, transports=[["polling"], ["websocket"], ["websocket"]][number % 3], **quick
        )
        for number in range(count)
    ]
    for client in clients:
        do(client, SOCKET.join("crowd"))
    streaming = threading.Thread(target=helper.call, args=("stream", numbers, 0.005))
    streaming.start()
    for _ in range(10):
        for client in choose.sample(clients, count):
            how = choose.randrange(4)
            if how == 0:  # for those behind the proxy it is half open, and stays so
                proxy.freeze()
            if how == 1:
                cut_by_the_server(helper, client)
            else:
                client.break_off(rudely=how == 2 and client.state()["transport"] == "websocket")
            proxy.frozen = False
    streaming.join(60)
    proxy.thaw()
    for client in clients:
        client.wait_event("number", numbers)
        received = [number for number, _ in client.received("number")]
        assert received == list(range(numbers)), f"{client.name}, seed {seed}"
        first, *further = client.found("connect")
        assert all(entry["recovered"] and entry["sid"] == first["sid"] for entry in further)
    assert sum(len(client.found("connect")) for client in clients) > 5 * count, "they did come back often"


def cut_by_the_server(helper, client):
    sid = client.state()["sid"]
    if sid is not None:
        helper.emit("do", IO.sockets[sid].conn.close()._steps)
