"""The pictures of the capacity measurements. Knows the figures' names and nothing of how they came about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: (figure, what it is): one line in a picture each.
BY_SIZE = [
    ("open_us", "opening a connection"),
    ("message_us", "event with acknowledgement"),
    ("message_of_100_us", "the same, from 100 of them"),
    ("delivery_us", "delivery of a broadcast"),
]
BY_ROOMS = [("message_us", "event with acknowledgement"), ("room_message_us", "event, emitted to a room of 10")]
TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]


def draw(found: dict[str, Any], folder: Path) -> list[Path]:
    """Two pictures; returns their files."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes, rooms = found["sizes"], found["rooms"]
    return [
        _lines(sizes, "connections", "open connections", BY_SIZE, folder / "capacity-connections.png"),
        _lines(
            rooms, "rooms", f"rooms, with {found['clients']:,} connections", BY_ROOMS, folder / "capacity-rooms.png"
        ),
    ]


def _lines(rows: Sequence[dict[str, float]], over: str, label: str, lines: Any, path: Path) -> Path:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, axes = pyplot.subplots(figsize=(7, 3.8), dpi=100)
    across = [row[over] for row in rows]
    for number, (name, title) in enumerate(lines):
        above = number != 2  # the third is close below the second
        values = [row[name] for row in rows]
        (line,) = axes.plot(across, values, marker="o", label=title)
        for x, y in zip(across, values, strict=True):
            text = f"{y:.0f}" if y >= 20 else f"{y:.1f}"
            axes.annotate(
                text,
                (x, y),
                (0, 6 if above else -13),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=line.get_color(),
            )
    every = [row[name] for row in rows for name, _ in lines]
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="server CPU, microseconds each", yticks=TICKS)
    axes.set_ylim(min(every) / 1.6, max(every) * 3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(ticker.NullFormatter())
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.grid(alpha=0.3)
    axes.legend(loc="upper center", ncols=2, fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return path
