"""What a client says must not forge lines in the log, colour a terminal, or put its secrets there."""

from __future__ import annotations

import json

from .conftest import SECRET, Victim

OPTIONS = {"logger": True, "engineio_logger": True, "cors_allowed_origins": ["https://good.example"]}

FORGED = "x\r\nERROR forged line\x1b[31m"


def test_names_rooms_and_arguments_of_events_forge_nothing(victim: Victim) -> None:
    with victim.join(json.dumps({"token": SECRET, "user": FORGED})) as websocket:
        websocket.send("42" + json.dumps([FORGED, SECRET]))
        websocket.send("42" + json.dumps(["join", FORGED]))
        websocket.send("421" + json.dumps(["echo", FORGED, SECRET]))
        websocket.receive()
    assert "\nERROR forged" not in victim.read_log()


def test_namespaces_and_broken_packets_forge_nothing(victim: Victim) -> None:
    for packet in (f"40/{FORGED},", f"4{FORGED}", f"42[{SECRET}", FORGED, f'42["echo","{SECRET}"'):
        with victim.join() as websocket:
            websocket.send(packet)
            websocket.send_close()
            websocket.receive_close()
    assert "\nERROR forged" not in victim.read_log()


def test_sids_and_headers_forge_nothing(victim: Victim) -> None:
    victim.request("GET", victim.url(sid="x%0d%0aERROR%20forged%20line%1b[31m"))
    victim.request("GET", victim.url(transport="x%0d%0aERROR%20forged%20line%1b[31m"))
    headers = [("User-Agent", "x\x1b[31m" + SECRET), ("Origin", "https://x\x1b[31m"), ("Cookie", SECRET)]
    victim.request("GET", victim.url(), headers)
    response, connection = victim.upgrade(victim.url(transport="websocket", sid="%1b[31m"), headers[1:])
    connection.close()
    assert response.status in {400, 403}
    assert "\nERROR forged" not in victim.read_log()


def test_a_token_in_the_query_is_not_logged(victim: Victim) -> None:
    response = victim.request("GET", victim.url() + f"&token={SECRET}")
    assert response.status == 200
    victim.sids.append(json.loads(response.text[1:])["sid"])


def test_a_failing_handler_logs_its_traceback_without_the_arguments(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send("42" + json.dumps(["raise", SECRET]))
        websocket.send('421["echo"]')
        assert websocket.receive() == "431[]"
