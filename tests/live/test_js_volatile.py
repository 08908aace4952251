"""Volatile events: dropped where they would have to wait, and never in parts. Over polling and WebSocket.

Node: the volatile tests of ``test/socket.ts``. Intended difference: over WebSocket Node sends the first of several
volatile events of one tick, because its socket counts as busy until the next; here each is judged by itself, and all
leave that the connection takes at once. Over polling it is the first alone, here as there: one answer, one event.
"""

import json

import pytest

from tests.conformance.raw import Target
from tests.live.proxy import Proxy
from tests.live.remote import IO, do
from tests.live.servers import Server, wait_for


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app") as server:
        yield server


@pytest.fixture
def helper(js, server):
    """Another client, which has the server do things."""
    client = js.open(server.url, transports=["websocket"])
    client.sid()
    return client


@pytest.fixture
def proxy(server):
    with Proxy(server.port) as proxy:
        yield proxy


def settled(client):
    """The events so far, once everything that was sent before has arrived."""
    client.call("echo")
    return [(entry["event"], entry["args"]) for entry in client.found("event")]


def test_a_volatile_event_arrives_at_a_client_that_waits(connect, helper):
    client = connect()
    client.call("echo")
    if client.state()["transport"] == "polling":
        wait_until_polling(helper, client.sid())
    do(helper, IO.to(client.sid()).volatile.emit("v", 1, b"\x00", {"deep": b"\x01"}))
    assert client.wait_event("v") == [1, b"\x00", {"deep": b"\x01"}]


def wait_until_polling(helper, sid):
    wait_for(lambda: do(helper, IO.sockets[sid].conn.transport.writable), "a GET is pending", interval=0.005)


def test_volatile_after_a_regular_event_is_dropped_over_polling(js, server, helper):
    client = js.open(server.url, transports=["polling"])
    to_client = IO.to(client.sid())
    wait_until_polling(helper, client.sid())
    do(helper, to_client.emit("regular"), to_client.volatile.emit("volatile"), to_client.emit("second"))
    client.wait("event", event="second")
    assert settled(client) == [("regular", []), ("second", [])]


@pytest.mark.parametrize("emitter", ["socket", "broadcast"])
@pytest.mark.parametrize("args", [[], [b"\x00", b"\x01"]], ids=["text", "binary"])
def test_only_the_first_of_several_volatile_emits_in_one_tick_over_polling(js, server, helper, emitter, args):
    client = js.open(server.url, transports=["polling"])
    sid = client.sid()
    to_client = IO.sockets[sid] if emitter == "socket" else IO.to(sid)
    wait_until_polling(helper, sid)
    do(helper, *(to_client.volatile.emit("v", number, *args) for number in range(3)))
    client.wait_event("v")
    assert settled(client) == [("v", [0, *args])]


@pytest.mark.parametrize("emitter", ["socket", "broadcast"])
@pytest.mark.parametrize("args", [[], [b"\x00", b"\x01"]], ids=["text", "binary"])
def test_several_volatile_emits_in_one_tick_over_websocket_all_leave(js, server, helper, emitter, args):
    client = js.open(server.url, transports=["websocket"])
    sid = client.sid()
    to_client = IO.sockets[sid] if emitter == "socket" else IO.to(sid)
    do(helper, *(to_client.volatile.emit("v", number, *args) for number in range(3)), to_client.emit("last"))
    client.wait("event", event="last")
    assert settled(client) == [*(("v", [number, *args]) for number in range(3)), ("last", [])]


def test_volatile_event_over_polling_is_dropped_when_no_get_is_pending(js, helper, proxy):
    client = js.open(proxy.url, transports=["polling"])
    sid = client.sid()
    wait_until_polling(helper, sid)
    proxy.freeze()  # the answer to the pending GET does not arrive, so the next one is not sent
    to_client = IO.to(sid)
    do(helper, to_client.emit("before"))
    wait_for(lambda: not do(helper, IO.sockets[sid].conn.transport.writable), "the GET is answered", interval=0.005)
    do(helper, to_client.volatile.emit("volatile", b"\x00"), IO.volatile.emit("volatile to all"))
    do(helper, to_client.emit("after"))
    proxy.thaw()
    client.wait("event", event="after")
    assert settled(client) == [("before", []), ("after", [])]
    assert ("volatile to all", []) in settled(helper), "others get it"


def test_volatile_event_over_websocket_is_dropped_when_the_connection_is_full(js, helper, proxy):
    client = js.open(proxy.url, transports=["websocket"])
    sid = client.sid()
    proxy.freeze()
    fillers = helper.call("fill", sid)
    assert fillers, "the connection takes no more"
    to_client = IO.to(sid)
    do(
        helper,
        to_client.volatile.emit("volatile"),
        to_client.volatile.emit("volatile", b"\x00", b"\x01"),
        IO.volatile.emit("volatile to all", b"\x00"),
        to_client.emit("after"),
    )
    proxy.thaw()
    client.wait("event", event="after")
    found = settled(client)
    assert [event for event, _ in found] == ["filler"] * fillers + ["after"], "nothing else, in whole or in part"
    assert ("volatile to all", [b"\x00"]) in settled(helper), "others get it"
    do(helper, to_client.volatile.emit("volatile again", b"\x00", b"\x01"))
    assert client.wait_event("volatile again") == [b"\x00", b"\x01"]


def test_regular_events_after_a_volatile_one_was_dropped(js, helper, proxy, transport):
    client = js.open(proxy.url, transports=[transport])
    sid = client.sid()
    proxy.freeze()
    helper.call("fill", sid)
    do(helper, IO.to(sid).volatile.emit("volatile"), *(IO.to(sid).emit("regular", number) for number in range(3)))
    proxy.thaw()
    client.wait_event("regular", 3)
    settled(client)
    assert (client.received("volatile"), client.received("regular")) == ([], [[0], [1], [2]])


def test_volatile_with_attachments_is_sent_whole_or_not_at_all(server, helper):
    """The packets as they are on the wire: while no GET waits, and while one does."""
    volatile = '["do",["socket",["get","volatile"],["get","emit"],["call",["v",%s,%s],{}]]]'
    places = [f'{{"_placeholder":true,"num":{number}}}' for number in range(2)]
    packets = ["452-" + volatile % tuple(places), "bAAE=", "bAgM="]
    with Target("127.0.0.1", server.port).open_polling() as session:
        session.send("40")
        sid = json.loads(session.receive()[2:])["sid"]
        session.send(*packets)
        session.send('42["do",["socket",["get","emit"],["call",["after"],{}]]]')
        assert session.poll().text == '42["after"]', "neither the event nor its attachments"
        session.start_poll()
        wait_until_polling(helper, sid)
        session.send(*packets)
        assert session.finish_poll().text.split("\x1e") == [f'452-["v",{",".join(places)}]', "bAAE=", "bAgM="]
