"""Engine.IO 4, "Handshake" and "HTTP long-polling": the first request of a session."""

from __future__ import annotations

import re

import pytest

from .conftest import Serve
from .launch import Server


def test_the_server_answers_with_an_open_packet_of_type_0_and_json(server: Server) -> None:
    with server.open_polling() as session:
        assert session.opening.text[0] == "0"
        assert session.handshake == {
            "sid": session.sid,
            "upgrades": ["websocket"],
            "pingInterval": 25000,
            "pingTimeout": 20000,
            "maxPayload": 100_000,
        }
        assert session.backlog == []


def test_the_handshake_json_is_compact_and_in_the_documented_order(server: Server) -> None:
    with server.open_polling() as session:
        assert session.opening.text == (
            f'0{{"sid":"{session.sid}","upgrades":["websocket"],'
            '"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}'
        )


def test_the_sid_is_twenty_characters_of_url_safe_base64(server: Server) -> None:
    with server.open_polling() as session:
        assert re.fullmatch(r"[\w-]{20}", session.sid, re.ASCII)


def test_each_session_has_its_own_sid(server: Server) -> None:
    sids = set()
    for _ in range(5):
        with server.open_polling() as session:
            sids.add(session.sid)
            session.send("1")
    assert len(sids) == 5


def test_sub_second_intervals_are_announced_in_milliseconds(strict_server: Server) -> None:
    with strict_server.open_polling() as session:
        assert (session.handshake["pingInterval"], session.handshake["pingTimeout"]) == (300, 200)


def test_a_websocket_session_starts_with_the_open_packet_in_its_first_frame(server: Server) -> None:
    with server.open_websocket() as websocket:
        assert list(websocket.handshake) == ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]


def test_a_websocket_session_has_no_upgrades(server: Server) -> None:
    with server.open_websocket() as websocket:
        assert websocket.handshake["upgrades"] == []


def test_upgrades_are_empty_where_the_server_does_not_allow_them(serve: Serve) -> None:
    with serve(allow_upgrades=False).open_polling() as session:
        assert session.handshake["upgrades"] == []


def test_upgrades_are_empty_where_websocket_is_not_among_the_transports(serve: Serve) -> None:
    with serve(transports=["polling"], cookie="io").open_polling() as session:
        assert session.handshake["upgrades"] == []


def test_a_transport_that_is_not_enabled_is_unknown(serve: Serve) -> None:
    server = serve(transports=["polling"], cookie="io")
    response, connection = server.upgrade(server.url(transport="websocket"))
    connection.close()
    # Node does not even listen for upgrades then, and treats the request as plain HTTP.
    assert response.status == 400


def test_get_answers_are_utf8_text_that_must_not_be_cached(server: Server) -> None:
    with server.open_polling() as session:
        assert session.opening.header("content-type") == "text/plain; charset=UTF-8"
        assert session.opening.header("cache-control") == "no-store"
        assert session.opening.header("content-length") == str(len(session.opening.body))


def test_post_answers_are_ok_as_html(server: Server) -> None:
    with server.open_polling() as session:
        response = session.post("40")
        assert (response.status, response.body) == (200, b"ok")
        assert response.header("content-type") == "text/html"
        assert response.header("content-length") == "2"
        assert response.header("cache-control") == "no-store"


def test_further_parameters_such_as_t_are_ignored(server: Server) -> None:
    response = server.request("GET", server.url() + "&t=abc123&token=x&empty=&b64=1")
    assert response.status == 200
    assert response.text.startswith('0{"sid"')


@pytest.mark.parametrize("tail", ["", "anything", "a/b/"])
def test_the_path_is_a_prefix(server: Server, tail: str) -> None:
    response = server.request("GET", f"/socket.io/{tail}?EIO=4&transport=polling")
    assert response.status == 200
    assert response.text.startswith('0{"sid"')


@pytest.mark.parametrize("path", ["/socket.io", "/socket.iox/", "/engine.io/", "/SOCKET.IO/"])
def test_other_paths_belong_to_the_application(server: Server, path: str) -> None:
    response = server.request("GET", f"{path}?EIO=4&transport=polling")
    assert response.status == 404
    assert b'"sid"' not in response.body


def test_a_cookie_option_sets_the_sid_as_cookie_on_the_first_answer_only(serve: Serve) -> None:
    with serve(transports=["polling"], cookie="io").open_polling() as session:
        cookie = session.opening.header("set-cookie") or ""
        value, *attributes = [part.strip().lower() for part in cookie.split(";")]
        assert value == f"io={session.sid}".lower()
        assert {"path=/", "samesite=lax"} <= set(attributes)
        assert session.post("40").header("set-cookie") is None
        assert session.poll().header("set-cookie") is None


def test_no_cookie_is_set_by_default(server: Server) -> None:
    with server.open_polling() as session:
        assert session.opening.header("set-cookie") is None


@pytest.mark.parametrize("path", ["/socket.io", "/socket.io/", "/socket.io/anything"])
def test_should_support_requests_without_trailing_slash(serve: Serve, path: str) -> None:
    server = serve(add_trailing_slash=False)
    assert server.request("GET", f"{path}?EIO=4&transport=polling").text.startswith('0{"sid"')
    response, connection = server.upgrade(f"{path}?EIO=4&transport=websocket")
    connection.close()
    assert response.status == 101
    assert server.request("GET", "/socket.io/socket.io.js").header("content-type") != "application/json"


@pytest.mark.parametrize("path", ["/socket.iox", "/socket.iox/", "/socket.i", "/socket.io.js", "/"])
def test_without_a_trailing_slash_other_paths_still_belong_to_the_application(serve: Serve, path: str) -> None:
    server = serve(add_trailing_slash=False)
    assert server.request("GET", f"{path}?EIO=4&transport=polling").status == 404


def test_should_send_the_io_cookie(serve: Serve) -> None:
    server = serve(cookie=True)
    with server.open_polling() as session:
        assert session.opening.header("set-cookie") == f"io={session.sid}; Path=/; HttpOnly; SameSite=Lax"
        assert session.post("40").header("set-cookie") is None
        response, connection = server.upgrade(server.url(transport="websocket", sid=session.sid))
        connection.close()
        assert (response.status, response.header("set-cookie")) == (101, None)
    response, connection = server.upgrade(server.url(transport="websocket"))
    connection.close()
    assert (response.header("set-cookie") or "").endswith("; Path=/; HttpOnly; SameSite=Lax")
