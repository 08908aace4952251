"""Owns what a wrong configuration of Redis shows as: its fix in the status of each connection, never a credential,
nothing that crashes; and when the server is put right, everything works.
"""

import contextlib
import logging
import re
from pathlib import Path

import gevent
import pytest
from contract.waiting import wait_until
from redis_places import TLSServer, authority, tls_url
from redis_server import RedisServer

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis import feed, wire
from flask_socketio_py.socketio.adapters.redis.blocking import BlockingClient
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher
from flask_socketio_py.socketio.adapters.redis.stream_reader import StreamReader
from flask_socketio_py.socketio.adapters.redis.subscriber import Subscriber

SECRET = "S3cr3t"


class Landscape:
    """Every kind of server, each started when it is first asked for."""

    def __init__(self, stack):
        self._stack = stack
        self._started = {}

    def port(self, what):
        if what not in self._started:
            make = {
                "plain": lambda: RedisServer(password=SECRET),
                "tls": TLSServer,
                "tls elsewhere": lambda: TLSServer(certificate="elsewhere"),
                "sentinel": lambda: RedisServer(sentinel=""),
            }[what]
            self._started[what] = self._stack.enter_context(make())
        return self._started[what].port


@pytest.fixture(scope="module")
def landscape():
    with contextlib.ExitStack() as stack:
        yield Landscape(stack)


class Everything:
    """A publisher, a subscriber and a reader at one URL, with what they answered."""

    def __init__(self, url, opened, *, sharded=False):
        self.heard, self.got, self.answers = [], [], []
        self._verb = "SPUBLISH" if sharded else "PUBLISH"
        self.publisher = opened(Publisher(url))
        self.subscriber = opened(Subscriber(url, lambda *message: self.heard.append(message), interval=0.5))
        self.reader = opened(StreamReader(url, {"s": "0-0"}, lambda _, entries: self.got.extend(entries), block=0.3))
        self.all = (self.publisher, self.subscriber, self.reader)
        self.publisher.start()
        (self.subscriber.ssubscribe if sharded else self.subscriber.subscribe)("ok", "channel")
        self.reader.start()

    def states(self):
        return [thing.status.state for thing in self.all]

    def say(self):
        self.publisher.send(self._verb, "channel", "m", done=self.answers.append)
        self.publisher.send("XADD", "s", "*", "n", 1, durable=True, done=self.answers.append)

    def works(self):
        self.answers.clear()
        wait_until(lambda: self.states() == ["connected"] * 3, "all are connected")
        assert self.subscriber.ready(10)
        self.say()
        wait_until(lambda: self.heard[-1:] == [(b"channel", b"m")] and self.got, "both are heard")
        assert not any(isinstance(answer, ClusterError) for answer in self.answers)


def plain(port, credentials=f":{SECRET}@", scheme="redis", rest=""):
    return f"{scheme}://{credentials}127.0.0.1:{port}{rest}"


