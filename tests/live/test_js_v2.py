"""The JavaScript client 2.x with `allow_eio3`: polling alone, WebSocket alone, and from one to the other."""

from collections.abc import Iterator

import pytest

from tests.live.servers import OURS, PACKAGE, Server

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="the option is this package's")
EVERY = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    options = {"allow_eio3": True, "ping_interval": 0.5, "ping_timeout": 2, "upgrade_timeout": 5}
    with Server(options=options) as started:
        yield started


@pytest.fixture(params=EVERY)
def transports(request):
    return EVERY[request.param]


def test_connect(scenario, server, transports):
    result = scenario("v2Connect", server, transports=transports)
    assert result["server"] == {"sid": result["id"], "namespace": "/", "event": "who am I", "args": []}
    assert result["id"] == result["engine"]
    assert result["names"] == (transports or ["polling", "websocket"])
    assert result["echo"] == "after"


def test_data_and_acks_both_ways(scenario, server, transports):
    result = scenario("v2Data", server, transports=transports)
    assert result["echoes"] == result["sent"]
    assert result["bounces"] == result["sent"]
    assert result["answered"]["args"] == ["yes", {"question": 42}, b"bytes"]
    assert result["waited"] == ["yes", {"question": [1]}, b"bytes"]


def test_a_hundred_emits_of_each_side_in_one_tick(scenario, server, transports, key):
    assert scenario("v2Bursts", server, transports=transports, key=key) == list(range(1, 101))
    assert [value for value in server.journal(key) if isinstance(value, int)] == list(range(100))


def test_nothing_is_lost_while_the_connection_changes(scenario, server, key):
    result = scenario("v2UpgradeStream", server, key=key)
    assert result["transport"] == "websocket"
    assert result["ticks"] == list(range(1, result["total"] + 1))
    assert [value for value in server.journal(key) if isinstance(value, int)] == list(range(1, result["sent"] + 1))


def test_namespaces_share_a_connection(scenario, server, transports, key):
    result = scenario("v2Namespaces", server, transports=transports, key=key)
    engine = result["engine"]
    assert result["ids"] == [engine, f"/chat#{engine}", f"/legacy#{engine}"]
    assert result["enter"] == [["lobby"]]
    assert result["said"] == {"text": "hi", "sid": f"/chat#{engine}"}
    assert (result["echo"], result["stillThere"], result["again"]) == (["legacy"], ["main"], ["again"])
    joined = [entry for entry in server.journal(key) if entry.get("connect") == "/chat"]
    assert joined == [{"connect": "/chat", "auth": {"token": "a b&c", "n": "1"}}]


@pytest.mark.parametrize(
    ("namespace", "error"),
    [
        ("/refuse/false", "Connection rejected by server"),
        ("/refuse/message", "not today"),
        ("/refuse/data", {"code": 7}),
        ("/refuse/more", [1, [2]]),
        ("/nobody/home", "Invalid namespace"),
    ],
)
def test_a_refused_namespace(scenario, server, namespace, error, key):
    result = scenario("v2Refusal", server, namespace=namespace, key=key)
    assert result == {"error": error, "connected": False, "echo": [1]}


def test_the_main_namespace_refused(scenario, transports):
    with Server("tests.live.apps.refusing:app", options={"allow_eio3": True}) as server:
        assert scenario("v2MainRefused", server, transports=transports) == {"error": "not today", "connected": False}


def test_disconnects(scenario, server, transports, key):
    assert scenario("v2ClientDisconnect", server, transports=transports, key=key) == "io client disconnect"
    # The client leaves the connection, too: whichever the server hears of first.
    assert server.wait_journal(key, 2)[1]["reason"] in {"client disconnect", "transport close"}
    key += "-kicked"
    assert scenario("v2ServerDisconnect", server, transports=transports, key=key) == "io server disconnect"
    assert server.wait_journal(key, 2)[1]["reason"] == "server disconnect"


def test_reconnecting(scenario, server, transports, key):
    result = scenario("v2Reconnect", server, transports=transports, key=key)
    assert result["reason"] == "transport error"
    assert result["echo"] == ["back"]
    assert result["after"][1] == f"/chat#{result['after'][0]}"
    assert not set(result["before"]) & set(result["after"])


def test_one_broadcast_for_clients_of_both_protocols(scenario, server):
    result = scenario("v2Mixed", server)
    assert len(result["first"]) == 6
    assert all(told == [result["data"]] for told in result["first"])
    assert result["data"] == {"bytes": b"\x00\x01\x02\xff", "text": "é😀"}
    assert all(told == ["text only 😀"] for told in result["again"])


def test_who_pings_stays(scenario, server, transports):
    result = scenario("v2Heartbeat", server, transports=transports, seconds=4)
    assert (result["end"], result["echo"]) == (None, ["alive"])
    assert result["pongs"] >= 2


def test_without_the_option_it_is_refused(scenario, run_server, transport):
    with pytest.raises(AssertionError, match="connect_error"):
        scenario("v2Connect", run_server, transports=[transport])
