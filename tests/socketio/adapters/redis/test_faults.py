"""Owns what happens when Redis is away, comes back, is paused, cuts connections or refuses the password.

Ratios and facts, no absolute times: the real server is killed, stopped and restarted.
"""

import logging
import time

import gevent
import pytest
from contract.waiting import wait_until
from redis_server import RedisServer

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis import publisher as publisher_module
from flask_socketio_py.socketio.adapters.redis import wire
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher
from flask_socketio_py.socketio.adapters.redis.stream_reader import StreamReader
from flask_socketio_py.socketio.adapters.redis.subscriber import Subscriber

from .proxy import Proxy


class Ticking:
    """Measures the longest time for which the hub did not run a greenlet that wanted to run every few milliseconds.

    It must be a small part of the time that the fault lasted: whoever waits for Redis waits that long.
    """

    def __enter__(self):
        self.longest, self.began = 0.0, time.monotonic()
        self._greenlet = gevent.spawn(self._tick)
        return self

    def __exit__(self, *exc):
        self._greenlet.kill()
        if exc[0] is None:
            assert self.longest < (time.monotonic() - self.began) / 2

    def _tick(self):
        while True:
            before = time.monotonic()
            gevent.sleep(0.005)
            self.longest = max(self.longest, time.monotonic() - before)


@pytest.fixture
def short(monkeypatch):
    """Patience is short, so that the tests are."""
    monkeypatch.setattr(wire, "TIMEOUT", 0.3)
    monkeypatch.setattr(publisher_module, "PATIENCE", 0.5)


def test_away_at_the_start_is_visible_and_harms_nobody(opened, caplog):
    server = RedisServer()
    try:
        heard, got = [], []
        with Ticking():
            publisher = opened(Publisher(server.url))
            subscriber = opened(Subscriber(server.url, lambda *message: heard.append(message)))
            reader = opened(StreamReader(server.url, {"s": "0-0"}, lambda _, entries: got.extend(entries), block=0.3))
            subscriber.subscribe("a")
            reader.start()
            publisher.send("XADD", "s", "*", "f", "v", durable=True)
            things = (publisher, subscriber, reader)
            wait_until(lambda: all(thing.status.state == "disconnected" for thing in things))
            assert {thing.status.error for thing in things} == {"ConnectionError (Connection refused)"}
            assert not subscriber.ready(0.01)
            with pytest.raises(ClusterError, match=r"GET failed: no reply within 0.1 s \(disconnected\)"):
                publisher.ask("GET", "k", timeout=0.1)
            gevent.sleep(0.3)
        # Many attempts. Whoever owns the connections says so to people, once.
        assert caplog.text == ""
        server.start()
        wait_until(lambda: got and all(thing.status.state == "connected" for thing in things))
        publisher.send("PUBLISH", "a", "m")
        wait_until(lambda: heard == [(b"a", b"m")])
    finally:
        server.discard()


def test_channels_reconnect_and_the_sender_knows_what_was_lost(own_server, subscribe, opened, short):
    subscriber = subscribe(own_server, "a")
    publisher = opened(Publisher(own_server.url))
    pool = gevent.get_hub().threadpool
    answers, sent, stop = [], [0], []

    def send():
        while not stop:
            publisher.send("PUBLISH", "a", sent[0], done=answers.append)
            sent[0] += 1
            gevent.sleep(0.005)

    with Ticking():
        sending = gevent.spawn(send)
        wait_until(lambda: len(subscriber.heard) > 20)
        pool.spawn(own_server.kill).get()
        # Longer than the patience: what waits since the beginning is lost.
        wait_until(lambda: publisher.lost > 20)
        pool.spawn(own_server.start).get()
        wait_until(lambda: subscriber.ready(10) and int(subscriber.heard[-1][1]) > sent[0] - 20)
        stop.append(True)
        sending.get()
        wait_until(lambda: len(answers) == sent[0])
    lost = sum(isinstance(answer, ClusterError) for answer in answers)
    assert lost == publisher.lost
    # Redis says how many heard it: a message that it took while nobody was back yet is known, too.
    unheard = answers.count(0)
    wait_until(lambda: len({data for _, data in subscriber.heard}) >= sent[0] - lost - unheard)


