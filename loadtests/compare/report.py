"""The figures of a run as one value, as JSON and as text. Knows nothing of how they are taken.

Everything else, table, chart and README, is made from this value: it has what is needed to say where figures come from.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests.compare import machine, servers
from loadtests.compare.workloads import WORKLOADS, Figure

Report = dict[str, Any]
NAME = "compare.json"


def begin(names: Sequence[str], rounds: int, seconds: float) -> Report:
    """A report without figures."""
    return {
        "made": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "rounds": rounds,
        "seconds": seconds,
        "servers": {name: {"title": servers.title(name), "versions": servers.versions(name)} for name in names},
        "workloads": {},
    }


def add(report: Report, workload: str, connections: int, figures: Mapping[str, Sequence[Figure]]) -> None:
    """Enter what came out for one workload: by server, the figures of all rounds."""
    report["workloads"][workload] = {
        "title": WORKLOADS[workload].title.format(clients=connections),
        "unit": WORKLOADS[workload].unit,
        "connections": connections,
        "servers": {
            name: {
                "median": round(statistics.median(figure.value for figure in taken), 2),
                "rounds": [round(figure.value, 2) for figure in taken],
                "busy": [None if figure.busy is None else round(figure.busy, 2) for figure in taken],
                "messages": [figure.messages for figure in taken],
                "swapped": sum(figure.swapped for figure in taken),
            }
            for name, taken in figures.items()
            if taken
        },
    }


def median(report: Report, workload: str, server: str) -> float | None:
    """A server's figure; None: it has none."""
    entry = report["workloads"][workload]["servers"].get(server)
    return None if entry is None else float(entry["median"])


def ratio(report: Report, workload: str, server: str) -> float | None:
    """How many times as much as this package a server needs; None: one of them has no figure."""
    ours, theirs = median(report, workload, servers.OURS), median(report, workload, server)
    return theirs / ours if ours and theirs else None


def amount(value: float | None, unit: str) -> str:
    """A figure as it is printed."""
    if value is None:
        return "-"
    return f"{value:,.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


def times(value: float | None) -> str:
    """A ratio as it is printed."""
    if value is None:
        return "-"
    digits = 2 if value < 2 else 1 if value < 10 else 0
    return f"{value:,.{digits}f} x"


def machine_line(report: Report) -> str:
    """The machine and the versions, in one line."""
    where = report["machine"]
    versions: dict[str, str] = {}
    for server in report["servers"].values():
        # Several servers name the same language; the first is ours, whose gevent it is, too.
        versions = {**server["versions"], **versions}
    named = [f"{name} {versions[name]}" for name in ("CPython", "gevent", "Node") if name in versions]
    cores = f"{where['cores']} core" + ("s" if where["cores"] != 1 else "")
    return ", ".join([f"{where['processor']} {where['kind']}", cores, where["kernel"], *named])


def table(report: Report) -> str:
    """The figures and the ratios for a terminal."""
    names = list(report["servers"])
    peers = [name for name in names if name != servers.OURS]
    head = ["", *(report["servers"][name]["title"] for name in names), *(f"{name} / ours" for name in peers)]
    lines = [head]
    for key, workload in report["workloads"].items():
        figures = [amount(median(report, key, name), workload["unit"]) for name in names]
        lines.append([workload["title"], *figures, *(times(ratio(report, key, name)) for name in peers)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = [
        "  ".join(
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join(
        [*text, "", f"Rounds: {report['rounds']}, of {report['seconds']:g} s; medians. {machine_line(report)}"]
    )


def save(report: Report, folder: Path) -> Path:
    """Write it as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return path


def load(folder: Path) -> Report:
    """Read what `save` wrote.

    Raises:
        FileNotFoundError: nothing was written there
    """
    return dict(json.loads((folder / NAME).read_text("utf-8")))
