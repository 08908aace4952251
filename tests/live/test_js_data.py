"""What the official client sends comes back as it was: acks, bytes, text, large payloads, many packets, order."""

import pytest


def test_acks_both_ways(scenario, run_server, transport):
    result = scenario("acks", run_server, transports=[transport])
    assert result["values"] == {
        "none": [],
        "string": ["one"],
        "number": [7],
        "false": [False],
        "list": [[1, 2]],
        "dict": [{"a": [None, True, 1.5]}],
        "tuple": [1, "two", {"three": 3}],
        "empty list": [[]],
        "empty tuple": [],
    }
    assert result["question"] == 42
    assert result["answered"] == {"args": ["yes", {"number": 42}, None], "sid": result["id"]}
    assert result["waited"] == "yes"
    assert result["unhandled"] == "operation has timed out"


def test_binary(scenario, run_server, transport):
    result = scenario("binary", run_server, transports=[transport])
    sent = result["sent"]
    assert sent["ten"] == [bytes([number]) for number in range(10)]
    for name in ("one", "empty", "nested", "views", "ten"):
        assert result["echoes"][name] == [sent[name], sent[name]], name
    assert result["echoes"]["big"] == [sent["big"], sent["big"]]
    assert result["waited"] == [{"attached": b"question"}, b"answer"]


@pytest.mark.parametrize("first", ["polling", "websocket"])
@pytest.mark.differs("one of the two gets an error or base64 text: one cache for two encodings")
def test_binary_broadcast_over_mixed_transports(scenario, run_server, first):
    result = scenario("mixedBroadcast", run_server, first=first)
    assert result["data"] == {"bytes": b"\x00\x01\x02\xff", "more": ["é".encode()], "text": "é"}
    assert result["told"] == [[[result["data"]]], [[result["data"]]]]
    assert result["after"] == result["kinds"]


def test_text(scenario, run_server, transport):
    results = scenario("text", run_server, transports=[transport])
    assert results["high surrogate"]["sent"] == "a\ud800b"
    for name, result in results.items():
        sent = result["sent"]
        assert result == {"sent": sent, "echo": {sent: sent}, "bounced": sent, "room": True}, name


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], None])
def test_megabyte(scenario, run_server, transports):
    size = 980_000  # bytes of UTF-8, which together with the envelope fit into the default maxPayload of 1,000,000
    result = scenario("size", run_server, transports=transports, size=size)
    assert (result["same"], result["length"]) == (True, size // 2)


@pytest.mark.differs("more than 16 packets in a payload are answered ok and dropped")
def test_hundred_packets_in_one_request(scenario, run_server, key):
    result = scenario("oneTick", run_server, transports=["polling"], key=key)
    assert max(result["posts"]) >= 100, "the client did put (nearly) all in one request"
    assert result["done"] == "done"
    assert [value for value in run_server.journal(key) if isinstance(value, int)] == list(range(100))


def test_hundred_events_in_one_tick_over_websocket(scenario, run_server, key):
    scenario("oneTick", run_server, transports=["websocket"], key=key)
    assert [value for value in run_server.journal(key) if isinstance(value, int)] == list(range(100))


def test_hundred_emits_of_one_handler(scenario, run_server, transport):
    assert scenario("burst", run_server, transports=[transport]) == list(range(1, 101))


def test_handlers_of_a_client_start_in_the_order_of_its_events(scenario, run_server, transport, key):
    assert scenario("order", run_server, transports=[transport], key=key) == list(range(10))
    steps = [step for step in run_server.journal(key) if isinstance(step, list)]
    assert [number for kind, number in steps if kind == "start"] == list(range(10))
    ends = [number for kind, number in steps if kind == "end"]
    assert sorted(ends) == list(range(10))
    assert ends != list(range(10)), "and a slow one holds up nobody"


def test_volatile(scenario, run_server, key):
    assert scenario("volatile", run_server, key=key) == "back"
    notes = [value for value in run_server.journal(key) if isinstance(value, str)]
    assert notes == ["while connected", "kept while away"]
