"""Owns sending to a Redis that works: answers and their order, questions, threads, bounds, the end."""

import threading
import time

import gevent
import pytest
from contract.waiting import in_hub, wait_until

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis import lane
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher
from flask_socketio_py.socketio.adapters.redis.wire import key_of, pack

from .proxy import Proxy


def test_answers_come_in_the_order_of_the_commands(publisher):
    answers = []
    for number in range(1000):
        publisher.send("XADD", "s", f"1-{number + 1}", "n", number, done=answers.append, durable=number % 2 == 0)
    wait_until(lambda: len(answers) == 1000)
    assert answers == [b"1-%d" % (number + 1) for number in range(1000)]
    assert publisher.waiting == 0


def test_nothing_is_connected_before_it_is_used(server, opened):
    publisher = opened(Publisher(server.url))
    assert publisher.status.state == "idle"
    publisher.start()
    wait_until(lambda: publisher.status.state == "connected")
    assert publisher.status.error is None
    assert abs(publisher.status.since - time.time()) < 60


def test_a_connection_that_rests_is_tried_and_stays_connected(server, opened, monkeypatch):
    monkeypatch.setattr(lane, "HEARTBEAT", 0.01)
    states, looks = [], []
    publisher = opened(Publisher(server.url, on_state=states.append, on_status=lambda: looks.append(publisher.status)))
    publisher.start()
    wait_until(lambda: publisher.status.state == "connected")
    before = server.ask("INFO", "commandstats")
    wait_until(lambda: pings(server.ask("INFO", "commandstats")) > pings(before) + 20)
    assert states == [True]
    assert [status.state for status in looks[-2:]] == ["connecting", "connected"]
    assert publisher.lost == 0


def pings(stats):
    return int(stats.partition(b"cmdstat_ping:calls=")[2].partition(b",")[0])


def test_a_question_has_its_answer(publisher, server):
    assert publisher.ask("SET", "k", b"\0\xff") == b"OK"
    assert publisher.ask(b"GET", "k") == b"\0\xff"
    assert publisher.ask("GET", "none") is None
    server.ask("XADD", "s", "5-1", "f", "v")
    assert publisher.ask("XRANGE", "s", "-", "+") == [[b"5-1", [b"f", b"v"]]]


def test_a_transaction_has_all_its_answers(publisher, server):
    server.ask("SET", "k", "v")
    assert publisher.transaction(("GET", "k"), ("DEL", "k")) == [b"v", 1]
    assert publisher.transaction(("GET", "k"), ("DEL", "k")) == [None, 0]


def test_transactions_of_many_greenlets_do_not_mix(publisher):
    jobs = [gevent.spawn(publisher.transaction, ("SET", f"k{n}", n), ("GETDEL", f"k{n}")) for n in range(200)]
    gevent.joinall(jobs, raise_error=True)
    assert [job.value for job in jobs] == [[b"OK", b"%d" % n] for n in range(200)]


def test_a_refusal_is_an_error_that_quotes_nothing_that_was_sent(publisher):
    publisher.ask("SET", "k", "v")
    answers = []
    publisher.send("XADD", "k", "*", "f", "S3CRET", done=answers.append, durable=True)
    wait_until(lambda: answers)
    assert isinstance(answers[0], ClusterError)
    assert str(answers[0]).startswith("XADD failed: Redis refused it: WRONGTYPE Operation against a key")
    with pytest.raises(ClusterError, match="NOSUCH failed: Redis refused it: unknown command") as refused:
        publisher.ask("NOSUCH", "S3CRET", "S3CRET")
    with pytest.raises(ClusterError, match="MULTI failed: Redis refused it: unknown command"):
        publisher.transaction(("GET", "k"), ("NOSUCH", "S3CRET"))
    with pytest.raises(ClusterError, match="INCR failed: Redis refused it: value is not an integer"):
        publisher.transaction(("GET", "k"), ("INCR", "k"))
    assert "S3CRET" not in str(refused.value)
    assert publisher.ask("PING") == b"PONG"


