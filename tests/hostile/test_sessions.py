"""Session ids and query parameters: chosen, stolen, repeated, enormous."""

from __future__ import annotations

import json

import pytest
from conformance.raw import WebSocket

from .conftest import Victim

TWENTY = "AAAAAAAAAAAAAAAAAAAA"
STRANGE_SIDS = [
    TWENTY,
    "__proto__",
    "constructor",
    "__class__",
    "toString",
    "None",
    "0",
    "%00",
    "%0d%0aSet-Cookie:%20a=b",
    "%1b[31mred",
    "%ff%fe",
    "%F0%9F%98%80",
    "..%2f..%2fetc%2fpasswd",
    "a" * 4000,
    "%27%20OR%201=1",
    f"{TWENTY}%20",
]


@pytest.mark.parametrize("sid", STRANGE_SIDS)
def test_a_client_cannot_choose_its_sid(victim: Victim, sid: str) -> None:
    for method in ("GET", "POST"):
        response = victim.request(method, victim.url(sid=sid), body=b"40" if method == "POST" else b"")
        assert response.status == 400
        assert response.json() == {"code": 1, "message": "Session ID unknown"}
        assert response.header("set-cookie") is None
    response, connection = victim.upgrade(victim.url(transport="websocket", sid=sid))
    connection.close()
    assert response.status == 400


def test_a_sid_is_dead_after_its_session(victim: Victim) -> None:
    with victim.open_polling() as session:
        session.send("1")
        for method in ("GET", "POST"):
            assert victim.request(method, session.url, body=b"40").status == 400
        response, connection = victim.upgrade(victim.url(transport="websocket", sid=session.sid))
        connection.close()
        assert response.status == 400


def test_the_public_id_opens_nothing(victim: Victim) -> None:
    with victim.open_polling() as session:
        session.send("40")
        public = session.receive().split('"')[3]
        assert victim.request("GET", victim.url(sid=public)).json()["code"] == 1
        assert victim.request("POST", victim.url(sid=public), body=b"41").json()["code"] == 1


def test_sids_share_no_pattern(victim: Victim) -> None:
    sids = []
    for _ in range(50):
        with victim.open_websocket() as websocket:
            assert websocket.sid
            sids.append(websocket.sid)
    assert len({sid[:8] for sid in sids}) == 50


@pytest.mark.parametrize(
    "query",
    [
        "EIO=4&transport=constructor",
        "EIO=4&transport=__proto__",
        "EIO=4&transport[]=polling",
        "EIO=4&transport[toString]=polling",
        "EIO[]=4&transport=polling",
        "EIO=4;transport=polling",
        "EIO=4&transport=polling%00",
        "EIO=%34&transport=p%6flling&sid=%00",
        "&&&&",
        "=",
        "EIO=4&transport",
        "EIO",
        "%",
        "%zz=%zz&EIO=4&transport=%",
        "EIO=4&transport=polling&sid=a&sid=b",
        "EIO=4&transport=polling&transport=constructor",
        "EIO=4&EIO=3&transport=polling",
        "EIO=" + "4" * 5000 + "&transport=polling",
    ],
)
def test_a_strange_query_is_refused_on_both_ways_in(victim: Victim, query: str) -> None:
    response = victim.request("GET", f"/socket.io/?{query}")
    assert response.status == 400, response
    response, connection = victim.upgrade(f"/socket.io/?{query}")
    connection.close()
    assert response.status in {400, 404}


@pytest.mark.parametrize("order", [("polling", "websocket"), ("websocket", "polling")])
def test_a_repeated_transport_opens_at_most_one_session(victim: Victim, order: tuple[str, str]) -> None:
    before = victim.stats()["sessions"]
    response = victim.request("GET", f"/socket.io/?EIO=4&transport={order[0]}&transport={order[1]}")
    assert response.status in {200, 400}
    assert victim.stats()["sessions"] - before == (response.status == 200)
    if response.status == 200:
        victim.sids.append(json.loads(response.text[1:])["sid"])


def test_ten_thousand_parameters_are_refused_or_read_in_time(victim: Victim) -> None:
    query = "&".join(f"a{number}=1" for number in range(1000))
    response = victim.request("GET", f"/socket.io/?{query}")
    assert response.status in {400, 414, 431}


@pytest.mark.parametrize("revision", ["3", "5", "4.0", "-4", ""])
def test_another_revision_does_not_reach_an_open_session(victim: Victim, revision: str) -> None:
    with victim.open_polling() as session:
        for method in ("GET", "POST"):
            response = victim.request(method, victim.url(sid=session.sid, revision=revision), body=b"40")
            assert (response.status, response.json()["code"]) == (400, 3)
        assert session.is_alive()


def test_a_session_is_not_taken_over_by_a_second_websocket(victim: Victim) -> None:
    with victim.join() as websocket:
        response, connection = victim.upgrade(victim.url(transport="websocket", sid=websocket.sid))
        if response.status == 101:
            intruder = WebSocket(connection)
            intruder.send("2probe")
            intruder.send("5")
            intruder.send('421["echo","intruder"]')
            intruder.receive_close()
        connection.close()
        websocket.send('421["echo","owner"]')
        assert websocket.receive() == '431["owner"]'


def test_octet_stream_is_refused_and_the_body_not_waited_for(victim: Victim) -> None:
    with victim.open_polling() as session:
        headers = [("Content-Type", "application/octet-stream"), ("Content-Length", "900000")]
        with victim.connect() as connection:
            connection.send_request("POST", session.url, headers, b"4")
            assert connection.read_response("POST").status == 400
        assert victim.request("GET", session.url).json()["code"] == 1


def test_unknown_methods_do_not_reach_a_session(victim: Victim) -> None:
    with victim.open_polling() as session:
        for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get", "G" * 100):
            assert victim.request(method, session.url, body=b"").status in {400, 405, 501}
        assert session.is_alive()
