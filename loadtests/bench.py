"""All micro benchmarks, compared with the recorded baseline: what has become slower is seen, and is the exit code.

    python loadtests/bench.py                       # about a minute; exits with 1 if something is slower
    python loadtests/bench.py codec frames          # some of them
    python loadtests/bench.py --against main        # with that revision, in turn, instead of with the baseline
    python loadtests/bench.py --record              # the new baseline

Nanoseconds of one machine mean nothing on another, and little on the same one in another hour. So the baseline says how
many times a calibration (``measure``) each thing costs, and a run measures the same, calibration and benchmark in turn,
in several processes; of all samples the low end counts. What then still looks slower is measured again, several times:
more samples can only lower it. Where even that leaves a doubt, on another kind of processor or with another Python,
``--against`` measures both trees in turn here and now.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from loadtests.measure import SAMPLES, Bench, price

BASELINE = ROOT / "loadtests" / "baseline.json"
GROUPS = ("codec", "frames", "session", "dispatch", "context", "fanout", "connect")
#: Processes that measure each benchmark; and more of them for one that looks slower.
ROUNDS, FURTHER = 3, 6
#: Slower by more than this share is an alarm.
TOLERANCE = 0.10


class Price(NamedTuple):
    """Seconds of a benchmark's unit, and of the calibration in the same moments."""

    own: float
    calibration: float

    @property
    def times(self) -> float:
        """How many calibrations it costs."""
        return self.own / self.calibration


#: By ``group: name``.
Prices = dict[str, Price]


def least(runs: Sequence[Prices]) -> Prices:
    """What several runs have found together: of each number the lowest."""
    found: Prices = {}
    for run in runs:
        for name, (own, calibration) in run.items():
            known = found.get(name, Price(own, calibration))
            found[name] = Price(min(known.own, own), min(known.calibration, calibration))
    return found


class Verdict(NamedTuple):
    """One benchmark, before and now; ``change`` is a share, 0.1 for ten per cent slower."""

    name: str
    before: float | None
    now: Price | None

    @property
    def change(self) -> float:
        return 0.0 if self.before is None or self.now is None else self.now.times / self.before - 1

    def word(self, tolerance: float) -> str:
        """What is to be said of it, if anything."""
        if self.before is None:
            return "new"
        if self.now is None:
            return "GONE"
        if self.change > tolerance:
            return "SLOWER"
        return "faster" if self.change < -tolerance else ""


def compare(before: dict[str, float], now: Prices) -> list[Verdict]:
    """The verdicts, in the order of what was measured now, then what is missing."""
    names = [*now, *(name for name in before if name not in now)]
    return [Verdict(name, before.get(name), now.get(name)) for name in names]


def slower(verdicts: Sequence[Verdict], tolerance: float) -> list[str]:
    """The names of what became slower."""
    return [verdict.name for verdict in verdicts if verdict.word(tolerance) == "SLOWER"]


# -- measuring in processes of their own -------------------------------------------------------------------------------


def benches_of(group: str) -> list[Bench]:
    """The benchmarks of one file."""
    found: list[Bench] = importlib.import_module(f"loadtests.bench_{group}").BENCHES
    return found


def child(group: str, samples: int, only: Sequence[str] = ()) -> None:
    """Measure a group, here; the prices go to standard output as JSON."""
    prices = {bench.name: price(bench, samples) for bench in benches_of(group) if not only or bench.name in only}
    print(json.dumps(prices))


def measure(group: str, tree: Path, samples: int = SAMPLES, only: Sequence[str] = ()) -> Prices:
    """Measure a group in a new process, with the package of a tree and the benchmarks of this one."""
    program = f"import sys; sys.path[:0] = {[str(tree), str(ROOT)]!r}\nfrom loadtests.bench import child\n"
    program += f"child({group!r}, {samples}, {list(only)!r})"
    # The same order in dictionaries and sets each time.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=300)
    if run.returncode:
        raise SystemExit(f"the benchmarks of {group} failed:\n{run.stderr}")
    return {f"{group}: {name}": Price(*found) for name, found in json.loads(run.stdout).items()}


class Measuring:
    """Trees that are measured in turn."""

    def __init__(self, trees: Sequence[Path], samples: int) -> None:
        self.trees = trees
        self.samples = samples
        self.runs: list[list[Prices]] = [[] for _ in trees]

    def round(self, group: str, only: Sequence[str] = ()) -> None:
        """Each tree once."""
        for tree, runs in zip(self.trees, self.runs, strict=True):
            runs.append(measure(group, tree, self.samples, only))

    def prices(self, number: int = 0) -> Prices:
        return least(self.runs[number])