@pytest.mark.parametrize("command", [(), ("SET", "k", None), ("SET", "k", 1.5), ("SET", "k", True), ("SET", ["k"])])
def test_a_command_that_cannot_be_meant_is_a_type_error_at_the_call(publisher, command):
    with pytest.raises(TypeError):
        publisher.send(*command)
    with pytest.raises(TypeError):
        publisher.ask(*command)


def test_a_command_is_packed_as_redis_reads_it():
    assert pack(("SET", b"\r\n", 10)) == b"*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$2\r\n10\r\n"
    assert pack(("X", "\N{SNOWMAN}", bytearray(b"a"))) == b"*3\r\n$1\r\nX\r\n$3\r\n\xe2\x98\x83\r\n$1\r\na\r\n"


def test_what_decides_where_a_command_goes():
    assert [key_of(command) for command in [("PUBLISH", "c", "m"), ("PING",), (b"publish", "c", "m")]] == [None] * 3
    assert key_of(("SPUBLISH", "c", "m")) == key_of((b"GET", b"c")) == key_of(("XINFO", "STREAM", "c")) == b"c"


def test_subscribers_are_counted(publisher, server, subscribe):
    assert publisher.count_subscribers("c") == 0
    subscribe(server, "c")
    subscribe(server, "c")
    subscribe(server, "c", sharded=True)
    assert publisher.count_subscribers("c") == 2
    assert publisher.count_subscribers("c", sharded=True) == 1


def test_threads_may_send_and_ask(publisher, server):
    publisher.start()
    answers, faults, hub_thread = [], [], threading.get_ident()

    def done(answer):
        answers.append((answer, threading.get_ident()))

    def work(name):
        try:
            for number in range(100):
                publisher.send("RPUSH", name, number, done=done, durable=True)
                assert publisher.ask("ECHO", f"{name}{number}") == f"{name}{number}".encode()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == 400 or faults)
    for thread in threads:
        thread.join()
    assert faults == []
    assert {thread for _, thread in answers} == {hub_thread}
    assert [server.ask("LRANGE", f"t{n}", 0, -1) for n in range(4)] == [[b"%d" % n for n in range(100)]] * 4


def test_a_callback_that_fails_is_logged_and_harms_nobody(publisher, caplog):
    answers = []
    publisher.send("PING", done=lambda _: 1 / 0)
    publisher.send("PING", done=answers.append)
    wait_until(lambda: answers)
    assert "ZeroDivisionError" in caplog.text


def test_sending_from_the_hub_does_not_block(publisher):
    answers = []
    in_hub(lambda: publisher.send("PING", done=answers.append))
    wait_until(lambda: answers == [b"PONG"])


def test_too_much_at_once_loses_the_oldest_and_says_how_many(server, opened, caplog):
    publisher = opened(Publisher(server.url, max_entries=10))
    answers = []
    for number in range(25):
        publisher.send("ECHO", number, done=answers.append)
    publisher.start()
    wait_until(lambda: len(answers) == 25)
    assert [answer for answer in answers if isinstance(answer, bytes)] == [b"%d" % number for number in range(15, 25)]
    assert {str(answer) for answer in answers if not isinstance(answer, bytes)} == {
        "ECHO failed: too much waits for Redis already"
    }
    assert publisher.lost == 15
    wait_until(lambda: "15 messages to the other servers were lost" in caplog.text)


def test_too_much_that_may_not_be_lost_is_refused_at_the_call(server, opened):
    publisher = opened(Publisher(server.url, max_bytes=1000))
    publisher.send("XADD", "s", "*", "f", b"x" * 500, durable=True)
    with pytest.raises(ClusterError, match="XADD was not sent: 1 commands"):
        publisher.send("XADD", "s", "*", "f", b"x" * 500, durable=True)
    wait_until(lambda: publisher.waiting == 0)
    assert server.ask("XLEN", "s") == 1


def test_what_waits_is_sent_before_the_end_if_there_is_time(server, opened):
    publisher = opened(Publisher(server.url))
    for number in range(100):
        publisher.send("RPUSH", "k", number)
    publisher.close(timeout=10)
    assert server.ask("LLEN", "k") == 100


