"""Revision 3 under attack: mutated payloads of both kinds, lengths that lie, floods of pings, sessions of the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from conformance.raw import BINARY, TEXT, Headers, WebSocket, encode_frame
from conformance.revision3 import OldPolling, open_websocket, split, write

from .attack import survivors
from .conftest import Victim
from .mutate import mutations
from .test_fuzz import settle

OPTIONS = {"allow_eio3": True}
OCTETS = [("Content-Type", "application/octet-stream")]
ROUGHLY_A_MEGABYTE = 999_990
PLACE = '{"_placeholder":true,"num":0}'
PACKETS = ["2", "2probe", "40/class?a=b,", '42["echo",1]', f'451-["echo",{PLACE}]', "b4AQID", "6", "41/class,"]
TEXTS = [write(packet) for packet in PACKETS] + [write(*PACKETS[3:6]), '19:42["echo","é€😀😀"]'.encode()]
BINARIES = [b"\0\1\xff2", b"\0\x0c\xff" + b'42["echo",1]', b"\1\3\xff\4\1\2", b"\0\3\xff4\xc3\xa9\1\1\xff\4"]


def answers(session: OldPolling) -> bool:
    """Whether the session is alive, by the pong that must come."""
    response = session.poll()
    return response.status == 200 and "3" in split(response.body)


class Attacker:
    """A session that is opened anew whenever the server has closed it."""

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.session: OldPolling | None = None
        self.closed = 0

    def post(self, body: bytes, headers: Headers = ()) -> int:
        session = self.session = self.session or OldPolling(self.victim)
        status = session.post(body, headers).status
        # A session that is closed as gently as can be lingers for its client: only its poll tells.
        if session.post(b"1:2").status == 400 or not answers(session):
            self.closed += 1
            self.leave()
        return status

    def leave(self) -> None:
        if self.session is not None:
            self.session.post(b"1:1")
            self.session.__exit__()
            self.session = None


@pytest.fixture
def attacker(victim: Victim) -> Iterator[Attacker]:
    attacker = Attacker(victim)
    yield attacker
    attacker.leave()


@pytest.mark.parametrize(("seeds", "headers"), [(TEXTS, []), (BINARIES, OCTETS)])
def test_payloads(attacker: Attacker, seeds: Sequence[bytes], headers: Headers) -> None:
    for data in mutations(seeds, 1500, seed=31):
        assert attacker.post(data, headers) in {200, 400}, data
    assert 100 < attacker.closed < 1500, "some are no payload, some are"


def test_messages_over_websocket(victim: Victim) -> None:
    numbers = itertools.count()

    def outlives(websocket: WebSocket, data: bytes) -> bool:
        websocket.connection.send(encode_frame(BINARY if next(numbers) % 3 == 0 else TEXT, data))
        return settle(websocket)

    inputs = mutations([*(item.encode() for item in PACKETS), b"\4\1\2"], 2000, seed=32)
    assert 0 < survivors(inputs, lambda: join(victim), outlives) < 2000


def join(victim: Victim) -> WebSocket:
    websocket = open_websocket(victim)
    assert websocket.receive() == "40"
    return websocket


@pytest.mark.parametrize(
    ("unit", "headers"),
    [
        (b"1:2", []),
        (b"1:4", []),
        (b"0:", []),
        (b"2:b4", []),
        (b"5:430[]", []),
        (b"9", []),
        (b":", []),
        ("2:4😀".encode(), []),
        (b"\0\1\xff2", OCTETS),
        (b"\1\1\xff\4", OCTETS),
        (b"\0", OCTETS),
        (b"\x09", OCTETS),
        (b"\xff", OCTETS),
    ],
    ids=repr,
)
def test_a_megabyte_of_tiny_packets_takes_linear_time(attacker: Attacker, unit: bytes, headers: Headers) -> None:
    assert attacker.post(unit * (ROUGHLY_A_MEGABYTE // len(unit)), headers) in {200, 400}
    attacker.victim.serve_somebody()


@pytest.mark.parametrize(
    "length", ["1000000", "9999999999", "99999999999999999999", "-1", "1e9", "0x10", "\u0661", " 1"]
)
def test_a_length_that_lies_ends_the_session(attacker: Attacker, length: str) -> None:
    attacker.post(f"{length}:6hello".encode())
    digits = bytes(ord(digit) & 15 for digit in length)
    attacker.post(b"\0" + digits + b"\xff6hello", OCTETS)
    assert attacker.closed == 2


def test_pings_of_a_client_that_never_polls_pile_up_nothing(victim: Victim) -> None:
    session = OldPolling(victim)
    with session:
        while session.backlog or b"40" not in session.opening.body:
            session.receive()
        for _ in range(20):
            assert session.post(b"1:2" * 10_000).status == 200
        assert session.poll().body == b"1:3"
        session.post(b"1:1")


def test_a_session_of_one_revision_can_not_be_used_by_the_other(victim: Victim) -> None:
    with victim.join_polling() as new, OldPolling(victim) as old:
        for body in (b"1:1", b"1", b"6", b"1:6"):
            assert victim.request("POST", victim.url(sid=new.sid, revision=3), body=body).status == 400
            assert victim.request("POST", victim.url(sid=old.sid, revision=4), body=body).status == 400
            assert victim.request("POST", victim.url(sid=old.sid, revision=4), OCTETS, body).status == 400
        assert new.is_alive()
        assert old.post(b"1:6").status == 200
        old.post(b"1:1")


def test_jsonp_is_not_served_to_revision_3_either(victim: Victim) -> None:
    response = victim.request("GET", victim.url(revision=3) + "&j=0")
    assert not response.body.startswith(b"___eio")
    assert "javascript" not in (response.header("content-type") or "")


def test_namespaces_of_every_form(victim: Victim) -> None:
    names = [b"40/class?a=b", b"40/class?%00=%ff&=&&=", b"40/?a=b", b"40?a=b", b"40/class??", b"40/class#x?y"]
    for data in mutations(names, 600, seed=33):
        websocket = join(victim)
        websocket.connection.send(encode_frame(TEXT, data))
        settle(websocket)
        websocket.connection.close()
