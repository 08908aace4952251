"""Thousands of random and mutated MessagePack packets against a server with that parser, and text, which it refuses."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgpack
import pytest
from conformance.launch import FOREIGN
from conformance.raw import TEXT, Polling, WebSocket, encode_frame

from .conftest import DEFAULTS, SECRET, Victim
from .mutate import mutations
from .test_fuzz import settle

pytestmark = pytest.mark.skipif(FOREIGN is not None, reason="this parser is ours")
OPTIONS = {"body_timeout": 2, "parser": "msgpack"}


def pack(**packet: object) -> bytes:
    packed: bytes = msgpack.packb({"nsp": "/", **packet})
    return packed


PACKETS = [
    pack(type=0),
    pack(type=0, data={"token": SECRET}, nsp="/class"),
    pack(type=1, nsp="/class"),
    pack(type=2, data=["echo", 1, "2", {"3": [True, None, 1.5, SECRET]}]),
    pack(type=2, data=["echo", b"\x01\x02", {"deep": [b""]}], id=12),
    pack(type=2, data=["echo"], id=1, options={"compress": True}).replace(b"\xc3", b"\xd4\0\0"),
    pack(type=2, data=["echo", *(msgpack.ExtType(0, raw) for raw in (b"\0" * 8, b"\1", b"ab"))], id=2),
    pack(type=2, data=["echo", msgpack.Timestamp(2**40, 1)], id=3),
    pack(type=3, data=["answer"], id=1),
    pack(type=4, data={"message": "x"}),
    pack(type=2, data=["join", "room"]),
    pack(type=2, data=["ask"]),
    pack(type=2, data=["nap", 0]),
]  # fmt: skip


class MsgpackVictim(Victim):
    """The same server, spoken to in the other encoding."""

    def join(self, auth: str = "") -> WebSocket:
        websocket = self.open_websocket()
        websocket.send(pack(type=0))
        packet = websocket.receive()
        assert isinstance(packet, bytes)
        assert msgpack.unpackb(packet)["type"] == 0
        return websocket

    def join_polling(self) -> Polling:
        session = self.open_polling()
        session.send("b" + base64.b64encode(pack(type=0)).decode())
        assert msgpack.unpackb(base64.b64decode(session.receive()[1:]))["type"] == 0
        return session

    def serve_somebody(self) -> None:
        with self.join() as websocket:
            websocket.send(pack(type=2, data=["echo", b"hello"], id=1))
            answer = websocket.receive()
            assert isinstance(answer, bytes)
            assert msgpack.unpackb(answer) == {"type": 3, "data": [b"hello"], "id": 1, "nsp": "/"}
        with self.join_polling() as session:
            session.send("1")


@pytest.fixture(scope="module")
def module_victim() -> Iterator[Victim]:
    victim = MsgpackVictim({**DEFAULTS, **OPTIONS})
    yield victim
    victim.stop()


def test_packets(victim: Victim) -> None:
    websocket: WebSocket | None = None
    survived = 0
    for data in mutations(PACKETS, 3000, seed=8):
        if websocket is None:
            websocket = victim.join()
        websocket.send(data)
        if settle(websocket):
            survived += 1
        else:
            websocket.connection.close()
            websocket = None
    if websocket:
        websocket.connection.close()
    assert 0 < survived < 3000


@pytest.mark.parametrize("text", ["40", '42["echo",1]', '451-["echo",{"_placeholder":true,"num":0}]', "4", "4{}"])
def test_text_ends_the_connection(victim: Victim, text: str) -> None:
    for websocket in (victim.open_websocket(), victim.join()):
        with websocket:
            websocket.connection.send(encode_frame(TEXT, text.encode()))
            websocket.receive_close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x91" * 900_000,
        b"\xdd\x00\x0d\xbb\xa0" * 1000 + b"\xc0" * 900_000,
        pack(type=2, data=["echo"], id=1)[:-6] + b"\xa1x" + b"\x91" * 1000 + b"\x01",
        pack(type=2, data=["echo", dict.fromkeys(map(str, range(50_000)))]),
        pack(type=2, data=["echo", "\u20ac" * 300_000, b"\xff" * 50_000], id=5),
    ],
    ids=["deep", "announced", "deep within a packet", "many keys", "large"],
)
def test_large_and_deep(victim: Victim, data: bytes) -> None:
    for _ in range(3):
        with victim.join() as websocket:
            websocket.send(data)
            settle(websocket)


def test_dates_come_back(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send(pack(type=2, data=["echo", msgpack.ExtType(0, b"\0" * 8)], id=7))
        answer = websocket.receive()
        assert isinstance(answer, bytes)
        assert b"\xd7\0" + b"\0" * 8 in answer
