"""Many idle connections against one worker: memory each, the price of heartbeats, and what is left when all go at once.

    python loadtests/idle.py [--connections 10000] [--seconds 60]

Starts a server of its own on the loopback, opens the connections from this one process, answers pings, closes them all
at once, and prints one line a figure. Bounded in count and time; needs about twice as many descriptors as connections.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVER = """
from gevent import monkey; monkey.patch_all()
import gc, os, sys
from flask import Flask
from greenlet import greenlet
from flask_socketio_py import SocketIO
app = Flask(__name__)
socketio = SocketIO(app)
@socketio.on("message")
def message(data): return data
@app.get("/stats")
def stats():
    gc.collect()
    return {"sessions": len(socketio.engine.sessions), "rooms": len(socketio.server.manager.rooms),
            "greenlets": sum(isinstance(item, greenlet) for item in gc.get_objects()),
            "fds": len(os.listdir("/proc/self/fd"))}
socketio.run(app, port=int(sys.argv[1]))
"""
PONG = b"\x81\x81\0\0\0\x003"
CONNECT = b"\x81\x82\0\0\0\x0040"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("the kernel doesn't tell the memory of a process")


def stats(port: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=30) as answer:
        return dict(json.load(answer))


def open_connections(port: int, count: int) -> list[socket.socket]:
    """Open and join, fifty at a time, so that the backlog never overflows."""
    key = base64.b64encode(bytes(16)).decode()
    request = (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
    connections: list[socket.socket] = []
    while len(connections) < count:
        batch = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(50, count - len(connections)))]
        for sock in batch:
            sock.sendall(request)
        for sock in batch:
            expect(sock, b"pingInterval")
            sock.sendall(CONNECT)
        for sock in batch:
            expect(sock, b'40{"sid"')
            sock.setblocking(False)
        connections += batch
        if len(connections) % 1000 == 0:
            print(f"  {len(connections)} connections", file=sys.stderr)
    return connections


def expect(sock: socket.socket, needle: bytes) -> None:
    received = b""
    while needle not in received:
        data = sock.recv(65536)
        if not data:
            raise SystemExit("the server closed a connection")
        received += data


def answer_pings(connections: list[socket.socket], seconds: float) -> int:
    """Answer every ping for a while; returns how many came."""
    by_fd = {sock.fileno(): sock for sock in connections}
    poll = select.epoll()
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    pings, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for fd, _ in poll.poll(min(left, 1.0)):
            data = by_fd[fd].recv(65536)
            if not data:
                raise SystemExit("the server closed an idle connection")
            if data.endswith(b"\x81\x012"):
                pings += 1
                by_fd[fd].send(PONG)
    poll.close()
    return pings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    count = arguments.connections
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if limit < count + 100:
        raise SystemExit(f"only {limit} descriptors are allowed: raise 'ulimit -Hn', or ask for fewer --connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, count + 1000), limit))
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    try:
        while True:
            with contextlib.suppress(OSError):
                before = stats(port)
                break
            time.sleep(0.1)
        memory, cpu = resident_kib(server.pid), cpu_seconds(server.pid)
        connections = open_connections(port, count)
        time.sleep(1)
        print(f"opening:     {(cpu_seconds(server.pid) - cpu) / count * 1e6:.0f} us of CPU a connection")
        print(f"memory:      {(resident_kib(server.pid) - memory) / count:.2f} KiB a connection")
        cpu, started = cpu_seconds(server.pid), time.monotonic()
        pings = answer_pings(connections, arguments.seconds)
        share = (cpu_seconds(server.pid) - cpu) / (time.monotonic() - started)
        print(f"heartbeats:  {pings} answered, {share * 100:.2f} % of a core")
        cpu, started = cpu_seconds(server.pid), time.monotonic()
        for sock in connections:
            sock.close()
        while stats(port)["sessions"]:
            time.sleep(0.05)
        spent = cpu_seconds(server.pid) - cpu
        print(f"closing all: {time.monotonic() - started:.2f} s, {spent / count * 1e6:.0f} us of CPU a connection")
        after = stats(port)
        print(f"left over:   {after} (before: {before})")
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
