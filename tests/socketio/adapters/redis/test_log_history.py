"""Owns the part of the log that is read back for those who come back: once, whole, and without repetitions."""

import random

import gevent
import pytest
from contract.waiting import wait_until

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis import log_history
from flask_socketio_py.socketio.adapters.redis.log_history import LogHistory
from flask_socketio_py.socketio.adapters.redis.log_reader import LogReader
from flask_socketio_py.socketio.adapters.redis.stream_log import number


@pytest.fixture
def reader(publisher, opened):
    """One that reads the stream ``log``."""
    reader = LogReader(
        publisher, "log", lambda *entry: None, on_state=lambda connected: None, on_gap=lambda reason: None
    )
    reader.start()
    wait_until(lambda: reader.status.state == "connected", "it reads")
    return opened(reader)


class Asking:
    """Redis, and what it was asked."""

    def __init__(self, publisher):
        self._ask = publisher.ask
        self.asked = []
        self.before = None

    def __call__(self, *command):
        self.asked.append(command[0])
        if self.before is not None:
            self.before()
        return self._ask(*command)


@pytest.fixture
def asking(publisher):
    return Asking(publisher)


def write(server, *sequences, size=10, kind="3"):
    """Entries of one server with these numbers; returns their ids."""
    with server.client() as client, client.pipeline(transaction=False) as pipeline:
        for sequence in sequences:
            pipeline.execute_command(
                *("XADD", "log", "*", "uid", "0123456789abcdef", "nsp", "/", "type", kind),
                *("data", "x" * size, "seq", sequence),
            )
        return [identifier.decode() for identifier in pipeline.execute()]


@pytest.fixture
def add(server, reader):
    """As ``write``; returns when they are read."""

    def add(*sequences, **options):
        added = write(server, *sequences, **options)
        wait_until(lambda: reader.position == added[-1], "they are read")
        return added

    return add


def ids(past):
    return [identifier for _, identifier, entry in past[0] if entry is not None]


def test_many_read_it_once(server, add, reader, asking):
    added = add(*range(1, 251))
    history = LogHistory(asking, 5.0)
    found = [gevent.spawn(history.after, start, reader) for start in reversed(added[::10])]
    gevent.joinall(found, raise_error=True)
    for start, past in zip(reversed(added[::10]), found, strict=True):
        assert ids(past.value) == added[added.index(start) + 1 :]
        assert past.value[1] == number(added[-1])
    assert asking.asked.count("XREVRANGE") == 1  # the others' beginnings were read along with the first one's
    assert len(asking.asked) < 40
    [later] = add(251)
    assert ids(history.after(added[0], reader)) == [*added[1:], later]
    assert ids(history.after(later, reader)) == []
    assert asking.asked.count("XREVRANGE") == 1


def test_the_reader_is_never_beyond_it(server, add, reader, asking):
    start, *_ = add(*range(1, 50))
    history, sequence = LogHistory(asking, 5.0), iter(range(50, 1000))
    asking.before = lambda: len(asking.asked) < 20 and write(server, next(sequence))
    for _ in range(5):
        past, last = history.after(start, reader)
        assert last >= number(reader.position)
        assert [position for position, _, _ in past] == sorted(position for position, _, _ in past)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_repeated_and_whoever_asks_first(server, add, reader, asking, monkeypatch, seed):
    monkeypatch.setattr(log_history, "LOOK_BACK", 40)
    monkeypatch.setattr(log_history, "PAGE", 7)
    rng = random.Random(seed)
    sequences, following = [], 1
    while following < 150:
        batch = list(range(following, following + rng.randrange(1, 9)))
        sequences += batch[: rng.randrange(len(batch) + 1)] + batch
        following += len(batch)
    added = add(*sequences)
    new = {identifier for place, identifier in enumerate(added) if sequences[place] not in sequences[:place]}
    history = LogHistory(asking, 5.0)
    for place in rng.sample(range(len(added)), 60):
        assert ids(history.after(added[place], reader)) == [one for one in added[place + 1 :] if one in new]


def test_what_is_no_entry_changes_nothing(server, add, reader, asking):
    added = add(*range(1, 30))
    del added[10:12]
    with server.client() as client:
        gone = [identifier.decode() for identifier, _ in client.xrange("log")[10:12]]
        client.xdel("log", *gone)
    history = LogHistory(asking, 5.0)
    assert ids(history.after(added[5], reader)) == added[6:]
    for start in (gone[0], "1-1", f"{number(added[-1])[0] + 10**6}-0", added[-1] + "0"):
        assert history.after(start, reader) is None
    assert ids(history.after(added[5], reader)) == added[6:]


def test_the_beginning_of_all(server, add, reader, asking):
    history = LogHistory(asking, 5.0)
    assert ids(history.after("0-0", reader)) == []
    added = add(1, 2, 3)
    assert ids(history.after("0-0", reader)) == added
    assert ids(LogHistory(asking, 5.0).after("0-0", reader)) == added
    server.ask("XTRIM", "log", "MAXLEN", 1)
    assert LogHistory(asking, 5.0).after("0-0", reader) is None


def test_what_nobody_is_sent_is_no_entry(server, add, reader, asking):
    [start] = add(1)
    add(2, kind="4")
    server.ask("XADD", "log", "*", "no", "entry")
    last = add(3)
    assert ids(LogHistory(asking, 5.0).after(start, reader)) == last


def test_it_is_bounded_in_bytes(server, add, reader, asking):
    added = add(*range(1, 201), size=1000)
    history = LogHistory(asking, 5.0, max_size=100_000)
    assert history.after(added[0], reader) is None  # too much
    assert history._size <= 100_000
    assert ids(history.after(added[-20], reader)) == added[-19:]
    more = add(*range(201, 401), size=1000)
    assert ids(history.after(more[-20], reader)) == more[-19:]
    assert history._size <= 100_000
    assert len(history._places) <= len(history._entries) + 1


def test_it_is_read_again_after_a_loss(server, add, reader, asking):
    added = add(*range(1, 10))
    history = LogHistory(asking, 5.0)
    assert ids(history.after(added[0], reader)) == added[1:]
    server.ask("DEL", "log")
    wait_until(lambda: reader.lost_up_to > (0, 0), "it is noticed")
    assert history.after(added[0], reader) is None
    again = add(*range(10, 20))
    assert ids(history.after(again[0], reader)) == again[1:]


def test_to_be_forgotten_while_it_is_read_harms_nobody(server, add, reader, asking):
    added = add(*range(1, 300))
    history = LogHistory(asking, 5.0)
    asking.before = history.forget
    assert ids(history.after(added[0], reader)) == added[1:]
    history.forget()
    assert (history._entries, history._size, history._places) == ([], 0, {})
    assert ids(history.after(added[0], reader)) == added[1:]


def test_nobody_waits_for_ever(server, add, reader, asking):
    [start] = add(1)
    history = LogHistory(asking, 0.1)
    asking.before = lambda: gevent.sleep(0.5)
    jobs = [gevent.spawn(history.after, start, reader) for _ in range(3)]
    for job in jobs[1:]:
        with pytest.raises(ClusterError, match="too many clients come back at once"):
            job.get()
    jobs[0].kill()
    asking.before = None
    assert history.after(start, reader) is not None
