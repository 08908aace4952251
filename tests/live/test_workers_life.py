"""Several gunicorn workers that come and go: TLS in the workers, killed, reloaded, replaced, preloaded."""

import contextlib
import http.client
import json
import os
import signal
import threading
import time

import pytest

from tests.live.pollers import ENDPOINT, Poller, Refused, http_connection, owners, spread
from tests.live.servers import OURS, PACKAGE, Server, children, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

LIFECYCLE = "tests.live.apps.lifecycle:app"
QUICK = {"reconnectionDelay": 50, "reconnectionDelayMax": 200}
BOTH = (["polling"], ["polling", "websocket"])
KEY = {"key": "official"}
KINDS = ["worker", "gevent"]


def cluster(kind, *args, workers=3, **options):
    return Server(LIFECYCLE, kind, args=("-w", str(workers), *args), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_tls_that_ends_in_the_workers(js, kind):
    with cluster(kind, tls=True) as server:
        some = [few[0] for few in owners(spread(server, 2)).values()]
        for number in range(5):
            for poller in some:
                assert poller.call("echo", number) == number
        connection = http_connection(server)
        for number in range(12):
            text = "x" * 20_000 * (number % 4)
            assert some[number % 2].call("echo", text, connection=connection) == text
        connection.close()
        clients = [
            js.open(server.url, transports=names, query=KEY) for names in (["polling"], ["polling", "websocket"]) * 4
        ]
        for number, client in enumerate(clients):
            client.wait("connect")
            if number % 2:
                client.wait("upgrade", transport="websocket")
        for number in range(10):
            for client in clients:
                assert client.call("echo", number, b"bytes") == [number, b"bytes"]
        large = "é" * 200_000
        assert all(client.call("echo", large) == large for client in clients)
        assert not any(client.found("disconnect") for client in clients)
        js.forget_clients()
        before = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in children(server.pid)}
        for poller in some * 5:
            poller.call("echo", 1)

        def as_many_as_before():
            return all(len(os.listdir(f"/proc/{pid}/fd")) <= count for pid, count in before.items())

        wait_for(as_many_as_before, "relayed connections leave nothing open")
        if kind == "worker":
            server.stop(signal.SIGTERM, timeout=15)


class Caller(threading.Thread):
    """Calls without end; what it was answered, in order."""

    def __init__(self, poller):
        super().__init__(daemon=True)
        self.poller = poller
        self.done = 0
        self.error = None
        self.stopped = False

    def run(self):
        try:
            while not self.stopped:
                assert self.poller.call("echo", self.done) == self.done
                self.done += 1
        except (OSError, http.client.HTTPException, Refused) as error:
            self.error = error


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_worker_takes_only_its_own_sessions_along(kind):
    with cluster(kind) as server:
        found = owners(spread(server, 3))
        callers = {pid: [Caller(poller) for poller in pollers[:3]] for pid, pollers in found.items()}
        everyone = [caller for some in callers.values() for caller in some]
        for caller in everyone:
            caller.start()
        wait_for(lambda: all(caller.done > 5 for caller in everyone), "everybody calls")
        killed, *others = found
        os.kill(killed, signal.SIGKILL)
        for caller in callers[killed]:
            caller.join(20)
            assert not isinstance(caller.error, TimeoutError), "nobody is left waiting"
            assert isinstance(caller.error, OSError | http.client.HTTPException) or caller.error.status == 400
        for poller in found[killed]:
            start = time.monotonic()
            answer = server.get(poller.url)
            assert (answer.status, json.loads(answer.body)["code"]) == (400, 1)
            assert time.monotonic() - start < 2, "at once"
        others_callers = [caller for pid in others for caller in callers[pid]]
        done = [caller.done for caller in others_callers]

        def all_go_on():
            """But for those whose connection the killed worker had just accepted and not yet handed over."""
            return all(
                caller.error is not None or caller.done > before + 5
                for caller, before in zip(others_callers, done, strict=True)
            )

        wait_for(all_go_on, "the others go on")
        wait_for(lambda: len(children(server.pid)) == 3, "another worker comes")
        (new,) = set(children(server.pid)) - set(found)
        wait_for(lambda: Poller(server).call("pid") == new, "it serves")
        for caller in others_callers:
            caller.stopped = True
            caller.join(20)
            assert caller.error is None or isinstance(caller.error, OSError | http.client.HTTPException)
            assert not isinstance(caller.error, TimeoutError)
            # Its session goes on, also where a connection was cut: on a busy machine the killed worker may just have
            # accepted one of everybody's.
            caller.poller.call_after_a_cut()


