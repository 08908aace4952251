"""Owns the fan-out to many: one order for all recipients, turns of the hub, and greenlets killed in its midst."""

import gevent
import pytest
from contract.waiting import in_hub, turn, wait_until

from flask_socketio_py.engineio.message import PreparedMessage
from flask_socketio_py.socketio.adapters.local import BATCH, LocalAdapter

from .test_local import Member

MANY = 3 * BATCH + 7


def message(name):
    return PreparedMessage(f"4{name}".encode())


def names(member):
    return [sent.text.decode()[1:] for sent, _ in member.got]


@pytest.fixture
def adapter():
    adapter = LocalAdapter()
    for number in range(MANY):
        adapter.add(Member(f"s{number}"))
    return adapter


@pytest.fixture
def everybody(adapter):
    return adapter.targets(())


def test_a_small_fan_out_is_done_at_once(adapter, everybody):
    adapter.broadcast(message("a"), everybody[:BATCH], True)
    assert {tuple(member.got) for member in everybody[:BATCH]} == {tuple(everybody[0].got)}
    assert [volatile for _, volatile in everybody[0].got] == [True]
    assert everybody[BATCH].got == []


def test_a_large_one_lets_others_run_meanwhile(adapter, everybody):
    turns = []

    def other():
        while True:
            turns.append(sum(bool(member.got) for member in everybody))
            gevent.sleep(0)

    greenlet = gevent.spawn(other)
    adapter.broadcast(message("a"), everybody)
    greenlet.kill()
    assert all(names(member) == ["a"] for member in everybody)
    assert [done for done in turns if 0 < done < MANY]


def test_in_the_hub_it_does_not_wait(adapter, everybody):
    in_hub(adapter.broadcast, message("a"), everybody)
    assert all(names(member) == ["a"] for member in everybody)


def test_concurrent_fan_outs_reach_all_in_one_order(adapter, everybody):
    def broadcast(name, targets):
        adapter.broadcast(message(name), targets)

    greenlets = []
    for number in range(4):
        greenlets += [
            gevent.spawn(broadcast, f"all {number}", everybody),
            gevent.spawn(broadcast, f"backwards {number}", everybody[::-1]),
            gevent.spawn(broadcast, f"few {number}", everybody[-3:]),
            gevent.spawn(broadcast, f"half {number}", everybody[::2]),
        ]
        gevent.sleep(0)
        in_hub(broadcast, f"hub {number}", everybody)
    gevent.joinall(greenlets, raise_error=True)
    turn()
    # The last has received everything; everybody else received a part of it in the same order.
    order = max(map(names, everybody), key=len)
    assert len(order) == len(set(order)) == 20
    for member in everybody:
        got = names(member)
        assert got == [name for name in order if name in got]
        assert len(got) >= 12


def test_whoever_emits_after_an_emit_is_heard_after_it(adapter, everybody):
    last = everybody[-1]
    greenlet = gevent.spawn(adapter.broadcast, message("first"), everybody)
    gevent.sleep(0)
    assert names(last) == []
    adapter.broadcast(message("second"), [last])  # overtaking nothing
    assert names(last) == ["first", "second"]
    greenlet.join()


@pytest.mark.parametrize("killed", ["the first", "the second"])
def test_a_greenlet_killed_in_its_fan_out_stops_nobody_elses(adapter, everybody, killed):
    first = gevent.spawn(adapter.broadcast, message("first"), everybody)
    gevent.sleep(0)
    second = gevent.spawn(adapter.broadcast, message("second"), everybody)
    third = gevent.spawn(adapter.broadcast, message("third"), everybody)
    gevent.sleep(0)
    (first if killed == "the first" else second).kill(block=False)
    wait_until(lambda: third.ready() and (second.ready() or killed == "the second"), "the others end")
    adapter.broadcast(message("last"), everybody)
    orders = {tuple(name for name in names(member) if name != "first") for member in everybody}
    # What was queued may be sent although its emitter is dead, but to all or to none.
    assert orders in ({("second", "third", "last")}, {("third", "last")})
    if killed == "the first":
        assert orders == {("second", "third", "last")}


def test_a_timeout_around_an_emit_leaves_the_adapter_in_order(adapter, everybody):
    with gevent.Timeout(0, False):
        adapter.broadcast(message("cut short"), everybody)
    adapter.broadcast(message("small"), everybody[-2:])
    adapter.broadcast(message("large"), everybody)
    assert names(everybody[-1])[-2:] == ["small", "large"]
    assert all(names(member)[-1] == "large" for member in everybody)
