"""The picture of a report: how many times as much as this package the other servers need, for each workload."""

from __future__ import annotations

from pathlib import Path

from loadtests.compare import servers
from loadtests.compare.report import Report, amount, machine_line, median, ratio, times

NAME = "compare.png"
_COLOURS = {servers.NODE: "#4f8f46", servers.FLASK_SOCKETIO: "#c8702a"}
_OURS = "#20486b"


def draw(report: Report, path: Path) -> bool:
    """Write the picture; False: there is nothing to compare with, and so none."""
    peers = [name for name in report["servers"] if name != servers.OURS]
    ratios = {name: [ratio(report, key, name) for key in report["workloads"]] for name in peers}
    known = [value for values in ratios.values() for value in values if value is not None]
    if not known:
        path.unlink(missing_ok=True)
        return False

    # Only who draws has to wait for it, and to have it.
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    rows = list(report["workloads"])
    figure, axes = pyplot.subplots(figsize=(9.2, 1.4 + 0.62 * len(rows)), dpi=110, layout="constrained")
    height = 0.8 / len(peers)
    for at, name in enumerate(peers):
        found = [(row, value) for row, value in enumerate(ratios[name]) if value is not None]
        places = [row + (at - (len(peers) - 1) / 2) * height for row, _ in found]
        # On a logarithmic scale the bars begin where both are equal, and one that needs less goes to the left.
        bars = axes.barh(
            places,
            [value - 1 for _, value in found],
            height * 0.9,
            left=1,
            color=_COLOURS[name],
            label=report["servers"][name]["title"],
        )
        axes.bar_label(bars, [times(value) for _, value in found], padding=4, fontsize=8)
    axes.axvline(1, color=_OURS, linewidth=2, label="this package = 1")
    axes.set_xscale("log")
    # Room for the labels outside of the bars.
    axes.set_xlim(min(*known, 1) * 0.5, max(*known, 2) * 1.7)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} x"))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    labels = []
    for key in rows:
        workload = report["workloads"][key]
        ours = amount(median(report, key, servers.OURS), workload["unit"])
        labels.append(f"{workload['title']}\n(this package: {ours})")
    axes.set_yticks(range(len(rows)), labels, fontsize=8.5)
    axes.invert_yaxis()
    axes.grid(axis="x", which="major", color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.suptitle("Server CPU time and memory, compared with this package (less is better)", fontsize=11)
    figure.legend(
        loc="outside lower center",
        ncols=len(peers) + 1,
        fontsize=9,
        frameon=False,
        title=machine_line(report),
        title_fontsize=8,
    )
    figure.savefig(path)
    pyplot.close(figure)
    return True
