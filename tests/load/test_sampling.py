"""Owns what a load run looks like in numbers: the samples of processes, and the percentiles of what locust was told."""

import os
import subprocess
import sys

import pytest

from loadtests.sampling import PERCENTILES, GoneError, Requests, Sampler, places


@pytest.fixture
def process():
    """A process that says what it is told to run, line by line."""
    program = "import sys\nfor line in sys.stdin: exec(line); print('done', flush=True)"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-uc", program], stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.kill()


def let(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_a_sample_sees_connections_memory_and_cpu(process):
    let(process, "import socket, time")
    sampler = Sampler(process.pid, lambda: 7)
    assert sampler.look()[1:3] == (7, 0)
    let(process, "kept = [socket.socket() for _ in range(5)]; much = b'x' * 50_000_000; much = bytearray(much)")
    let(process, "\nwhile time.process_time() < 0.3: pass")
    sample = sampler.look()
    assert sample.connections == 5
    assert sample.memory - sampler.memory_before > 40
    assert sample.cpu > 0
    assert [one.at for one in sampler.samples] == sorted(one.at for one in sampler.samples)


def test_the_end_of_a_process_is_noticed(process):
    sampler = Sampler(process.pid, lambda: 0)
    process.kill()
    process.wait()
    with pytest.raises(GoneError):
        sampler.look()


def test_requests_are_counted_by_kind_and_failures_by_reason():
    requests = Requests()
    for milliseconds in range(1, 101):
        requests.note("ack", "echo", float(milliseconds), response_length=3)
    requests.note("broadcast", "said", 5.0)
    for _ in range(2):
        requests.note("ack", "echo", 0.0, TimeoutError("never"))
    assert (requests.count, requests.failed) == (103, 2)
    assert requests.failures == {("ack", "echo", "TimeoutError: never"): 2}
    assert requests.kinds() == ["ack", "broadcast"]
    assert (requests.succeeded("ack"), requests.succeeded("connect")) == (100, 0)
    assert requests.percentiles("ack") == pytest.approx((50.5, 95.05, 99.01))
    assert requests.percentiles("broadcast") == (5.0, 5.0, 5.0)
    assert requests.percentiles("connect") is None
    assert requests.recent("ack", 1000.0) == requests.percentiles("ack")
    assert requests.recent("ack", -1000.0) is None
    assert requests.rate(0.0, 1000.0) == pytest.approx(101 / 1000)
    seconds = list(requests.by_second("ack"))
    assert sum(count for _, count, _ in seconds) == 100
    assert all(len(found) == len(PERCENTILES) for _, _, found in seconds)
    assert list(requests.by_second("connect")) == []


def test_server_and_load_get_cores_of_their_own_where_there_are_two():
    able = os.sched_getaffinity(0)
    server, load = places()
    assert server in able
    assert load in able
    assert (load != server) == (len(able) > 1)
