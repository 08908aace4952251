"""Node's middlewares.js, and of server.js "verification", "handshake" and "response headers": the application's say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .launch import FOREIGN, Server
from .raw import SEPARATOR, Response

pytestmark = pytest.mark.skipif(bool(FOREIGN), reason="hooks are functions of ours")

BAD_REQUEST = {"code": 3, "message": "Bad request"}


class Hooked(Server):
    """The server of engine_app.py."""

    def report(self) -> dict[str, Any]:
        """What its hooks have seen since the last time."""
        return self.request("GET", "/report").json()  # type: ignore[no-any-return]

    def open(self, **wishes: str) -> Response:
        return self.request("GET", self.url(), headers(wishes))

    def open_ws(self, sid: str | None = None, **wishes: str) -> Response:
        response, connection = self.upgrade(self.url(transport="websocket", sid=sid), headers(wishes))
        connection.close()
        return response


def headers(wishes: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"X-{hook}", wish) for hook, wish in wishes.items()]


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Hooked]]:
    servers = []

    def start(**options: Any) -> Hooked:
        options = {"cors_allowed_origins": "*", **options}
        servers.append(Hooked(Path(__file__).with_name("engine_app.py"), options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
        parts = server.log_at_exit.split("Traceback (most recent call last)")[1:]
        harmless = ("on purpose", "must return", "generate_id returned", "not iterable", "U+001E")
        assert not [part for part in parts if not any(word in part for word in harmless)], server.log_at_exit


@pytest.fixture(scope="module")
def hooked(launch: Callable[..., Hooked]) -> Hooked:
    return launch(max_http_buffer_size=5000)


# --- middlewares -----------------------------------------------------------------------------------------------------


def test_should_apply_middleware_to_every_request(hooked: Hooked) -> None:
    hooked.report()
    with hooked.open_polling() as session:
        session.send("4a")
        assert session.poll().text == "4a"
        with hooked.open_websocket(session.sid) as websocket:
            websocket.send("2probe")
            assert websocket.receive() == "3probe"
        hooked.request("PUT", session.url)
    with hooked.open_websocket():
        assert hooked.report()["seen"] == ["GET", "POST", "GET", "GET", "PUT", "GET"]


@pytest.mark.parametrize("open_it", [Hooked.open, Hooked.open_ws])
def test_should_end_the_request(hooked: Hooked, open_it: Callable[..., Response]) -> None:
    sessions = hooked.report()["sessions"]
    response = open_it(hooked, Before="503")
    assert (response.status, response.header("retry-after"), response.text) == (503, "9", "come back later")
    assert hooked.report() == {"seen": ["GET"], "refused": [], "sessions": sessions}


def test_an_upgrade_that_the_application_answers_ends_its_connection(hooked: Hooked) -> None:
    response, connection = hooked.upgrade(hooked.url(transport="websocket"), headers({"Before": "503"}))
    with connection:
        assert response.header("connection") == "close"
        assert connection.read_to_end() == b""


def test_a_poll_and_a_post_can_be_answered_instead_and_the_session_lives(hooked: Hooked) -> None:
    with hooked.open_polling() as session:
        assert session.poll(headers({"Before": "503"})).status == 503
        assert session.post("4a", headers({"Before": "503"})).status == 503
        assert hooked.open_ws(session.sid, Before="503").status == 503
        session.send("4b")
        assert session.poll().text == "4b"


@pytest.mark.parametrize("wish", ["raise", "nonsense", "broken"])
def test_should_fail_on_errors_polling(hooked: Hooked, wish: str) -> None:
    hooked.report()
    response = hooked.open(Before=wish)
    assert (response.status, response.json()) == (400, BAD_REQUEST)
    [error] = hooked.report()["refused"]
    assert (error["code"], error["message"], error["name"]) == (3, "Bad request", "MIDDLEWARE_FAILURE")
    assert ("on purpose" in error["details"]["error"]) == (wish != "nonsense")


@pytest.mark.parametrize("wish", ["raise", "nonsense", "broken"])
def test_should_fail_on_errors_websocket(hooked: Hooked, wish: str) -> None:
    response = hooked.open_ws(Before=wish)
    assert (response.status, response.text, response.header("connection")) == (400, "Bad request", "close")
    assert hooked.report()["refused"][-1]["name"] == "MIDDLEWARE_FAILURE"


def test_should_not_be_receiving_data_when_getting_a_message_longer_than_the_limit_with_a_middleware(
    hooked: Hooked,
) -> None:
    with hooked.open_polling() as session:
        hooked.report()
        assert hooked.request("POST", session.url, body="4" * 5001).status == 413
        assert [error["name"] for error in hooked.report()["refused"]] == ["BAD_REQUEST"]
        session.send("4after")
        assert session.poll().text == "4after"


# --- verification ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "method", "name", "details"),
    [
        ("transport=tobi", "GET", "UNKNOWN_TRANSPORT", {"transport": "tobi"}),
        ("transport=constructor", "GET", "UNKNOWN_TRANSPORT", {"transport": "constructor"}),
        ("transport=__proto__&EIO=4", "GET", "UNKNOWN_TRANSPORT", {"transport": "__proto__"}),
        ("EIO=4", "GET", "UNKNOWN_TRANSPORT", {"transport": ""}),
        ("transport=polling&sid=test", "GET", "UNKNOWN_SID", {"sid": "test"}),
        ("EIO=4&transport=polling", "POST", "BAD_HANDSHAKE_METHOD", {"method": "POST"}),
        ("EIO=4&transport=websocket", "GET", "TRANSPORT_HANDSHAKE_ERROR", {"transport": "websocket"}),
        ("EIO=3&transport=polling", "GET", "UNSUPPORTED_PROTOCOL_VERSION", {"protocol": "3"}),
    ],
)
def test_should_disallow_and_say_why(hooked: Hooked, query: str, method: str, name: str, details: Any) -> None:
    hooked.report()
    response = hooked.request(method, f"/?{query}")
    [error] = hooked.report()["refused"]
    assert response.json() == {"code": error["code"], "message": error["message"]}
    assert (error["name"], error["details"]) == (name, details)


def test_should_disallow_what_does_not_fit_a_session_and_say_why(hooked: Hooked) -> None:
    with hooked.open_polling() as session:
        hooked.report()
        hooked.request("GET", hooked.url(transport="websocket", sid=session.sid))
        hooked.request("GET", hooked.url(sid=session.sid, revision=3))
        assert [(error["code"], error["name"], error["details"]) for error in hooked.report()["refused"]] == [
            (3, "TRANSPORT_MISMATCH", {"transport": "websocket", "previous_transport": "polling"}),
            (3, "PROTOCOL_MISMATCH", {"protocol": "3", "previous_protocol": "4"}),
        ]


def test_should_disallow_an_invalid_origin_and_say_why(hooked: Hooked) -> None:
    hooked.report()
    hooked.request("GET", hooked.url(), [("Origin", "http://a\x01b")])
    [error] = hooked.report()["refused"]
    assert (error["code"], error["name"], error["details"]) == (3, "INVALID_ORIGIN", {"origin": "http://a\x01b"})


def test_should_disallow_a_foreign_origin_and_say_why(launch: Callable[..., Hooked]) -> None:
    server = launch(cors_allowed_origins=["https://friend.example"])
    response = server.request("GET", server.url(), [("Origin", "https://evil.example"), ("X-Before", "503")])
    assert response.status == 403, "the origin is looked at before the application is asked"
    [error] = server.report()["refused"]
    assert (error["code"], error["name"], error["details"]["origin"]) == (4, "FOREIGN_ORIGIN", "https://evil.example")


def test_should_report_a_websocket_handshake_that_is_none(hooked: Hooked) -> None:
    hooked.report()
    wrong = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")]
    assert hooked.request("GET", hooked.url(transport="websocket"), wrong).status == 400
    [error] = hooked.report()["refused"]
    assert error["name"] == "TRANSPORT_HANDSHAKE_ERROR"
    assert "Sec-WebSocket-Key" in error["details"]["message"]


def test_a_report_that_fails_does_not_change_the_answer(hooked: Hooked) -> None:
    response = hooked.request("GET", "/?transport=tobi", headers({"Report": "raise"}))
    assert (response.status, response.json()["code"]) == (400, 0)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ("no", "Forbidden"),
        ("Thou shall not pass", "Thou shall not pass"),
        ("raise", "Forbidden"),
        ("nothing", "Forbidden"),
    ],
)
def test_should_disallow_requests_that_are_rejected_by_allow_request(hooked: Hooked, wish: str, message: str) -> None:
    sessions = hooked.report()["sessions"]
    response = hooked.open(Allow=wish)
    assert (response.status, response.json()) == (403, {"code": 4, "message": message})
    response = hooked.open_ws(Allow=wish)
    assert (response.status, response.text) == (400, message)
    report = hooked.report()
    assert report["sessions"] == sessions
    assert [error["name"] for error in report["refused"]] == ["FORBIDDEN"] * 2
    assert report["refused"][0]["details"] == {"message": message if message != "Forbidden" else None}


def test_allow_request_is_asked_for_the_handshake_only(hooked: Hooked) -> None:
    with hooked.open_polling() as session:
        assert session.post("4a", headers({"Allow": "no"})).status == 200
        assert session.poll(headers({"Allow": "no"})).text == "4a"
        assert hooked.open_ws(session.sid, Allow="no").status == 101


def test_allow_request_is_asked_before_the_revision_is_looked_at(hooked: Hooked) -> None:
    response = hooked.request("GET", hooked.url(revision=3), headers({"Allow": "no"}))
    assert response.json()["code"] == 4
    assert hooked.request("POST", hooked.url(), headers({"Allow": "no"})).json()["code"] == 2


# --- handshake -------------------------------------------------------------------------------------------------------


def test_should_register_a_new_client(hooked: Hooked) -> None:
    before = hooked.report()["sessions"]
    with hooked.open_polling() as session, hooked.open_websocket():
        assert hooked.report()["sessions"] == before + 2
        session.send("1")
        assert hooked.report()["sessions"] == before + 1


def test_should_register_a_new_client_with_custom_id(hooked: Hooked) -> None:
    with hooked.open_polling(headers({"Id": "CustomId-1_a"})) as session:
        assert session.sid == "CustomId-1_a"
        session.send("4a")
        assert session.poll().text == "4a"
    with hooked.open_websocket(headers=headers({"Id": "CustomId-2"})) as websocket:
        assert websocket.sid == "CustomId-2"


@pytest.mark.parametrize("wish", ["raise", "number", "a b", "a/b", "x" * 129, "\xe4", "a;b"])
def test_should_disallow_connection_that_are_rejected_by_generate_id(hooked: Hooked, wish: str) -> None:
    hooked.report()
    response = hooked.open(Id=wish)
    assert (response.status, response.json()) == (400, BAD_REQUEST)
    response = hooked.open_ws(Id=wish)
    assert (response.status, response.text) == (400, "Bad request")
    assert [error["name"] for error in hooked.report()["refused"]] == ["ID_GENERATION_ERROR"] * 2


def test_an_id_that_another_session_has_is_refused_and_the_session_lives(hooked: Hooked) -> None:
    with hooked.open_polling(headers({"Id": "taken"})) as session:
        assert hooked.open(Id="taken").json() == BAD_REQUEST
        assert hooked.open_ws(Id="taken").text == "Bad request"
        session.send("4a")
        assert session.poll().text == "4a"
        session.send("1")
    assert hooked.open(Id="taken").status == 200


def test_an_id_is_free_again_after_a_refused_upgrade(hooked: Hooked) -> None:
    wrong = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"), ("X-Id", "again")]
    for _ in range(2):
        assert hooked.request("GET", hooked.url(transport="websocket"), wrong).status == 400
    assert hooked.open(Id="again").status == 200


# --- response headers ------------------------------------------------------------------------------------------------


def test_should_emit_a_headers_event_for_polling(hooked: Hooked) -> None:
    with hooked.open_polling() as session:
        assert (session.opening.header("x-first"), session.opening.header("x-each")) == ("1", "1")
        assert session.opening.header("set-cookie") == "mine=1"
        for response in (session.post("4a"), session.poll()):
            assert (response.header("x-first"), response.header("x-each")) == (None, "1")
            assert response.header("set-cookie") is None


def test_should_emit_a_headers_event_for_websocket(hooked: Hooked) -> None:
    response = hooked.open_ws()
    assert (response.status, response.header("x-first"), response.header("x-each")) == (101, "1", "1")
    with hooked.open_polling() as session:
        response = hooked.open_ws(session.sid)
        assert (response.status, response.header("x-first"), response.header("x-each")) == (101, None, "1")


def test_headers_may_be_changed_in_place_or_replaced(hooked: Hooked) -> None:
    assert hooked.open(Head="in place").header("x-first") == "in place"
    with hooked.open_polling() as session:
        assert session.post("4a", headers({"Head": "replace"})).header("cache-control") == "private"
        assert session.poll().header("cache-control") == "no-store"


@pytest.mark.parametrize("wish", ["inject", "types", "framing", "raise", "nonsense"])
def test_no_header_breaks_an_answer(hooked: Hooked, wish: str) -> None:
    plain = {name.lower() for name, _ in hooked.open().headers}
    response = hooked.open(Head=wish)
    assert response.status == 200
    assert {name.lower() for name, _ in response.headers} <= plain
    assert response.header("content-length") == str(len(response.body))
    upgraded = {name.lower() for name, _ in hooked.open_ws().headers}
    response, connection = hooked.upgrade(hooked.url(transport="websocket"), headers({"Head": wish}))
    connection.close()
    assert response.status == 101
    assert len(response.headers) == len({name.lower() for name, _ in response.headers})
    assert {name.lower() for name, _ in response.headers} <= upgraded


# --- initial_packet --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["initial_packet", "initial"])
def test_should_send_a_packet_along_with_the_handshake(launch: Callable[..., Hooked], option: str) -> None:
    server = launch(**{option: "faster!"})
    with server.open_polling() as session:
        assert session.opening.text.split(SEPARATOR)[1:] == ["4faster!"]
    with server.open_websocket() as websocket:
        assert websocket.receive() == "4faster!"


def test_an_initial_packet_that_cannot_be_sent_is_left_out(launch: Callable[..., Hooked]) -> None:
    server = launch(initial="a\x1eb")
    with server.open_polling() as session:
        assert session.opening.text.split(SEPARATOR)[1:] == []
        session.send("4a")
        assert session.poll().text == "4a"


# --- compression -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packets", "encoding"),
    [
        (["4large 2000"], "gzip"),
        (["4incompressible 2000"], None),
        (["4incompressible 2000", "4small"], "gzip"),
        (["4incompressible 1000", "4incompressible 1000"], None),
        (["4large 900"], None),
    ],
    ids=str,
)
def test_should_compress_if_some_packet_wants_it(hooked: Hooked, packets: list[str], encoding: str | None) -> None:
    with hooked.open_polling() as session:
        session.send(*packets)
        assert session.poll([("Accept-Encoding", "gzip")]).header("content-encoding") == encoding
        session.send("4incompressible 2000")
        assert session.poll([("Accept-Encoding", "gzip")]).header("content-encoding") is None, "each answer for itself"


def test_headers_of_hooks_leave_the_encoding_alone(hooked: Hooked) -> None:
    with hooked.open_polling() as session:
        session.send("4large 2000")
        response = session.poll([("Accept-Encoding", "gzip"), ("X-Head", "framing")])
        assert (response.header("content-encoding"), response.header("x-each")) == ("gzip", "1")
