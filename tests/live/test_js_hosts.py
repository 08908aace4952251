"""The core of what the official client does, under each of the four hosts."""


def test_connect(scenario, server):
    result = scenario("connect", server)
    assert result["server"]["sid"] == result["id"]
    assert result["transport"] == "polling"


def test_acks(scenario, server, transport):
    result = scenario("acks", server, transports=[transport])
    assert result["values"]["tuple"] == [1, "two", {"three": 3}]
    assert result["answered"] == {"args": ["yes", {"number": 42}, None], "sid": result["id"]}
    assert (result["question"], result["waited"]) == (42, "yes")


def test_binary(scenario, server, transport):
    result = scenario("binary", server, transports=[transport])
    assert result["echoes"]["nested"] == [result["sent"]["nested"]] * 2
    assert result["echoes"]["big"] == [result["sent"]["big"]] * 2


def test_upgrade(scenario, server):
    result = scenario("upgrade", server)
    assert result["names"] == ["polling", "websocket"]
    assert result["self"]["sid"] == result["id"]


def test_forced_transport(scenario, server, transport):
    result = scenario("forced", server, transport=transport)
    assert result["names"] == [transport]
    assert result["echoes"] == list(range(10))
    assert result["bounced"] == ["pushed", b"bytes"]


def test_many_packets_through_the_upgrade(scenario, server, key):
    result = scenario("burst", server)
    assert result == list(range(1, 101))


def test_client_goes_away(scenario, server, key):
    assert scenario("terminate", server, key=key) == "transport close"
    assert server.wait_journal(key, 2)[-1]["reason"] == "transport close"
