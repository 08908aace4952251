"""The official client connects: credentials, namespaces, refusals, the first packets, the reasons of an end."""

import pytest


@pytest.mark.parametrize("transports", [None, ["polling"], ["websocket"], ["websocket", "polling"]])
def test_connect(scenario, run_server, transports):
    result = scenario("connect", run_server, transports=transports)
    assert result["server"] == {"sid": result["id"], "namespace": "/", "event": "who am I", "args": []}
    assert len(result["id"]) >= 20
    assert result["transport"] == (transports[0] if transports else "polling")


def test_auth_payload(scenario, run_server, key):
    assert scenario("auth", run_server, key=key) == [True, True, True]
    given = [entry["auth"] for entry in run_server.journal(key) if "connect" in entry]
    assert given[:2] == [{"token": "ü", "list": [1, None]}, {"computed": True}]
    assert not given[2], "nothing was given"


def test_query_string(scenario, run_server, transport):
    result = scenario("query", run_server, transports=[transport])
    assert result["path"] == "/socket.io/"
    assert result["remote_addr"] == "127.0.0.1"
    mine = {name: result["args"][name] for name in ("name", "empty", "unicode")}
    assert mine == {"name": "a b&c=d", "empty": "", "unicode": "žluť 🐎"}
    assert (result["args"]["EIO"], result["args"]["transport"]) == ("4", transport)


def test_namespaces_share_a_connection(scenario, run_server, transport):
    result = scenario("namespaces", run_server, transports=[transport])
    ids = result["ids"]
    assert len({*ids, result["again"]}) == 5, "each socket has an id of its own, and a new one when it comes back"
    assert result["enter"] == ["lobby"]
    assert result["said"] == {"text": "hi", "sid": ids[1]}
    assert (result["echo"], result["mainStillThere"]) == ("legacy", "main")
    assert not result["chatWasHeard"], "an event was delivered in a namespace it was not emitted to"


@pytest.mark.parametrize(
    ("namespace", "message", "data"),
    [
        ("/refuse/false", "Connection rejected by server", None),
        ("/refuse/bare", "Connection rejected by server", None),
        ("/refuse/message", "not today", None),
        ("/refuse/data", "not today", {"code": 7}),
        ("/refuse/more", "not today", [1, [2]]),
        ("/refuse/builtin", "Connection refused by server", None),
    ],
)
def test_refusal(scenario, run_server, namespace, message, data):
    result = scenario("refusal", run_server, namespace=namespace)
    assert result == {"message": message, "data": data, "connected": False, "active": False}


@pytest.mark.differs("a bare string, which the client shows as an empty message")
def test_unknown_namespace(scenario, run_server, transport):
    result = scenario("refusal", run_server, namespace="/nobody/home", transports=[transport])
    assert (result["message"], result["connected"]) == ("Invalid namespace", False)


@pytest.mark.differs("no answer, and the client stays in the rooms for ever")
def test_exception_while_connecting_is_answered_and_leaves_nothing(scenario, run_server, transport, key):
    result = scenario("refusal", run_server, namespace="/refuse/error", key=key, transports=[transport])
    assert result["connected"] is False
    assert result["message"], "the client is told something"
    assert "secret" not in result["message"], "but not what happened inside"
    assert run_server.journal(key) == ["called"], "called once, and no disconnect for what never was connected"
    assert run_server.get_json("/waiting/refuse/error") == 0


def test_handler_that_returns_none_accepts(scenario, run_server):
    assert scenario("refusedBeside", run_server) == {"message": "not today", "echo": 1}


@pytest.mark.differs("events of the connect handler go out before CONNECT")
def test_connect_precedes_what_its_handler_emits(scenario, run_server, transport, key):
    result = scenario("early", run_server, transports=[transport], key=key)
    assert result["wire"] == ["0", "2", "5", "2"]
    assert result["seen"] == ["connect", "early", "early bytes", "message"]
    early, early_bytes, message = result["received"]
    assert early == ["early", {"namespace": "/early"}]
    assert early_bytes == ["early bytes", b"\x01\x02"]
    assert message == ["message", "early message"]


def last_reason(server, key):
    return server.wait_journal(key, 2)[-1]["reason"]


def test_client_disconnects(scenario, run_server, transport, key):
    assert scenario("clientDisconnect", run_server, transports=[transport], key=key) == "io client disconnect"
    assert last_reason(run_server, key) == "client disconnect"


def test_server_disconnects(scenario, run_server, transport, key):
    result = scenario("serverDisconnect", run_server, transports=[transport], key=key)
    assert result == {"reason": "io server disconnect", "active": False}
    assert last_reason(run_server, key) == "server disconnect"


def test_client_closes_the_connection(scenario, run_server, transport, key):
    assert scenario("transportClose", run_server, transports=[transport], key=key) == "forced close"
    assert last_reason(run_server, key) in {"transport close", "client disconnect"}


def test_network_goes_away(scenario, run_server, key):
    assert scenario("terminate", run_server, key=key) == "transport close"
    assert last_reason(run_server, key) == "transport close"
