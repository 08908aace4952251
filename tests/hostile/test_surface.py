"""Claims to come back, names of dynamic namespaces, answers to broadcasts: wrong, stolen, late, twice, invented."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator

import pytest
from conformance.raw import CLOSE, PING, PONG, TEXT, Closed, WebSocket, encode_frame, wait_until

from .attack import survivors
from .conftest import SECRET, Victim
from .mutate import mutations
from .test_socketio import is_served

OPTIONS = {
    "surface": True,
    "cleanup_empty_child_namespaces": True,
    "connection_state_recovery": {"max_disconnection_duration": 4, "skip_middlewares": False},
    "max_namespaces_per_client": 20,
}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_kept(module_victim: Victim) -> Iterator[None]:
    """Whatever names clients asked for: when they are gone and can't come back, the namespaces are too."""
    yield
    baseline = module_victim.baseline["namespaces"]
    wait_until(lambda: module_victim.stats()["namespaces"] <= baseline, "the namespaces are forgotten")


def connect(websocket: WebSocket, data: str = "") -> dict[str, str]:
    """What the server answers to a CONNECT to the main namespace."""
    websocket.send("40" + data)
    while True:
        packet = websocket.receive()
        assert isinstance(packet, str)
        if packet.startswith("40"):
            answer: dict[str, str] = json.loads(packet[2:])
            return answer


def outlives(websocket: WebSocket, packet: bytes) -> bool:
    """Whether the connection outlives a packet: it and a ping are one write, so that no delayed ACK comes between."""
    websocket.connection.send(encode_frame(TEXT, packet) + encode_frame(PING, b"alive?"))
    with contextlib.suppress(ConnectionError):
        while True:
            opcode, payload = websocket.receive_frame()
            if opcode == CLOSE:
                break
            if (opcode, payload) == (PONG, b"alive?"):
                return True
    return False


def lost_client(victim: Victim) -> tuple[str, str, str]:
    """The ids and the last offset of a client whose connection broke."""
    with victim.open_websocket() as websocket:
        ids = connect(websocket)
        websocket.send('42["news"]')
        packet = websocket.receive()
        assert isinstance(packet, str)
        websocket.connection.reset()
    return ids["sid"], ids["pid"], json.loads(packet[2:])[-1]


def test_mutated_claims_to_come_back(victim: Victim) -> None:
    """Each on a connection of its own, or on one that outlived the last."""
    sid, pid, offset = lost_client(victim)
    seeds = [
        json.dumps(claim).encode()
        for claim in (
            {"pid": pid, "offset": offset}, {"pid": pid}, {"offset": offset}, {"pid": sid, "offset": offset},
            {"pid": pid, "offset": 1}, {"pid": [pid], "offset": [offset]}, {"pid": {"a": pid}, "offset": None},
            {"pid": None}, {"pid": "", "offset": ""}, {"pid": pid, "offset": offset, "token": SECRET},
            {"pid": "x" * 1000, "offset": "f" * 1000}, {"__proto__": {"pid": pid}}, {"pid": pid, "offset": "0x10"},
        )
    ]  # fmt: skip

    def outlives_both(websocket: WebSocket, data: bytes) -> bool:
        # Joined or refused: behind a DISCONNECT it may ask again, unless that ends the connection too.
        return outlives(websocket, b"40" + data) and outlives(websocket, b"41")

    assert 0 < survivors(mutations(seeds, 2000, seed=11), victim.open_websocket, outlives_both) < 2000


def test_mutated_connects_to_dynamic_namespaces(victim: Victim) -> None:
    seeds = [
        b"40/dyn-a,", b"40/ask-a,", b'40/dyn-b,{"behaviour":"raise"}', b'40/ask-b,{"behaviour":"raise"}',
        b'40/dyn-c,{"behaviour":"refuse"}', b'40/ask-c,{"behaviour":"no"}', b'40/dyn-d,{"behaviour":"leave"}',
        b'40/ask-d,{"pid":"x","offset":"y"}', b"41/dyn-a,", b'42/dyn-a,1["echo",1]', b'40/nothing,{"a":[1]}',
    ]  # fmt: skip
    assert 0 < survivors(mutations(seeds, 2000, seed=12), victim.join, outlives) < 2000


NAMES = [
    "/dyn-", "/dyn-a\n", "/dyn-\u0430", "/dyn-a/..", "/dyn-a?x=1", "/dyn-A", "/dyn-a ", "//dyn-a", "/dyn-a\x00",
    "/__proto__", "/constructor", "/*", "/dynamic namespace 1", "/None", "/dyn-" + "a" * 251, "/ask-" + "a" * 251,
    "/ask-" + "a" * 90_000, "/dyn-" + "a" * 90_000,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:20]))
def test_a_name_that_no_parent_takes(victim: Victim, name: str) -> None:
    reached = victim.stats()["reached"].get("guard", 0)
    with victim.join() as websocket:
        websocket.send(f"40{name},")
        with contextlib.suppress(Closed, ConnectionError):
            packet = websocket.receive()
            assert isinstance(packet, str)
            assert packet.startswith(f"44{name}")
            assert packet.endswith('{"message":"Invalid namespace"}')
            assert is_served(websocket)
    assert victim.stats()["reached"].get("guard", 0) == reached


