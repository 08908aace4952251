"""Owns hearing channels of a Redis that works: kinds of subscriptions, order, callbacks, turns of the hub, the end."""

import threading
from itertools import pairwise

import gevent
import pytest
from contract.waiting import in_hub, turn, wait_until

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis.subscriber import Subscriber


def test_every_kind_of_subscription_is_heard(server, subscribe):
    subscriber = subscribe(server, "a", b"\xff")
    subscriber.psubscribe("p*")
    subscriber.ssubscribe("s")
    assert subscriber.ready(10)
    server.ask("PUBLISH", "a", b"\0")
    server.ask("PUBLISH", b"\xff", "2")
    server.ask("PUBLISH", "pq", "3")
    server.ask("SPUBLISH", "s", "4")
    server.ask("PUBLISH", "other", "5")
    wait_until(lambda: len(subscriber.heard) == 4)
    assert subscriber.heard == [(b"a", b"\0"), (b"\xff", b"2"), (b"pq", b"3"), (b"s", b"4")]


def test_what_is_no_longer_wanted_is_no_longer_heard(server, subscribe):
    subscriber = subscribe(server, "a", "b")
    subscriber.psubscribe("p*")
    subscriber.ssubscribe("s")
    subscriber.unsubscribe("a", "never")
    subscriber.punsubscribe("p*")
    subscriber.sunsubscribe("s")
    assert subscriber.ready(10)
    assert [server.ask("PUBLISH", channel, "m") for channel in ("a", "pq", "b")] == [0, 0, 1]
    assert server.ask("SPUBLISH", "s", "m") == 0
    wait_until(lambda: subscriber.heard == [(b"b", b"m")])


def test_a_channel_may_come_and_go_and_come(server, subscribe):
    subscriber = subscribe(server)
    for _ in range(10):
        subscriber.subscribe("a")
        subscriber.unsubscribe("a")
    subscriber.subscribe("a", "a")
    assert subscriber.ready(10)
    assert server.ask("PUBLISH", "a", "m") == 1
    wait_until(lambda: subscriber.heard == [(b"a", b"m")])


def test_thousands_of_channels(server, subscribe):
    names = [f"socket.io#/#{number}#" for number in range(5000)]
    subscriber = subscribe(server, *names)
    assert len(server.ask("PUBSUB", "CHANNELS")) == 5000
    subscriber.unsubscribe(*names[1:])
    assert subscriber.ready(10)
    assert server.ask("PUBSUB", "CHANNELS") == [names[0].encode()]


def test_messages_keep_their_order_and_the_hub_has_its_turns(server, subscribe, publisher):
    subscriber = subscribe(server, "a")
    turns = []

    def tick():
        while True:
            turns.append(len(subscriber.heard))
            gevent.sleep(0)

    ticking = gevent.spawn(tick)
    for number in range(20_000):
        publisher.send("PUBLISH", "a", number)
    wait_until(lambda: len(subscriber.heard) == 20_000)
    ticking.kill()
    assert [int(data) for _, data in subscriber.heard] == list(range(20_000))
    # Never more at once than a fair share of what came.
    assert max(after - before for before, after in pairwise(turns)) < 5000


def test_large_messages_arrive_whole(server, subscribe, publisher):
    subscriber = subscribe(server, "a")
    bodies = [bytes([number]) * size for number, size in enumerate((0, 1, 65_535, 65_536, 3_000_000))]
    for body in bodies:
        publisher.send("PUBLISH", "a", body)
    wait_until(lambda: len(subscriber.heard) == len(bodies))
    assert [data for _, data in subscriber.heard] == bodies


def test_a_callback_that_fails_is_logged_and_the_next_message_arrives(server, opened, caplog):
    heard = []

    def fail(channel, data):
        heard.append(data)
        raise RuntimeError("on purpose")

    subscriber = opened(Subscriber(server.url, fail))
    subscriber.subscribe("a")
    assert subscriber.ready(10)
    server.ask("PUBLISH", "a", "S3CRET")
    server.ask("PUBLISH", "a", "2")
    wait_until(lambda: heard == [b"S3CRET", b"2"])
    assert "on purpose" in caplog.text
    assert "S3CRET" not in caplog.text


def test_the_state_is_told(server, opened):
    states = []
    subscriber = opened(Subscriber(server.url, print, on_state=states.append))
    assert subscriber.status.state == "idle"
    subscriber.subscribe("a")
    wait_until(lambda: states == [True])
    assert subscriber.status.state == "connected"
    subscriber.subscribe("b")
    assert subscriber.ready(10)
    server.ask("CLIENT", "KILL", "TYPE", "pubsub")
    wait_until(lambda: states == [True, False, True])
    assert subscriber.status.error == "ConnectionError"
    subscriber.close()
    assert subscriber.status.state == "idle"


def test_threads_may_subscribe(server, subscribe):
    subscriber = subscribe(server)
    thread = threading.Thread(target=lambda: subscriber.subscribe("a", "b"))
    thread.start()
    thread.join()
    wait_until(lambda: server.ask("PUBLISH", "b", "m"))
    wait_until(lambda: subscriber.heard == [(b"b", b"m")])


def test_a_refused_channel_is_logged_and_the_others_are_heard(server, opened, caplog):
    server.ask("ACL", "SETUSER", "few", "on", ">pw", "+@all", "~*", "resetchannels", "&ok*")
    heard = []
    subscriber = opened(Subscriber(server.url.replace("://", "://few:pw@"), lambda *message: heard.append(message)))
    subscriber.subscribe("ok", "no", "ok2")
    assert subscriber.ready(10)
    server.ask("PUBLISH", "ok2", "m")
    wait_until(lambda: heard == [(b"ok2", b"m")])
    assert "SUBSCRIBE failed: Redis refused it" in caplog.text
    assert subscriber.status[::2] == ("connected", "RefusedError")  # people see it


def test_nothing_is_heard_after_the_end(server, subscribe):
    for close in (lambda one: one.close(), lambda one: in_hub(one.close)):
        subscriber = subscribe(server, "a")
        server.ask("PUBLISH", "a", "1")
        wait_until(lambda subscriber=subscriber: subscriber.heard)
        close(subscriber)
        wait_until(lambda: server.ask("PUBLISH", "a", "2") == 0)
        turn()
        assert subscriber.heard == [(b"a", b"1")]
        with pytest.raises(ClusterError, match="closed"):
            subscriber.subscribe("b")


def test_it_may_be_closed_by_its_own_callback(server, opened):
    heard = []

    def hear(channel, data):
        heard.append(data)
        subscriber.close()

    subscriber = opened(Subscriber(server.url, hear))
    subscriber.subscribe("a")
    assert subscriber.ready(10)
    server.ask("PUBLISH", "a", "1")
    wait_until(lambda: server.ask("PUBLISH", "a", "2") == 0)
    assert heard[0] == b"1"
