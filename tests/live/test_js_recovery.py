"""Connection state recovery with the official client: who comes back with what, and who has to start anew.

Node: ``test/connection-state-recovery.ts``. Clients here reconnect when the test says so, so that it decides what
happens while they are away. The last argument of an event that is kept is its offset, as everywhere with this protocol.
"""

import time

import pytest

from tests.live.proxy import Proxy
from tests.live.remote import IO, SOCKET, callback, do, setting
from tests.live.servers import Server, wait_for

APP = "tests.live.apps.surface:app"


@pytest.fixture(scope="module")
def server():
    with Server(APP, options={"connection_state_recovery": {"max_disconnection_duration": 60}}) as server:
        yield server


@pytest.fixture
def helper(js, server):
    """Another client, which has the server do things."""
    client = js.open(server.url, transports=["websocket"])
    client.sid()
    return client


@pytest.fixture
def client(connect):
    """Comes back when the test says so; over each transport in turn."""
    return connect(reconnection=False)


def lose(client, count=1):
    client.break_off()
    client.wait("disconnect", count)


def come_back(client):
    """Whether the client and the server call it recovered; they must agree."""
    seen = len(client.found("connect"))
    client.connect()
    entry = client.wait("connect", seen + 1)
    assert do(client, SOCKET.recovered) is bool(entry.get("recovered"))
    return bool(entry.get("recovered"))


def events(client):
    """(event, arguments without the offset) of all events so far."""
    client.call("echo")
    return [(entry["event"], entry["args"][:-1]) for entry in client.found("event")]


def test_id_rooms_and_data_are_restored(client, server, key):
    sid = client.sid()
    do(client, SOCKET.join("x", "y"), setting(SOCKET, "data", {"name": "ü", "list": [1]}))
    lose(client)
    assert come_back(client)
    assert client.found("connect")[-1]["sid"] == sid
    assert sorted(do(client, SOCKET.rooms)) == sorted([sid, "x", "y"])
    assert do(client, SOCKET.data) == {"name": "ü", "list": [1]}
    first, gone, again = server.journal(key)
    assert first == {"connect": sid, "recovered": False, "rooms": [sid]}
    assert (gone["disconnect"], gone["reason"]) == (sid, "transport close")
    assert again == {"connect": sid, "recovered": True, "rooms": sorted([sid, "x", "y"])}


def test_missed_events_arrive_once_and_in_order(client, helper):
    sid = client.sid()
    do(client, SOCKET.join("x", "y"))
    do(helper, IO.emit("before", 0))
    assert events(client) == [("before", [0])]
    lose(client)
    data = [b"\x00\x01", {"deep": [b"\xff"]}, "text"]
    do(
        helper,
        IO.emit("to all", 1),
        IO.to("x").emit("to a room", 2),
        IO.to("x", "y").emit("to two rooms", 3),
        IO.to(sid).emit("direct", 4),
        IO.to("x").emit("binary", *data),
        IO.to(sid).send("message"),
        SOCKET.broadcast.emit("from another", 5),
        IO.emit("bare"),
    )
    do(
        helper,
        IO.to("z").emit("to another room"),
        IO.to(helper.sid()).emit("to another client"),
        IO.except_("x").emit("not to my room"),
        IO.except_(sid).emit("not to me"),
        IO.of("/guarded").emit("to another namespace"),
        IO.emit("last", 6),
    )
    assert come_back(client)
    missed = [
        ("to all", [1]),
        ("to a room", [2]),
        ("to two rooms", [3]),
        ("direct", [4]),
        ("binary", data),
        ("message", ["message"]),
        ("from another", [5]),
        ("bare", []),
        ("last", [6]),
    ]
    assert events(client) == [("before", [0]), *missed]
    do(helper, IO.to("x").emit("afterwards", 7))
    client.wait("event", event="afterwards")
    assert events(client) == [("before", [0]), *missed, ("afterwards", [7])]


def test_nothing_is_kept_of_volatile_events_and_questions(client, helper):
    sid = client.sid()
    lose(client)
    do(helper, IO.volatile.emit("volatile", 1), IO.to(sid).volatile.emit("volatile", 2))
    do(helper, IO.to(sid).timeout(0.05).emit("question", callback=callback("asked")), IO.emit("kept", 3))
    assert come_back(client)
    assert events(client) == [("kept", [3])]


