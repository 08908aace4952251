"""Clients that take nothing: never reading, never polling, while much is emitted to them."""

from __future__ import annotations

import pytest
from conformance.raw import Closed, wait_until

from .conftest import Victim

OPTIONS = {"max_outbox_size": 1_000_000, "ping_interval": 20, "ping_timeout": 20}
MEMORY = 60_000_000


def resident(victim: Victim) -> int:
    return int(victim.request("GET", "/memory").json()["resident"])


def test_a_client_that_never_reads_is_disconnected_and_costs_little(victim: Victim) -> None:
    before = resident(victim)
    with victim.join() as websocket:
        sessions = victim.stats()["sessions"]
        websocket.send('42["flood",1000,100000]')
        victim.serve_somebody()
        wait_until(lambda: victim.stats()["sessions"] < sessions, "the client is disconnected")
        assert resident(victim) < before + MEMORY
        assert "outbox full" in victim.stats()["reasons"].values()


def test_others_are_served_while_a_client_does_not_read(victim: Victim) -> None:
    with victim.join() as deaf, victim.join() as other:
        deaf.send('42["flood",1000,100000]')
        for number in range(50):
            other.send(f'421["echo",{number}]')
            assert other.receive() == f"431[{number}]"


def test_a_client_that_never_polls_is_disconnected_and_costs_little(victim: Victim) -> None:
    before = resident(victim)
    with victim.join_polling() as session:
        session.send('42["flood",1000,100000]')
        victim.serve_somebody()
        wait_until(lambda: victim.request("POST", session.url, body=b"6").status == 400, "the client is disconnected")
        assert resident(victim) < before + MEMORY


def test_a_client_that_reads_slowly_but_reads_gets_everything(victim: Victim) -> None:
    with victim.join() as websocket:
        for _ in range(10):
            websocket.send('42["flood",5,100000]')
            for _ in range(5):
                packet = websocket.receive()
                assert isinstance(packet, str)
                assert len(packet) == len('42["flood",""]') + 100_000


def test_an_echo_larger_than_the_outbox_may_cost_the_connection_but_nothing_else(victim: Victim) -> None:
    with victim.join() as websocket:
        websocket.send('421["echo","' + "\\u0001" * 150_000 + '"]')
        try:
            packet = websocket.receive()
        except (Closed, ConnectionError):
            pytest.fail("900 kB fit into an outbox of a megabyte")
        assert isinstance(packet, str)
        assert len(packet) > 150_000