def test_what_waits_at_the_end_fails(server, opened):
    publisher = opened(Publisher(server.url))
    answers = []
    publisher.send("PUBLISH", "c", "m", done=answers.append)
    publisher.send("XADD", "s", "*", "f", "v", durable=True, done=answers.append)
    publisher.close()
    assert [str(answer) for answer in answers] == [
        "PUBLISH failed: the connection to Redis was closed",
        "XADD failed: the connection to Redis was closed",
    ]
    with pytest.raises(ClusterError, match="closed"):
        publisher.send("PING")
    with pytest.raises(ClusterError, match="closed"):
        publisher.ask("PING")
    assert publisher.status.state == "idle"
    publisher.close()


def test_it_may_be_closed_from_a_callback_the_hub_or_a_thread(server, opened):
    for close in (
        lambda publisher: publisher.send("PING", done=lambda _: publisher.close()),
        lambda publisher: in_hub(publisher.close),
        lambda publisher: threading.Thread(target=publisher.close).start(),
    ):
        publisher = opened(Publisher(server.url))
        assert publisher.ask("PING") == b"PONG"
        publisher.start()
        close(publisher)
        wait_until(lambda publisher=publisher: publisher.status.state == "idle")


def test_a_connection_that_died_while_nobody_used_it_costs_no_message(publisher, server, monkeypatch):
    monkeypatch.setattr(lane, "_REST", 0.0)
    assert publisher.ask("PING") == b"PONG"
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    # A question is sent once: had it gone over the dead connection, it would have failed.
    assert publisher.ask("PING") == b"PONG"


def test_the_connection_is_tried_now_and_then(server, opened, monkeypatch):
    monkeypatch.setattr(lane, "HEARTBEAT", 0.05)
    states = []
    publisher = opened(Publisher(server.url, on_state=states.append))
    publisher.start()
    wait_until(lambda: states == [True])
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: states == [True, False, True])
    assert publisher.status.error.startswith("ConnectionError")


def test_a_server_without_its_replicas_is_waited_for(own_server, opened):
    publisher = opened(Publisher(own_server.url))
    own_server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    answers = []
    publisher.send("XADD", "s", "1-1", "n", 1, durable=True, done=answers.append)
    wait_until(lambda: publisher.status.state == "disconnected")
    assert publisher.status.error.startswith("NoReplicasError")
    assert answers == []
    own_server.ask("CONFIG", "SET", "min-replicas-to-write", 0)
    wait_until(lambda: answers == [b"1-1"])


def test_a_command_that_ends_every_connection_is_given_up(server, opened, monkeypatch):
    """Else nothing behind it would ever be sent."""
    monkeypatch.setattr(lane, "MAX_ENDINGS", 3)
    server.ask("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    try:
        publisher = opened(Publisher(server.url))
        answers = []
        for number in range(20):
            size = 3_000_000 if number == 10 else 10
            publisher.send("RPUSH", "list", b"%02d" % number + b"x" * size, durable=True, done=answers.append)
        wait_until(lambda: len(answers) == 20, "the others are sent")
        assert [number for number, answer in enumerate(answers) if isinstance(answer, ClusterError)] == [10]
        assert "the connection ends" in str(answers[10])
        # What was sent along with it is perhaps there twice, but all of it.
        sent = [item[:2] for item in server.ask("LRANGE", "list", 0, -1)]
        assert set(sent) == {b"%02d" % number for number in range(20) if number != 10}
    finally:
        server.ask("CONFIG", "SET", "client-query-buffer-limit", "1gb")


def test_a_small_command_is_never_given_up(server, opened, monkeypatch):
    monkeypatch.setattr(lane, "MAX_ENDINGS", 1)
    proxy = opened(Proxy(server.port, cut_after=7))  # enough for the sign of life, too little for two answers
    publisher = opened(Publisher(proxy.url))
    answers = []
    publisher.send("SET", "a", b"x" * 100, durable=True, done=answers.append)
    wait_until(lambda: proxy.cuts > 5)
    assert answers == []
    proxy.cut_after = None
    wait_until(lambda: answers == [b"OK"])
