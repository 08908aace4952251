"""The official client comes back by itself: after a restart of the server (each host in turn), and after silence."""

import os
import signal

import pytest

from tests.live.servers import KINDS, Server

QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.differs("SIGTERM ends it without a word")
def test_reconnects_after_a_restart(js, kind, key):
    # gunicorn's own workers do not end hanging polls: they wait that long for them, then cut them off.
    args = ("--graceful-timeout", "2") if kind.startswith("gevent") else ()
    with Server(host_kind=kind, args=args) as server:
        clients = {
            name: js.open(server.url, transports=[name], query={"key": key}, **QUICK)
            for name in ("polling", "websocket")
        }
        sids = {name: client.sid() for name, client in clients.items()}
        server.restart()
        for name, client in clients.items():
            # A client between two polls finds nobody listening, which it calls an error.
            ends = {"transport close", "transport error"} if name == "polling" else {"transport close"}
            assert client.wait("disconnect")["reason"] in ends
            assert client.wait("connect", 2)["sid"] != sids[name]
            assert client.call("echo", name) == name
        js.forget_clients()


def test_what_was_emitted_while_away_arrives_after_the_restart(js, key):
    with Server(allow_traceback=True) as server:
        client = js.open(server.url, transports=["websocket"], query={"key": key}, **QUICK)
        client.sid()
        server.stop(signal.SIGKILL)
        client.wait("disconnect")
        client.emit("note", "kept")
        server.start()
        client.wait("connect", 2)
        client.call("echo")
        assert "kept" in server.journal(key)
        js.forget_clients()


@pytest.mark.differs("intervals below a second become 0")
def test_silent_server_is_given_up_and_found_again(js, transport, key):
    with Server(options={"ping_interval": 0.3, "ping_timeout": 0.5}) as server:
        client = js.open(server.url, transports=[transport], query={"key": key}, **QUICK)
        client.sid()
        os.kill(server.pid, signal.SIGSTOP)
        try:
            assert client.wait("disconnect")["reason"] == "ping timeout"
        finally:
            os.kill(server.pid, signal.SIGCONT)
        client.wait("connect", 2)
        assert client.call("echo", 1) == 1
        js.forget_clients()


@pytest.mark.differs("intervals below a second become 0")
def test_silent_client_is_given_up(js, driver, transport, key):
    with Server(options={"ping_interval": 0.3, "ping_timeout": 0.5}) as server:
        client = js.open(server.url, transports=[transport], query={"key": key}, **QUICK)
        sid = client.sid()
        os.kill(driver.process.pid, signal.SIGSTOP)
        try:
            gone = server.wait_journal(key, 2)[-1]
        finally:
            os.kill(driver.process.pid, signal.SIGCONT)
        assert gone == {"disconnect": sid, "reason": "ping timeout", "rooms": []}
        client.wait("connect", 2)
        assert client.call("echo", 1) == 1
        js.forget_clients()
