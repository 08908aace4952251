"""Cross-site requests: who may open a session, poll it, push into it or upgrade it."""

from __future__ import annotations

import pytest
from conformance.raw import Response

from .conftest import Victim

FRIEND = "https://good.example"
OPTIONS = {"cors_allowed_origins": [FRIEND, "http://other.example:8080"]}

FOREIGN_ORIGINS = [
    "https://evil.example",
    "null",
    "https://good.example.evil.example",
    "https://evilgood.example",
    "https://good.example:444",
    "http://good.example",
    "https://good.example/",
    "https://good.example@evil.example",
    "http://other.example",
    "http://other.example:80801",
    "file://",
    "https://good.exampl\u00e9",
    "*",
    "https://*",
    f"{FRIEND}, https://evil.example",
    f"{FRIEND} https://evil.example",
]


def assert_refused(response: Response, origin: str) -> None:
    assert response.status in {400, 403}, response
    assert response.header("access-control-allow-origin") is None
    assert origin not in response.text


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_opens_no_session(victim: Victim, origin: str) -> None:
    before = victim.stats()
    for _ in range(3):
        response = victim.request("GET", victim.url(), [("Origin", origin)])
        assert_refused(response, origin)
        assert response.json() == {"code": 4, "message": "Forbidden"}
        response, connection = victim.upgrade(victim.url(transport="websocket"), [("Origin", origin)])
        connection.close()
        assert_refused(response, origin)
    after = victim.stats()
    assert after["sessions"] == before["sessions"]
    assert after["reached"] == before["reached"]


def test_a_foreign_origin_pushes_nothing_even_with_the_right_sid(victim: Victim) -> None:
    with victim.join_polling() as session:
        reached = victim.stats()["reached"]
        origin = "https://evil.example"
        for method in ("POST", "GET"):
            response = victim.request(
                method, session.url, [("Origin", origin)], b'42["ask"]' if method == "POST" else b""
            )
            assert_refused(response, origin)
        assert victim.stats()["reached"] == reached
        assert session.is_alive()


def test_a_foreign_origin_cannot_take_a_session_over_by_upgrade(victim: Victim) -> None:
    with victim.open_polling() as session:
        url = victim.url(transport="websocket", sid=session.sid)
        response, connection = victim.upgrade(url, [("Origin", "https://evil.example")])
        connection.close()
        assert response.status in {400, 403}
        assert session.is_alive()


def test_an_allowed_origin_is_served(victim: Victim) -> None:
    for origin in (FRIEND, "http://other.example:8080"):
        with victim.open_polling([("Origin", origin)]) as session:
            assert session.opening.header("access-control-allow-origin") == origin
        with victim.open_websocket(headers=[("Origin", origin)]) as websocket:
            assert websocket.is_alive()


def test_two_origin_headers_are_not_read_as_the_friendly_one(victim: Victim) -> None:
    evil = ("Origin", "https://evil.example")
    for headers in ([("Origin", FRIEND), evil], [evil, ("Origin", FRIEND)]):
        response = victim.request("GET", victim.url(), headers)
        assert_refused(response, evil[1])


@pytest.mark.parametrize(
    "origin", ["https://a\x01b", "https://a\x7fb", "https://a\tb", "https://good.example\x0bx", "\x00"]
)
def test_control_characters_in_an_origin_are_refused_and_not_reflected(victim: Victim, origin: str) -> None:
    response = victim.request("GET", victim.url(), [("Origin", origin)])
    assert_refused(response, origin)


def test_a_forwarded_host_does_not_make_an_origin_ours(victim: Victim) -> None:
    headers = [
        ("Origin", "https://evil.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "host=evil.example;proto=https"),
    ]
    assert_refused(victim.request("GET", victim.url(), headers), "https://evil.example")


def test_a_request_that_the_browser_calls_cross_site_opens_no_session(victim: Victim) -> None:
    # An image or a script tag: browsers send no Origin with those, but say where they come from.
    response = victim.request("GET", victim.url(), [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")])
    assert response.status in {400, 403}


def test_a_preflight_of_a_foreign_origin_is_allowed_nothing(victim: Victim) -> None:
    headers = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")]
    response = victim.request("OPTIONS", victim.url(), headers)
    assert response.header("access-control-allow-origin") is None
    assert response.header("access-control-allow-credentials") is None
