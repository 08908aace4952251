"""The official client with the parser ``socket.io-msgpack-parser``: everything arrives; and notepack.io agrees."""

import datetime
import random

import pytest

from flask_socketio_py.socketio.msgpack_codec import NOTEPACK_2, NOTEPACK_3, MsgpackCodec
from tests.live.jsclient import pack, run_scenario
from tests.live.servers import OURS, PACKAGE, Server

PARSER = "socket.io-msgpack-parser"
TRANSPORTS = pytest.mark.parametrize(
    "transports", [["polling"], ["websocket"], None], ids=["polling", "websocket", "both"]
)

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="Flask-SocketIO's serializer has no dates and no undefined")


@pytest.fixture(scope="module")
def server():
    """The drop-in application, but with the other parser."""
    with Server(options={"parser": "msgpack"}) as server:
        yield server


@pytest.fixture
def run(scenario, server):
    """``run(name, transports=...)`` of the scenarios, with the other parser in all clients."""
    return lambda name, **options: scenario(name, server, parser=PARSER, **options)


def test_connect(run):
    result = run("connect")
    assert result["server"] == {"sid": result["id"], "namespace": "/", "event": "who am I", "args": []}


@TRANSPORTS
def test_acks_both_ways(run, transports):
    result = run("acks", transports=transports)
    assert result["values"]["dict"] == [{"a": [None, True, 1.5]}]
    assert result["values"]["tuple"] == [1, "two", {"three": 3}]
    assert (result["values"]["none"], result["values"]["empty list"]) == ([], [[]])
    assert result["question"] == 42
    assert result["answered"] == {"args": ["yes", {"number": 42}, None], "sid": result["id"]}
    assert (result["waited"], result["unhandled"]) == ("yes", "operation has timed out")


@TRANSPORTS
def test_binary(run, transports):
    result = run("binary", transports=transports)
    sent = result["sent"]
    for name in ("one", "empty", "nested", "views", "ten"):
        assert result["echoes"][name] == [sent[name], sent[name]], name
    assert result["echoes"]["big"] == [sent["big"], sent["big"]]
    assert result["waited"] == [{"attached": b"question"}, b"answer"]


@TRANSPORTS
def test_dates_undefined_buffers_and_numbers(run, transports):
    result = run("msgpackValues", transports=transports)
    sent = result["sent"]
    assert sent[0] == {"$date": 1700000000123}
    assert sent[3] == {"$undefined": True}
    assert sent[4] == b"\0"
    # What Python has no value for is None: undefined, and a date after the year 9999.
    expected = [*sent[:2], {"deep": [*sent[2]["deep"][:2], None]}, None, *sent[4:6], None, *sent[7:]]
    assert result["echo"] == result["bounced"] == expected


def test_broadcast_to_both_transports(run):
    for first in ("polling", "websocket"):
        result = run("mixedBroadcast", first=first)
        assert result["data"] == {"bytes": b"\x00\x01\x02\xff", "more": ["é".encode()], "text": "é"}
        assert result["told"] == [[[result["data"]]], [[result["data"]]]]
        assert result["after"] == result["kinds"]


def test_namespaces_share_a_connection(run, transport):
    result = run("namespaces", transports=[transport])
    assert len({*result["ids"], result["again"]}) == 5
    assert result["said"] == {"text": "hi", "sid": result["ids"][1]}
    assert (result["enter"], result["echo"], result["mainStillThere"]) == (["lobby"], "legacy", "main")
    assert not result["chatWasHeard"]


@pytest.mark.parametrize(
    ("namespace", "message", "data"),
    [
        ("/refuse/false", "Connection rejected by server", None),
        ("/refuse/data", "not today", {"code": 7}),
        ("/refuse/more", "not today", [1, [2]]),
        ("/nobody/home", "Invalid namespace", None),
        ("/refuse/error", "Internal server error", None),
    ],
)
def test_refusal(run, namespace, message, data):
    result = run("refusal", namespace=namespace)
    assert result == {"message": message, "data": data, "connected": False, "active": False}
    assert run("refusedBeside") == {"message": "not today", "echo": 1}


