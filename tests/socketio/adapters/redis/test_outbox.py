"""Owns the queue of commands: its bounds, its order, and who has to make room for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis.outbox import OVERHEAD, Entry, Outbox


def entry(name, kind="lossy", size=1, **options):
    return Entry(str(name), b"x" * size, None, kind, **options)


def names(entries):
    return [entry.name for entry in entries]


def test_the_order_is_that_of_arrival_whatever_the_kind():
    outbox = Outbox(10, 10_000)
    for name, kind in enumerate(("lossy", "durable", "ask", "lossy", "durable")):
        assert outbox.put(entry(name, kind)) == []
    first = outbox.take(2, 10_000)
    assert names(first) == ["0", "1"]
    outbox.put_back(first)
    assert names(outbox.take(10, 10_000)) == ["0", "1", "2", "3", "4"]
    assert not outbox.waiting


def test_the_oldest_that_may_be_lost_makes_room():
    outbox = Outbox(3, 10_000)
    outbox.put(entry("kept", "durable"))
    outbox.put(entry("a"))
    outbox.put(entry("b"))
    assert names(outbox.put(entry("c"))) == ["a"]
    assert names(outbox.put(entry("firm", "durable"))) == ["b"]
    assert names(outbox.take(10, 10_000)) == ["kept", "c", "firm"]


def test_what_may_not_be_lost_is_refused_once_nothing_can_make_room():
    outbox = Outbox(2, 10_000)
    outbox.put(entry("a", "durable"))
    outbox.put(entry("b", "durable"))
    with pytest.raises(ClusterError, match=r"XADD was not sent: 2 commands \(602 bytes\) wait for Redis already"):
        outbox.put(entry("XADD", "durable"))
    assert names(outbox.put(entry("lossy"))) == ["lossy"]
    assert outbox.entries == 2


def test_what_is_on_its_way_counts():
    outbox = Outbox(2, 10_000)
    outbox.put(entry("a"))
    outbox.put(entry("b"))
    taken = outbox.take(2, 10_000)
    assert names(outbox.put(entry("c"))) == ["c"]
    outbox.settle(taken[0])
    assert outbox.put(entry("d")) == []


def test_a_batch_is_bounded_in_bytes_and_never_empty():
    outbox = Outbox(10, 100_000)
    for name in range(4):
        outbox.put(entry(name, size=1000))
    assert names(outbox.take(10, 2 * (1000 + OVERHEAD))) == ["0", "1"]
    assert names(outbox.take(10, 1)) == ["2"]


def test_what_is_too_large_for_it_all_is_not_taken():
    outbox = Outbox(10, 1000)
    outbox.put(entry("a"))
    assert names(outbox.put(entry("large", size=1001))) == ["large"]  # and nothing else is lost in vain
    with pytest.raises(ClusterError):
        outbox.put(entry("large", "durable", size=1001))
    assert names(outbox.take(10, 1000)) == ["a"]


def test_what_has_waited_too_long_leaves():
    outbox = Outbox(10, 10_000)
    outbox.put(entry("a", deadline=1.0))
    outbox.put(entry("b", deadline=3.0))
    outbox.put(entry("c", "ask", deadline=1.0))
    outbox.put(entry("d", "durable"))
    assert names(outbox.expire(2.0)) == ["a", "c"]
    assert names(outbox.take(10, 10_000)) == ["b", "d"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "take", "settle", "back"]), st.sampled_from(["lossy", "durable"]), st.integers(0, 900)
    )
)


@given(STEPS)
def test_the_bounds_hold_and_nothing_disappears(steps):
    outbox = Outbox(5, 3000)
    taken, put, gone = [], 0, 0
    for number, (step, kind, size) in enumerate(steps):
        if step == "put":
            try:
                gone += len(outbox.put(entry(number, kind, size)))
                put += 1
            except ClusterError:
                assert kind == "durable"
        elif step == "take":
            taken += outbox.take(2, 2000)
        elif step == "settle" and taken:
            outbox.settle(taken.pop(0))
            gone += 1
        elif step == "back":
            outbox.put_back(taken)
            taken = []
        assert 0 <= outbox.entries <= 5
        assert 0 <= outbox.bytes <= 3000
        assert outbox.entries == put - gone
    outbox.put_back(taken)
    left = outbox.take(100, 100_000)
    assert [one.number for one in left] == sorted(one.number for one in left)
    assert len(left) == put - gone


def test_nothing_is_lost_for_one_that_is_refused():
    outbox = Outbox(5, 2700 + 3 * OVERHEAD)
    outbox.put(entry(1, "durable", 2500))
    outbox.put(entry(2, "lossy", 100))
    outbox.put(entry(3, "lossy", 100))
    with pytest.raises(ClusterError):
        outbox.put(entry(4, "durable", 1000))
    assert outbox.entries == 3
    assert len(outbox.take(100, 100_000)) == 3
