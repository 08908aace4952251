"""Owns that the comparison with other servers measures what it says: nothing is lost unseen, and the report is whole.

No figure is compared with anything: how fast a server is depends on the machine.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.compare import loop as loop_module
from loadtests.compare import readme, report, servers
from loadtests.compare.__main__ import parser
from loadtests.compare.crowd import Crowd
from loadtests.compare.loop import Loop
from loadtests.compare.polling import Pollers, parse
from loadtests.compare.servers import NAMES, OURS, ROOT, Server
from loadtests.compare.wire import PERIOD, Expected, LoadError, Stream, plain
from loadtests.compare.workloads import WORKLOADS, Cores, Effort, measure
from loadtests.processes import cores
from tests.load.careless_server import careless
from tests.redis_server import binary

MESSAGES = [b'43%d["%s"]' % (number, b"x" * 200) for number in range(10, 10 + PERIOD)]
PING = plain(b"2")


def need(name):
    if why := servers.missing(name):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name}: {why}")


def feed(expected, data, cuts):
    """Feed the data cut into pieces; how many messages that were."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return sum(expected.feed(data[start:end]) for start, end in itertools.pairwise(places))


@given(
    count=st.integers(1, 3 * PERIOD),
    pings=st.sets(st.integers(0, 3 * PERIOD)),
    cuts=st.lists(st.integers(0, 20000), max_size=12),
)
def test_messages_are_counted_however_they_are_cut(count, pings, cuts):
    data = b"".join((PING if at in pings else b"") + plain(MESSAGES[at % PERIOD]) for at in range(count))
    expected = Expected(Stream(MESSAGES))
    assert feed(expected, data, cuts) == count == expected.count
    assert expected.pings == sum(at < count for at in pings)
    assert not expected.swapped
    assert not expected.balance


@given(swaps=st.lists(st.integers(0, PERIOD - 2), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 9000)))
def test_messages_may_change_places_but_each_has_to_come(swaps, cuts):
    order = list(range(PERIOD))
    for at in swaps:
        order[at], order[at + 1] = order[at + 1], order[at]
    expected = Expected(Stream(MESSAGES))
    feed(expected, b"".join(plain(MESSAGES[at]) for at in order), cuts)
    assert expected.count == PERIOD
    assert expected.swapped == sum(at != place for place, at in enumerate(order))
    assert not expected.balance


@given(at=st.integers(0, PERIOD - 2), cuts=st.lists(st.integers(0, 9000)))
def test_a_message_that_comes_for_another_one_is_noticed(at, cuts):
    order = [*range(at + 1), *range(at, PERIOD - 1)]
    expected = Expected(Stream(MESSAGES))
    feed(expected, b"".join(plain(MESSAGES[number]) for number in order), cuts)
    assert expected.count == PERIOD
    assert expected.balance == {MESSAGES[at]: 1, MESSAGES[PERIOD - 1]: -1}


@pytest.mark.parametrize("mistake", ["lost", "twice", "wrong id", "wrong data", "closed"])
def test_a_mistake_of_a_server_ends_the_run(mistake, monkeypatch):
    monkeypatch.setattr(loop_module, "PATIENCE", 0.5)
    with contextlib.closing(Loop()) as loop, careless(mistake) as server:
        crowd = Crowd(loop, [server.server_address[1]])
        crowd.open(3)
        crowd.begin_echo(10)
        with pytest.raises(LoadError):
            crowd.go(0.5)


@pytest.mark.parametrize("mistake", ["none", "ping"])
def test_pings_are_answered_and_counted_as_nothing(mistake):
    with contextlib.closing(Loop()) as loop, careless(mistake) as server:
        crowd = Crowd(loop, [server.server_address[1]])
        crowd.open(3)
        crowd.begin_echo(10)
        crowd.clients[2].sent = 0
        received = crowd.go(0.3)
        while received < 30:
            received += crowd.go(0.3)
        assert received == sum(client.sent for client in crowd.clients)
        loop.until(lambda: server.pongs == (3 if mistake == "ping" else 0) or loop.run(0.05), "pongs")


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_response_is_whole_or_not_yet(framing):
    if framing == "length":
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    else:
        data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\n1\r\no\r\n0\r\n\r\n"
    assert [parse(data[:end]) for end in range(len(data))] == [None] * len(data)
    assert parse(data) == (200, b"hello", framing == "length")


