"""The option `cors` over the wire: Node's five cases, the guard that Node lacks, and the client's bundle."""

from __future__ import annotations

import pytest

from .conftest import Serve
from .launch import FOREIGN, Server
from .raw import Response

FRIEND, STRANGER = "https://friend.example", "https://stranger.example"
PREFLIGHT = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "x-custom")]


@pytest.fixture
def friendly(serve: Serve) -> Server:
    return serve(
        cors={
            "origin": FRIEND,
            "credentials": True,
            "methods": ["GET", "POST"],
            "allowed_headers": ["x-allowed"],
            "exposed_headers": ["x-exposed"],
            "max_age": 600,
            "options_success_status": 200,
        }
    )


@pytest.fixture
def reflecting(serve: Serve) -> Server:
    return serve(cors={"origin": True, "credentials": True})


def told(response: Response, *names: str) -> list[str | None]:
    return [response.header(f"access-control-{name}") for name in names]


pytestmark = pytest.mark.skipif(bool(FOREIGN), reason="the keys are in Python's spelling")


def test_should_handle_options_preflight_requests(reflecting: Server) -> None:
    before = reflecting.stats()["sessions"]
    response = reflecting.request("OPTIONS", reflecting.url(), [("Origin", FRIEND), *PREFLIGHT])
    assert (response.status, response.body) == (204, b"")
    names = ("allow-origin", "allow-credentials", "allow-methods", "allow-headers")
    assert told(response, *names) == [FRIEND, "true", "GET,HEAD,PUT,PATCH,POST,DELETE", "x-custom"]
    assert reflecting.stats()["sessions"] == before


def test_should_support_custom_cors_options(friendly: Server) -> None:
    response = friendly.request("OPTIONS", friendly.url(), [("Origin", FRIEND), *PREFLIGHT])
    assert response.status == 200
    names = ("allow-origin", "allow-methods", "allow-headers", "expose-headers", "max-age")
    assert told(response, *names) == [FRIEND, "GET,POST", "x-allowed", "x-exposed", "600"]


def test_should_work_with_cors_enabled(friendly: Server) -> None:
    with friendly.open_polling([("Origin", FRIEND)]) as session:
        for response in (session.opening, session.post("40", [("Origin", FRIEND)])):
            names = ("allow-origin", "allow-credentials", "expose-headers", "allow-methods")
            assert told(response, *names) == [FRIEND, "true", "x-exposed", None]
            assert response.header("vary") == "Origin"


def test_answers_to_nobody_say_what_they_depend_on(friendly: Server, serve: Serve) -> None:
    response = friendly.request("GET", friendly.url())
    assert (told(response, "allow-origin"), response.header("vary")) == ([None], "Origin")
    star = serve(cors={})
    response = star.request("GET", star.url(), [("Origin", STRANGER)])
    assert (told(response, "allow-origin", "allow-credentials"), response.header("vary")) == (["*", None], None)


def test_a_stranger_is_refused_over_polling_and_websocket(friendly: Server) -> None:
    response = friendly.request("GET", friendly.url(), [("Origin", STRANGER)])
    assert (response.status, response.json()["code"]) == (403, 4)
    assert told(response, "allow-origin") == [None]
    response, connection = friendly.upgrade(friendly.url(transport="websocket"), [("Origin", STRANGER)])
    connection.close()
    assert (response.status, response.text) == (400, "Forbidden")
    response = friendly.request("OPTIONS", friendly.url(), [("Origin", STRANGER), *PREFLIGHT])
    assert told(response, "allow-origin", "allow-methods") == [None, None]


def test_the_own_origin_needs_no_mention(friendly: Server) -> None:
    own = [("Origin", "http://{}:{}".format(*friendly.address))]
    assert friendly.request("GET", friendly.url(), own).status == 200
    with friendly.open_websocket(headers=own) as websocket:
        assert websocket.is_alive()


def test_an_invalid_origin_is_not_reflected(reflecting: Server) -> None:
    response = reflecting.request("GET", reflecting.url(), [("Origin", "http://a\x01b")])
    assert (response.status, told(response, "allow-origin")) == (400, [None])


def test_the_clients_bundle_may_be_read_by_those_who_are_allowed(friendly: Server) -> None:
    response = friendly.request("GET", "/socket.io/socket.io.js", [("Origin", FRIEND)])
    assert told(response, "allow-origin", "allow-credentials", "expose-headers") == [FRIEND, "true", "x-exposed"]
    for headers in ([("Origin", STRANGER)], []):
        response = friendly.request("GET", "/socket.io/socket.io.js", headers)
        assert told(response, "allow-origin", "allow-credentials") == [None, None]
        assert "Origin" in (response.header("vary") or "")
