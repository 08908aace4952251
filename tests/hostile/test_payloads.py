"""Polling payloads: hundreds of thousands of packets in one body, bytes that are no text, floods of heartbeats."""

from __future__ import annotations

import gzip
import threading

import pytest

from .conftest import SECRET, Victim

ROUGHLY_A_MEGABYTE = 999_998


@pytest.mark.parametrize(
    "unit", [b"2\x1e", b"3\x1e", b"4\x1e", b"6\x1e", b"\x1e", b"5\x1e", b"b\x1e", b"bAA==\x1e", b"41\x1e", b"430[]\x1e"]
)
def test_hundreds_of_thousands_of_tiny_packets_take_linear_time(victim: Victim, unit: bytes) -> None:
    with victim.join_polling() as session:
        body = unit * (ROUGHLY_A_MEGABYTE // len(unit))
        response = session.post(body + unit[:-1])
        assert response.status in {200, 400, 413}


def test_a_megabyte_of_separators_behind_a_packet(victim: Victim) -> None:
    with victim.open_polling() as session:
        assert session.post(b"6" + b"\x1e" * ROUGHLY_A_MEGABYTE).status in {200, 400, 413}


def test_others_are_served_while_a_huge_payload_is_parsed(victim: Victim) -> None:
    with victim.join_polling() as session:
        posting = threading.Thread(target=session.post, args=(b'42["no such event"]\x1e' * 50_000 + b"6",))
        posting.start()
        victim.serve_somebody()
        posting.join(60)
        assert not posting.is_alive()


def test_many_events_in_one_payload_do_not_pile_up_handlers(victim: Victim) -> None:
    with victim.join_polling() as session:
        session.post(b'42["nap",0.2]\x1e' * 1000 + b"6")
        assert victim.stats()["greenlets"] < victim.baseline["greenlets"] + 500


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\xfd",
        b"4\xff",
        b'42["echo","\xed\xa0\x80"]',
        b'42["echo","\xc0\xaf"]',
        b'42["echo","\xf8\x88\x80\x80\x80"]',
        b"\xef\xbb\xbf40",
        b"4\x000",
        b"\x00",
        "4\u0661".encode(),
        "\u0664\u0660".encode(),
        b"b",
        b"b====",
        b"bA",
        b"bAAA",
        b"b\xff\xff",
        b"b" + b"A" * 999_000,
        b"b!!!!",
        b"bAAAA BBBB",
        b"0",
        b'0{"sid":"' + SECRET.encode() + b'"}',
        b"5",
        b"3probe",
        b"2probe",
        b"1" * 1000,
        b"11",
        b"7",
        b"-1",
        SECRET.encode() * 1000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_payload_ends_at_most_its_own_session(victim: Victim, body: bytes) -> None:
    with victim.open_polling() as session:
        assert session.post(body).status in {200, 400}
        assert victim.request("POST", session.url, body=b"6").status in {200, 400}


def test_a_compressed_body_is_not_inflated(victim: Victim) -> None:
    with victim.open_polling() as session:
        bomb = gzip.compress(b"6" * 10_000_000)
        response = session.post(bomb, [("Content-Encoding", "gzip"), ("Content-Type", "text/plain")])
        assert response.status in {200, 400, 415}


def test_a_flood_of_posts_leaves_nothing(victim: Victim) -> None:
    with victim.open_polling() as session:
        for _ in range(500):
            assert session.post("3\x1e6\x1e3").body == b"ok"
        assert session.is_alive()


def test_a_thousand_sessions_abandoned_at_once_are_forgotten(victim: Victim) -> None:
    # No goodbye for these: the heartbeat has to find out.
    with victim.connect() as connection:
        for _ in range(1000):
            assert connection.request("GET", victim.url()).status == 200
    assert victim.stats()["sessions"] > 0


def test_polls_and_posts_that_are_reset_leave_nothing(victim: Victim) -> None:
    for _ in range(20):
        with victim.join_polling() as session:
            session.start_poll()
            session.poster.send_request("POST", session.url, [("Content-Length", "1000")], b'42["nap",1]')
            session.getter.reset()
            session.poster.reset()


def test_a_session_that_never_polls_while_it_is_flooded_is_bounded(victim: Victim) -> None:
    with victim.join_polling() as session:
        session.send('42["flood",300,100000]')
        victim.serve_somebody()
        session.post("1")
