"""Owns what locust reports of a server of ours: our user, locust's own user, and the tour with its report.

Locust patches the standard library, so everything runs in processes of its own; all at the same time, to be quick.
"""

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from tests.live.servers import OURS, PACKAGE, ROOT, Server, free_port

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own load tests")

SCENARIOS = re.findall(r"^class (\w+)", (ROOT / "loadtests" / "scenarios.py").read_text(), re.MULTILINE)
LOCUSTS_OWN = """
import time
from locust import constant, task
from locust.contrib.socketio import SocketIOUser


class Visitor(SocketIOUser):
    wait_time = constant(0.2)

    def on_start(self):
        self.sio.connect(self.host)
        self.sio.call("join", "room")

    @task
    def say(self):
        self.sio.call("say", ("room", {"at": time.time()}))

    def on_stop(self):
        self.sio.disconnect()
"""
FAILING = """
import gevent
from locust import constant, task
from loadtests.client import WEBSOCKET
from loadtests.users import SocketIOUser

class Refused(SocketIOUser):
    namespace = "/nowhere"

    @task
    def never(self):
        self.report("ack", "a task of one who was refused", 0.0)


class Unreachable(Refused):
    options = {"reconnect": False}


class Unanswered(SocketIOUser):
    transports = WEBSOCKET
    wait_time = constant(0.1)

    @task
    def ask(self):
        self.call("a question that nobody knows", timeout=0.2)
        self.report("ack", "after a failure", 0.0)


class Broken(SocketIOUser):
    @task
    def fall(self):
        self.client.drop()
        gevent.sleep(5)
"""


#: The user's class, the row of its failure, and the reason.
FAILURES = [
    ("Refused", "connect", "/nowhere", "RefusedError"),
    ("Unreachable", "connect", "/nowhere", "TransportError"),
    ("Unanswered", "ack", "a question that nobody knows", "TimeoutError"),
    ("Broken", "disconnect", "transport close", "DisconnectedError"),
]


#: A tour of one scenario, whose users the server refuses, and of one whose server can't start.
FAILING_TOUR = """
import sys
import loadtests.tour as tour


class ChatRooms(tour.locustfile.ChatRooms):
    namespace = "/nowhere"


class Cluster(ChatRooms):
    pass


tour.TOUR = (tour.Stop(ChatRooms, users=2, rate=2), tour.Stop(Cluster, users=2, rate=2, workers=-1))
sys.exit(tour.main())
"""


