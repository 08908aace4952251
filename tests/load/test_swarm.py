"""Owns the swarm of light clients, and that the capacity measurements run: frames, counts, a real worker."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket.frames import encode_frame
from flask_socketio_py.websocket.protocol import Protocol
from loadtests import capacity_plots, processes
from loadtests.capacity import ECHO, Capacity, table
from loadtests.swarm import Swarm, frame, split

PAYLOADS = st.lists(st.binary(max_size=300).map(lambda data: data.hex().encode()), max_size=5)


@given(PAYLOADS, st.integers(0, 3000), st.binary(max_size=1))
def test_frames_are_split_wherever_they_are_cut(payloads, cut, more):
    stream = b"".join(encode_frame(payload) for payload in payloads)
    first, rest = split(stream[:cut])
    second, left = split(rest + stream[cut:] + more)
    assert first + second == payloads
    assert left == more


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_frame_is_one_for_the_server(size):
    assert Protocol(2**20).feed(frame(b"x" * size)) == ["x" * size]
    assert split(encode_frame(b"x" * size)) == ([b"x" * size], b"")


@pytest.fixture
def worker():
    port = processes.free_port()
    command = ["-m", "gunicorn", "-k", "flask_socketio_py.workers.SocketIOWorker", "-b", f"127.0.0.1:{port}"]
    with processes.running([*command, "--log-level", "error", "loadtests.capacity_app:app"], port) as pid:
        yield pid, port


def test_both_series_are_measured(worker, tmp_path):
    pid, port = worker
    swarm = Swarm(port)
    capacity = Capacity(pid, swarm, messages=80, deliveries=60)
    sizes = list(capacity.sizes([3, 20], idle=0.01))
    assert processes.ask(port, "/pid")["sessions"] == len(swarm) == 20
    rooms = list(capacity.rooms([1, 4]))
    assert [row["connections"] for row in sizes] == [3, 20]
    assert all(row[name] > 0 for row in sizes for name in ("open_us", "message_us", "delivery_us"))
    assert all(row["room_message_us"] > 0 for row in rooms)
    assert len(list(table(sizes))) == 4
    if os.environ.get("CI") != "true":
        pytest.importorskip("matplotlib")
    found = {"sizes": sizes, "rooms": rooms, "clients": 20}
    for path in capacity_plots.draw(found, tmp_path):
        assert path.read_bytes().startswith(b"\x89PNG")
    swarm.close()


def test_everything_that_is_sent_is_answered(worker):
    swarm = Swarm(worker[1])
    swarm.open(7)
    swarm.exchange(lambda client: ECHO, 100, 10)
    assert (swarm.acks, swarm.events) == (100, 0)
    swarm.exchange(lambda client: frame(b'421["all","x"]'), 3, 1, 8)
    assert (swarm.acks, swarm.events) == (103, 21)
    swarm.close()


def test_the_time_of_another_process_is_read():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        while processes.cpu_seconds(busy.pid) < 0.05:
            pass
        busy.kill()
    assert processes.resident_kib(os.getpid()) > 1000