def test_a_paused_server_blocks_only_who_asks_it_and_gets_no_message_twice(own_server, subscribe, opened):
    subscriber = subscribe(own_server, "a")
    publisher = opened(Publisher(own_server.url))
    assert publisher.ask("PING") == b"PONG"
    wait_until(lambda: publisher.status.state == "connected")
    answers = []
    own_server.pause()
    try:
        with Ticking():
            for number in range(50):
                publisher.send("PUBLISH", "a", number, done=answers.append)
            with pytest.raises(ClusterError):
                publisher.ask("GET", "k", timeout=0.2)
            wait_until(lambda: len(answers) == 50)
        assert publisher.lost == 50
        assert publisher.status.state == "disconnected"
    finally:
        own_server.resume()
    assert publisher.ask("PING", timeout=10) == b"PONG"
    wait_until(lambda: publisher.status.state == "connected")
    publisher.send("PUBLISH", "a", "end")
    wait_until(lambda: subscriber.heard and subscriber.heard[-1][1] == b"end")
    numbers = [int(data) for _, data in subscriber.heard[:-1]]
    assert numbers == sorted(set(numbers))


def test_a_durable_command_outlives_a_pause(own_server, opened, short):
    publisher = opened(Publisher(own_server.url))
    assert publisher.ask("PING") == b"PONG"
    answers = []
    own_server.pause()
    try:
        for number in range(20):
            publisher.send("XADD", "s", "*", "n", number, durable=True, done=answers.append)
        gevent.sleep(1.0)
        assert answers == []
        assert publisher.waiting == 20
    finally:
        own_server.resume()
    wait_until(lambda: len(answers) == 20)
    with own_server.client() as client:
        added = [int(fields[b"n"]) for _, fields in client.xrange("s")]
    # Perhaps twice, but each, and the last time in order.
    assert added[-20:] == list(range(20))
    assert publisher.lost == 0


def test_a_slow_network_is_no_silent_one(server, opened, short):
    """A large command may take longer than a server's silence may."""
    proxy = opened(Proxy(server.port, slow=0.01))
    publisher = opened(Publisher(proxy.url))
    answers = []
    publisher.send("SET", "large", b"x" * 8_000_000, durable=True, done=answers.append)
    publisher.send("SET", "small", b"x", durable=True, done=answers.append)
    wait_until(lambda: len(answers) == 2, "nothing is stuck behind it")
    assert server.ask("STRLEN", "large") == 8_000_000


def test_a_name_that_no_host_can_have_is_visible(opened):
    publisher = opened(Publisher(f"redis://{'x' * 70}.example"))
    publisher.start()
    wait_until(lambda: publisher.status.state == "disconnected")
    with pytest.raises(ClusterError):
        publisher.ask("PING", timeout=0.1)


def test_a_silent_network_is_noticed_by_who_only_listens(server, opened):
    proxy = opened(Proxy(server.port))
    states = []
    subscriber = opened(Subscriber(proxy.url, print, on_state=states.append, interval=0.1))
    subscriber.subscribe("a")
    assert subscriber.ready(10)
    gevent.sleep(0.5)
    assert states == [True]
    proxy.silent = True
    wait_until(lambda: states == [True, False])
    assert subscriber.status.error.startswith("TimeoutError")
    proxy.silent = False
    wait_until(lambda: states[-1])


@pytest.mark.parametrize("cut_after", [5, 9, 60, 333])
def test_a_connection_cut_in_the_middle_of_a_message_is_made_anew(server, opened, publisher, cut_after):
    proxy = opened(Proxy(server.port, cut_after))
    heard = []
    subscriber = opened(Subscriber(proxy.url, lambda channel, data: heard.append(data)))
    subscriber.subscribe("a")
    sent = [b"%d" % number * 10 for number in range(10)]
    while proxy.cuts < 3:
        for data in sent:
            publisher.send("PUBLISH", "a", data)
        gevent.sleep(0.01)
    # Never a part of one, never one that was not sent.
    assert set(heard) <= set(sent)
    proxy.cut_after = None
    assert subscriber.ready(10)
    publisher.send("PUBLISH", "a", "end")
    wait_until(lambda: heard and heard[-1] == b"end")


