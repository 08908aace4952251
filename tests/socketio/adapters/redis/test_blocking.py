"""Owns the client of a process that serves nobody, and what the package does to a process that only imports it."""

import os
import subprocess
import sys
import threading

import pytest
from redis_server import RedisServer, free_port

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis.blocking import BlockingClient


def test_replies_come_in_order(server, opened):
    client = opened(BlockingClient(server.url))
    assert client.send(("SET", "k", b"\xff"), ("GET", "k"), ("PUBLISH", "a", "m")) == [b"OK", b"\xff", 0]
    assert client.send() == []
    with BlockingClient(server.url) as other:
        assert other.send(("DEL", "k")) == [1]


def test_a_server_that_is_away_is_a_clear_error_and_may_come_back(opened):
    server = RedisServer()
    try:
        client = opened(BlockingClient(f"redis://:S3CRET@127.0.0.1:{server.port}"))
        with pytest.raises(ClusterError, match=r"^PUBLISH failed: ConnectionError \(Connection refused\)$"):
            client.send(("PUBLISH", "a", "m"))
        server.password = "S3CRET"
        server.settings["requirepass"] = "S3CRET"
        server.start()
        assert client.send(("PUBLISH", "a", "m")) == [0]
        server.restart()
        # The connection had died while nobody used it.
        assert client.send(("PUBLISH", "a", "m")) == [0]
    finally:
        server.discard()


def test_a_server_that_does_not_answer_is_an_error(own_server, opened):
    client = opened(BlockingClient(own_server.url, timeout=0.2))
    assert client.send(("SET", "k", 0)) == [b"OK"]
    own_server.pause()
    try:
        with pytest.raises(ClusterError, match="INCR failed: TimeoutError"):
            client.send(("INCR", "k"))
    finally:
        own_server.resume()
    # Not tried again: it may have been done, and was.
    assert client.send(("GET", "k")) == [b"1"]


def test_a_wrong_password_is_a_clear_error_that_shows_none(opened):
    with RedisServer(password="right") as server:
        client = opened(BlockingClient(server.url.replace("right", "WR0NG")))
        with pytest.raises(ClusterError, match=r"PING failed: AuthenticationError \(wrong or missing") as refused:
            client.send(("PING",))
        assert "WR0NG" not in str(refused.value) + str(vars(client))


def test_a_refusal_is_an_error_and_the_connection_stays(server, opened):
    client = opened(BlockingClient(server.url))
    with pytest.raises(ClusterError, match="INCR failed: Redis refused it: value is not an integer"):
        client.send(("SET", "k", "v"), ("INCR", "k"))
    assert client.send(("GET", "k")) == [b"v"]
    with pytest.raises(TypeError, match="must be str, bytes or int, not NoneType"):
        client.send(("SET", "k", None))


def test_what_is_no_url_is_refused_before_anything_else():
    with pytest.raises(ValueError, match="expected redis://"):
        BlockingClient(f"localhost:{free_port()}")


def test_threads_share_one(server, opened):
    client = opened(BlockingClient(server.url))
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(client.send(*[("ECHO", n)] * 50) == [b"%d" % n] * 50))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8


def test_a_forked_child_has_a_connection_of_its_own(server, opened):
    client = opened(BlockingClient(server.url))
    mine = client.send(("CLIENT", "ID"))
    child = os.fork()
    if not child:
        fine = client.send(("CLIENT", "ID")) != mine and client.send(("ECHO", "c")) == [b"c"]
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert client.send(("CLIENT", "ID"), ("ECHO", "p")) == [*mine, b"p"]


PLAIN = """
import sys
from flask_socketio_py.socketio.adapters.redis.blocking import BlockingClient
from flask_socketio_py.socketio.adapters.redis import publisher, stream_reader, subscriber
client = BlockingClient(sys.argv[1])
assert client.send(("PUBLISH", "a", "m")) == [0]
for unused in (publisher.Publisher, lambda url: subscriber.Subscriber(url, print)):
    unused(sys.argv[1]).close()
import socket, threading
from gevent import monkey
from gevent._hub_local import get_hub_if_exists
assert get_hub_if_exists() is None
assert not any(map(monkey.is_module_patched, ("socket", "ssl", "threading", "time", "os")))
assert type(client._wires.popitem()[1]._raw) is socket.socket
assert threading.active_count() == 1
"""


def test_a_plain_process_is_not_patched_and_gets_no_hub(server):
    run = subprocess.run([sys.executable, "-c", PLAIN, server.url], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
