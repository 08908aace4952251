"""Owns one cluster of official servers and ours: every operation of the Redis adapters, in every direction."""

import subprocess

import pytest

from tests.live.cluster import official_and_ours, until_equal
from tests.live.jsclient import JS

#: The official adapter, and the parts of the URL before ``://`` that ask for it here.
KINDS = {"classic": "redis", "sharded": "redis+sharded", "streams": "redis+streams"}
DATA = [1, -1.5, "text é 😀", None, True, {"a": [b"\0\1\xff", {"b": b""}]}, [], 2**40]
GLOB = "/*?"

pytestmark = pytest.mark.usefixtures("javascript")


@pytest.fixture(scope="module", params=KINDS)
def running(request, javascript):
    with official_and_ours(request.param, KINDS[request.param]) as cluster:
        yield cluster


@pytest.fixture
def cluster(running, js):
    running.connect(js)
    yield running
    for member in running.members:
        if member.official:
            assert "Error" not in member.server.log()


def join(cluster, *rooms):
    """Let the first client of each kind, and the second ones, join rooms, and wait until all servers know."""
    for member, room in zip(cluster.members, rooms, strict=True):
        if room is not None:
            member.do("join", rooms=[member.client.sid()], moved=[room])
    for member, room in zip(cluster.members, rooms, strict=True):
        until_equal(lambda member=member: sorted(rooms_of(member)), [] if room is None else [room])
    if cluster.adapter == "sharded":
        for room in {*rooms} - {None}:
            ask = ("PUBSUB", "SHARDNUMSUB", f"socket.io#/#{room}#")
            until_equal(lambda ask=ask: cluster.redis.ask(*ask)[1], rooms.count(room))


def rooms_of(member):
    found = member.do("fetch", rooms=[member.client.sid()])
    return {room for one in found for room in one["rooms"]} - {member.client.sid()}


def received(cluster, event):
    """Who has received an event how often; asked when everything said before has arrived."""
    cluster.fence()
    return {member.name: len(member.client.received(event)) for member in cluster.members}


def only(cluster, *members):
    return {member.name: int(member in members) for member in cluster.members}


def test_an_event_reaches_the_clients_of_all_servers_as_it_is(cluster):
    for member in cluster.members:
        member.do("emit", args=[f"data {member}", *DATA])
        for other in cluster.members:
            assert other.client.wait_event(f"data {member}") == DATA
        assert received(cluster, f"data {member}") == only(cluster, *cluster.members)


def test_flags_are_understood(cluster):
    for member in cluster.members:
        member.do("emit", args=[f"flags {member}", 1], compress=False)
        member.do("emit", args=[f"volatile {member}", 1], volatile=True)
        assert received(cluster, f"flags {member}") == only(cluster, *cluster.members)


def nested(depth):
    return [nested(depth - 1)] if depth else "the core"


@pytest.mark.parametrize(
    "value",
    [
        "\ud800 alone",
        {"__proto__": {"polluted": 1}},
        {"toJSON": 1, "constructor": None},
        nested(300),
        2**63,
        1e308,
        "\0",
    ],
    ids=["surrogate", "proto", "names", "deep", "large", "double", "zero"],
)
def test_odd_data_hurts_nobody(cluster, value, request):
    senders = receivers = cluster.members
    if cluster.adapter == "streams" and request.node.callspec.id.endswith(("proto", "deep")):
        # The official adapter ends when it is to send what is nested so deeply, and reads no key of this name.
        senders = cluster.members[2:]
        receivers = cluster.members if "deep" in request.node.callspec.id else senders
    for member in senders:
        member.do("emit", args=["odd", value, b"\1"])
        member.do("server_emit", args=["note", value])
    counts = received(cluster, "odd")
    assert counts == {member.name: len(senders) if member in receivers else 0 for member in cluster.members}


def test_rooms_and_exceptions(cluster):
    join(cluster, "red", "blue", "red", "blue")
    reds, blues = cluster.members[::2], cluster.members[1::2]
    for member in cluster.members:
        member.do("emit", args=[f"red {member}"], rooms=["red"])
        member.do("emit", args=[f"both {member}"], rooms=["red", "blue"])
        member.do("emit", args=[f"but blue {member}"], excepted=["blue"])
        member.do("emit", args=[f"but red {member}"], rooms=["red", "blue"], excepted=["red"])
        for target in cluster.members:
            member.do("emit", args=[f"{member} to {target}"], rooms=[target.client.sid()])
        assert received(cluster, f"red {member}") == only(cluster, *reds)
        assert received(cluster, f"both {member}") == only(cluster, *cluster.members)
        assert received(cluster, f"but blue {member}") == only(cluster, *reds)
        assert received(cluster, f"but red {member}") == only(cluster, *blues)
        for target in cluster.members:
            assert received(cluster, f"{member} to {target}") == only(cluster, target)


