"""Servers, and the check that no test leaves a greenlet or a descriptor behind."""

import gc
import os

import gevent
import pytest
from contract.waiting import wait_until
from redis_server import RedisServer, redis_cluster

from flask_socketio_py.socketio.adapters.redis.publisher import Publisher
from flask_socketio_py.socketio.adapters.redis.stream_reader import StreamReader
from flask_socketio_py.socketio.adapters.redis.subscriber import Subscriber


@pytest.fixture(scope="package")
def shared_server():
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(shared_server):
    """A server that works, and is empty."""
    shared_server.ask("FLUSHALL")
    return shared_server


@pytest.fixture(scope="package")
def shared_cluster():
    with redis_cluster() as servers:
        yield servers


@pytest.fixture
def cluster(shared_cluster):
    """The masters of a Redis Cluster that works, and is empty; who has which slot is open."""
    for server in shared_cluster:
        server.ask("FLUSHALL")
    return shared_cluster


@pytest.fixture
def own_server():
    """A server for this test alone, which may do to it what it likes; it keeps what it is given over restarts."""
    with RedisServer(aof=True) as server:
        yield server


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def greenlets():
    # By type(): isinstance() would ask a weak reference whose object has gone.
    return sum(issubclass(type(thing), gevent.Greenlet) and not thing.dead for thing in gc.get_objects())


@pytest.fixture
def opened():
    """``opened(thing)``: closed when the test is over; then nothing of it may be left."""
    gevent.get_hub().threadpool  # noqa: B018 - names are looked up in it, and it stays
    before = greenlets(), descriptors()
    things = []

    def keep(thing):
        things.append(thing)
        return thing

    yield keep
    for thing in things:
        thing.close()
    gc.collect()
    wait_until(lambda: greenlets() <= before[0], "the greenlets end")
    wait_until(lambda: descriptors() <= before[1], "the descriptors are closed")


@pytest.fixture
def publisher(server, opened):
    return opened(Publisher(server.url))


@pytest.fixture
def subscribe(opened):
    """``subscribe(server_or_url, *channels)``: a subscriber that is ready, with what it heard in ``heard``."""

    def subscribe(server, *channels, sharded=False, **options):
        heard = []
        url = server if isinstance(server, str) else server.url
        subscriber = opened(Subscriber(url, lambda channel, data: heard.append((channel, data)), **options))
        subscriber.heard = heard
        (subscriber.ssubscribe if sharded else subscriber.subscribe)(*channels)
        assert subscriber.ready(10)
        return subscriber

    return subscribe


@pytest.fixture
def read(opened):
    """``read(server, *streams)``: a reader that is ready, with what it read in ``got`` and the gaps in ``gaps``."""

    def read(server, *streams, last="$", **options):
        got, gaps = [], []
        url = server if isinstance(server, str) else server.url
        reader = opened(
            StreamReader(
                url,
                dict.fromkeys(streams, last),
                lambda stream, entries: got.extend((stream, *entry) for entry in entries),
                on_gap=lambda *gap: gaps.append(gap),
                **{"block": 0.3, **options},
            )
        )
        reader.got, reader.gaps = got, gaps
        assert reader.ready(10)
        return reader

    return read