def test_auth_payload(run, server, key):
    assert run("auth", key=key) == [True, True, True]
    given = [entry["auth"] for entry in server.journal(key) if "connect" in entry]
    assert given[:2] == [{"token": "ü", "list": [1, None]}, {"computed": True}]
    assert not given[2]


def test_the_end_from_either_side(run, server, transport, key):
    assert run("clientDisconnect", transports=[transport], key=key) == "io client disconnect"
    assert server.wait_journal(key, 2)[-1]["reason"] == "client disconnect"
    result = run("serverDisconnect", transports=[transport], key=key + ".2")
    assert result == {"reason": "io server disconnect", "active": False}


def test_upgrade(run):
    result = run("upgrade")
    assert (result["names"], result["transport"]) == (["polling", "websocket"], "websocket")
    assert result["self"]["sid"] == result["id"]


def test_nothing_is_lost_or_reordered_while_upgrading(run, server, key):
    result = run("upgradeStream", key=key)
    assert (result["before"]["transport"], result["after"]["transport"]) == ("polling", "websocket")
    assert result["ticks"] == list(range(1, result["total"] + 1))
    received = [value for value in server.journal(key) if isinstance(value, int)]
    assert received == list(range(1, result["sent"] + 1))


def test_a_hundred_packets_in_one_request(run, server, key):
    result = run("oneTick", transports=["polling"], key=key)
    assert max(result["posts"]) >= 100
    assert [value for value in server.journal(key) if isinstance(value, int)] == list(range(100))


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_a_client_with_the_wrong_parser_is_closed_and_harms_nobody(scenario, server, run_server, run, transports):
    # The servers' logs are searched for tracebacks when they stop.
    for result in (
        scenario("wrongParser", server, transports=transports),
        scenario("wrongParser", run_server, transports=transports, parser=PARSER),
    ):
        assert result == {"reason": "transport close", "connected": False, "received": []}
    assert run("connect")["server"]
    assert scenario("connect", run_server)["server"]


# --- notepack.io -----------------------------------------------------------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def made_at_random(chance, depth=0):
    kind = chance.randrange(10 if depth < 3 else 7)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind in (1, 2):
        return chance.choice([1, -1]) * chance.getrandbits(chance.randrange(1, 54))
    if kind == 3:
        return chance.choice([0.5, -0.25, 1e-300, 1.7e30 + 0.1, chance.random()])
    if kind == 4:
        return "".join(chance.choices("a0é€😀\0\u2028", k=chance.choice([0, 3, 9, 40, 300])))
    if kind == 5:
        return chance.randbytes(chance.choice([0, 1, 8, 40, 300, 70_000 if chance.random() < 0.05 else 2]))
    if kind == 6:
        return EPOCH + datetime.timedelta(milliseconds=chance.randrange(-(10**13), 10**14))
    items = [made_at_random(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 3, 17]))]
    return items if kind < 9 else {f"key {number}": item for number, item in enumerate(items)}


def tagged(value):
    if isinstance(value, datetime.datetime):
        return {"$date": (value - EPOCH) // datetime.timedelta(milliseconds=1)}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    return {key: tagged(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_notepack_writes_and_reads_the_same_bytes(javascript):
    chance = random.Random(8)
    # 1.7e30 and its like are integers to JavaScript, and above 64 bits notepack.io writes nonsense for them.
    values = [value for value in (made_at_random(chance) for _ in range(60)) if "e+" not in repr(value)]
    assert len(values) > 30
    codec = MsgpackCodec(NOTEPACK_2)
    ours = [codec.encode(value) for value in values]
    result = run_scenario(
        "notepack", "", {"values": pack(tagged(values)), "messages": [message.hex() for message in ours]}
    )
    assert result["written"] == [message.hex() for message in ours]
    assert result["read"] == tagged(values)
    assert [codec.decode(bytes.fromhex(message)) for message in result["written"]] == values
    # The cluster's flavours read it as well.
    assert [MsgpackCodec(NOTEPACK_3).decode(message) for message in ours] == values
