"""The command of the comparison: python -m loadtests.compare [options], or make compare.

Takes the figures, prints them as a table, writes them as JSON and draws the chart.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtests.compare import chart, readme, report, servers
from loadtests.compare.wire import LoadError
from loadtests.compare.workloads import MICROSECONDS, WORKLOADS, Cores, Effort, Figure, measure, redis_is_missing
from loadtests.processes import allow_files, cores

REPORT = servers.ROOT / "loadtests" / "report"
#: Descriptors beside those of the connections.
SPARE = 200


def names_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    """The type of an option that takes some of these names, with commas between."""

    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {','.join(known)}")
        return chosen

    return parse


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        "python -m loadtests.compare",
        description="This package, Node's socket.io and Flask-SocketIO: server CPU time for each message, and memory.",
    )
    made.add_argument("--rounds", type=int, default=3, help="how often each figure is taken (default: 3)")
    made.add_argument("--seconds", type=float, default=3.0, help="how long messages are counted (default: 3)")
    made.add_argument("--only", type=names_of(list(WORKLOADS)), default=list(WORKLOADS), help=",".join(WORKLOADS))
    made.add_argument(
        "--servers", type=names_of(servers.NAMES), default=list(servers.NAMES), help=",".join(servers.NAMES)
    )
    made.add_argument("--connections", type=int, help="so many clients in each workload (default: what suits it)")
    made.add_argument("--quick", action="store_true", help="one round, a second, few clients: to see that it works")
    made.add_argument("--report", type=Path, default=REPORT, help="the folder for compare.json and compare.png")
    made.add_argument("--write-readme", action="store_true", help="put table and chart into the README, too")
    made.add_argument("--from-report", action="store_true", help="take no figures but those of compare.json")
    return made


def available(names: Sequence[str]) -> list[str]:
    """Those servers that can be started here; says what the others need."""
    found = []
    for name in names:
        if why := servers.missing(name):
            say(f"without {name}: {why}")
        else:
            found.append(name)
    return found


def two_cores() -> Cores:
    """One core for the server and another one for the load."""
    found = cores()
    if len(found) < 2:
        say("only one core: the load takes its time from the server, and no figure is worth much")
    return Cores(found[0], found[-1])


def effort_of(name: str, arguments: argparse.Namespace) -> Effort:
    """How much is done for a figure."""
    connections = arguments.connections or WORKLOADS[name].connections
    if arguments.quick:
        seconds = min(arguments.seconds, 1.0)
        return Effort(arguments.connections or min(connections, 200), seconds, seconds / 5)
    return Effort(connections, arguments.seconds, 1.0)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def outcome(name: str, figure: Figure) -> str:
    """A figure for the line that tells of it."""
    parts = [report.amount(figure.value, WORKLOADS[name].unit).rjust(10)]
    if WORKLOADS[name].unit == MICROSECONDS:
        parts.append(f"{figure.messages:,} counted, server {figure.busy:.0%} busy")
    if figure.swapped:
        parts.append(f"{figure.swapped:,} out of order")
    return ", ".join(parts)


def take(arguments: argparse.Namespace) -> tuple[report.Report, list[str]]:
    """All figures, and what went wrong."""
    names = available(arguments.servers)
    rounds = 1 if arguments.quick else arguments.rounds
    made = report.begin(names, rounds, min(arguments.seconds, 1.0) if arguments.quick else arguments.seconds)
    apart = two_cores()
    chosen, faults = list(arguments.only), []
    if "redis" in chosen and (why := redis_is_missing()):
        say(f"without redis: {why}")
        chosen.remove("redis")
    began, done, total = time.monotonic(), 0, len(chosen) * len(names) * rounds
    for workload in chosen:
        effort = effort_of(workload, arguments)
        figures: dict[str, list[Figure]] = {name: [] for name in names}
        for number in range(1, rounds + 1):
            # In turn, so that a machine that changes changes for all.
            for name in names:
                try:
                    figure = measure(WORKLOADS[workload], name, effort, apart)
                except LoadError as error:
                    faults.append(f"{workload} on {name}: {error}")
                    text = f"failed: {error}"
                else:
                    figures[name].append(figure)
                    text = outcome(workload, figure)
                done += 1
                elapsed = f"{time.monotonic() - began:6.0f} s [{done}/{total}]"
                say(f"{elapsed}  {workload:8} round {number}  {name:15} {text}")
        report.add(made, workload, effort.connections, figures)
    return made, faults


def enough_descriptors(arguments: argparse.Namespace) -> bool:
    """Raise the limit of open files as far as it goes; False: that is not enough, and it was said."""
    needed = max(effort_of(name, arguments).connections for name in arguments.only) + SPARE
    allowed = allow_files(needed)
    if allowed < needed:
        say(f"{needed} open files are needed and {allowed} allowed: raise 'ulimit -n', or take fewer --connections")
        return False
    return True


def not_whole(arguments: argparse.Namespace) -> str | None:
    """Why this run can't end in the README, known before it begins; None: it can."""
    everything = set(arguments.only) == set(WORKLOADS) and set(arguments.servers) == set(servers.NAMES)
    if arguments.quick or arguments.connections or arguments.rounds < readme.ROUNDS or not everything:
        return "the README has all workloads and servers, with their own clients, in three rounds or more"
    lacking = [why for why in map(servers.missing, servers.NAMES) if why]
    return lacking[0] if lacking else redis_is_missing()


def main() -> int:
    """Run the command; its exit code."""
    arguments = parser().parse_args()
    faults: list[str] = []
    if arguments.from_report:
        made = report.load(arguments.report)
    elif arguments.write_readme and (why := not_whole(arguments)):
        say(f"nothing was measured: {why}")
        return 1
    elif not enough_descriptors(arguments):
        return 1
    else:
        made, faults = take(arguments)
        say(f"wrote {report.save(made, arguments.report)}")
    if chart.draw(made, arguments.report / chart.NAME):
        say(f"drew {arguments.report / chart.NAME}")
    print(report.table(made))
    if arguments.write_readme and not faults:
        try:
            readme.write(made)
            say(f"wrote {readme.README}")
        except ValueError as error:
            faults.append(str(error))
    for fault in faults:
        say(f"FAILED: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