class Run:
    """One headless run of locust, started by the constructor, until everything ``wanted`` was reported so often."""

    def __init__(self, folder, name, file, wanted, *arguments):
        self.prefix = folder / name
        files = f"{file},tests/load/enough.py"
        command = [sys.executable, "-W", "error", "-m", "locust", "-f", files, "--headless", "--csv", str(self.prefix)]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, "WANTED": json.dumps(wanted)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._output = None

    @property
    def output(self):
        if self._output is None:
            self._output, _ = self.process.communicate(timeout=120)
        return self._output

    def rows(self):
        """(type, name) -> row, once it has ended without any failure."""
        assert self.process.wait(120) == 0, self.output
        found = {(row["Type"], row["Name"]): row for row in self._read("stats")}
        assert all(row["Failure Count"] == "0" for row in found.values()), self.output
        assert all(int(row["Request Count"]) for row in found.values()), self.output
        assert "Traceback" not in self.output
        return found

    def failures(self):
        """(type, name) -> reason, once it has ended with failures."""
        assert self.process.wait(120) == 1, self.output
        return {(row["Method"], row["Name"]): row["Error"] for row in self._read("failures")}

    def _read(self, what):
        with open(f"{self.prefix}_{what}.csv", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("locust")


@pytest.fixture(scope="module")
def runs(folder):
    """Every run by its name, started at once."""
    (folder / "own.py").write_text(LOCUSTS_OWN)
    (folder / "failing.py").write_text(FAILING)
    scenarios, waves = "loadtests/locustfile.py", "loadtests/locustfile.py,loadtests/shapes/waves.py"
    with Server("loadtests.server_app:app", "worker") as server:

        def run(name, file, wanted, *arguments, host=server.url):
            return Run(folder, name, file, wanted, "--host", host, *arguments)

        rooms = [("ack", "say", 30), ("broadcast", "said", 100)]
        own = [("WSC", "say", 10), ("WSR", "said", 10)]
        slow = [("cut-off", "slow-reader", 1)]
        started = {
            "tour": tour("-m", "loadtests.tour", "--report", str(folder / "report"), "--seconds", "0.5"),
            "failing tour": tour("-c", FAILING_TOUR, "--report", str(folder / "failing"), "--seconds", "2"),
            "rooms": run("rooms", scenarios, rooms, "-u", "10", "-r", "10", "ChatRooms"),
            "own": run("own", folder / "own.py", own, "-u", "5", "-r", "5"),
            "waves": run("waves", waves, [("connect", "/", 19)], "-u", "10", "-t", "100", "ConnectStorm"),
            "slow": run("slow", scenarios, slow, "-u", "3", "-r", "3", "SlowReaders"),
        }
        for name, kind, row, _ in FAILURES:
            host = f"http://127.0.0.1:{free_port()}" if name == "Unreachable" else server.url
            started[name] = run(name, folder / "failing.py", [(kind, row, 1)], "-u", "1", name, host=host)
        yield started
        for one in started.values():
            process = getattr(one, "process", one)
            process.kill()
            process.wait()
            process.stdout.close()


def tour(*arguments):
    command = [sys.executable, "-W", "error", *arguments, "--scale", "0.05"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def test_our_user_reports_connects_acknowledgements_and_broadcasts(runs):
    rows = runs["rooms"].rows()
    assert set(rows) == {("connect", "/"), ("ack", "join"), ("ack", "say"), ("broadcast", "said"), ("", "Aggregated")}
    assert rows["connect", "/"]["Request Count"] == "10"
    said = rows["broadcast", "said"]
    # Five in a room, and who says it hears it, too.
    assert int(said["Request Count"]) > int(rows["ack", "say"]["Request Count"])
    assert 0 <= float(said["Min Response Time"]) <= float(said["Median Response Time"]) < 60_000
    assert float(said["Average Content Size"]) > 60


def test_locusts_own_user_works_with_a_server_of_ours(runs):
    rows = runs["own"].rows()
    assert {("WS", "connect"), ("WSC", "join"), ("WSC", "say"), ("WSR", "said")} <= set(rows)
    assert rows["WS", "connect"]["Request Count"] == "5"


def test_waves_come_and_go(runs):
    rows = runs["waves"].rows()
    # Ten come, one stays, nine come again.
    assert int(rows["connect", "/"]["Request Count"]) >= 19


def test_who_does_not_read_is_cut_off_and_nobody_else(runs):
    rows = runs["slow"].rows()
    assert ("cut-off", "slow-reader") in rows
    assert ("broadcast", "picture") in rows


@pytest.mark.parametrize(("name", "kind", "row", "reason"), FAILURES)
def test_a_failure_has_a_row_and_a_reason(runs, name, kind, row, reason):
    failures = runs[name].failures()
    assert set(failures) == {(kind, row)}, failures
    assert reason in failures[kind, row]


def test_the_tour_writes_a_report_of_all_scenarios(runs, folder):
    output, _ = runs["tour"].communicate(timeout=120)
    assert runs["tour"].returncode == 0, output
    report = folder / "report"
    assert f"report: {report / 'index.html'}" in output
    page = (report / "index.html").read_text("utf-8")
    with (report / "summary.csv").open(newline="") as file:
        summary = list(csv.DictReader(file))
    assert len(summary) == len(SCENARIOS) == page.count('src="data:image/png;base64,') == 9
    for row in summary:
        assert row["Failures"] == "0", row
        assert int(row["Users"]) >= 2
        assert int(row["Memory MiB"]) > 10
        assert len(row["Connect ms"].split(" / ")) == 3
        assert f"<h2>{row['Scenario']}</h2>" in page
    assert {row["Scenario"]: row["Workers"] for row in summary}["Cluster"] == "4"
    for name in SCENARIOS:
        assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        for kind, column in (("stats", "Request Count"), ("seconds", "95% ms"), ("samples", "connections")):
            with (report / f"{name}_{kind}.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert any(float(one[column]) > 0 for one in rows), (name, kind)


def test_a_tour_with_failures_says_so_and_fails(runs, folder):
    output, _ = runs["failing tour"].communicate(timeout=120)
    assert runs["failing tour"].returncode == 1, output
    page = (folder / "failing" / "index.html").read_text("utf-8")
    for text in ("Chat rooms: connect /nowhere: RefusedError", "Cluster: "):
        assert f"fault: {text}" in output, output
    assert '<p class="bad">connect /nowhere: RefusedError' in page
    assert '<pre class="bad">Cluster: ' in page
    with (folder / "failing" / "summary.csv").open(newline="") as file:
        assert [row["Failures"] for row in csv.DictReader(file)] == ["2"]