def test_answers_cut_in_the_middle_are_asked_for_again(server, opened):
    proxy = opened(Proxy(server.port, 701))
    publisher = opened(Publisher(proxy.url))
    answers = []
    for number in range(600):
        publisher.send("SET", f"k{number}", number, durable=True, done=answers.append)
    wait_until(lambda: len(answers) == 600)
    assert proxy.cuts >= 3
    assert answers == [b"OK"] * 600
    assert server.ask("DBSIZE") == 600


def test_connections_killed_all_the_time(server, subscribe, opened, read):
    publisher = opened(Publisher(server.url))
    subscriber, reader = subscribe(server, "a"), read(server, "s")
    stop = []

    def kill():
        client = server.client()
        while not stop:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            gevent.sleep(0.03)
        client.close()

    killing = gevent.spawn(kill)
    answers = []
    for number in range(1000):
        publisher.send("PUBLISH", "a", number, done=answers.append)
        publisher.send("XADD", "s", "*", "n", number, durable=True, done=answers.append)
        if number % 10 == 0:
            gevent.sleep(0.005)
    wait_until(lambda: len(answers) == 2000)
    stop.append(True)
    killing.get()
    with server.client() as client:
        added = [identifier.decode() for identifier, _ in client.xrange("s")]
    wait_until(lambda: len(reader.got) >= len(added))
    assert [identifier for _, identifier, _ in reader.got] == added
    assert {int(fields[b"n"]) for _, _, fields in reader.got} == set(range(1000))
    assert reader.gaps == []
    assert sum(isinstance(answer, ClusterError) for answer in answers) == publisher.lost
    assert subscriber.ready(10)


def test_a_subscriber_that_is_too_slow_is_dropped_by_redis_and_comes_back(server, opened, publisher):
    server.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 100kb 0 0")
    try:
        heard, slow = [], [True]

        def hear(channel, data):
            heard.append(data[:3])
            if slow:
                slow.clear()
                gevent.sleep(0.5)

        states = []
        subscriber = opened(Subscriber(server.url, hear, on_state=states.append))
        subscriber.subscribe("a")
        assert subscriber.ready(10)
        body = b"x" * 20_000
        for _ in range(1000):
            publisher.send("PUBLISH", "a", body)
        wait_until(lambda: False in states and states[-1])
        assert 0 < len(heard) < 1000
        assert subscriber.ready(10)
        publisher.send("PUBLISH", "a", "end")
        wait_until(lambda: heard[-1] == b"end")
    finally:
        server.ask("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")


def test_a_wrong_password_is_visible_never_shown_and_may_become_right(opened, caplog):
    caplog.set_level(logging.DEBUG, "flask_socketio_py")
    with RedisServer(password="right") as server:
        url = server.url.replace("right", "WR0NG")
        publisher = opened(Publisher(url))
        subscriber = opened(Subscriber(url, print))
        reader = opened(StreamReader(url, {"s": "0-0"}, print, block=0.3))
        things = (publisher, subscriber, reader)
        for thing in things:
            thing.start()
        wait_until(lambda: all(thing.status.state == "disconnected" for thing in things))
        assert {thing.status.error for thing in things} == {
            "AuthenticationError (wrong or missing user name or password)"
        }
        assert "AuthenticationError (wrong or missing user name or password)" in caplog.text
        server.ask("CONFIG", "SET", "requirepass", "WR0NG")
        server.password = "WR0NG"
        wait_until(lambda: all(thing.status.state == "connected" for thing in things))
        assert publisher.ask("PING") == b"PONG"
        shown = caplog.text + "".join(str(thing.status) + repr(thing.url) + str(vars(thing)) for thing in things)
        assert "WR0NG" not in shown