@contextlib.contextmanager
def tree_of(revision: str) -> Iterator[Path]:
    """The package as it was at a revision, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        archive = Path(folder) / "package.tar"
        command = ["git", "archive", "-o", str(archive), revision, "flask_socketio_py"]
        if subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit(f"git knows no package at {revision!r}")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


# -- the program -------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(measuring: Measuring, groups: Sequence[str], rounds: int) -> None:
    """The first measurements: the rounds one after the other, so that a bad moment meets each group once at most."""
    for number in range(rounds):
        for group in groups:
            started = time.monotonic()
            measuring.round(group)
            say(f"  round {number + 1} of {rounds}: {group} ({time.monotonic() - started:.0f} s)")


def settle(measuring: Measuring, before: dict[str, float] | None, tolerance: float) -> list[Verdict]:
    """The verdicts; what looks slower is measured again before it is said. Without ``before`` the second tree is it."""

    def verdicts() -> list[Verdict]:
        old = before
        if old is None:
            old = {name: found.times for name, found in measuring.prices(1).items()}
        return compare(old, measuring.prices())

    for _ in range(FURTHER):
        doubtful = slower(verdicts(), tolerance)
        for group in dict.fromkeys(name.partition(": ")[0] for name in doubtful):
            names = [name.partition(": ")[2] for name in doubtful if name.startswith(f"{group}: ")]
            say(f"  again: {group}: {', '.join(names)}")
            measuring.round(group, names)
    return verdicts()


def table(verdicts: Sequence[Verdict], tolerance: float) -> Iterator[str]:
    """The lines that are printed."""
    yield f"{'':58} {'now':>12} {'calibrations':>13} {'before':>9} {'change':>8}"
    for verdict in verdicts:
        now, before = verdict.now, verdict.before
        own = "" if now is None else f"{now.own * 1e9:,.0f} ns"
        times = "" if now is None else f"{now.times:.4f}"
        old = "" if before is None else f"{before:.4f}"
        change = "" if now is None or before is None else f"{verdict.change:+.1%}"
        yield f"{verdict.name:58} {own:>12} {times:>13} {old:>9} {change:>8} {verdict.word(tolerance)}".rstrip()


def machine() -> str:
    """What processor this is, as far as the system tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def record(path: Path, prices: Prices, keep: dict[str, object]) -> None:
    """Write the baseline; groups that were not measured now stay as they were."""
    known, measured = keep.get("benches"), {name.partition(": ")[0] for name in prices}
    benches = dict(known) if isinstance(known, dict) else {}
    benches = {name: row for name, row in benches.items() if name.partition(": ")[0] not in measured}
    benches |= {
        name: {"calibrations": round(found.times, 5), "nanoseconds": round(found.own * 1e9)}
        for name, found in prices.items()
    }
    content = {"machine": machine(), "python": platform.python_version(), "benches": benches}
    path.write_text(json.dumps(content, indent=1) + "\n")


def load(path: Path) -> dict[str, object]:
    """The baseline, or nothing."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def main(words: Sequence[str] | None = None) -> int:
    """Run; 0, or 1 if something is slower or was not measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="group", help=", ".join(GROUPS))
    parser.add_argument("--against", metavar="REVISION", help="compare with the package at a revision of git")
    parser.add_argument("--record", action="store_true", help="write the baseline")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--tree", type=Path, default=ROOT, help="the folder of the package that is measured")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes for each benchmark")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples in each process")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE * 100, help="per cent")
    arguments = parser.parse_args(words)
    groups = arguments.groups or GROUPS
    tolerance = arguments.tolerance / 100
    if arguments.against:
        with tree_of(arguments.against) as old:
            measuring = Measuring([arguments.tree, old], arguments.samples)
            run(measuring, groups, arguments.rounds)
            verdicts = settle(measuring, None, tolerance)
    else:
        baseline = load(arguments.baseline)
        recorded = baseline.get("benches")
        known = recorded if isinstance(recorded, dict) else {}
        before = {name: row["calibrations"] for name, row in known.items() if name.partition(": ")[0] in groups}
        measuring = Measuring([arguments.tree], arguments.samples)
        run(measuring, groups, arguments.rounds)
        if arguments.record:
            record(arguments.baseline, measuring.prices(), baseline)
            say(f"written: {arguments.baseline}")
            return 0
        verdicts = settle(measuring, before, tolerance)
        print(f"baseline: {baseline.get('machine')}, Python {baseline.get('python')}")
        print(f"here:     {machine()}, Python {platform.python_version()}")
    print("\n".join(table(verdicts, tolerance)))
    bad = [verdict for verdict in verdicts if verdict.word(tolerance) in ("SLOWER", "GONE")]
    print(f"{len(bad)} of {len(verdicts)} slower by more than {arguments.tolerance:g} %, or gone")
    if any(verdict.word(tolerance) in ("new", "faster", "GONE") for verdict in verdicts) and not arguments.against:
        print("new, gone or faster ones: --record makes this the baseline, on a quiet machine")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
