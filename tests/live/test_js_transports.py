"""Polling and WebSocket with the official client: the upgrade loses nothing, either alone suffices, bodies shrink."""

import pytest


def test_upgrade(scenario, run_server):
    result = scenario("upgrade", run_server)
    assert result["names"] == ["polling", "websocket"]
    assert result["transport"] == "websocket"
    assert result["echo"] == "over"
    assert result["self"]["sid"] == result["id"]


@pytest.mark.differs("more than 16 packets in a payload are answered ok and dropped")
def test_nothing_is_lost_or_reordered_while_upgrading(scenario, run_server, key):
    result = scenario("upgradeStream", run_server, key=key)
    before, after = result["before"], result["after"]
    assert (before["transport"], after["transport"]) == ("polling", "websocket")
    assert before["sent"] < result["sent"]
    assert before["ticks"] < after["ticks"] < result["total"], "the server's stream flowed through the upgrade"
    assert result["total"] >= 2000
    assert result["ticks"] == list(range(1, result["total"] + 1))
    assert result["sent"] >= 2000
    received = [value for value in run_server.journal(key) if isinstance(value, int)]
    assert received == list(range(1, result["sent"] + 1))


def test_forced_transport(scenario, run_server, transport):
    result = scenario("forced", run_server, transport=transport)
    assert result["names"] == [transport]
    assert result["transport"] == transport
    assert result["echoes"] == list(range(10))
    assert result["bounced"] == ["pushed", b"bytes"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_compression_of_polling_bodies(scenario, run_server, encoding):
    result = scenario("compression", run_server)[encoding]
    assert result["same"], "the body is what it is without compression"
    assert result["long"] == (None if encoding == "identity" else encoding)
    assert (result["open"], result["short"]) == (None, None), "short bodies are not worth it"
    assert result["shortBody"] == '42["bounced","short"]'
