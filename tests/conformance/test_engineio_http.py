"""CORS and compression of the polling transport, as the official server's options document them."""

from __future__ import annotations

import gzip
import zlib

import pytest

from .conftest import Serve
from .launch import FOREIGN, Server
from .raw import Response
from .test_engineio_polling import join

FRIEND = "https://friend.example"
STRANGER = "https://stranger.example"


@pytest.fixture
def listed(serve: Serve) -> Server:
    return serve(cors_allowed_origins=[FRIEND])


def allows(response: Response) -> str | None:
    return response.header("access-control-allow-origin")


def test_no_cors_headers_are_sent_where_nothing_was_configured(serve: Serve) -> None:
    server = serve(allow_upgrades=False)
    for headers in ([], [("Origin", "http://{}:{}".format(*server.address))]):
        response = server.request("GET", server.url(), headers)
        assert response.status == 200
        if not headers:
            assert allows(response) is None


def test_a_preflight_is_answered_with_204_and_the_allowed_methods(listed: Server) -> None:
    headers = [("Origin", FRIEND), ("Access-Control-Request-Method", "POST")]
    response = listed.request("OPTIONS", listed.url(), headers)
    assert response.status == 204
    assert allows(response) == FRIEND
    assert "POST" in (response.header("access-control-allow-methods") or "")


def test_a_preflight_opens_no_session(listed: Server) -> None:
    before = listed.stats()["sessions"]
    listed.request("OPTIONS", listed.url(), [("Origin", FRIEND), ("Access-Control-Request-Method", "GET")])
    assert listed.stats()["sessions"] == before


def test_requested_headers_are_allowed_by_the_preflight(listed: Server) -> None:
    headers = [("Origin", FRIEND), ("Access-Control-Request-Method", "GET"), ("Access-Control-Request-Headers", "x-a")]
    response = listed.request("OPTIONS", listed.url(), headers)
    assert (response.header("access-control-allow-headers") or "").lower() == "x-a"


def test_a_listed_origin_is_allowed_by_name_and_varies(listed: Server) -> None:
    with listed.open_polling([("Origin", FRIEND)]) as session:
        assert allows(session.opening) == FRIEND
        assert "origin" in (session.opening.header("vary") or "").lower()
        assert session.opening.header("access-control-allow-credentials") == "true"
        response = session.post("40", [("Origin", FRIEND)])
        assert allows(response) == FRIEND
        assert allows(session.poll([("Origin", FRIEND)])) == FRIEND


def test_a_foreign_origin_is_forbidden_with_code_4(listed: Server) -> None:
    response = listed.request("GET", listed.url(), [("Origin", STRANGER)])
    assert response.status == 403
    assert response.json() == {"code": 4, "message": "Forbidden"}
    assert allows(response) is None


def test_a_foreign_origin_is_refused_before_101(listed: Server) -> None:
    response, connection = listed.upgrade(listed.url(transport="websocket"), [("Origin", STRANGER)])
    connection.close()
    assert response.status in {400, 403}
    assert response.text == "Forbidden"


def test_any_origin_is_allowed_by_an_asterisk(server: Server) -> None:
    with server.open_polling([("Origin", STRANGER)]) as session:
        assert allows(session.opening) in {"*", STRANGER}


def fetch_big(server: Server, size: int, accept: str | None) -> Response:
    with server.open_polling() as session:
        join(session)
        session.send(f'42["big",{size}]')
        return session.poll([("Accept-Encoding", accept)] if accept else [("X-Nothing", "1")])


@pytest.mark.parametrize("accept", ["gzip", "gzip, deflate, br", "GZIP;q=1.0, identity"])
def test_answers_from_the_threshold_on_are_gzipped_for_those_who_accept_it(server: Server, accept: str) -> None:
    response = fetch_big(server, 2000, accept)
    assert response.header("content-encoding") == "gzip"
    assert gzip.decompress(response.body) == b'42["big","' + b"x" * 2000 + b'"]'


def test_answers_are_deflated_where_only_that_is_accepted(server: Server) -> None:
    response = fetch_big(server, 2000, "deflate")
    assert response.header("content-encoding") == "deflate"
    assert zlib.decompress(response.body) == b'42["big","' + b"x" * 2000 + b'"]'


@pytest.mark.parametrize("accept", [None, "identity", "br", "gzip;q=0"])
def test_answers_are_plain_where_nothing_we_know_is_accepted(server: Server, accept: str | None) -> None:
    response = fetch_big(server, 2000, accept)
    assert response.header("content-encoding") is None
    assert response.text == '42["big","' + "x" * 2000 + '"]'


def test_answers_below_the_threshold_are_plain(server: Server) -> None:
    response = fetch_big(server, 900, "gzip")
    assert response.header("content-encoding") is None
    assert response.text == '42["big","' + "x" * 900 + '"]'


def test_nothing_is_compressed_where_it_is_switched_off(serve: Serve) -> None:
    response = fetch_big(serve(http_compression=False, connect_timeout=0.3), 2000, "gzip")
    assert response.header("content-encoding") is None


@pytest.mark.parametrize(("threshold", "size", "compressed"), [(100, 100, True), (100, 50, False), (5000, 2000, False)])
def test_a_mapping_names_the_threshold(serve: Serve, threshold: int, size: int, compressed: bool) -> None:
    response = fetch_big(serve(http_compression={"threshold": threshold}), size, "gzip")
    assert (response.header("content-encoding") == "gzip") is compressed


@pytest.mark.skipif(bool(FOREIGN), reason="Node has no default check of the Origin")
def test_without_configuration_only_the_own_origin_is_served(serve: Serve) -> None:
    server = serve(allow_upgrades=False)
    own = "http://{}:{}".format(*server.address)
    assert server.request("GET", server.url(), [("Origin", own)]).status == 200
    assert server.request("GET", server.url(), [("Origin", STRANGER)]).status == 403
