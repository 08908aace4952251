"""Owns what people see of a cluster's state: the value in words, and one log line per change, never a flood."""

import logging
from dataclasses import FrozenInstanceError
from datetime import datetime, timezone

import pytest

from flask_socketio_py.socketio.adapters import cluster_status
from flask_socketio_py.socketio.adapters.cluster_status import MAX_OUTAGES, REMIND_EVERY, ClusterStatus, Watch

SINCE = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)


class Clock:
    """The monotonic clock, as the test has it."""

    def __init__(self):
        self.time = 1000.0

    def monotonic(self):
        return self.time


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(cluster_status, "time", clock)
    return clock


class Watched:
    """A watch over a status that the test sets."""

    def __init__(self):
        self.status = ClusterStatus("idle", SINCE)
        self.watch = Watch(lambda: self.status)
        self.told = []
        self.watch.on_change = self.told.append

    def turn(self, state, error=None, **counts):
        self.status = ClusterStatus(state, SINCE, error, "host:6379", **counts)
        self.watch.changed()


@pytest.fixture
def watched(clock, caplog):
    caplog.set_level(logging.INFO, "flask_socketio_py")
    return Watched()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (ClusterStatus("idle", SINCE), "idle since 2026-02-03 04:05:06 UTC"),
        (
            ClusterStatus("connected", SINCE, "over", "host:6379", lost=2),
            "connected since 2026-02-03 04:05:06 UTC (host:6379), 2 lost",
        ),
        (
            ClusterStatus("disconnected", SINCE, "TimeoutError", "host:6379", 3, 2, 1),
            "disconnected since 2026-02-03 04:05:06 UTC (host:6379): TimeoutError, 3 waiting, 2 lost, 1 malformed",
        ),
    ],
)
def test_in_words(status, text):
    assert str(status) == text


def test_a_value():
    status = ClusterStatus("connected", SINCE)
    assert status == ClusterStatus("connected", SINCE) != ClusterStatus("connected", SINCE, lost=1)
    assert hash(status) == hash(ClusterStatus("connected", SINCE))
    with pytest.raises(FrozenInstanceError):
        status.lost = 1
    others = ("idle", "connecting", "disconnected", "closed")
    assert [bool(ClusterStatus(state, SINCE)) for state in ("connected", *others)] == [True, False, False, False, False]


def texts(caplog):
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_one_line_for_the_loss_and_one_for_the_return(watched, clock, caplog):
    watched.turn("connecting")
    watched.turn("connected")
    for _ in range(100):
        watched.turn("disconnected", "ConnectionError", lost=1)
        clock.time += REMIND_EVERY / 200
    watched.turn("connected", "ConnectionError", lost=5)
    watched.turn("closed")
    assert texts(caplog) == [
        "INFO cluster: connected to host:6379",
        "WARNING cluster: no connection to host:6379: ConnectionError; clients of this server are served, trying again",
        "INFO cluster: connected to host:6379 after 30.0 s without; 4 messages to the other servers were lost",
        "INFO cluster: closed",
    ]
    assert [status.state for status in watched.told] == [
        "connecting",
        "connected",
        "disconnected",
        "connected",
        "closed",
    ]


def test_a_long_outage_is_remembered_with_its_present_reason(watched, clock, caplog):
    watched.turn("disconnected", "ConnectionError")
    for _ in range(25):
        clock.time += REMIND_EVERY / 10
        watched.turn("disconnected", "AuthenticationError")
    assert texts(caplog)[1:] == [
        f"WARNING cluster: still no connection to host:6379 after {seconds:.0f} s: AuthenticationError"
        for seconds in (REMIND_EVERY, 2 * REMIND_EVERY)
    ]


def test_outages_without_end_do_not_flood_the_log(watched, clock, caplog):
    for _ in range(500):
        watched.turn("disconnected", "ConnectionError")
        watched.turn("connected")
    assert len(texts(caplog)) == 2 * MAX_OUTAGES
    assert len(watched.told) == 1000
    # One that lasts is said, also when its beginning was not.
    watched.turn("disconnected", "ConnectionError")
    clock.time += REMIND_EVERY + 1
    watched.turn("disconnected", "ConnectionError")
    watched.turn("connected")
    assert [text.split(":")[1].split(" to ")[0] for text in texts(caplog)[2 * MAX_OUTAGES :]] == [
        " still no connection",
        " connected",
    ]


def test_a_further_connection_is_no_change(watched):
    watched.turn("connected")
    since = watched.watch.status.since
    watched.turn("connecting")
    assert watched.watch.status.state == "connected"
    assert watched.watch.status.since == since > SINCE
    assert len(watched.told) == 1


def test_a_child_begins_anew(watched):
    watched.turn("connected")
    watched.watch.begin()
    watched.turn("connecting")
    watched.turn("connected")
    assert [status.state for status in watched.told] == ["connected", "connecting", "connected"]
