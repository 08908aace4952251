"""Owns what a fork does to connections that are in use: parent and child each go on with their own."""

import subprocess
import sys

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import gc, os, sys, time
import gevent
from flask_socketio_py.socketio.adapters.redis.publisher import Publisher
from flask_socketio_py.socketio.adapters.redis.stream_reader import StreamReader
from flask_socketio_py.socketio.adapters.redis.subscriber import Subscriber

def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)

url, kind = sys.argv[1:]
heard, got = [], []
publisher = Publisher(url)
subscriber = Subscriber(url, lambda channel, data: heard.append(data))
reader = StreamReader(url, {"s": "$"}, lambda stream, entries: got.extend(f[b"n"] for _, f in entries), block=0.3)
subscriber.subscribe("a")
assert subscriber.ready(10) and reader.ready(10)
parents = publisher.ask("CLIENT", "ID")
# On its way, and waiting, when the process forks: the parent's to send, once.
for number in range(2000):
    publisher.send("RPUSH", "sent", number)
if kind == "later":
    until(lambda: publisher.waiting == 0)
child = os.fork()
if not child:
    try:
        assert publisher.waiting == 0
        assert publisher.status.state == subscriber.status.state == reader.status.state == "idle"
        assert publisher.ask("CLIENT", "ID") != parents
        heard.clear()
        # What was wanted still is; it begins with the first use.
        assert subscriber.ready(10) and reader.ready(10)
        publisher.send("PUBLISH", "a", "child")
        publisher.send("XADD", "s", "*", "n", "child", durable=True)
        until(lambda: b"child" in heard and b"child" in got)
        for thing in (publisher, subscriber, reader):
            thing.close()
        time.sleep(0.1)
        left = [x for x in gc.get_objects() if issubclass(type(x), gevent.Greenlet) and not x.dead]
        assert left == [], left
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
    os._exit(1)
publisher.send("PUBLISH", "a", "parent")
publisher.send("XADD", "s", "*", "n", "parent", durable=True)
status = []

def ended():
    pid, code = os.waitpid(child, os.WNOHANG)
    status.append(code)
    return pid

until(ended)
assert os.waitstatus_to_exitcode(status[-1]) == 0
until(lambda: {b"parent", b"child"} <= set(heard) & set(got))
until(lambda: publisher.waiting == 0)
assert publisher.ask("CLIENT", "ID") == parents, "the parent kept its connection"
assert publisher.ask("LRANGE", "sent", 0, -1) == [b"%d" % n for n in range(2000)]
assert heard.count(b"parent") == got.count(b"parent") == got.count(b"child") == 1
assert subscriber.status.error is reader.status.error is publisher.status.error is None
for thing in (publisher, subscriber, reader):
    thing.close()
"""


def check(server, kind):
    run = subprocess.run([sys.executable, "-c", PROGRAM, server.url, kind], capture_output=True, text=True, timeout=90)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_fork_while_nothing_is_on_its_way(server):
    check(server, "later")


def test_a_fork_while_commands_wait(server):
    check(server, "at once")
