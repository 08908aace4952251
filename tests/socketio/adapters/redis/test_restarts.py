"""Owns the promise of streams: over twenty restarts of Redis under load nothing is lost, and nothing is given twice."""

import gc
import statistics

import gevent
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.redis.publisher import Publisher

from .conftest import descriptors, greenlets

RESTARTS = 20


def test_twenty_restarts_under_load(own_server, read, opened):
    reader = read(own_server, "s", count=50)
    publisher = opened(Publisher(own_server.url))
    pool = gevent.get_hub().threadpool
    sent, answers, stop, counts = [0], [], [], []

    def load():
        while not stop:
            for _ in range(20):
                publisher.send("XADD", "s", "*", "n", sent[0], durable=True, done=answers.append)
                sent[0] += 1
            gevent.sleep(0.003)

    loading = gevent.spawn(load)
    for _ in range(RESTARTS):
        heard = len(reader.got)
        wait_until(lambda heard=heard: len(reader.got) > heard + 100)
        pool.spawn(own_server.kill).get()
        gevent.sleep(0.02)
        pool.spawn(own_server.start).get()
        gc.collect()
        counts.append((greenlets(), descriptors()))
    stop.append(True)
    loading.get()
    wait_until(lambda: len(answers) == sent[0])
    with own_server.client() as client:
        stored = [(identifier.decode(), int(fields[b"n"])) for identifier, fields in client.xrange("s")]
    wait_until(lambda: len(reader.got) >= len(stored))

    # The reader: every entry that Redis has, once, in order.
    assert [(identifier, int(fields[b"n"])) for _, identifier, fields in reader.got] == stored
    assert reader.gaps == []
    # The publisher: every command was done, and what was done twice came in order again.
    numbers = [number for _, number in stored]
    assert set(numbers) == set(range(sent[0]))
    assert list(dict.fromkeys(numbers)) == list(range(sent[0]))
    assert all(isinstance(answer, bytes) for answer in answers)
    assert publisher.lost == 0
    # Nothing grows: one a restart would be ten more. A median, since each count may find somebody connecting.
    for before, after in zip(zip(*counts[:10], strict=True), zip(*counts[10:], strict=True), strict=True):
        assert statistics.median(after) <= max(before) + 1
