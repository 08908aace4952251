"""An application written for Flask-SocketIO: request, session, login, tasks, threads, HTTP routes, internals.

Every test runs under each host and over each transport alone, but those that need an application of their own.
"""

import pytest

from tests.live.servers import Server, wait_for

# Flask-SocketIO delivers what such a thread emits when something else wakes the hub, which may be half a minute later.
NATIVE = pytest.param("native thread", marks=pytest.mark.differs("does not wake the hub"))


def test_request(connect):
    client = connect(query={"room": "a b"}, extraHeaders={"X-Live": "yes"})
    described = client.call("request")
    assert described["args"]["room"] == "a b"
    assert described["args"]["EIO"] == "4"
    assert {name: described[name] for name in ("path", "remote_addr", "header")} == {
        "path": "/socket.io/",
        "remote_addr": "127.0.0.1",
        "header": "yes",
    }
    assert client.call("who am I", 1, [2]) == {
        "sid": client.sid(),
        "namespace": "/",
        "event": "who am I",
        "args": [1, [2]],
    }


def test_session_starts_as_the_cookie_and_lives_on_by_itself(connect, server):
    cookies = server.get("/login/alice").cookies()
    client = connect(extraHeaders={"Cookie": cookies})
    assert client.call("get color") == "blue"
    client.call("set color", "red")
    assert client.call("get color") == "red", "the client's own copy, kept from event to event"
    assert server.get_json("/color", headers={"Cookie": cookies}) == "blue", "HTTP has its own"
    assert connect(extraHeaders={"Cookie": cookies}).call("get color") == "blue", "and so has another client"


def test_session_in_a_class_namespace(connect):
    client = connect("/chat")
    client.emit("remember", {"a": 1})
    assert client.call("recall") == {"a": 1}


def test_current_user(connect, server):
    cookies = server.get("/login/alice").cookies()
    assert connect(extraHeaders={"Cookie": cookies}).call("who is it") == "alice"
    assert connect().call("who is it") == []


def test_logging_out_in_an_event(connect, server):
    client = connect(extraHeaders={"Cookie": server.get("/login/bob").cookies()})
    assert client.call("who is it") == "bob"
    client.call("log out")
    assert client.call("who is it") == []


def test_background_task(connect):
    client = connect()
    client.emit("background", {"n": [1, b"two"]})
    assert client.wait_event("from background") == [{"n": [1, b"two"]}]
    assert client.call("join background") == ["done"]


def test_copied_request_context_keeps_sid_and_namespace(connect):
    client = connect()
    client.emit("copied context")
    assert client.wait_event("from copy") == [{"sid": client.sid(), "namespace": "/", "event": "copied context"}]


@pytest.mark.parametrize("kind", ["gevent thread", NATIVE])
def test_emits_from_a_real_thread(connect, kind):
    client = connect()
    client.emit(kind, 200)
    assert client.wait_event("bytes from thread") == [{"ident": b"\x07" * 3}]
    assert client.received("from thread") == [[number] for number in range(1, 201)]


@pytest.mark.parametrize("kind", ["gevent thread", NATIVE])
def test_an_emit_from_a_real_thread_wakes_the_hub(js, transport, kind):
    with Server(options={"ping_interval": 300, "ping_timeout": 300}) as server:
        client = js.open(server.url, transports=[transport])
        client.wait("connect")
        client.emit(kind, 1)
        # From here on nobody sends anything, and the next heartbeat is minutes away.
        assert client.wait_event("bytes from thread") == [{"ident": b"\x07" * 3}]
        js.forget_clients()


def test_emits_from_an_http_route(connect, server, key):
    client, other = connect(), connect()
    client.call("join", key)
    assert server.get(f"/tell/{key}/hello").body == b"told"
    server.get("/everyone/listen")
    assert client.wait_event("from http") == ["hello"]
    assert client.wait_event("message") == ["listen"]
    assert other.wait_event("message") == ["listen"]
    assert other.received("from http") == []