@pytest.mark.parametrize("room", ["a room of 20 letters", "räume 😀", "#", "*", "5"])
def test_odd_names_of_rooms(cluster, room):
    join(cluster, room, None, room, None)
    for member in cluster.members:
        member.do("emit", args=[f"odd {member}", room], rooms=[room])
        assert received(cluster, f"odd {member}") == only(cluster, *cluster.members[::2])


@pytest.mark.parametrize("namespace", ["/chat", GLOB])
def test_namespaces_are_apart(cluster, js, namespace):
    clients = [js.open(member.server.url, namespace, transports=["websocket"]) for member in cluster.members]
    for client in clients:
        client.sid()
    for member in cluster.members:
        until_equal(lambda member=member: member.do("servers", namespace=namespace), 4)
        member.do("emit", namespace=namespace, args=[f"here {member}", b"\1"])
        for client in clients:
            assert client.wait_event(f"here {member}") == [b"\1"]
        assert received(cluster, f"here {member}") == only(cluster)
        assert len(member.do("fetch", namespace=namespace)) == 4
    for member in cluster.members:
        for client in clients:
            assert len(client.received(f"here {member}")) == 1


def test_acknowledgements_of_all_are_gathered(cluster):
    for member in cluster.members:
        member.client.answer("question", {"from": member.name, "bytes": b"\0\xfe"})
        member.client.answer("plain", member.name)
    names = sorted(member.name for member in cluster.members)
    for member in cluster.members:
        found = member.do("emit_with_ack", args=["question", b"\1", 2], timeout=10)
        assert found["complete"]
        assert sorted(answer["from"] for answer in found["answers"]) == names
        assert {answer["bytes"] for answer in found["answers"]} == {b"\0\xfe"}
        found = member.do("emit_with_ack", args=["plain"], timeout=10)
        assert (found["complete"], sorted(found["answers"])) == (True, names)
        for other in cluster.members:
            found = member.do("emit_with_ack", args=["plain"], timeout=10, rooms=[other.client.sid()])
            assert found == {"complete": True, "answers": [other.name]}


def test_who_does_not_answer_makes_it_incomplete(cluster):
    for member in cluster.members[1:]:
        member.client.answer("question", member.name)
    for member in cluster.members:
        found = member.do("emit_with_ack", args=["question"], timeout=0.5)
        assert not found["complete"]
        assert sorted(found["answers"]) == sorted(member.name for member in cluster.members[1:])


def test_sockets_of_all_servers_are_found(cluster):
    join(cluster, "red", "blue", "red", None)
    for member in cluster.members:
        member.do("data", sid=member.client.sid(), data={"name": member.name, "list": [1, None]})
    expected = {
        member.client.sid(): (member.name, [*([] if room is None else [room])])
        for member, room in zip(cluster.members, ("red", "blue", "red", None), strict=True)
    }
    for member in cluster.members:
        found = member.do("fetch")
        assert {
            one["id"]: (one["data"]["name"], [room for room in one["rooms"] if room != one["id"]]) for one in found
        } == expected
        assert len(found) == 4
        assert all(one["url"].startswith("/socket.io/?EIO=4&transport=websocket") for one in found)
        reds = [cluster.members[0].client.sid(), cluster.members[2].client.sid()]
        assert sorted(one["id"] for one in member.do("fetch", rooms=["red"])) == sorted(reds)
        assert len(member.do("fetch", excepted=["red"])) == 2
        assert member.do("fetch", rooms=["nobody"]) == []
        if not member.official:
            assert member.do("count") == 4
            assert member.do("count", rooms=["red"]) == 2
            assert member.do("count", rooms=["red", "blue"], excepted=["blue"]) == 2
            assert member.do("room_sizes") == {"red": 2, "blue": 1}
        elif cluster.adapter == "classic":
            assert sorted(member.do("all_rooms")) == sorted([*expected, "red", "blue"])