@pytest.mark.parametrize("name", NAMES)
def test_no_server_loses_anything(name):
    need(name)
    with contextlib.closing(Loop()) as loop, Server(name, cores()[0]) as server:
        crowd = Crowd(loop, [server.port])
        crowd.open(20)
        for size in (32, 16000):
            crowd.begin_echo(size)
            assert crowd.go(0.1) == sum(client.sent for client in crowd.clients) >= 20
        crowd.begin_fanout(32)
        assert crowd.go(0.1) == crowd.clients[0].sent * 20 > 0
        assert [client.sent for client in crowd.clients[1:]] == [0] * 19
        if name == OURS:
            assert crowd.swapped == 0
        pollers = Pollers(loop, server.port, 5, 32)
        assert pollers.go(0.1) >= 5


@pytest.mark.parametrize(("workload", "messages"), [("memory", 300), ("redis", 300)])
def test_every_kind_of_figure_is_positive(workload, messages):
    binary()
    figure = measure(WORKLOADS[workload], OURS, Effort(300, 0.1, 0.1), Cores(cores()[0], cores()[-1]))
    assert figure.value > 0
    assert figure.messages >= messages
    assert figure.swapped == 0


def run(*arguments):
    command = [sys.executable, "-m", "loadtests.compare", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)


def test_the_command_writes_a_report_and_a_chart(tmp_path):
    present = [name for name in NAMES if servers.missing(name) is None]
    assert present == list(NAMES) or not os.environ.get("CI")
    short = ["--quick", "--seconds", "0.1", "--connections", "10", "--report", str(tmp_path)]
    done = run(*short, "--only", "echo32,connect")
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "compare.json").read_text())
    assert list(made["workloads"]) == ["echo32", "connect"]
    for key, workload in made["workloads"].items():
        assert list(workload["servers"]) == present
        for entry in workload["servers"].values():
            assert entry["median"] == entry["rounds"][0] > 0
            assert entry["messages"][0] >= 10
        assert WORKLOADS[key].title in done.stdout
        assert f"{key:8} round 1" in done.stderr
    assert made["machine"]["cores"] == len(cores())
    assert made["servers"][OURS]["versions"]["gevent"] in done.stdout
    if len(present) > 1:
        assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="echo32 was not measured"):
        readme.write(made, tmp_path / "README.md", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [(["--only", "echo"], "'echo' is not one of echo32,"), (["--servers", "us"], "'us' is not one of ours,")],
)
def test_what_can_not_be_measured_is_refused(arguments, why, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("partial", [["--quick"], ["--rounds", "2"], ["--only", "echo32"], ["--servers", "ours"]])
def test_no_part_of_the_comparison_goes_into_the_readme(partial):
    before = readme.README.read_bytes()
    done = run("--write-readme", *partial)
    assert done.returncode == 1
    assert "nothing was measured: the README has all" in done.stderr
    assert readme.README.read_bytes() == before


def test_the_readme_has_the_figures_of_the_report_beside_the_chart():
    made = report.load(readme.IMAGES)
    assert readme.unfit(made) is None
    _, _, rest = readme.README.read_text("utf-8").partition(f"{readme.BEGIN}\n\n")
    assert rest.partition(f"\n\n{readme.END}")[0] == readme.block(made)


def test_the_readme_is_rewritten_between_its_marks(tmp_path):
    made = report.load(readme.IMAGES)
    path = tmp_path / "README.md"
    path.write_text(f"before\n\n{readme.BEGIN}\n\nold\n\n{readme.END}\n\nafter\n")
    readme.write(made, path, tmp_path)
    assert path.read_text() == f"before\n\n{readme.BEGIN}\n\n{readme.block(made)}\n\n{readme.END}\n\nafter\n"
    assert report.load(tmp_path) == made
    assert (tmp_path / "compare.png").stat().st_size > 10000