def test_a_client_that_has_received_nothing_is_recovered(client, helper):
    """Better than Node, where it has no offset and starts anew (socketio/socket.io#4880)."""
    sid = client.sid()
    assert client.state()["offset"] is None
    lose(client)
    do(helper, IO.emit("missed", 1), IO.to(sid).emit("missed", 2))
    assert come_back(client)
    assert events(client) == [("missed", [1]), ("missed", [2])]


def test_what_was_sent_before_it_connected_is_not_given(connect, helper):
    do(helper, IO.emit("too early"))
    client = connect(reconnection=False)
    client.sid()
    lose(client)
    assert come_back(client)
    assert events(client) == []


@pytest.mark.parametrize("args", [[], ["a text"], [1, "a text"]], ids=["none", "text", "more"])
@pytest.mark.parametrize("emitter", ["socket", "broadcast"])
def test_a_volatile_event_does_not_spoil_the_offset(js, server, helper, args, emitter):
    """A client that can be recovered takes a text at the end of whatever it receives for an offset, be it the event's
    own name (socketio/socket.io#5538, #5539).
    """
    client = js.open(server.url, transports=["websocket"], reconnection=False)
    sid = client.sid()
    do(helper, IO.emit("kept", 1))
    client.wait_event("kept")
    to_client = IO.sockets[sid] if emitter == "socket" else IO.to(sid)
    do(helper, to_client.volatile.emit("volatile", *args))
    volatile = client.wait_event("volatile")
    assert volatile[: len(args)] == args
    lose(client)
    do(helper, IO.emit("kept", 2))
    assert come_back(client)
    assert [entry for entry in events(client) if entry[0] == "kept"] == [("kept", [1]), ("kept", [2])]


def test_a_question_with_a_text_does_not_spoil_the_offset(client, helper):
    sid = client.sid()
    client.answer("question", "answer")
    do(helper, IO.emit("kept", 1))
    client.wait_event("kept")
    assert do(helper, IO.sockets[sid].emit_with_ack("question", "text")) == "answer"
    lose(client)
    do(helper, IO.emit("kept", 2))
    assert come_back(client)
    assert client.received("kept")[1][0] == 2


def test_it_can_be_recovered_again_and_again(client, helper):
    sid = client.sid()
    do(client, SOCKET.join("x"))
    for number in range(5):
        lose(client, number + 1)
        do(helper, IO.to("x").emit("number", 2 * number))
        assert come_back(client)
        do(helper, IO.to("x").emit("number", 2 * number + 1))
        client.wait_event("number", 2 * number + 2)
    assert events(client) == [("number", [number]) for number in range(10)]
    assert {entry["sid"] for entry in client.found("connect")} == {sid}


def test_every_namespace_of_the_connection_is_recovered(js, server, client, helper):
    other = js.open(server.url, "/guarded", share=client)
    sids = client.sid(), other.sid()
    lose(client)
    other.wait("disconnect")
    do(helper, IO.emit("main", 1), IO.of("/guarded").to("early birds").emit("guarded", 2))
    client.connect()  # and with it the other
    for socket, sid in zip((client, other), sids, strict=True):
        entry = socket.wait("connect", 2)
        assert (entry["sid"], entry["recovered"]) == (sid, True)
    assert (events(client), events(other)) == ([("main", [1])], [("guarded", [2])])


@pytest.mark.parametrize("whose", ["client", "server", "server, whole connection"])
def test_a_deliberate_disconnect_is_final(client, helper, whose):
    sid = client.sid()
    do(helper, IO.emit("event", 1))
    client.wait_event("event")
    if whose == "client":
        client.disconnect()
    else:
        do(helper, IO.sockets[sid].disconnect(close=whose != "server"))
    client.wait("disconnect")
    do(helper, IO.emit("event", 2))
    assert not come_back(client)
    assert client.found("connect")[-1]["sid"] != sid
    assert events(client) == [("event", [1])]


def test_the_server_may_close_the_connection_of_one_that_comes_back(client, helper):
    sid = client.sid()
    do(helper, IO.sockets[sid].conn.close(), IO.emit("missed", 1))
    client.wait("disconnect")
    assert come_back(client)
    assert events(client) == [("missed", [1])]


