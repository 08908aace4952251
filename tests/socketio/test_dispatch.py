"""Owns the pool of handler greenlets: who starts when, what one job leaves to the next, what can't kill the pool."""

import contextvars
import gc

import gevent
import pytest
from contract.waiting import in_hub, turn, wait_until
from gevent.event import Event
from gevent.hub import GreenletExit
from greenlet import getcurrent, greenlet

from flask_socketio_py.socketio.dispatch import MAX_IDLE, Dispatcher

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


@pytest.fixture
def dispatcher():
    dispatcher = Dispatcher()
    dispatcher.bind(gevent.get_hub())
    yield dispatcher
    wait_until(lambda: dispatcher.running == 0, "every job has ended")


def start_all(dispatcher, *jobs):
    """Start jobs, each (function, *args), from the hub, as packets do that arrive together."""

    def start():
        for function, *args in jobs:
            dispatcher.start(function, tuple(args))

    in_hub(start)


def remember(greenlets):
    greenlets.append(getcurrent())


def test_a_job_runs_at_once_and_others_after_it_in_order(dispatcher):
    log = []

    def job(name, pause):
        log.append(f"{name} starts")
        gevent.sleep(pause)
        log.append(f"{name} ends")

    start_all(dispatcher, (job, "a", 0.03), (job, "b", 0.01), (log.append, "c"))
    assert log == ["a starts", "b starts", "c"]
    assert dispatcher.running == 2
    wait_until(lambda: dispatcher.running == 0)
    assert log[3:] == ["b ends", "a ends"]


def test_each_runs_until_it_first_blocks(dispatcher):
    log = []

    def job(name):
        log.extend([f"{name}1", f"{name}2"])
        gevent.sleep(0)
        log.append(f"{name}3")

    start_all(dispatcher, (job, "a"), (job, "b"))
    wait_until(lambda: len(log) == 6)
    assert log == ["a1", "a2", "b1", "b2", "a3", "b3"]


def test_from_a_greenlet_a_job_waits_for_the_hub(dispatcher):
    log = []
    dispatcher.start(log.append, ("job",))
    dispatcher.start(log.append, ("second",))
    assert log == []
    turn()
    assert log == ["job", "second"]


def test_a_job_can_start_jobs(dispatcher):
    log = []

    def outer(name):
        dispatcher.start(log.append, ("inner",))
        log.append(name)

    start_all(dispatcher, (outer, "outer"))
    wait_until(lambda: len(log) == 2)
    assert log == ["outer", "inner"]


def test_arguments_of_any_kind(dispatcher):
    got = []
    cases = [(None,), ((),), (1, (2, 3), [4]), ((1, 2),), (ValueError(),), ("", 0)]
    for arguments in cases:
        start_all(dispatcher, (lambda *args: got.append(args), *arguments))
    assert got == cases


def test_idle_greenlets_are_used_again_and_kept_in_bounds(dispatcher):
    greenlets = []
    for _ in range(5):
        start_all(dispatcher, (remember, greenlets))
    assert len(set(greenlets)) == 1
    go = Event()
    start_all(dispatcher, *[(go.wait, None)] * (MAX_IDLE + 50))
    assert dispatcher.running == MAX_IDLE + 50
    go.set()
    wait_until(lambda: dispatcher.running == 0)
    gc.collect()
    alive = [item for item in gc.get_objects() if isinstance(item, greenlet) and item and item.gr_frame is not None]
    workers = [item for item in alive if item.gr_frame.f_locals.get("self") is dispatcher]
    assert 0 < len(workers) <= MAX_IDLE


def test_context_variables_of_one_job_are_not_seen_by_another(dispatcher):
    seen = []

    def job(value):
        seen.append(VARIABLE.get())
        VARIABLE.set(value)
        gevent.sleep(0.001)
        seen.append(VARIABLE.get())

    VARIABLE.set("the test's")
    start_all(dispatcher, (job, "a"), (job, "b"))
    wait_until(lambda: len(seen) == 4)
    start_all(dispatcher, (job, "c"))
    wait_until(lambda: len(seen) == 6)
    assert sorted(seen) == ["a", "b", "c", "unset", "unset", "unset"]
    assert VARIABLE.get() == "the test's"


class Own(BaseException):
    """Neither an Exception nor one of gevent's."""


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), Own(), gevent.Timeout(1)])
def test_an_exception_is_logged_and_costs_nobody_else(dispatcher, caplog, error):
    log = []

    def fail(_):
        raise error

    for _ in range(3):
        start_all(dispatcher, (fail, None), (log.append, "after"))
    assert log == ["after"] * 3
    assert len(caplog.records) == 3
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert dispatcher.running == 0


def test_a_job_that_ends_its_greenlet_ends_no_other(dispatcher, caplog):
    log = []

    def leave(_):
        raise GreenletExit

    start_all(dispatcher, (leave, None), (log.append, "after"))
    start_all(dispatcher, (log.append, "later"))
    assert log == ["after", "later"]
    assert caplog.records == []
    assert dispatcher.running == 0


def test_a_timeout_that_was_never_cancelled_does_not_hurt_the_next_job(dispatcher, caplog):
    log, greenlets = [], []

    def careless(greenlets):
        remember(greenlets)
        gevent.Timeout(0.01).start()

    start_all(dispatcher, (careless, greenlets))
    wait_until(lambda: caplog.records, "the timeout reaches the idle greenlet")
    assert "Timeout" in caplog.text
    start_all(dispatcher, (remember, log))
    assert log == greenlets  # it still waits for work
    assert dispatcher.running == 0


def test_a_greenlet_that_is_killed_while_idle_is_not_used_again(dispatcher):
    greenlets, log = [], []
    start_all(dispatcher, (remember, greenlets))
    gevent.kill(greenlets[0])
    turn()
    assert greenlets[0].dead
    start_all(dispatcher, (log.append, "served"))
    assert log == ["served"]
    assert dispatcher.running == 0


@pytest.mark.parametrize("woken_with", [(), (None,), ("what an earlier job waited for",), ((1, 2),)], ids=repr)
def test_a_switch_that_was_meant_for_an_earlier_job_starts_nothing_and_mixes_nothing(dispatcher, caplog, woken_with):
    greenlets, log, go = [], [], Event()

    def job(name):
        log.append(name)
        go.wait()
        log.append(f"{name} ends")

    start_all(dispatcher, (remember, greenlets))
    in_hub(greenlets[0].switch, *woken_with)
    start_all(dispatcher, (job, "a"), (job, "b"), (job, "c"))
    assert log == ["a", "b", "c"]
    assert dispatcher.running == 3
    go.set()
    wait_until(lambda: len(log) == 6)
    assert sorted(log[3:]) == ["a ends", "b ends", "c ends"]


def test_what_a_job_was_given_is_not_kept_by_an_idle_greenlet(dispatcher):
    class Large:
        pass

    def count():
        gc.collect()
        return sum(isinstance(item, Large) for item in gc.get_objects())

    for _ in range(2):  # the first starts a greenlet, the second uses it again
        start_all(dispatcher, (lambda large: None, Large()))
        assert count() == 0