def test_internals_that_applications_reach_for(connect, server, key):
    client, other = connect(), connect()
    client.call("join", key)
    server.get(f"/enter/{key}/{other.sid()}")
    members = server.get_json(f"/members/{key}")
    assert members["rooms"] == members["participants"] == sorted([client.sid(), other.sid()])
    assert members["everyone"] >= 2
    server.get(f"/close/{key}")
    assert server.get_json(f"/members/{key}")["rooms"] == []
    server.get(f"/disconnect/{other.sid()}")
    assert other.wait("disconnect")["reason"] == "io server disconnect"
    assert client.call("echo", 1) == 1


def test_session_shared_with_http(js, transport):
    with Server("tests.live.apps.sessions:app") as server:
        cookies = server.get("/color/green").cookies()
        client = js.open(server.url, transports=[transport], extraHeaders={"Cookie": cookies})
        client.wait("connect")
        assert client.call("get color") == "green"
        client.call("set color", "gold")
        assert server.get_json("/color", headers={"Cookie": cookies}) == "gold"
        server.get("/color/grey", headers={"Cookie": cookies})
        assert client.call("get color") == "grey"
        js.forget_clients()


@pytest.fixture
def catchall(js, transport):
    """Sockets of one connection to the application full of catch-alls, by namespace."""
    with Server("tests.live.apps.catchall:app") as server:
        known = js.open(server.url, "/known", transports=[transport])
        others = {name: js.open(server.url, name, share=known) for name in ("/other", "/class", "/own")}
        for client in (known, *others.values()):
            client.wait("connect")
        yield {"/known": known, **others}
        js.forget_clients()


def test_which_catch_all_wins_and_who_handles_errors(catchall):
    known = catchall["/known"]
    assert known.call("exact", 1) == ["namespace and event", "/known", "exact", 1]
    assert known.call("common", 1) == ["namespace and any event", "/known", "common", 1]
    assert catchall["/other"].call("common", 1) == ["any namespace and event", "/other", "common", 1]
    assert catchall["/class"].call("common", 1) == ["any namespace and event", "/class", "common", 1]
    assert known.call("fail") == ["default", "on purpose", "/known", "fail"]
    assert catchall["/own"].call("fail") == ["own", "on purpose"]


@pytest.mark.differs("takes the event for the namespace and refuses itself")
def test_catch_all_of_events_and_namespaces_at_once(catchall):
    assert catchall["/other"].call("exact") == ["any namespace and any event", "/other", "exact"]
    # A decorated handler comes before a class.
    assert catchall["/class"].call("exact", 1) == ["any namespace and any event", "/class", "exact", 1]


def test_one_after_another(js, transport, key):
    with Server(options={"async_handlers": False}) as server:
        client = js.open(server.url, transports=[transport], query={"key": key})
        client.wait("connect")
        for number in range(6):
            client.emit("slow note", number)
        client.call("echo")
        steps = [step for step in server.journal(key) if isinstance(step, list)]
        assert steps == [[kind, number] for number in range(6) for kind in ("start", "end")]
        js.forget_clients()


@pytest.mark.differs("call() is forbidden there")
def test_call_inside_a_handler_when_one_runs_after_another(js, transport):
    with Server(options={"async_handlers": False}) as server:
        client = js.open(server.url, transports=[transport])
        client.wait("connect")
        client.answer("question", "settled")
        assert client.call("ask and wait", 1) == "settled"
        js.forget_clients()


def test_nothing_remains_when_all_are_gone(js, transport, key):
    with Server() as server:
        for namespace in ("/", "/chat", "/legacy"):
            clients = [js.open(server.url, namespace, transports=[transport]) for _ in range(3)]
            for client in clients:
                client.wait("connect")
                client.call("enter" if namespace == "/chat" else "echo", 1)
        js.forget_clients()
        for path in ("/members/lobby", "/members/none"):
            wait_for(lambda path=path: server.get_json(path)["everyone"] == 0, f"no client left in {path}")
        assert server.get_json("/waiting/chat") == server.get_json("/waiting/legacy") == 0
