"""The report of a tour: one page with a table and plots, which opens from the file system, and CSV files beside it.

Knows results and how they look; starts and measures nothing.
"""

from __future__ import annotations

import base64
import csv
import datetime
import html
import importlib.metadata
import math
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import psutil
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .sampling import PERCENTILES, Requests, Sampler

#: Kinds of request that one scenario has for itself, and what their plot is called.
OWN = {"back": "Back after the break", "cut-off": "Until the cut-off"}
COLOURS = ("#1f77b4", "#d95f02", "#7b3294")
STYLES = {50: "-o", 95: "--^", 99: ":d"}
#: A load generator that needs more of its core than this is what the run measures.
BUSY = 90.0
PACKAGES = ("flask-socketio-py", "gevent", "Flask", "gunicorn", "locust")
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Load report</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }}
body {{ max-width: 1240px; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; font-size: 14px; width: 100%; font-variant-numeric: tabular-nums }}
th, td {{ padding: .3em .6em; border-bottom: 1px solid #ddd; text-align: right; vertical-align: bottom }}
th:first-child, td:first-child {{ text-align: left }}
td {{ white-space: nowrap }}
img {{ width: 100%; height: auto }}
.bad {{ color: #b00020; font-weight: 600 }}
.small {{ color: #555; font-size: 14px }}
section {{ margin-top: 2.5em }}
pre {{ background: #f5f5f5; padding: .6em; overflow-x: auto }}
</style></head><body>
<h1>Load report</h1>
<p class="small">{machine}</p>
{table}
<p class="small">Latencies: median / 95 % / 99 % of the whole run. Requests are what locust counts: connects,
acknowledgements, and each arrival of a broadcast; here a second, in the second half of the run. CPU: percent of one
core, the mean of the run. Memory: of the server's processes in the end, shared pages divided among them (PSS). One
process plays all users: where the core of the load is busy, the latencies are its own.</p>
{broken}
{sections}
</body></html>
"""


@dataclass
class Result:
    """What one scenario was like."""

    key: str
    title: str
    text: str
    workers: int
    seconds: float
    sampler: Sampler
    requests: Requests
    #: How often the server lost a client, by its reason.
    reasons: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """What should not have happened."""
        failed = (
            f"{kind} {name}: {error} ({times} times)"
            for (kind, name, error), times in self.requests.failures.most_common()
        )
        return [*failed, *self.errors]

    def mean(self, name: str) -> float:
        return statistics.fmean(getattr(sample, name) for sample in self.sampler.samples)

    def peak(self, name: str) -> float:
        return float(max(getattr(sample, name) for sample in self.sampler.samples))

    def row(self) -> dict[str, str]:
        """Its line of the summary."""
        row = {
            "Scenario": self.title,
            "Users": f"{self.peak('users'):.0f}",
            "Workers": str(self.workers),
            "Requests/s": f"{self.requests.rate(self.seconds / 2, self.seconds):,.0f}",
        }
        for kind in ("connect", "ack", "broadcast"):
            found = self.requests.percentiles(kind)
            row[f"{kind.capitalize()} ms"] = "" if found is None else " / ".join(map(readable, found))
        return row | {
            "Failures": str(self.requests.failed + len(self.errors)),
            "Server CPU %": f"{self.mean('cpu'):.0f}",
            "Load CPU %": f"{self.mean('own_cpu'):.0f}",
            "Memory MiB": f"{self.sampler.samples[-1].memory:.0f}",
        }


def readable(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}"


# -- plots ------------------------------------------------------------------------------------------------------------


def plot(result: Result) -> bytes:
    """The six plots of one scenario, as PNG."""
    figure = Figure(figsize=(12.4, 6.6), dpi=100, layout="constrained")
    (connects, acks, others), (connections, cpu, memory) = figure.subplots(2, 3)
    latencies(connects, "Connecting", result, ("connect", "reconnect"))
    latencies(acks, "Acknowledgements", result, ("ack",))
    latencies(others, "Broadcasts", result, ("broadcast", *(kind for kind in result.requests.kinds() if kind in OWN)))
    series(connections, "Connections", result, {"server": "connections", "users": "users"})
    series(cpu, "CPU, % of one core", result, {"server": "cpu", "load generator": "own_cpu"})
    series(memory, "Memory, MiB", result, {"server": "memory"})
    for axes in (connects, acks, others, connections, cpu, memory):
        axes.set_xlim(0, result.seconds)
        axes.set_xlabel("seconds")
        axes.grid(alpha=0.25)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    out = BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def latencies(axes: Axes, title: str, result: Result, kinds: tuple[str, ...]) -> None:
    """Percentiles of each second, drawn at its middle; a colour for each kind."""
    kinds = tuple(kind for kind in kinds if result.requests.succeeded(kind))
    legend = []
    for percent in PERCENTILES:
        legend += axes.plot([], [], STYLES[percent], color="#444", markersize=3.5, label=f"{percent} %")
    for kind, colour in zip(kinds, COLOURS, strict=False):
        # While all are leaving is no part of the run.
        found = {second: values for second, _, values in result.requests.by_second(kind) if second < result.seconds}
        # No line goes over seconds in which there was nothing.
        seconds = range(min(found, default=0), max(found, default=-1) + 1)
        middles = [min(second + 0.5, result.seconds) for second in seconds]
        for index, percent in enumerate(PERCENTILES):
            values = [max(found[second][index], 0.1) if second in found else math.nan for second in seconds]
            axes.plot(middles, values, STYLES[percent], color=colour, markersize=3.5)
        if len(kinds) > 1:
            legend.append(Line2D([], [], color=colour, linewidth=3, label=kind))
    if not kinds:
        heading(axes, title, [])
        axes.text(0.5, 0.5, "none in this scenario", ha="center", va="center", color="#777", transform=axes.transAxes)
        axes.set_yticks([])
        return
    heading(axes, f"{OWN.get(kinds[0], title)}, ms", legend)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low < 10:  # or chance would look like a cliff
        widen = math.sqrt(10 / (high / low))
        low, high = low / widen, high * widen
        axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def series(axes: Axes, title: str, result: Result, names: dict[str, str]) -> None:
    """Samples of the run as lines: ``names`` says which, by their labels."""
    times = [sample.at for sample in result.sampler.samples]
    for (label, name), colour, style in zip(names.items(), COLOURS, ("-", "--"), strict=False):
        values = [getattr(sample, name) for sample in result.sampler.samples]
        axes.plot(times, values, style, color=colour, label=label)
    axes.set_ylim(0, max(axes.get_ylim()[1] * 1.05, 1))
    heading(axes, title, axes.get_legend_handles_labels()[0])


def heading(axes: Axes, title: str, legend: list[Line2D]) -> None:
    """The title, and between it and the plot the legend, where it hides nothing."""
    axes.set_title(title, fontsize=11, pad=22)
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 0.99), "columnspacing": 1.2, "handletextpad": 0.5}
    if legend:
        axes.legend(handles=legend, fontsize=8.5, ncols=len(legend), frameon=False, **place)


# -- files ------------------------------------------------------------------------------------------------------------


def write(results: list[Result], broken: list[str], folder: Path) -> Path:
    """The page, its pictures and ``summary.csv``; ``write_stats`` writes the figures of each scenario.

    Returns:
        the page
    """
    rows = [result.row() for result in results]
    with (folder / "summary.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]) if rows else ["Scenario"])
        writer.writeheader()
        writer.writerows(rows)
    sections = []
    for result in results:
        picture = plot(result)
        (folder / f"{result.key}.png").write_bytes(picture)
        sections.append(section(result, picture))
    page = folder / "index.html"
    page.write_text(
        PAGE.format(
            machine="<br>".join(map(html.escape, machine())),
            table=table(rows),
            broken="".join(f'<pre class="bad">{html.escape(text)}</pre>' for text in broken),
            sections="\n".join(sections),
        ),
        "utf-8",
    )
    return page


def table(rows: list[dict[str, str]]) -> str:
    if not rows:
        return ""
    lines = ["<table><thead><tr>", *(f"<th>{html.escape(name)}</th>" for name in rows[0]), "</tr></thead><tbody>"]
    for row in rows:
        cells = []
        for name, value in row.items():
            bad = name == "Failures" and value != "0"
            cells.append(f'<td class="bad">{value}</td>' if bad else f"<td>{html.escape(value)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "".join([*lines, "</tbody></table>"])


def section(result: Result, picture: bytes) -> str:
    """What one scenario is, its plots, and what is to be said about it."""
    samples = result.sampler.samples
    notes = [
        f"{result.peak('connections'):.0f} connections at most; memory grew by "
        f"{samples[-1].memory - result.sampler.memory_before:.1f} MiB from the start to the end."
    ]
    if result.requests.succeeded("cut-off"):
        notes.append(f"Expected: {result.requests.succeeded('cut-off')} slow readers were disconnected.")
    if result.reasons:
        told = ", ".join(f"{reason}: {times}" for reason, times in sorted(result.reasons.items()))
        notes.append(f"Why clients went, as the server saw it (who leaves in the end included): {told}.")
    if result.mean("own_cpu") > BUSY:
        notes.append(f"The load generator needed {result.mean('own_cpu'):.0f} % of its core: it is what was measured.")
    faults = "".join(f'<p class="bad">{html.escape(fault)}</p>' for fault in result.faults())
    encoded = base64.b64encode(picture).decode()
    text = html.escape(" ".join(result.text.replace("``", "").split()))
    return (
        f'<section><h2>{result.title}</h2><p>{text}</p><img alt="{result.title}: plots" '
        f'src="data:image/png;base64,{encoded}"><p class="small">{html.escape(" ".join(notes))}</p>{faults}'
        f'<p class="small">Figures: <a href="{result.key}_stats.csv">requests</a>, '
        f'<a href="{result.key}_seconds.csv">second by second</a>, '
        f'<a href="{result.key}_samples.csv">server</a>.</p></section>'
    )


def write_stats(result: Result, environment: Environment, folder: Path) -> None:
    """The figures of one scenario: locust's own table, each second's percentiles, and the samples of the server."""
    with (folder / f"{result.key}_stats.csv").open("w", newline="") as out:
        StatsCSV(environment, PERCENTILES_TO_REPORT).requests_csv(csv.writer(out))
    with (folder / f"{result.key}_seconds.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["kind", "second", "requests", *(f"{percent}% ms" for percent in PERCENTILES)])
        for kind in result.requests.kinds():
            for second, count, found in result.requests.by_second(kind):
                writer.writerow([kind, second, count, *(f"{one:.2f}" for one in found)])
    with (folder / f"{result.key}_samples.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["second", "users", "connections", "server CPU %", "memory MiB", "load CPU %"])
        for sample in result.sampler.samples:
            writer.writerow([f"{value:.2f}" if isinstance(value, float) else value for value in sample])


def machine() -> list[str]:
    """What it ran on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    usable = len(os.sched_getaffinity(0))
    shared = "one core for both server and load" if usable == 1 else "the server on one core, the load on another"
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    at = f", commit {commit.stdout.strip()}" if commit.returncode == 0 else ""
    now = datetime.datetime.now().astimezone()
    return [
        f"{model}, {usable} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB; {platform.system()} "
        f"{platform.release()}; {shared}",
        f"Python {platform.python_version()}, {', '.join(versions)}{at}",
        f"{now:%Y-%m-%d %H:%M %Z}. Repeat it with: make load",
    ]
