"""A relayed connection: both directions, either end first, and nothing left behind."""

import contextlib
import os

import gevent
import pytest
from contract.waiting import wait_until
from gevent import socket

from flask_socketio_py import relay as relay_module
from flask_socketio_py.relay import Relay, end_all


def open_files():
    """Each by its inode: other tests' files may still be closed meanwhile, and then their numbers are taken again."""
    gevent.sleep(0)  # the hub has its own, from the first time on
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return found


@pytest.fixture
def relayed(monkeypatch):
    """(the client's end, the other process's end, the greenlet of the relay)"""
    monkeypatch.setattr(relay_module, "SEND_TIMEOUT", 1.0)
    before = open_files()
    client, accepted = socket.socketpair()
    relay = Relay(accepted)
    other = socket.socket(fileno=os.dup(relay.theirs.fileno()))
    running = gevent.spawn(relay.run)
    for sock in (client, other):
        sock.settimeout(5)
    gevent.sleep(0)
    yield client, other, running
    for sock in (client, other, accepted):
        sock.close()
    running.join(5)
    assert running.dead
    wait_until(lambda: not open_files() - before, "nothing is left open")


def receive(sock, size):
    data = b""
    while len(data) < size and (more := sock.recv(65536)):
        data += more
    return data


def test_both_ways_at_once(relayed):
    client, other, _ = relayed
    up, down = os.urandom(3_000_000), os.urandom(3_000_000)
    jobs = [gevent.spawn(client.sendall, up), gevent.spawn(other.sendall, down)]
    reading = [gevent.spawn(receive, other, len(up)), gevent.spawn(receive, client, len(down))]
    assert [job.get(timeout=20) for job in reading] == [up, down]
    gevent.joinall(jobs)


def test_the_other_process_ends_it(relayed):
    client, other, running = relayed
    other.sendall(b"last words")
    other.close()
    running.join(5)
    assert running.dead
    assert client.recv(100) == b"last words"


def test_a_client_that_only_stops_sending_gets_its_answer(relayed):
    client, other, running = relayed
    client.sendall(b"request")
    client.shutdown(socket.SHUT_WR)
    assert receive(other, 100) == b"request"
    other.sendall(b"answer")
    assert client.recv(100) == b"answer"
    assert not running.dead


def test_a_client_that_has_gone(relayed):
    client, other, running = relayed
    client.close()
    assert other.recv(1) == b""
    other.sendall(b"x" * 10)
    other.close()
    running.join(5)
    assert running.dead


def test_one_that_does_not_read_is_given_up(relayed):
    _, other, running = relayed
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        other.sendall(bytes(50_000_000))
    running.join(5)
    assert running.dead


def test_all_are_ended_when_the_process_stops(relayed):
    _, other, running = relayed
    end_all()
    running.join(5)
    assert running.dead
    assert other.recv(1) == b""


def test_one_that_nobody_took():
    before = open_files()
    client, accepted = socket.socketpair()
    Relay(accepted).abandon()
    client.sendall(b"x")
    assert accepted.recv(1) == b"x"
    client.close()
    accepted.close()
    assert not open_files() - before
