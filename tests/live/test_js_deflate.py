"""WebSocket compression with the official client under Node (ws): agreed to under each host, and transparent."""

import pytest

from tests.live.servers import OURS, PACKAGE, Server

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="Flask-SocketIO has no such option")

#: Host, TLS.
HOSTS = [("run", False), ("run", True), ("gevent", False), ("geventwebsocket", False)]


@pytest.fixture(scope="module", params=HOSTS, ids=lambda host: f"{host[0]}{' tls' if host[1] else ''}")
def deflating(request):
    host_kind, tls = request.param
    with Server(host_kind=host_kind, tls=tls, options={"per_message_deflate": True}) as server:
        yield server


@pytest.mark.parametrize("transports", [["websocket"], ["polling", "websocket"]])
@pytest.mark.parametrize("client", [{"threshold": 0}, True], ids=["threshold 0", "its defaults"])
def test_large_text_and_bytes_both_ways(scenario, deflating, transports, client):
    result = scenario("deflate", deflating, manager={"transports": transports, "perMessageDeflate": client})
    assert all(result["same"].values()), result["same"]
    assert result["agreed"] == "permessage-deflate"
    assert result["read"] < result["plain"] / 50
    assert result["written"] < result["plain"] / 50


def test_a_client_that_does_not_want_it(scenario, deflating):
    result = scenario("deflate", deflating, manager={"transports": ["websocket"], "perMessageDeflate": False})
    assert all(result["same"].values()), result["same"]
    assert result["agreed"] == ""
    assert result["read"] > result["plain"]


def test_a_broadcast_reaches_all_kinds_of_clients_alike(scenario, deflating):
    told = scenario("deflateBroadcast", deflating, room="mixed")
    assert [name for name, found in told.items() if not found["same"]] == []
    assert told["plain"]["read"] > 300_000
    assert (told["deflating"]["agreed"], told["another"]["agreed"]) == ("permessage-deflate",) * 2
    assert told["deflating"]["read"] == told["another"]["read"] < 110_000, "the same bytes, most of them noise"


def test_off_by_default(scenario, run_server):
    result = scenario("deflate", run_server, manager={"transports": ["websocket"], "perMessageDeflate": True})
    assert all(result["same"].values()), result["same"]
    assert result["agreed"] == ""