def test_a_connection_that_breaks(js, server, helper, transport):
    with Proxy(server.port) as proxy:
        client = js.open(proxy.url, transports=[transport], reconnectionDelay=10, reconnectionDelayMax=50)
        sid = client.sid()
        for number in range(3):
            while len(client.found("disconnect")) <= number:
                proxy.cut()  # a client that polls may just be between two connections
                time.sleep(0.01)
            do(helper, IO.to(sid).emit("number", number))
            assert client.wait("connect", number + 2)["recovered"], "the client comes back by itself"
        client.wait_event("number", 3)
        assert events(client) == [("number", [number]) for number in range(3)]
        js.forget_clients()


@pytest.mark.parametrize(
    "auth",
    [
        {"pid": "nobody's"},
        {"pid": ""},
        {"pid": 5},
        {"pid": None},
        {"pid": ["a", "list"]},
        {"pid": {"an": "object"}},
        {"offset": 5},
        {"offset": ["a", "list"]},
        {"offset": ""},
        {"offset": "invented"},
        {"offset": "x" * 100_000},
        {"offset": "00000000-ffffffffffffffffffffff"},
    ],
    ids=lambda auth: str(auth)[:40],
)
def test_a_wrong_pid_or_offset_starts_anew(js, server, helper, auth):
    client = js.open(server.url, transports=["websocket"], reconnection=False)
    sid = client.sid()
    do(client, SOCKET.join("x"))
    do(helper, IO.emit("event", 1))
    client.wait_event("event")
    lose(client)
    do(helper, IO.emit("event", 2))
    client.authenticate(auth)
    assert not come_back(client)
    assert client.found("connect")[-1]["sid"] != sid
    assert do(client, SOCKET.rooms) == [client.sid()]
    assert events(client) == [("event", [1])]


def test_nobody_is_recovered_with_the_pid_of_one_who_is_there(client, js, server, helper):
    """... except its owner: whoever knows the private id is the client, on a new connection. The old one ends."""
    sid = client.sid()
    pid = do(client, SOCKET.presence.pid)
    thief = js.open(server.url, auth={"pid": pid}, transports=["websocket"], reconnection=False)
    assert thief.sid() == sid
    assert client.wait("disconnect")["reason"] in ("transport close", "transport error")
    assert do(helper, IO.to(sid).count()) == 1


def test_after_max_disconnection_duration_it_is_a_new_session(js, helper):
    with Server(APP, options={"connection_state_recovery": {"max_disconnection_duration": 0.2}}) as server:
        client = js.open(server.url, transports=["websocket"], reconnection=False)
        sid = client.sid()
        do(client, SOCKET.join("x"), IO.emit("event", 1))
        client.wait_event("event")
        lose(client)
        time.sleep(0.5)
        assert not come_back(client)
        assert client.found("connect")[-1]["sid"] != sid
        assert events(client) == [("event", [1])]
        js.forget_clients()


@pytest.mark.parametrize("skip", [True, False])
def test_middlewares_are_skipped_or_not(js, key, skip):
    with Server(APP, options={"connection_state_recovery": {"skip_middlewares": skip}}) as server:
        client = js.open(server.url, "/guarded", transports=["websocket"], query={"key": key}, reconnection=False)
        client.sid()
        lose(client)
        wait_for(lambda: ["disconnect", "transport close"] in server.journal(key), "the server knows")
        assert come_back(client)
        after = server.journal(key)[4:]
        middlewares = [["first", False], ["second", False]]
        assert after == [*([] if skip else middlewares), ["connect", False, ["early birds"]]]
        if not skip:
            lose(client, 2)
            client.authenticate({"wish": "refuse"})
            client.connect()
            assert client.wait("connect_error")["message"] == "not today"
        js.forget_clients()


def test_without_the_option_nothing_is_kept_and_no_offset_sent(js):
    with Server(APP) as server:
        client = js.open(server.url, transports=["websocket"], reconnection=False)
        sid = client.sid()
        do(client, IO.emit("event", 1))
        assert client.wait_event("event") == [1]
        lose(client)
        assert not come_back(client)
        assert client.found("connect")[-1]["sid"] != sid
        js.forget_clients()
