"""Many idle connections against one worker: memory each, the price of heartbeats, and what is left when all go at once.

    python loadtests/idle.py [--connections 10000] [--seconds 60]

Starts a server of its own on the loopback, opens the connections from this one process, answers pings, closes them all
at once, and prints one line a figure. Bounded in count and time; needs about twice as many descriptors as connections.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from loadtests.processes import allow_files, ask, cpu_seconds, free_port, resident_kib, running
from loadtests.swarm import Swarm

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
@app.get("/pid")
def pid(): return {"pid": os.getpid()}
@app.get("/stats")
def stats():
    gc.collect()
    return {"sessions": len(socketio.engine.sessions), "rooms": len(socketio.server.manager.rooms),
            "greenlets": sum(isinstance(item, greenlet) for item in gc.get_objects()),
            "fds": len(os.listdir("/proc/self/fd"))}
socketio.run(app, port=int(sys.argv[1]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    count = arguments.connections
    limit = allow_files(count + 1000)
    if limit < count + 100:
        raise SystemExit(f"only {limit} descriptors are allowed: raise 'ulimit -Hn', or ask for fewer --connections")
    port = free_port()
    with running(["-c", SERVER, str(port)], port) as pid:
        before = ask(port, "/stats")
        memory, cpu = resident_kib(pid), cpu_seconds(pid)
        swarm = Swarm(port)
        swarm.open(count, lambda size: print(f"  {size} connections", file=sys.stderr) if size % 1000 == 0 else None)
        time.sleep(1)
        print(f"opening:     {(cpu_seconds(pid) - cpu) / count * 1e6:.0f} us of CPU a connection")
        print(f"memory:      {(resident_kib(pid) - memory) / count:.2f} KiB a connection")
        cpu, started = cpu_seconds(pid), time.monotonic()
        pings = swarm.idle(arguments.seconds)
        share = (cpu_seconds(pid) - cpu) / (time.monotonic() - started)
        print(f"heartbeats:  {pings} answered, {share * 100:.2f} % of a core")
        cpu, started = cpu_seconds(pid), time.monotonic()
        swarm.close()
        while ask(port, "/stats")["sessions"]:
            time.sleep(0.05)
        spent = cpu_seconds(pid) - cpu
        print(f"closing all: {time.monotonic() - started:.2f} s, {spent / count * 1e6:.0f} us of CPU a connection")
        print(f"left over:   {ask(port, '/stats')} (before: {before})")


if __name__ == "__main__":
    main()
