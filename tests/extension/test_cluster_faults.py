"""Owns what an application sees of a Redis that is away, comes back, is paused, refuses it, or cuts it off."""

import logging

import gevent
import pytest
from flask import Flask, current_app
from redis_server import RedisServer
from socketio.adapters.redis.proxy import Proxy

from extension.wire import wait_for
from flask_socketio_py import SocketIO
from flask_socketio_py.socketio.adapters.redis import lane, wire
from flask_socketio_py.socketio.adapters.redis import publisher as publisher_module

LOG = "flask_socketio_py.socketio.adapters.cluster_status"


@pytest.fixture(params=["redis", "redis+streams"])
def scheme(request):
    return request.param


@pytest.fixture
def own_server():
    """A server for this test alone, which keeps what it is given over restarts."""
    with RedisServer(aof=True) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch):
    """Silence is noticed soon, and what can't be sent is given up soon."""
    monkeypatch.setattr(wire, "TIMEOUT", 0.5)
    monkeypatch.setattr(lane, "HEARTBEAT", 0.2)
    monkeypatch.setattr(publisher_module, "PATIENCE", 0.5)


class Member:
    """An application in a cluster, a client of it, and what its hook heard."""

    def __init__(self, url, scheme):
        self.app = Flask("member")
        self.app.config["SECRET_KEY"] = "only for tests"
        self.socketio = SocketIO(self.app, message_queue=url.replace("redis:", f"{scheme}:"))
        self.heard = []
        self.socketio.on_cluster_status(self._hear)
        self.socketio.on("echo")(lambda value: value)
        assert self.status.state == "idle"
        self.client = self.socketio.test_client(self.app)

    def _hear(self, status):
        assert current_app.name == "member"
        self.heard.append(status)

    @property
    def status(self):
        return self.socketio.cluster.status

    @property
    def states(self):
        return [status.state for status in self.heard]

    def becomes(self, state):
        """Wait until the hook has heard of a state that is still so; the status."""
        wait_for(lambda: self.states[-1:] == [state] and self.status.state == state, f"it is {state}")
        return self.status

    def finds(self):
        """Its own client alone, and whether that is all there are."""
        found = self.socketio.fetch_sockets()
        assert [socket.id for socket in found] == [self.sid]
        return found.complete

    def serves(self):
        """Its own client is served, whatever the others may be."""
        assert self.client.emit("echo", "hello", callback=True) == "hello"
        self.client.get_received()
        self.socketio.emit("to you", to=self.sid)
        wait_for(lambda: [event["name"] for event in self.client.get_received()] == ["to you"], "the client hears")

    @property
    def sid(self):
        [sid] = self.socketio.sockets
        return sid

    def close(self):
        self.client.close()
        self.socketio.shutdown()


@pytest.fixture
def join(scheme):
    members = []

    def join(url):
        members.append(Member(url, scheme))
        return members[-1]

    yield join
    for member in members:
        member.close()


def lines(caplog):
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == LOG]


def test_away_at_the_start(join, caplog):
    caplog.set_level(logging.INFO, "flask_socketio_py")
    server = RedisServer()
    try:
        member = join(server.url)
        status = member.becomes("disconnected")
        assert not status
        assert status.error == "ConnectionError (Connection refused)"
        assert status.address == f"127.0.0.1:{server.port}"
        assert str(status).startswith("disconnected since 2")
        assert f"UTC (127.0.0.1:{server.port}): ConnectionError (Connection refused)" in str(status)
        member.serves()
        assert member.socketio.cluster.servers() == 1
        assert member.finds() is False
        gevent.sleep(0.3)
        assert member.states == ["connecting", "disconnected"]
        server.start()
        assert member.becomes("connected")
        assert member.states == ["connecting", "disconnected", "connected"]
        assert [status.since for status in member.heard] == sorted(status.since for status in member.heard)
        (first, lost), (second, back) = lines(caplog)
        assert (first, second) == ("WARNING", "INFO")
        assert f"no connection to 127.0.0.1:{server.port}: ConnectionError (Connection refused)" in lost
        assert f"connected to 127.0.0.1:{server.port} after " in back
        wait_for(member.finds, "it knows that it is alone")
        member.serves()
    finally:
        server.discard()