def test_binary_data_of_a_socket_reaches_our_servers(cluster):
    """The official classic adapter sends it as JSON, so from there it is not binary any more."""
    for member in cluster.members[2:]:
        member.do("data", sid=member.client.sid(), data={"bytes": b"\0\xff"})
        for asking in cluster.members:
            [found] = asking.do("fetch", rooms=[member.client.sid()])
            assert found["data"] == {"bytes": b"\0\xff"}


def test_many_are_moved(cluster):
    everybody = cluster.members
    for number, member in enumerate(everybody):
        member.do("join", moved=[f"a{number}", f"b{number}"])
        for other in everybody:
            until_equal(lambda other=other, n=number: {f"a{n}", f"b{n}"} <= rooms_of(other), True)
        member.do("leave", moved=[f"b{number}"], rooms=[f"a{number}"])
        for other in everybody:
            until_equal(lambda other=other, n=number: f"b{n}" in rooms_of(other), False)
            assert f"a{number}" in rooms_of(other)


def test_many_are_disconnected(cluster, js):
    for close in (False, True):
        for member in cluster.members:
            cluster.connect(js)
            keeper = cluster.others(member)[0]
            member.do("disconnect", close=close, excepted=[keeper.client.sid()])
            for other in cluster.others(keeper):
                # The client says "transport close" where the packet that says why comes with the end of the connection.
                assert other.client.wait("disconnect")["reason"] in ("io server disconnect", "transport close")
            assert keeper.client.found("disconnect") == []
            keeper.client.disconnect()


def test_servers_talk(cluster):
    for number, member in enumerate(cluster.members):
        member.do("server_emit", args=["note", number, {"a": [None, "é"]}])
        for other in cluster.others(member):
            until_equal(lambda other=other, n=number: ["/", n, {"a": [None, "é"]}] in other.do("heard"), True)
        assert ["/", number, {"a": [None, "é"]}] not in member.do("heard")
        answers = member.do("server_call", args=["ask"])
        assert sorted(answers) == sorted(other.name for other in cluster.others(member))
        answers = member.do("server_call", args=["ask", {"x": [1]}], namespace="/chat")
        assert answers == [{"x": [1]}] * 3


def test_servers_talk_in_binary(cluster):
    """But for the official classic adapter, which has only JSON for that."""
    for member in cluster.members[2:]:
        answers = member.do("server_call", args=["ask", b"\1\2"])
        if cluster.adapter != "classic":
            assert answers == [b"\1\2"] * 3
        else:
            assert answers.count(b"\1\2") == 1
            assert answers.count({"type": "Buffer", "data": [1, 2]}) == 2


EMITTER = """
const { createClient } = require("redis");
const { Emitter } = require("@socket.io/redis-emitter");
(async () => {
  const client = createClient({ url: process.argv[1] });
  await client.connect();
  const io = new Emitter(client);
  %s;
  setTimeout(() => client.quit(), 100);
})();
"""


def emitter(cluster, script):
    command = ["node", "-e", EMITTER % script, cluster.redis.url]
    done = subprocess.run(command, cwd=JS.parents[1], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_the_official_emitter_is_heard(cluster):
    if cluster.adapter != "classic":
        pytest.skip("the emitter speaks the classic adapter's wire")
    join(cluster, "red", "blue", "red", "blue")
    script = """
      io.emit("all", Buffer.from([1, 2]), { a: 1 });
      io.to("red").emit("reds");
      io.to(["red", "blue"]).except("blue").compress(false).emit("but blue");
      io.serverSideEmit("note", "from the emitter");
      io.in("red").socketsJoin("green");
    """
    emitter(cluster, 'io.volatile.emit("volatile")')  # alone: a connection that is being written to drops it
    for member in cluster.members:
        member.client.wait_event("volatile")
    emitter(cluster, script)
    for member in cluster.members:
        assert member.client.wait_event("all") == [b"\1\2", {"a": 1}]
    assert received(cluster, "reds") == received(cluster, "but blue") == only(cluster, *cluster.members[::2])
    for member in cluster.members:
        until_equal(lambda member=member: ["/", "from the emitter"] in member.do("heard"), True)
    for member in cluster.members[::2]:
        until_equal(lambda member=member: rooms_of(member), {"red", "green"})
    emitter(cluster, 'io.in("green").socketsLeave("green"); io.in("blue").disconnectSockets(true)')
    for member in cluster.members[::2]:
        until_equal(lambda member=member: rooms_of(member), {"red"})
    for member in cluster.members[1::2]:
        member.client.wait("disconnect")