WRONG = {
    "a TLS port without TLS": ("tls", plain, r"hung up at once .*write rediss://"),
    "another port with TLS": (
        *("plain", lambda port: plain(port, scheme="rediss", rest="?ssl_cert_reqs=none")),
        r"no TLS handshake \(.*\): if the port is not for TLS, write redis://",
    ),
    "a CA that nobody knows": (
        *("tls", lambda port: tls_url(port, ca="")),
        r"certificate verify failed.*ssl_ca_certs must name the file with the CA",
    ),
    "a missing CA": (
        *("tls", lambda port: tls_url(port, ca="missing.pem")),
        r"the file of ssl_ca_certs can't be used \(No such file or directory\)",
    ),
    "no CA in the file": ("tls", lambda port: tls_url(port, ca="ca.key"), r"the file of ssl_ca_certs can't be used \("),
    "another's key": (
        *("tls", lambda port: tls_url(port).replace("client.key", "server.key")),
        r"the file of ssl_certfile or ssl_keyfile can't be used \(.*mismatch",
    ),
    "no certificate of ours": (
        *("tls", lambda port: tls_url(port, certificate=None)),
        r"want a certificate that it trusts: ssl_certfile and ssl_keyfile",
    ),
    "another host": ("tls elsewhere", tls_url, r"write a host that the server's certificate names, or ssl_check_host"),
    "a wrong password": (
        *("plain", lambda port: plain(port, f":{SECRET}?@".replace("?", "%3F"))),
        r"AuthenticationError \(wrong or missing user name or password\)",
    ),
    "an unknown user": (
        *("plain", lambda port: plain(port, f"{SECRET}user:{SECRET}@")),
        r"AuthenticationError \(wrong or missing user name or password\)",
    ),
    "no database": ("plain", lambda port: plain(port, rest="/99"), r"DB index is out of range"),
    "no cluster": (
        *("plain", lambda port: plain(port, scheme="redis+cluster")),
        r"this Redis is none of a Redis Cluster: write redis:// without \+cluster",
    ),
    "no sentinel": (
        *("plain", lambda port: plain(port, scheme="redis+sentinel", rest=f"/main?sentinel_password={SECRET}")),
        r"this is no sentinel \(their port is 26379\), or write redis:// without \+sentinel",
    ),
    "no such master": (
        *("sentinel", lambda port: plain(port, scheme="redis+sentinel", rest="/main")),
        r"the sentinels know no master by the name 'main'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_connection_says_what_to_write(landscape, opened, caplog, monkeypatch, name):
    monkeypatch.setattr(wire, "TIMEOUT", 0.5)
    caplog.set_level(logging.DEBUG, "flask_socketio_py")
    where, make, fix = WRONG[name]
    url = make(landscape.port(where))
    things = Everything(url, opened)
    things.say()
    wait_until(lambda: things.states() == ["disconnected"] * 3, "all say so")
    assert not things.subscriber.ready(0.05)
    with pytest.raises(ClusterError, match=r"PING failed: .*" + fix):
        opened(BlockingClient(url)).send(("PING",))
    wait_until(lambda: len(re.findall(fix, caplog.text)) >= 4, "each connection has said it")
    # A server that hangs up during TLS is heard to do so in more than one way.
    wait_until(lambda: any(re.search(fix, thing.status.error or "") for thing in things.all))
    assert "Traceback" not in caplog.text
    assert SECRET not in caplog.text + "".join(str(thing.status) for thing in things.all)
    assert things.heard == things.got == []
    assert all(isinstance(answer, ClusterError) for answer in things.answers)


def test_one_of_a_cluster_without_the_others(cluster, opened, caplog):
    things = Everything(f"redis://127.0.0.1:{cluster[0].port}", opened, sharded=True)
    # Each master has some of the slots; one that another has is refused.
    for number in range(20):
        things.publisher.send("SPUBLISH", f"c{number}", "m", done=things.answers.append)
        things.subscriber.ssubscribe(f"c{number}")
    wait_until(lambda: len(things.answers) == 20)
    refused = [str(answer) for answer in things.answers if isinstance(answer, ClusterError)]
    assert 0 < len(refused) < 20
    assert set(refused) == {
        "SPUBLISH failed: Redis refused it: the slot is another server's; "
        "this is one of a Redis Cluster, so write redis+cluster://"
    }
    wait_until(lambda: things.subscriber.status.state == "disconnected")
    assert not things.subscriber.ready(0.05)
    assert len(re.findall("SPUBLISH failed", caplog.text)) == 1
    assert "SSUBSCRIBE failed" in things.subscriber.status.error
    assert things.publisher.lost == len(refused)


def test_a_sentinel_in_place_of_its_master(landscape, opened, caplog):
    things = Everything(f"redis://127.0.0.1:{landscape.port('sentinel')}", opened)
    things.say()
    wait_until(lambda: len(things.answers) == 2)
    assert "this is a sentinel, so write redis+sentinel://HOST:PORT/NAME-OF-THE-MASTER" in str(things.answers[0])
    assert "or a sentinel" in str(things.answers[1])
    assert "this is a sentinel" in caplog.text


# -- put right on the server's side ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rights", "missing", "refusals"),
    [
        ("+@all ~* resetchannels &ok", "&channel", {"&CHANNEL"}),
        ("+@all -xread -subscribe ~* &*", "+xread +subscribe", {"+xread", "+subscribe"}),
        ("+@all -ping ~* &*", "+ping", {"+ping"}),
    ],
)
def test_a_user_that_lacks_a_right_and_is_given_it(server, opened, caplog, monkeypatch, rights, missing, refusals):
    monkeypatch.setattr(feed, "AGAIN", 0.1)
    server.ask("ACL", "SETUSER", "few", "reset", "on", f">{SECRET}", *rights.split())
    things = Everything(server.url.replace("://", f"://few:{SECRET}@"), opened)
    if missing != "+ping":
        things.say()
        wait_until(lambda: len(things.answers) == 2)
        shown = "\n".join(map(str, things.answers))
    else:
        wait_until(lambda: things.states() == ["disconnected"] * 3)
        shown = ""

    def fixes():
        told = "\n".join([shown, *(str(thing.status.error) for thing in things.all), caplog.text, ""])
        return set(re.findall(r"ACL SETUSER USER (\S+?)[;)'\n]", told))

    wait_until(lambda: fixes() == refusals)
    gevent.sleep(0.1)
    text = caplog.text
    assert max([text.count(line) for line in text.splitlines()], default=1) == 1
    assert SECRET not in text
    assert "few" not in text
    server.ask("ACL", "SETUSER", "few", *missing.split())
    things.works()


def test_others_are_heard_while_a_channel_is_refused(server, opened, monkeypatch):
    monkeypatch.setattr(feed, "AGAIN", 0.1)
    server.ask("ACL", "SETUSER", "few", "reset", "on", f">{SECRET}", "+@all", "~*", "resetchannels", "&ok")
    states = []
    things = Everything(server.url.replace("://", f"://few:{SECRET}@"), opened)
    things.subscriber._on_state = states.append
    wait_until(lambda: things.subscriber.status.state == "disconnected")
    for number in range(3):
        wait_until(lambda: server.ask("PUBLISH", "ok", "m") == 1)
        wait_until(lambda number=number: len(things.heard) == number + 1)
        gevent.sleep(0.15)
    assert states == []
    things.subscriber.unsubscribe("channel")  # nobody wants it any more
    wait_until(lambda: states == [True])
    assert things.subscriber.ready(10)
    assert server.ask("PUBLISH", "ok", "m") == 1


def test_a_master_that_the_sentinels_come_to_know(opened):
    with RedisServer() as master, RedisServer(sentinel="") as sentinel:
        things = Everything(f"redis+sentinel://127.0.0.1:{sentinel.port}/main", opened)
        wait_until(lambda: things.states() == ["disconnected"] * 3)
        sentinel.ask("SENTINEL", "MONITOR", "main", "127.0.0.1", master.port, 1)
        things.works()


def test_a_server_that_no_longer_wants_a_certificate(opened):
    with TLSServer() as server:
        things = Everything(tls_url(server.port, certificate=None), opened)
        wait_until(lambda: things.states() == ["disconnected"] * 3)
        server.ask("CONFIG", "SET", "tls-auth-clients", "no")
        things.works()


def test_a_file_that_comes_late(opened, tmp_path):
    with TLSServer() as server:
        late = tmp_path / "late.pem"
        things = Everything(tls_url(server.port).replace(authority().path("ca.pem"), str(late)), opened)
        wait_until(lambda: things.states() == ["disconnected"] * 3)
        late.write_bytes(Path(authority().path("ca.pem")).read_bytes())
        things.works()