def test_killed_and_restarted(join, scheme, own_server, impatient, caplog):
    caplog.set_level(logging.INFO, "flask_socketio_py")
    member, other = join(own_server.url), join(own_server.url)
    member.becomes("connected")
    other.becomes("connected")
    wait_for(lambda: member.socketio.cluster.servers() == 2, "they know each other")
    assert lines(caplog) == [("INFO", f"cluster: connected to 127.0.0.1:{own_server.port}")] * 2
    caplog.clear()
    own_server.kill()
    status = member.becomes("disconnected")
    assert status.error.startswith("Connection")
    member.serves()
    member.socketio.emit("meanwhile", to="red")
    if scheme == "redis":
        wait_for(lambda: member.status.lost and not member.status.waiting, "what can't be sent is lost")
        lost = member.status.lost
    else:
        assert member.status.waiting
        lost = 0
    gevent.sleep(0.3)
    own_server.start()
    status = member.becomes("connected")
    other.becomes("connected")
    assert status.lost == lost
    wait_for(lambda: not member.status.waiting, "all is sent")
    assert member.states == ["connecting", "connected", "disconnected", "connected"]
    assert [level for level, _ in lines(caplog)] == ["WARNING", "WARNING", "INFO", "INFO"]  # one of each server
    assert any(f" s without; {lost} messages to the other servers were lost" in text for _, text in lines(caplog))


def test_paused(join, own_server, impatient):
    member = join(own_server.url)
    member.becomes("connected")
    own_server.pause()
    try:
        assert member.becomes("disconnected").error.startswith("TimeoutError")
        member.serves()
    finally:
        own_server.resume()
    member.becomes("connected")
    assert member.states[-2:] == ["disconnected", "connected"]


def test_a_password_that_is_refused(join, caplog):
    caplog.set_level(logging.DEBUG, "flask_socketio_py")
    with RedisServer(password="right") as server:
        member = join(server.url.replace("right", "WR0NG"))
        status = member.becomes("disconnected")
        assert status.error == "AuthenticationError (wrong or missing user name or password)"
        member.serves()
        assert [level for level, text in lines(caplog) if "AuthenticationError" in text] == ["WARNING"]
        server.ask("CONFIG", "SET", "requirepass", "WR0NG")
        server.password = "WR0NG"
        member.becomes("connected")
        assert "WR0NG" not in caplog.text + repr(member.heard) + str(member.status) + repr(member.socketio.cluster)


def test_dropped_for_reading_too_slowly(join, own_server):
    own_server.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 20kb 0 0")
    member = join(own_server.url)
    member.becomes("connected")
    # More at once than anybody could read in time.
    script = "for _ = 1, 100 do redis.call('PUBLISH', ARGV[1], ARGV[2]) end"
    own_server.ask("EVAL", script, 0, "socket.io#/#", b"x" * 10_000)
    wait_for(lambda: "disconnected" in member.states, "it is cut off")
    member.becomes("connected")
    assert member.states[:4] == ["connecting", "connected", "disconnected", "connected"]
    assert member.status.error.startswith("Connection")
    member.serves()


@pytest.mark.parametrize("cut_after", [1777, 4001])
def test_cut_in_the_middle_of_a_message(join, own_server, cut_after):
    proxy = Proxy(own_server.port, cut_after)
    try:
        member, other = join(proxy.url), join(own_server.url)
        other.becomes("connected")

        def cut():
            other.socketio.emit("long", "x" * 300)
            return proxy.cuts >= 3 and "disconnected" in member.states

        wait_for(cut, "it is cut")
        proxy.cut_after = None
        member.becomes("connected")
        member.serves()
        wait_for(lambda: other.socketio.cluster.servers() == 2, "they know each other")
        member.client.get_received()
        other.socketio.emit("end")
        names = []
        wait_for(
            lambda: names.extend(event["name"] for event in member.client.get_received()) or "end" in names, "heard"
        )
        assert member.status.malformed == 0
    finally:
        proxy.close()


@pytest.mark.parametrize("scheme", ["redis+streams"], indirect=True)
def test_a_log_that_is_refused_may_be_there_later(join, own_server, caplog):
    own_server.ask("SET", "socket.io", "no stream")
    member = join(own_server.url)
    status = member.becomes("disconnected")
    assert status.error.startswith("XREVRANGE failed: Redis refused it: WRONGTYPE")
    assert [level for level, text in lines(caplog) if "WRONGTYPE" in text] == ["WARNING"]
    member.serves()
    own_server.ask("DEL", "socket.io")
    member.becomes("connected")
    member.serves()


def test_what_can_not_be_read_is_counted(join, scheme, own_server):
    member = join(own_server.url)
    member.becomes("connected")
    wait_for(lambda: member.socketio.cluster.servers() == 1, "it listens")
    if scheme == "redis":
        own_server.ask("PUBLISH", "socket.io#/#", b"\xc1")
    else:
        own_server.ask("PUBLISH", "socket.io#/#", b"\xc1")
        own_server.ask("XADD", "socket.io", "*", "no", "entry")
    expected = 1 if scheme == "redis" else 2
    wait_for(lambda: member.status.malformed == expected, "it is counted")
    assert str(member.status).endswith(f", {expected} malformed")
    assert member.status.connected
