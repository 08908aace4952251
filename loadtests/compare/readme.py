"""The part of the README that says how fast: made from a report, never written by hand.

The report itself is kept beside the chart, so that the figures of the README can be checked against it.
"""

from __future__ import annotations

from pathlib import Path

from loadtests.compare import chart, report, servers
from loadtests.compare.report import Report, amount, machine_line, median
from loadtests.compare.workloads import WORKLOADS

README = servers.ROOT / "README.md"
IMAGES = servers.ROOT / "docs" / "images"
#: Fewer have no median.
ROUNDS = 3
BEGIN, END = "<!-- benchmark -->", "<!-- end of the benchmark -->"


def unfit(made: Report) -> str | None:
    """Why a report is not for the README; None: it is whole."""
    for key, workload in WORKLOADS.items():
        found = made["workloads"].get(key)
        if found is None or found["connections"] != workload.connections:
            return f"{key} was not measured, or not with {workload.connections} connections"
        if lacking := [name for name in servers.NAMES if name not in found["servers"]]:
            return f"{key} has no figure of {lacking[0]}"
    return None if made["rounds"] >= ROUNDS else f"it needs {ROUNDS} rounds or more"


def block(made: Report) -> str:
    """What stands between the two marks."""
    names = list(made["servers"])
    lines = [
        f"Measured by `make compare` on this machine: {machine_line(made)}.",
        f"Server CPU time for each message, the median of {made['rounds']} rounds:",
        "",
        "| | " + " | ".join(made["servers"][name]["title"] for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for key, workload in made["workloads"].items():
        cells = [amount(median(made, key, name), workload["unit"]) for name in names]
        lines.append(f"| {workload['title']} | " + " | ".join(cells) + " |")
    picture = (IMAGES / chart.NAME).relative_to(servers.ROOT)
    lines += [
        "",
        f"![A chart of how many times as much as this package the other servers need, for each row]({picture})",
    ]
    return "\n".join(lines)


def write(made: Report, readme: Path = README, images: Path = IMAGES) -> None:
    """Replace the README's part, the chart and the report beside it.

    Raises:
        ValueError: the report is not whole
    """
    if why := unfit(made):
        raise ValueError(f"not for the README: {why}")
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    chart.draw(made, images / chart.NAME)
    report.save(made, images)
    readme.write_text(f"{before}{BEGIN}\n\n{block(made)}\n\n{END}{after}", "utf-8")
