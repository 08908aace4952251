"""Owns what `socketio.cluster` is, with and without a cluster, and how its hook is called."""

import os

import gevent
import pytest
from flask import Flask, current_app

from extension.wire import wait_for
from flask_socketio_py import SocketIO
from flask_socketio_py.cluster_view import KIND, MAX_WAITING, StatusHook
from flask_socketio_py.registry import ANY, Registry
from flask_socketio_py.socketio.adapters.cluster_status import ClusterStatus, now
from flask_socketio_py.socketio.adapters.memory import Hall, MemoryDialect


@pytest.fixture
def hall():
    return Hall()


@pytest.fixture
def member(hall):
    """``member(dialect)``: an application of a cluster in this process."""
    made = []

    def make(dialect=None):
        socketio = SocketIO(Flask("member"), message_queue=dialect or MemoryDialect(hall))
        made.append(socketio)
        return socketio

    yield make
    for socketio in made:
        socketio.shutdown()


def app_of(socketio):
    return socketio._handlers.app


def test_there_is_none_without_a_cluster(socketio):
    assert socketio.cluster is None
    with pytest.raises(RuntimeError, match=r"call init_app\(app\) first"):
        _ = SocketIO().cluster


def test_who_only_emits_is_none_of_its_servers():
    assert SocketIO(message_queue="redis://127.0.0.1:1").cluster is None


def test_a_dialect_that_says_nothing_counts_as_connected_while_it_is_used(member):
    one, another = member(), member()
    heard = []
    one.on_cluster_status(heard.append)
    assert one.cluster is one.cluster
    assert one.cluster.status.state == "idle"
    assert not one.cluster.status
    client = one.test_client(app_of(one))
    status = one.cluster.status
    assert status
    assert status.connected
    assert (status.error, status.address, status.waiting, status.lost, status.malformed) == (None, None, 0, 0, 0)
    assert one.cluster.servers() == 1
    gevent.spawn(lambda: another.cluster.status).get()
    assert one.cluster.servers() == another.cluster.servers("") == 2
    assert one.cluster.servers("/nobody-has-it") == 1
    client.close()
    one.shutdown()
    assert one.cluster.status.state == "closed"
    wait_for(lambda: [status.state for status in heard] == ["connected", "closed"], "the hook is called")
    assert another.cluster.servers() == 1
    assert repr(one.cluster).startswith("<ClusterView: closed since ")


def test_a_child_of_a_server_has_not_joined(member, monkeypatch):
    socketio = member()
    gevent.spawn(lambda: socketio.cluster.status).get()
    assert socketio.cluster.status.connected
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert socketio.cluster.status.state == "idle"


def test_it_is_joined_by_who_asks_in_a_request(member):
    socketio = member()
    app = app_of(socketio)
    app.add_url_rule("/readyz", view_func=lambda: ("", 200 if socketio.cluster.status else 503))
    # In a program's main part nobody serves, and nothing begins.
    assert app.test_client().get("/readyz").status_code == 503
    assert gevent.spawn(app.test_client().get, "/readyz").get().status_code == 200
    assert app.test_client().get("/readyz").status_code == 200


def test_a_dialect_of_ones_own_may_say_more(member, hall):
    class Telling(MemoryDialect):
        def __init__(self, hall):
            super().__init__(hall)
            self.state, self.changed = "connected", None

        @property
        def status(self):
            return ClusterStatus(self.state, now(), "on purpose" if self.state == "disconnected" else None, lost=3)

        def watch(self, changed):
            self.changed = changed

        def turn(self, state):
            self.state = state
            self.changed()

    dialect = Telling(hall)
    socketio = member(dialect)
    heard = []
    socketio.on_cluster_status(lambda status: heard.append((status.state, status.error, status.lost)))
    assert socketio.cluster.status.state == "idle"
    gevent.spawn(lambda: socketio.cluster.status).get()
    dialect.turn("disconnected")
    assert socketio.cluster.status.error == "on purpose"
    since = socketio.cluster.status.since
    # It has not come back until it is connected.
    dialect.turn("connecting")
    assert socketio.cluster.status.state == "disconnected"
    assert socketio.cluster.status.since == since
    dialect.turn("connected")
    dialect.turn("connected")
    wait_for(lambda: len(heard) >= 3, "the hook is called")
    assert heard == [("connected", None, 3), ("disconnected", "on purpose", 3), ("connected", None, 3)]


def status(number):
    """Statuses that can be told apart."""
    return ClusterStatus("connected", now(), lost=number)


class Hooked:
    """A hook with what its functions were told."""

    def __init__(self, app):
        self.registry = Registry()
        self.hook = StatusHook(app, self.registry)
        self.told = []

    def tell(self, numbers):
        for number in numbers:
            self.hook.tell(status(number))

    def register(self, function):
        self.registry.add(KIND, ANY, function)


@pytest.fixture
def hooked(app):
    return Hooked(app)


def test_a_slow_function_hears_all_in_order_and_one_at_a_time(hooked):
    running = []

    def slow(status):
        assert not running
        running.append(True)
        gevent.sleep(0.001)
        running.clear()
        hooked.told.append(status.lost)

    hooked.register(slow)
    hooked.tell([0])
    gevent.sleep(0)
    hooked.tell(range(1, 20))
    wait_for(lambda: len(hooked.told) == 20, "all is told")
    assert hooked.told == list(range(20))


def test_the_last_is_told_however_many_wait(hooked):
    gate = gevent.event.Event()

    def blocked(status):
        gate.wait()
        hooked.told.append(status.lost)

    hooked.register(blocked)
    hooked.tell([-1])
    gevent.sleep(0)
    hooked.tell(range(3 * MAX_WAITING))
    gate.set()
    wait_for(lambda: hooked.told[-1:] == [3 * MAX_WAITING - 1], "the last is told")
    assert hooked.told == [-1, *range(2 * MAX_WAITING, 3 * MAX_WAITING)]


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), gevent.Timeout(1)], ids=["an error", "a timeout"])
def test_who_fails_harms_no_other_and_is_logged(app, hooked, caplog, error):
    def fail(status):
        raise error

    hooked.register(fail)
    hooked.register(lambda status: hooked.told.append((current_app.name, status.lost)))
    hooked.tell([1, 2])
    wait_for(lambda: len(hooked.told) == 2, "both are told")
    assert hooked.told == [(app.name, 1), (app.name, 2)]
    assert [record.message for record in caplog.records] == ["an on_cluster_status function failed"] * 2


def test_who_is_killed_is_told_the_next_time(hooked, caplog):
    def once(status):
        if not hooked.told:
            hooked.told.append("killed")
            raise gevent.GreenletExit
        hooked.told.append(status.lost)

    hooked.register(once)
    hooked.tell([1, 2])
    wait_for(lambda: hooked.told, "the first is told")
    hooked.tell([3])
    wait_for(lambda: hooked.told == ["killed", 2, 3], "the others are told")


def test_where_nothing_is_registered_nothing_waits(hooked):
    hooked.tell([1])
    hooked.register(lambda status: hooked.told.append(status.lost))
    hooked.tell([2])
    wait_for(lambda: hooked.told, "it is told")
    assert hooked.told == [2]


def test_what_is_no_function(socketio):
    with pytest.raises(TypeError, match="on_cluster_status must be given a function, not str"):
        socketio.on_cluster_status("log")


def test_the_decorator_returns_the_function(socketio):
    function = socketio.on_cluster_status(print)
    assert function is print
