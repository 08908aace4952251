"""What the hosts do beside serving: TLS, ending, draining, reloading, the command line, the warning, the reloader."""

import contextlib
import http.client
import os
import signal
import threading
import time

import pytest

from tests.live.servers import OURS, PACKAGE, ROOT, Server, children, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}
LIFECYCLE = "tests.live.apps.lifecycle:app"
CLEAN = {1000, 1001, 1005}  # close codes of a WebSocket that ended with a close frame
RELOADED = """
from flask import Flask
from flask_socketio_py import SocketIO

app = Flask(__name__)
socketio = SocketIO(app)


@app.route("/")
def version():
    return {version!r}


@socketio.on("version")
def tell_version():
    return {version!r}
"""


def open_both(js, server, key):
    """A client over each transport, connected, the poll of one of them hanging."""
    clients = [
        js.open(server.url, transports=[name], query={"key": key + name}, **QUICK) for name in ("polling", "websocket")
    ]
    for client in clients:
        client.wait("connect")
        assert client.call("echo", 1) == 1
    # The answer ended the poll; only a client whose next one hangs can be told by it.
    time.sleep(0.3)
    return clients


def assert_ended_well(server, clients, key):
    """The clients were told, by a packet or a close frame, and will come back; the handlers have run."""
    polling, websocket = (client.wait("disconnect") for client in clients)
    assert polling["reason"] == "transport close"
    assert websocket["reason"] == "transport close"
    assert websocket["code"] in CLEAN
    for name in ("polling", "websocket"):
        assert server.log().count(f"disconnected {key}{name}: ") == 1


@pytest.mark.parametrize("kind", ["run", "gevent", "worker"])
def test_tls(js, kind):
    with Server(host_kind=kind, tls=True) as server:
        large = "é" * 200_000
        for transports in (["polling"], ["websocket"], ["polling", "websocket"]):
            client = js.open(server.url, transports=transports)
            client.wait("connect")
            if len(transports) == 2:
                client.wait("upgrade", transport="websocket")
            assert client.call("echo", transports, b"bytes") == [transports, b"bytes"]
            assert client.call("echo", large) == large
            client.emit("burst", 300)
            client.wait_event("tick", 300)
            assert client.received("tick") == [[number] for number in range(1, 301)]
        js.forget_clients()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_within_seconds_and_says_good_bye(js, key, signum):
    with Server(LIFECYCLE) as server:
        clients = open_both(js, server, key)
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        idle.request("GET", "/")
        idle.getresponse().read()
        server.stop(signum, timeout=10)
        idle.close()
        assert_ended_well(server, clients, key)
        js.forget_clients()


def test_run_ends_by_stop(js, key):
    with Server(LIFECYCLE) as server:
        clients = open_both(js, server, key)
        assert server.get("/stop").body == b"stopping"
        process = server.process
        wait_for(lambda: process.poll() is not None, "stop() ends run()", timeout=10)
        assert process.returncode == 0
        server.stop()
        assert_ended_well(server, clients, key)
        js.forget_clients()


def test_run_ends_by_a_signal_with_tls(js, key):
    with Server(LIFECYCLE, tls=True) as server:
        clients = open_both(js, server, key)
        server.stop(signal.SIGTERM, timeout=10)
        assert_ended_well(server, clients, key)
        js.forget_clients()


def test_worker_drains_on_sigterm(js, key):
    with Server(LIFECYCLE, "worker") as server:
        clients = open_both(js, server, key)
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        idle.request("GET", "/")
        idle.getresponse().read()
        answers = []
        slow = threading.Thread(target=lambda: answers.append(server.get(f"/slow/1.0?key={key}").body))
        slow.start()
        wait_for(lambda: f"slow begins {key}" in server.log(), "the slow request is being handled")
        # gunicorn's graceful timeout is 30 seconds, and with it the worker's without draining.
        server.stop(signal.SIGTERM, timeout=15)
        idle.close()
        slow.join(20)
        assert answers == [b"took its time"], "a request under way is answered"
        assert_ended_well(server, clients, key)
        js.forget_clients()


def test_worker_hands_over_on_sighup(js, key):
    with Server(LIFECYCLE, "worker") as server:
        clients = open_both(js, server, key)
        before = server.worker_pid
        assert [client.call("pid") for client in clients] == [before, before]
        os.kill(server.pid, signal.SIGHUP)
        wait_for(lambda: children(server.pid) and before not in children(server.pid), "the old worker ends", timeout=15)
        for client in clients:
            client.wait("connect", 2)
            assert client.call("pid") == server.worker_pid != before
        assert_ended_well(server, clients, key)
        js.forget_clients()


def test_worker_is_replaced_after_max_requests_and_clients_come_back(js, key):
    with Server(LIFECYCLE, "worker", args=("--max-requests", "20")) as server:
        client = js.open(server.url, transports=["websocket"], query={"key": key}, **QUICK)
        client.wait("connect")
        before = client.call("pid")

        def is_replaced():
            with contextlib.suppress(OSError):  # between two workers
                server.get("/")
            now = children(server.pid)
            return now and before not in now

        wait_for(is_replaced, "the worker ends", timeout=20)
        client.wait("connect", 2)
        assert client.call("pid") != before
        js.forget_clients()


def test_worker_drains_tls(js, key):
    with Server(LIFECYCLE, "worker", tls=True) as server:
        clients = open_both(js, server, key)
        server.stop(signal.SIGTERM, timeout=15)
        assert_ended_well(server, clients, key)
        js.forget_clients()


@pytest.mark.parametrize("kind", ["gevent", "geventwebsocket"])
def test_websockets_do_not_delay_the_end_of_other_workers(js, kind):
    with Server(host_kind=kind) as server:
        client = js.open(server.url, transports=["websocket"])
        client.wait("connect")
        server.stop(signal.SIGTERM, timeout=20)
        assert client.wait("disconnect")["reason"] == "transport close"
        js.forget_clients()


def test_command_line(js, transport):
    with Server(host_kind="cli") as server:
        client = js.open(server.url, transports=[transport])
        client.wait("connect")
        assert client.call("echo", 1, b"2") == [1, b"2"]
        js.forget_clients()
        assert not warns_of_patching(server.log())


def warns_of_patching(log):
    return "monkey" in log and "patch" in log


def test_unpatched_process_is_warned(js):
    with Server(LIFECYCLE, args=("--no-patch",)) as server:
        assert warns_of_patching(server.log())
        client = js.open(server.url, transports=["websocket"], query={"key": "unpatched"})
        client.wait("connect")
        assert client.call("echo", 1) == 1
        js.forget_clients()
    with Server(LIFECYCLE) as server:
        assert not warns_of_patching(server.log())


def test_reloader(js, tmp_path):
    source = tmp_path / "reloaded_app.py"
    source.write_text(RELOADED.format(version="one"))
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    with Server("reloaded_app:app", args=("--debug",), env={"PYTHONPATH": path}) as server:
        client = js.open(server.url, transports=["websocket"], **QUICK)
        client.wait("connect")
        assert client.call("version") == "one"
        source.write_text(RELOADED.format(version="two"))
        client.wait("connect", 2)
        assert client.call("version") == "two"
        serving = wait_for(lambda: children(server.pid), "the reloader has a child")
        js.forget_clients()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        for pid in serving:
            wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the serving process ends with its reloader")
