"""Owns what only some official servers say: answers on the channel of who asks, rooms that are numbers; and what none
says, but anybody with access to Redis could: it breaks no connection of an official client to a server of ours.
"""

import msgpack
import pytest

from tests.live.cluster import official_and_ours, until_equal

#: The official adapter, and the URL's parts here.
KINDS = {"specific": "redis", "sharded": "redis+sharded"}


@pytest.fixture(scope="module", params=KINDS)
def running(request, javascript):
    with official_and_ours(request.param, KINDS[request.param]) as cluster:
        yield cluster


@pytest.fixture
def cluster(running, js):
    running.connect(js)
    return running


def test_answers_come_to_the_one_who_asks(cluster):
    names = sorted(member.name for member in cluster.members)
    for member in cluster.members:
        member.client.answer("question", member.name)
    for member in cluster.members:
        assert len(member.do("fetch")) == 4
        found = member.do("emit_with_ack", args=["question"], timeout=10)
        assert (found["complete"], sorted(found["answers"])) == (True, names)
        answers = member.do("server_call", args=["ask"])
        assert sorted(answers) == sorted(other.name for other in cluster.others(member))
        if not member.official:
            assert (member.do("count"), member.do("room_sizes")) == (4, {})


def test_rooms_that_are_numbers(cluster):
    """Which only official servers let sockets join."""
    official = cluster.members[0]
    official.do("join", moved=[5, 2**40])
    for member in cluster.members:
        until_equal(lambda member=member: len(member.do("fetch", rooms=[5])), 4)
        assert len(member.do("fetch", rooms=[2**40])) == 4
    if cluster.adapter == "sharded":
        # Each room has a channel, heard a moment later than it is joined.
        until_equal(lambda: cluster.redis.ask("PUBSUB", "SHARDNUMSUB", "socket.io#/#5#")[1], 4)
    for member in cluster.members:
        if member.official and cluster.adapter == "sharded":
            member.do("emit", args=[f"five {member}"], rooms=[5, 6])  # it asks a room of its own channel for its length
        else:
            member.do("emit", args=[f"five {member}"], rooms=[5])
        for other in cluster.members:
            other.client.wait_event(f"five {member}")
    official.do("leave", moved=[5])
    for member in cluster.members:
        until_equal(lambda member=member: member.do("fetch", rooms=[5]), [])


@pytest.mark.parametrize(
    "data",
    [
        ["x", *[b"1"] * 11],
        ["x", {"_placeholder": True, "num": 7}, b"1"],
        *([name] for name in ("connect", "connect_error", "disconnect", "disconnecting", "newListener")),
        ["x", float("nan"), b"\1"],
    ],
    ids=str,
)
def test_no_event_ends_a_connection(cluster, data):
    """Official servers would pass these on, and their clients break off: so they are told nothing of it here."""
    ours = [member for member in cluster.members if not member.official]
    for member in ours:
        sid = member.client.sid()
        packet, options = {"type": 2, "data": data, "nsp": "/"}, {"rooms": [sid], "except": [], "flags": {}}
        if cluster.adapter == "sharded":
            message = {"type": 3, "data": {"packet": packet, "opts": options}, "uid": "stranger", "nsp": "/"}
            cluster.redis.ask("SPUBLISH", "socket.io#/#", msgpack.packb(message))
        else:
            cluster.redis.ask("PUBLISH", f"socket.io#/#{sid}#", msgpack.packb(["u", packet, options]))
    for member in ours:
        member.do("emit", args=[f"the end {member}"])
        for other in ours:
            other.client.wait_event(f"the end {member}")
            assert other.client.found("disconnect") == []
