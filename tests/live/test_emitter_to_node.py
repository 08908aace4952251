"""Owns the promise that Emitter speaks to official servers: one with each of the official Redis adapters."""

import subprocess
from contextlib import contextmanager

import pytest
from redis_server import RedisServer

from flask_socketio_py import Emitter
from tests.live.jsclient import JS
from tests.live.servers import wait_for

SCHEMES = {"classic": "redis", "sharded": "redis+sharded", "streams": "redis+streams"}


@pytest.fixture(scope="module")
def redis():
    with RedisServer() as server:
        yield server


@contextmanager
def official(kind, redis):
    command = ["node", str(JS / "adapted.cjs"), kind, redis.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip()
            assert port, "the official server ended at once"
            yield f"http://127.0.0.1:{port}"
            assert process.poll() is None, "the official server lives"
        finally:
            process.kill()


@pytest.mark.parametrize("kind", SCHEMES)
def test_everything_reaches_the_official_server(redis, js, kind):
    with official(kind, redis) as url, Emitter(redis.url.replace("redis", SCHEMES[kind], 1)) as emitter:
        red = js.open(url, transports=["websocket"], auth={"rooms": ["red"]})
        blue = js.open(url, transports=["websocket"], auth={"rooms": ["blue"]})
        chat = js.open(url, "/chat", transports=["websocket"])
        for client in (red, blue, chat):
            client.sid()
        # Its adapter may listen a little later than it serves.
        wait_for(lambda: emitter.emit("ready") or (red.found("event") and blue.found("event")), "it listens")

        emitter.emit("all", 1, {"a": [None, True, 1.5, "é😀"]}, b"\0\xff")
        emitter.to("red").emit("red")
        emitter.to("red", "blue").compress(False).emit("both")
        emitter.to(blue.sid()).emit("you")
        emitter.except_("red").emit("not red")
        emitter.of("chat").send("in another namespace")
        emitter.to("red").sockets_join("green", "yellow")
        emitter.to("green").sockets_leave("yellow")
        # Two rooms: a new room's own channel is heard by the sharded adapter a moment after somebody joined only.
        emitter.to("green", "nobody").emit("green")
        emitter.to("yellow").emit("yellow")
        emitter.server_side_emit("tick", "tock", 2)
        emitter.emit("end")
        for client, expected in (
            (red, ["all", "red", "both", "green", "heard", "end"]),
            (blue, ["all", "both", "you", "not red", "heard", "end"]),
        ):
            client.wait_event("end")
            client.wait_event("heard")  # over another way: in no order with the rest
            names = [entry["event"] for entry in client.found("event") if entry["event"] != "ready"]
            assert sorted(names) == sorted(expected)
            assert client.wait_event("all") == [1, {"a": [None, True, 1.5, "é😀"]}, b"\0\xff"]
            assert client.wait_event("heard") == ["tock", 2]
        assert chat.wait_event("message") == ["in another namespace"]
        emitter.to("blue").disconnect_sockets()
        blue.wait("disconnect")
        assert not red.found("disconnect")
