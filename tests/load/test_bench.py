"""Owns that each micro benchmark runs, and what a comparison with the baseline says. Not how fast anything is."""

import json
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import bench, measure
from loadtests.bench import Price, benches_of, compare, least, load, record, slower, table

ALL = [pytest.param(item, id=f"{group}: {item.name}") for group in bench.GROUPS for item in benches_of(group)]
SECONDS = st.floats(1e-9, 1)
PRICES = st.dictionaries(st.sampled_from("abcdef"), st.builds(Price, SECONDS, SECONDS))


@pytest.mark.parametrize("item", ALL)
def test_a_benchmark_runs(item):
    with ExitStack() as stack:
        timed = item.make(stack)
        assert timed(2) > 0
        assert timed(1) >= 0


def test_a_price_has_its_calibration_beside_it():
    own, calibration = measure.price(measure.of_call("nothing", lambda: None), samples=3, seconds=0.0001)
    assert 0 < own < calibration


def test_a_group_is_measured_in_a_process_of_its_own(tmp_path):
    found = bench.measure("session", bench.ROOT, samples=1, only=["send a message"])
    assert list(found) == ["session: send a message"]
    with pytest.raises(SystemExit, match="the benchmarks of nonsense failed"):
        bench.measure("nonsense", bench.ROOT, samples=1)


def test_another_tree_is_measured_with_its_own_package(tmp_path):
    package = tmp_path / "flask_socketio_py"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('this is the other one')\n")
    with pytest.raises(SystemExit, match="this is the other one"):
        bench.measure("session", tmp_path, samples=1)


def test_the_loops_of_a_sample_are_found():
    assert measure.fit(lambda loops: loops * 0.001, 0.01) == 10
    assert measure.fit(lambda loops: loops * 1.0, 0.01) == 1
    assert measure.fit(lambda loops: 0.0, 0.01) == measure.MOST


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_low_end_is_one_of_the_samples_and_not_far_up(samples):
    assert min(samples) <= measure.low(samples) <= sorted(samples)[len(samples) // 2]


@given(st.lists(PRICES, min_size=1))
def test_several_runs_come_to_the_least_of_each(runs):
    found = least(runs)
    assert set(found) == set().union(*runs)
    for name, price in found.items():
        assert price.own == min(run[name].own for run in runs if name in run)
        assert price.calibration == min(run[name].calibration for run in runs if name in run)


@given(PRICES, st.floats(0.01, 0.5))
def test_what_did_not_change_is_no_alarm(prices, tolerance):
    before = {name: price.times for name, price in prices.items()}
    assert slower(compare(before, prices), tolerance) == []


@given(SECONDS, SECONDS, st.floats(0.2, 5), st.floats(0.1, 10))
def test_another_machine_changes_nothing_and_a_slowdown_is_seen(own, calibration, slowdown, machine):
    before = {"a": own / calibration}
    now = {"a": Price(own * slowdown * machine, calibration * machine)}
    (verdict,) = compare(before, now)
    assert verdict.change == pytest.approx(slowdown - 1, abs=1e-6)
    assert bool(slower([verdict], 0.1)) == (verdict.change > 0.1)


def test_the_words_of_the_verdicts():
    before = {"same": 1.0, "slow": 1.0, "fast": 1.0, "gone": 1.0}
    now = {"same": Price(1.09, 1), "slow": Price(1.15, 1), "fast": Price(0.8, 1), "fresh": Price(1, 1)}
    words = {verdict.name: verdict.word(0.1) for verdict in compare(before, now)}
    assert words == {"same": "", "slow": "SLOWER", "fast": "faster", "fresh": "new", "gone": "GONE"}
    lines = list(table(compare(before, now), 0.1))
    assert len(lines) == 6
    assert lines[2].endswith("+15.0% SLOWER")


class Scripted(bench.Measuring):
    """Measures what it was told: the first round, then the further ones of what looked slow."""

    def __init__(self, *rounds):
        super().__init__([bench.ROOT], 1)
        self.script = list(rounds)
        self.asked = []

    def round(self, group, only=()):
        self.asked.append((group, tuple(only)))
        found = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.runs[0].append({name: Price(own, 1.0) for name, own in found.items()})


BEFORE = {"codec: a": 1.0, "codec: b": 1.0}


def test_what_only_looked_slow_is_measured_again_until_it_does_not():
    measuring = Scripted({"codec: a": 1.4, "codec: b": 1.0}, {"codec: a": 1.2}, {"codec: a": 1.05})
    bench.run(measuring, ["codec"], 1)
    assert slower(bench.settle(measuring, BEFORE, 0.1), 0.1) == []
    assert measuring.asked == [("codec", ()), ("codec", ("a",)), ("codec", ("a",))]


def test_what_stays_slow_is_an_alarm():
    measuring = Scripted({"codec: a": 1.15, "codec: b": 1.0})
    bench.run(measuring, ["codec"], 1)
    assert slower(bench.settle(measuring, BEFORE, 0.1), 0.1) == ["codec: a"]
    assert len(measuring.asked) == 1 + bench.FURTHER


def test_the_program_compares_with_what_it_recorded(tmp_path, monkeypatch, capsys):
    path = tmp_path / "baseline.json"
    prices = {"codec: a": Price(2.0, 1.0)}
    monkeypatch.setattr(bench, "measure", lambda *args, **options: prices)
    assert bench.main(["codec", "--record", "--baseline", str(path)]) == 0
    assert bench.main(["codec", "--baseline", str(path)]) == 0
    prices["codec: a"] = Price(2.3, 1.0)
    assert bench.main(["codec", "--baseline", str(path), "--rounds", "1"]) == 1
    assert "SLOWER" in capsys.readouterr().out
    prices.clear()
    assert bench.main(["codec", "--baseline", str(path)]) == 1
    assert bench.main(["frames", "--baseline", str(path)]) == 0


def test_a_part_is_recorded_without_losing_the_rest(tmp_path):
    path = tmp_path / "baseline.json"
    record(path, {"codec: a": Price(1.0, 1.0)}, load(path))
    record(path, {"frames: of old": Price(1.0, 1.0)}, load(path))
    record(path, {"frames: b": Price(3.0, 2.0)}, load(path))
    assert json.loads(path.read_text())["benches"]["frames: b"] == {"calibrations": 1.5, "nanoseconds": 3000000000}
    assert set(load(path)["benches"]) == {"codec: a", "frames: b"}


def test_the_recorded_baseline_knows_every_benchmark():
    recorded = load(bench.BASELINE)
    names = {f"{group}: {item.name}" for group in bench.GROUPS for item in benches_of(group)}
    assert set(recorded["benches"]) == names
    assert recorded["machine"]
    assert recorded["python"]


@pytest.mark.parametrize("group", bench.GROUPS)
def test_names_are_once(group):
    names = [item.name for item in benches_of(group)]
    assert len(names) == len(set(names))
