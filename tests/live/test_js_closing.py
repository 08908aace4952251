"""How sockets end: shutdown, reasons on both sides, violations of the protocol. With the official client, or raw bytes.

Node: ``test/close.ts``; the violations one by one are in ``tests/conformance``.
"""

import pytest

from tests.conformance.raw import Closed, Target
from tests.live.proxy import Proxy
from tests.live.remote import IO, SOCKET, do
from tests.live.servers import Server, wait_for

APP = "tests.live.apps.surface:app"


@pytest.fixture(scope="module")
def server():
    with Server(APP) as server:
        yield server


@pytest.fixture
def client(connect):
    return connect(reconnection=False)


@pytest.fixture
def reasons(server, key):
    """The reasons that the main namespace's disconnect handler was told, once there is one."""

    def found():
        return [entry["reason"] for entry in server.journal(key) if "reason" in entry]

    return lambda: wait_for(found, "the disconnect handler is told")


def test_shutdown_tells_every_socket_of_every_namespace(js, transport, key):
    with Server(APP) as server:
        query = {"key": key}
        clients = [js.open(server.url, transports=[transport], query=query, reconnection=False) for _ in range(3)]
        others = [js.open("", "/guarded", share=client) for client in clients]
        for client in (*clients, *others):
            client.sid()
        clients[0].emit("do", IO.shutdown()._steps)
        for client in (*clients, *others):
            assert client.wait("disconnect")["reason"] == "transport close"

        def told():
            """The reasons: the main namespace notes them in a dictionary, /guarded in a list."""
            notes = server.journal(key)
            main = [note["reason"] for note in notes if isinstance(note, dict) and "reason" in note]
            return main + [note[1] for note in notes if isinstance(note, list) and note[0] == "disconnect"]

        wait_for(lambda: len(told()) == 6, "every disconnect handler is told")
        assert set(told()) == {"server shutting down"}
        late = js.open(server.url, transports=[transport], reconnection=False)
        late.wait("connect_error")
        js.forget_clients()


@pytest.mark.parametrize("how", ["stop", "shutdown"])
def test_closing_a_server_without_clients(how):
    with Server(APP) as server:
        if how == "shutdown":
            target = Target("127.0.0.1", server.port)
            assert target.request("GET", target.url()).status == 200
        assert server.stop() in (0, -15)


def test_client_leaves_its_namespace(client, reasons):
    client.disconnect()
    assert client.wait("disconnect")["reason"] == "io client disconnect"
    assert reasons() == ["client disconnect"]


def test_server_disconnects_the_socket(client, reasons):
    client.emit("do", SOCKET.disconnect()._steps)
    assert client.wait("disconnect")["reason"] == "io server disconnect"
    assert reasons() == ["server disconnect"]


def test_server_closes_the_connection(client, reasons):
    client.emit("do", SOCKET.emit("last words")._steps, SOCKET.conn.close()._steps)
    assert client.wait("disconnect")["reason"] == "transport close"
    assert client.received("last words") == [[]]
    assert reasons() == ["forced close"]


def test_client_closes_the_connection(client, reasons):
    client.break_off()
    assert client.wait("disconnect")["reason"] == "forced close"
    assert reasons() == ["transport close"]


def test_network_breaks(js, server, transport, key, reasons):
    with Proxy(server.port) as proxy:
        client = js.open(proxy.url, transports=[transport], query={"key": key}, reconnection=False)
        client.sid()
        client.call("echo")
        while not client.found("disconnect"):
            proxy.cut()
        assert client.wait("disconnect")["reason"] in ("transport close", "transport error")
        assert reasons()[0] in ("transport close", "transport error")


VIOLATIONS = {
    "a second CONNECT": ["40"],
    "an event for another namespace": ['42/guarded,["echo"]'],
    "CONNECT_ERROR": ['44{"message":"no"}'],
    "no packet": ["4nonsense"],
    "a reserved event": ['42["disconnect"]'],
    "an event without a name": ["42[]"],
    "an attachment that nobody announced": [b"\x00"],
    "text in place of an attachment": ['451-["echo",{"_placeholder":true,"num":0}]', '42["echo"]'],
}


@pytest.mark.parametrize("packets", VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_violation_closes_the_connection_with_all_its_namespaces(server, packets, connect):
    bystander = connect()
    target = Target("127.0.0.1", server.port)
    with target.open_websocket() as websocket:
        for namespace in ("", "/room-1,"):
            websocket.send(f"40{namespace}")
            assert str(websocket.receive()).startswith(f"40{namespace}")
        before = do(bystander, IO.count())
        for packet in packets:
            websocket.send(packet)
        with pytest.raises(Closed):
            websocket.receive()
    assert do(bystander, IO.count()) == before - 1
    assert do(bystander, IO.of("/room-1").count()) == 0


def test_leaving_the_last_namespace_keeps_the_connection(server):
    with Target("127.0.0.1", server.port).open_websocket() as websocket:
        websocket.send("40")
        websocket.receive()
        websocket.send("41")
        assert websocket.is_alive()
        websocket.send("40/room-2,")
        assert str(websocket.receive()).startswith("40/room-2,")