@pytest.mark.parametrize("name", ["/dyn-__proto__", "/dyn-" + "a" * 250, "/ask-*", "/ask-\n\x1b[31m", "/ask-\u202e"])
def test_a_strange_name_that_a_parent_takes_is_one_as_any_other(victim: Victim, name: str) -> None:
    taken = not name.endswith("__")
    with victim.join() as websocket:
        websocket.send(f"40{name},")
        packet = websocket.receive()
        assert isinstance(packet, str)
        assert packet.startswith(f"4{0 if taken else 4}{name},")
        if taken:
            websocket.send(f'42{name},1["echo",1]')
            assert websocket.receive() == f"43{name},1[1]"


def test_names_by_the_thousand(victim: Victim) -> None:
    with victim.join() as websocket:
        pairs = ["".join(pair) for pair in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=2)]
        leaving: list[str] = []
        for start in range(0, len(pairs), 9):
            names = [f"/{kind}-{pair}" for pair in pairs[start : start + 9] for kind in ("dyn", "ask")]
            packets = [*leaving, *(f"40{name}," for name in names)]
            websocket.connection.send(b"".join(encode_frame(TEXT, packet.encode()) for packet in packets))
            answered = {str(websocket.receive()).split(",")[0] for _ in names}
            assert answered == {f"40{name}" for name in names}
            leaving = [f"41{name}," for name in names]
        assert is_served(websocket)
        assert victim.stats()["namespaces"] < victim.baseline["namespaces"] + 200


def test_no_client_joins_more_than_it_may(victim: Victim) -> None:
    with victim.join() as websocket:
        answers = []
        for number in range(40):
            websocket.send(f"40/ask-{number},")
            answers.append(str(websocket.receive())[:2])
        assert answers == ["40"] * 19 + ["44"] * 21
        assert is_served(websocket)


@pytest.mark.parametrize("name", ["/dyn-slow", "/ask-slow"])
def test_clients_that_leave_while_they_are_judged(victim: Victim, name: str) -> None:
    before = victim.stats()["reached"]
    for _ in range(30):
        with victim.open_websocket() as websocket:
            websocket.send(f'40{name},{{"behaviour":"slow"}}')
            websocket.connection.reset()
    with victim.open_websocket() as websocket:
        websocket.connection.send(encode_frame(TEXT, f'40{name},{{"behaviour":"slow"}}'.encode()) * 2)
        websocket.receive_close()
    after = victim.stats()["reached"]
    assert after.get("dynamic connect", 0) == before.get("dynamic connect", 0)


def test_a_private_id_that_many_have_is_good_for_one_at_a_time(victim: Victim) -> None:
    sid, pid, offset = lost_client(victim)
    claim = json.dumps({"pid": pid, "offset": offset})
    websockets = [victim.open_websocket() for _ in range(30)]
    for websocket in websockets:
        assert connect(websocket, claim)["sid"] == sid
    assert [websocket.is_alive() for websocket in websockets] == [False] * 29 + [True]
    assert is_served(websockets[-1])
    for websocket in websockets:
        websocket.connection.close()


def test_a_public_id_is_of_no_use(victim: Victim) -> None:
    with victim.open_websocket() as websocket, victim.open_websocket() as thief:
        ids = connect(websocket)
        for claim in ({"pid": ids["sid"]}, {"pid": ids["sid"], "offset": "0-0"}, {"sid": ids["sid"], "pid": "x"}):
            stolen = connect(thief, json.dumps(claim))
            assert stolen["sid"] != ids["sid"]
            assert stolen["pid"] != ids["pid"]
            thief.send("41")
        assert is_served(websocket)


def questions_ended(victim: Victim) -> int:
    """How many broadcasts had their answers or ran out of time: there is no count before the first one did."""
    return victim.stats()["reached"].get("polled", 0)


def test_answers_to_a_broadcast_twice_late_and_invented(victim: Victim) -> None:
    ended = questions_ended(victim)
    websockets = [victim.join() for _ in range(5)]
    for turn in range(20):
        websockets[turn % 5].send('42["poll"]')
        for number, websocket in enumerate(websockets):
            packet = str(websocket.receive())
            assert packet.endswith('["question"]')
            asked = packet[2 : packet.index("[")]
            answers = [f'43{asked}["{SECRET}"]', f"43{int(asked) + 1}[1]", f"43{asked}[]", "430[]", f"43{2**60}[1]"]
            if (turn + number) % 4 == 0:
                answers = answers[1:2]  # no answer at all: the time runs out
            websocket.connection.send(b"".join(encode_frame(TEXT, answer.encode()) for answer in answers * 3))
    wait_until(lambda: questions_ended(victim) == ended + 20, "every question has its end")
    for websocket in websockets:
        assert is_served(websocket)
        websocket.connection.close()
    assert questions_ended(victim) == ended + 20


def test_questions_whose_clients_leave(victim: Victim) -> None:
    ended = questions_ended(victim)
    for _ in range(10):
        websockets = [victim.join() for _ in range(4)]
        websockets[0].send('42["poll"]')
        websockets[1].receive()
        for websocket in websockets:
            websocket.connection.reset()
    wait_until(lambda: questions_ended(victim) == ended + 10, "every question has its end")
