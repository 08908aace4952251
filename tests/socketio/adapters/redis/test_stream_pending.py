"""Owns the account of broadcasts that are on their way through the log: who gets what when, and what is remembered."""

import gevent
import pytest
from contract.waiting import turn, wait_until

from flask_socketio_py.socketio.adapters.operations import Broadcast
from flask_socketio_py.socketio.adapters.redis.publisher import MAX_ENTRIES
from flask_socketio_py.socketio.adapters.redis.stream_pending import MAX_EARLY, Pending

TO_ALL = Broadcast(["n"])
TO_ONE_HERE = Broadcast(["n"], ("sid",), here=True)


@pytest.fixture
def delivered():
    return []


@pytest.fixture
def pending(delivered):
    pending = Pending(lambda namespace, operation: delivered.append((namespace, operation)))
    pending.start()
    yield pending
    pending.close()


def away(pending):
    pending.changed(True)
    pending.changed(False)
    pending._give_up()
    turn()


def test_what_the_log_brings_in_time_is_not_delivered_early(pending, delivered):
    pending.changed(True)
    pending.add(1, "/", TO_ALL)
    pending.sent(1)
    pending.written(1)
    turn()
    assert pending.of("/") == [TO_ALL]
    assert pending.returned(1) == 0
    assert (delivered, pending.of("/"), pending.any_early) == ([], [], False)


def test_what_waits_is_delivered_once_in_its_order(pending, delivered):
    for number in range(3):
        pending.add(number, "/", Broadcast([number]))
        pending.sent(number)
    turn()
    assert delivered == []
    away(pending)
    pending.add(3, "/", Broadcast([3]))
    pending.sent(3)
    turn()
    pending.changed(True)
    pending.changed(False)
    assert [operation.data for _, operation in delivered] == [[0], [1], [2], [3]]
    assert all(pending.returned(number) for number in range(4))
    assert not pending.any_early


def test_who_is_here_does_not_wait(pending, delivered):
    pending.add(1, "/", TO_ALL)
    pending.add(2, "/", TO_ONE_HERE)
    pending.sent(1)
    pending.sent(2)
    turn()
    assert delivered == [("/", TO_ONE_HERE)]


def test_all_that_may_wait_for_redis_is_remembered(pending, delivered):
    """Else it would be delivered again when the log brings it, after a long outage of a busy server."""
    away(pending)
    for number in range(MAX_ENTRIES):
        pending.add(number, "/", TO_ALL)
        pending._deliver_early(number)
    assert len(delivered) == MAX_ENTRIES
    assert all(pending.returned(number) for number in range(MAX_ENTRIES))
    assert not pending.any_early


def test_what_redis_loses_for_ever_is_forgotten_in_the_end(pending):
    away(pending)
    for number in range(MAX_EARLY + 100):
        pending.add(number, "/", TO_ALL)
        pending._deliver_early(number)
    assert not pending.returned(99)
    assert pending.returned(100)
    assert len(pending._early) == MAX_EARLY - 1


def test_what_is_refused_is_delivered_and_forgotten(pending, delivered):
    away(pending)
    pending.add(1, "/", TO_ALL)
    assert pending.serves_here(TO_ALL)
    pending.refused(1)
    turn()
    assert delivered == [("/", TO_ALL)]
    assert not pending.any_early
    assert not pending.returned(1)


def test_what_its_emitter_knows_of_is_not_delivered(pending, delivered):
    pending.add(1, "/", TO_ALL)
    pending.discard(1)
    away(pending)
    assert delivered == []


def test_others_have_their_turns_while_very_much_is_delivered(pending, delivered):
    """And what is emitted meanwhile comes after what waited, also what could not wait any more."""
    pending.changed(True)
    for number in range(100_000):
        pending.add(number, "/", Broadcast([number]))
        pending.sent(number)
    pending.changed(False)
    pending._give_up()
    following, turns = 100_000, 0
    while len(delivered) < following:
        if turns < 20:
            pending.add(following, "/", Broadcast([following]))
            (pending.refused if turns % 2 else pending.sent)(following)
            following += 1
        turns += 1
        gevent.sleep(0)
    assert turns > 5
    assert [operation.data for _, operation in delivered] == [[number] for number in range(following)]
    turn()
    assert not pending._waiting
    assert not pending._delivering


def test_the_turn_ends_when_redis_is_back(pending, delivered):
    pending.changed(True)
    for number in range(30_000):
        pending.add(number, "/", Broadcast([number]))
    pending.changed(False)
    pending._give_up()
    while not delivered:
        gevent.sleep(0)
    pending.refused(29_999)
    pending.changed(True)
    wait_until(lambda: not pending._delivering, "it ends")
    assert len(delivered) < 30_000
    assert delivered[-1][1].data == [29_999]  # nothing else would bring it
    assert len(pending.of("/")) == 30_000 - len(delivered)
