"""Owns the log as one server reads it: where it is, whom it lets have a turn, and what ends nothing."""

import gevent
import pytest
from contract.application import Peer
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.redis.log_reader import LogReader

from .streaming import Cluster, to

FIELDS = ("uid", "0123456789abcdef", "nsp", "/", "type", "3", "data", "{}")


@pytest.fixture
def follow(publisher, opened):
    """``follow(take)``: a reader that gives its entries to ``take(reader, id, entry)``."""

    def follow(take):
        reader = LogReader(
            publisher,
            "log",
            lambda identifier, entry: take(reader, identifier, entry),
            on_state=lambda connected: None,
            on_gap=lambda reason: None,
        )
        reader.start()
        return opened(reader)

    return follow


def add(server, count, *further):
    with server.client() as client, client.pipeline() as pipeline:  # a transaction: they arrive together
        for _ in range(count):
            pipeline.execute_command("XADD", "log", "*", *FIELDS, *further)
        return [identifier.decode() for identifier in pipeline.execute()]


def ready(reader):
    wait_until(lambda: reader.status.state == "connected", "it reads")


def test_it_is_at_the_entry_that_is_given_on(server, follow):
    """What happens while an entry is given on is before the next one, though that has arrived already."""
    places = []
    reader = follow(lambda reader, identifier, entry: places.append((identifier, reader.position)))
    ready(reader)
    added = add(server, 50)
    wait_until(lambda: len(places) == 50)
    assert places == [(identifier, identifier) for identifier in added]


def test_others_have_their_turns_while_many_entries_are_given_on(server, follow):
    turns, taken = 0, []

    def take(reader, identifier, entry):
        taken.append(turns)
        gevent.get_hub().loop.update_now()
        end = gevent.get_hub().loop.now() + 0.002
        while gevent.get_hub().loop.now() < end:  # a large fan-out
            gevent.get_hub().loop.update_now()

    reader = follow(take)
    ready(reader)

    def count_turns():
        nonlocal turns
        while True:
            turns += 1
            gevent.sleep(0)

    counter = gevent.spawn(count_turns)
    try:
        add(server, 90)
        wait_until(lambda: len(taken) == 90)
    finally:
        counter.kill()
    assert len(set(taken)) > 10


def test_nothing_is_given_on_after_the_end(server, follow):
    taken = []

    def take(reader, identifier, entry):
        taken.append(identifier)
        reader.close()

    ready(follow(take))
    add(server, 20)
    wait_until(lambda: taken)
    gevent.sleep(0.05)
    assert len(taken) == 1


def test_a_failure_costs_no_other_entry(server, follow, caplog):
    taken = []

    def take(reader, identifier, entry):
        taken.append(identifier)
        if len(taken) == 2:
            raise LookupError("on purpose")

    ready(follow(take))
    added = add(server, 5)
    wait_until(lambda: len(taken) == 5)
    assert taken == added
    assert "on purpose" in caplog.text


def test_a_log_whose_end_cannot_be_found_is_visible_and_tried_again(server, follow, caplog):
    server.ask("SET", "log", "no stream")
    taken = []
    reader = follow(lambda reader, identifier, entry: taken.append(identifier))
    wait_until(lambda: reader.status.state == "disconnected", "people see it")
    assert "Redis refused it: WRONGTYPE" in reader.status.error
    server.ask("DEL", "log")
    ready(reader)
    assert add(server, 1) == wait_until(lambda: taken)


def test_a_search_that_is_given_up_is_not_taken_up_again(server, follow):
    server.ask("SET", "log", "no stream")
    reader = follow(lambda reader, identifier, entry: None)
    wait_until(lambda: reader.status.state == "disconnected", "people see it")
    reader.close()
    server.ask("DEL", "log")
    gevent.sleep(0.3)
    assert reader.began is None


def test_an_entry_of_nobody_who_has_come_back_takes_no_other_along(server):
    cluster = Cluster(server)
    try:
        first = cluster.add()
        peer = Peer(first)
        peer.join()
        with server.client() as client, client.pipeline() as pipeline:
            empty = '{"opts":{"rooms":[],"except":[]},"close":false}'
            pipeline.execute_command(
                "XADD", "socket.io", "*", *FIELDS[:4], "type", "6", "data", empty, "recovered", "1"
            )
            event = '{"packet":{"type":2,"data":["n",1]},"opts":{"rooms":[],"except":[]}}'
            pipeline.execute_command("XADD", "socket.io", "*", *FIELDS[:6], "data", event)
            pipeline.execute()
        to(first).emit("n", 2)
        events = []
        wait_until(lambda: events.extend(peer.events()) or len(events) > 1, "the last one is there")
        assert [event[:2] for event in events] == [["n", 1], ["n", 2]]
    finally:
        cluster.close()