def test_official_clients_of_a_killed_worker_come_back(js):
    with cluster("worker") as server:
        clients = [js.open(server.url, transports=["polling"], query=KEY, **QUICK) for _ in range(8)]
        for client in clients:
            client.wait("connect")
        by_pid = {}
        for client in clients:
            by_pid.setdefault(client.call("pid"), []).append(client)
        killed = max(by_pid, key=lambda pid: len(by_pid[pid]))
        os.kill(killed, signal.SIGKILL)
        for client in by_pid[killed]:
            client.wait("connect", 2)
            assert client.call("pid") != killed
        for pid in set(by_pid) - {killed}:
            for client in by_pid[pid]:
                # On a busy machine the killed worker may just have accepted this one's connection, too: then it comes
                # back like the killed one's.
                lost = client.found("disconnect")
                assert {entry["reason"] for entry in lost} <= {"transport error", "transport close"}
                client.wait("connect", 1 + len(lost))
                assert client.call("pid") == pid or client.found("disconnect")
        js.forget_clients()


def test_reload_says_good_bye_to_everybody(js, key):
    with cluster("worker") as server:
        clients = [
            js.open(server.url, transports=names, query={"key": f"{key}{number}"}, **QUICK)
            for number, names in enumerate(BOTH * 4)
        ]
        for number, client in enumerate(clients):
            client.wait("connect")
            if number % 2:
                client.wait("upgrade", transport="websocket")
        before = set(children(server.pid))
        os.kill(server.pid, signal.SIGHUP)
        wait_for(lambda: len(children(server.pid)) == 3 and not before & set(children(server.pid)), "all are replaced")
        for client in clients:
            client.wait("connect", 2)
        # Not before the last old worker has gone do all of them have a place to stay.
        for client in clients:
            wait_for(lambda client=client: client.call("pid") not in before, "it is back")
        for number in range(len(clients)):
            assert f"disconnected {key}{number}: server shutting down" in server.log()
        js.forget_clients()
        master = server.pid
    assert not [name for name in os.listdir("/tmp") if f"py-{master}-" in name]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_replaced_after_max_requests(kind):
    """Sessions end with their worker, and only so: by code 1, a close packet or a closed connection."""
    with cluster(kind, "--max-requests", "60", "--graceful-timeout", "3") as server:
        first = set(children(server.pid))
        ends = []
        poller = None
        deadline = time.monotonic() + 30
        while first & set(children(server.pid)) or len(ends) < 3:
            assert time.monotonic() < deadline, "every worker is replaced"
            try:
                poller = poller or Poller(server)
                assert poller.call("echo", 1) == 1
            except (OSError, http.client.HTTPException, AssertionError, Refused) as error:
                ends.append(error)
                poller = None
        assert {error.status for error in ends if isinstance(error, Refused)} <= {400, 503}
        assert not [error for error in ends if isinstance(error, TimeoutError)]
        assert wait_for(lambda: alive(server), "sessions of new workers work")


def alive(server):
    with contextlib.suppress(OSError, http.client.HTTPException, AssertionError, Refused):
        poller = Poller(server)
        return poller if poller.call("echo", 1) == 1 else None


@pytest.mark.parametrize("kind", KINDS)
def test_preloaded(kind):
    with cluster(kind, "--preload") as server:
        found = owners(spread(server, 3))
        assert len(found) == 3
        for number in range(5):
            for pid, pollers in found.items():
                for poller in pollers:
                    assert poller.call("echo", number) == number
                    assert poller.call("pid") == pid


def test_one_worker_opens_nothing():
    with cluster("worker", workers=1, env={"TMPDIR": "/tmp"}) as server:
        poller = Poller(server)
        assert poller.call("echo", 1) == 1
        assert not [name for name in os.listdir("/tmp") if f"py-{server.pid}-" in name]
        answer = server.get(f"{ENDPOINT}&sid={'x' * 20}")
        assert json.loads(answer.body)["code"] == 1
