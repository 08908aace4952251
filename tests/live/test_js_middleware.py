"""Middleware of a namespace with the official client: order, refusals, what it emits, clients that leave meanwhile.

Node: ``test/middleware.ts``. Intended difference: what a middleware emits is held back until the client is let in, and
never sent to one that is refused; Node sends it before CONNECT, and official clients keep it until then.
"""

import pytest

from tests.conformance.raw import Closed, Target, WebSocket
from tests.live.remote import IO, SOCKET, do
from tests.live.servers import Server, wait_for


@pytest.fixture(scope="module")
def server():
    with Server("tests.live.apps.surface:app") as server:
        yield server


@pytest.fixture
def enter(js, server, key, transport):
    """A client on its way into /guarded, with a wish."""

    def enter(wish=None, **options):
        auth = {"wish": wish} if wish else None
        query = {"key": key}
        return js.open(server.url, "/guarded", auth=auth, query=query, transports=[transport], **options)

    return enter


@pytest.fixture
def journal(server, key):
    return lambda: server.journal(key)


def test_middlewares_run_in_order_before_the_connect_handler(enter, journal):
    client = enter()
    client.sid()
    assert journal() == [["first", False], ["second", False], ["connect", False, ["early birds"]]]
    assert do(client, SOCKET.connected) is True


def test_the_client_is_connected_after_them_only(enter, server, key, journal):
    client = enter("wait")
    wait_for(journal, "the middleware has begun")
    assert not client.state()["connected"]
    assert journal() == [["first", False]]
    server.get(f"/open/{key}")
    client.sid()


def test_a_refusal_carries_message_and_data(enter, journal):
    client = enter("refuse")
    error = client.wait("connect_error")
    assert (error["message"], error["data"], error["active"]) == ("not today", {"code": 7}, False)
    assert journal() == [["first", False]], "neither the next middleware nor the handler ran"


def test_a_refusal_by_a_later_middleware(enter, journal):
    error = enter("refuse later").wait("connect_error")
    assert (error["message"], error["data"]) == ("Connection rejected by server", None)
    assert journal() == [["first", False], ["second", False]]


def test_a_middleware_that_fails_refuses_without_a_word_of_why(enter, journal):
    error = enter("fail").wait("connect_error")
    assert (error["message"], error["data"]) == ("Internal server error", None)
    assert journal() == [["first", False]]


def test_a_refused_client_may_try_again(enter):
    client = enter("refuse")
    client.wait("connect_error")
    client.authenticate({"wish": "nothing special"})
    client.connect()
    client.sid()
    assert client.call("echo", 1) == 1


def test_all_rooms_are_left_after_a_middleware_failure(enter, connect):
    guest = enter()
    guest.sid()
    before = do(guest, IO.of("/guarded").to("early birds").count())
    refused = enter("refuse")
    refused.wait("connect_error")
    assert do(guest, IO.of("/guarded").to("early birds").count()) == before == 1
    do(guest, IO.of("/guarded").to("early birds").emit("news"))
    guest.wait_event("news")
    assert refused.found("event") == []


def test_emits_from_a_middleware_arrive_after_connect(enter):
    client = enter("emit")
    client.wait_event("early", 2)
    kinds = [entry["kind"] for entry in client.entries if entry["kind"] in ("connect", "event", "connect_error")]
    assert kinds == ["connect", "event", "event"]
    assert client.received("early") == [["from the middleware"], ["to the room"]]


def test_emits_to_a_refused_client_are_never_sent(server):
    with Target("127.0.0.1", server.port).open_websocket() as websocket:
        websocket.send('40/guarded,{"wish":"refuse"}')
        assert websocket.receive() == '44/guarded,{"message":"not today","data":{"code":7}}'
        assert websocket.is_alive()


def test_broadcasts_do_not_reach_a_client_before_it_is_let_in(enter, server, key, journal):
    guest = enter()
    guest.sid()
    waiting = enter("wait")
    wait_for(lambda: len(journal()) == 4, "the middleware has begun")
    assert do(guest, IO.of("/guarded").count()) == 1, "who waits is not there yet"
    assert do(guest, IO.of("/guarded").fetch_sockets()) == [guest.sid()]
    server.get(f"/open/{key}")
    waiting.sid()
    assert do(guest, IO.of("/guarded").count()) == 2


def test_middleware_of_one_namespace_is_not_anothers(connect, key, server):
    client = connect()
    assert client.call("echo", 1) == 1
    assert [entry for entry in server.journal(key) if isinstance(entry, list)] == []


def test_a_refused_namespace_leaves_the_others_of_the_connection_alone(connect):
    client = connect()
    refused = client.driver.open("", "/guarded", share=client, auth={"wish": "refuse"})
    assert refused.wait("connect_error")["message"] == "not today"
    assert client.call("echo", 1) == 1
    refused.authenticate(None)
    refused.connect()
    refused.sid()
    assert refused.call("echo", 2) == 2


@pytest.mark.parametrize("wish", ["leave", "close"])
def test_a_middleware_may_end_the_socket_or_the_connection(enter, journal, wish):
    client = enter(wish, reconnection=False)
    client.wait("connect_error" if wish == "leave" else "closed")
    assert client.found("event") == []
    assert journal() == [["first", False]], "nobody is asked any more, and nobody is told of an end without a beginning"


def test_a_socket_that_closes_meanwhile_is_let_go(enter, server, key, journal, connect):
    other = connect("/guarded")
    assert do(other, IO.of("/guarded").count()) == 1
    leaver = enter("wait", reconnection=False)
    wait_for(lambda: len(journal()) == 4, "the middleware has begun")
    sessions = IO.engine.sessions.values().__len__()
    before = do(other, sessions)
    leaver.break_off()
    wait_for(lambda: do(other, sessions) < before, "the server has noticed")
    server.get(f"/open/{key}")
    assert other.call("echo", 1) == 1
    do(other, IO.of("/guarded").emit("news"))
    other.wait_event("news")
    assert do(other, IO.of("/guarded").count()) == 1
    assert [entry[0] for entry in journal()] == ["first", "second", "connect", "first"], "nothing more happened to it"


def test_a_second_connect_while_a_middleware_is_pending_closes_the_connection(server, key):
    """Two sockets of one namespace on one connection, which Node makes, are impossible."""
    target = Target("127.0.0.1", server.port)
    url = target.url(transport="websocket") + f"&key={key}"
    response, connection = target.upgrade(url)
    assert response.status == 101
    with WebSocket(connection) as websocket:
        assert websocket.receive()[0] == "0"
        websocket.send('40/guarded,{"wish":"wait"}')
        wait_for(lambda: server.journal(key), "the middleware has begun")
        websocket.send("40/guarded,")
        with pytest.raises(Closed):
            websocket.receive()
    server.get(f"/open/{key}")
