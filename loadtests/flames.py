"""Flame graphs: where the CPU of a server's process goes, while it echoes, broadcasts or takes new connections.

    python loadtests/flames.py echo                                  # flame-echo.svg
    python loadtests/flames.py connect --before 8d6bb45 --out docs/images/flame-connect.svg

With ``--before`` the same is done with the package of that revision, and the picture shows both, one below the other on
one scale: the width of a frame is microseconds of CPU for each message, delivery or connection.

A timer of CPU time (ITIMER_PROF) interrupts the process, and the Python stack of that moment is counted. Python sees a
signal between two of its own instructions, so what C code did, a system call for instance, is found at the line that
called it: that line is the topmost frame, in another colour. What the event loop's C code does before it calls the next
watcher may be found at the beginning of that one. (Not ``profile.py``: the standard library has one.)
"""

from __future__ import annotations

import argparse
import contextlib
import html
import json
import linecache
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

#: A stack from the outside in.
Stack = tuple[str, ...]
#: Seconds of CPU between two samples; the kernel rounds up to its own tick.
INTERVAL = 0.001
#: Events that a client sends at once.
BURST = 5
#: What the innermost frame begins with: it is a line of code, not a function.
LINE = "> "

# -- in the server's process -------------------------------------------------------------------------------------------


def raw_stack(frame: FrameType | None) -> tuple[Any, ...]:
    """The line where the innermost function is, and the functions that are running, from the inside out. Quick."""
    line = 0 if frame is None else frame.f_lineno
    found: list[Any] = [line]
    while frame is not None:
        found.append(frame.f_code)
        frame = frame.f_back
    return tuple(found)


def named(raw: tuple[Any, ...]) -> Stack:
    """Such a stack in names."""
    line, *codes = raw
    names = [f"{_module(code.co_filename)}:{getattr(code, 'co_qualname', code.co_name)}" for code in codes]
    text = linecache.getline(codes[0].co_filename, line).strip() if codes and line else ""
    return (*reversed(names), LINE + text)


def _module(path: str) -> str:
    """A short name: the package's own modules below it, others by their last two parts."""
    parts = Path(path).with_suffix("").parts
    if "flask_socketio_py" in parts:
        return "/".join(parts[len(parts) - parts[::-1].index("flask_socketio_py") :])
    return "/".join(parts[-2:])


class Sampler:
    """Counts the stacks of this process's main thread."""

    def __init__(self) -> None:
        self._stacks: Counter[tuple[Any, ...]] = Counter()

    def start(self) -> None:
        """Begin, with nothing counted."""
        self._stacks.clear()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> Counter[Stack]:
        """End; what was counted."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        stacks: Counter[Stack] = Counter()
        for raw, count in self._stacks.items():
            stacks[named(raw)] += count
        return stacks

    def _sample(self, number: int, frame: FrameType | None) -> None:
        self._stacks[raw_stack(frame)] += 1


def serve(port: int) -> None:
    """The application of the capacity measurements, with pages that start and stop the sampler."""
    from gevent import monkey

    monkey.patch_all()
    from loadtests.capacity_app import app, socketio

    sampler = Sampler()

    @app.get("/start")
    def start() -> dict[str, bool]:
        sampler.start()
        return {"ok": True}

    @app.get("/stop")
    def stop() -> dict[str, Any]:
        return {"stacks": [[*stack, count] for stack, count in sampler.stop().items()]}

    socketio.run(app, port=port)


# -- the load ----------------------------------------------------------------------------------------------------------


class Profile(NamedTuple):
    """What one tree's server did: the price of a unit in microseconds, and the stacks."""

    title: str
    price: float
    stacks: Counter[Stack]


def echo(swarm: Any, scale: float) -> int:
    from loadtests.capacity import ECHO, WINDOW

    count = int(200_000 * scale)
    swarm.exchange(lambda client: ECHO, count, WINDOW)
    return count


def burst(swarm: Any, scale: float) -> int:
    from loadtests.capacity import ECHO, WINDOW

    count = int(40_000 * scale)
    swarm.exchange(lambda client: ECHO * BURST, count, WINDOW // BURST, BURST)
    return count * BURST


def fanout(swarm: Any, scale: float) -> int:
    from loadtests.capacity import ALL

    rounds = max(1, int(1000 * scale))
    swarm.exchange(lambda client: ALL, rounds, 1, len(swarm) + 1)
    return rounds * len(swarm)


def connect(swarm: Any, scale: float) -> int:
    count = max(50, int(8000 * scale))
    swarm.open(count)
    return count


#: name -> (what runs, connections before, what a unit is).
LOADS: dict[str, tuple[Callable[[Any, float], int], int, str]] = {
    "echo": (echo, 100, "event with an acknowledgement"),
    "burst": (burst, 100, f"event with an acknowledgement, {BURST} at once"),
    "fanout": (fanout, 1000, "delivery of a broadcast"),
    "connect": (connect, 10, "new connection"),
}


def profile(load: str, tree: Path, title: str, scale: float = 1.0) -> Profile:
    """Serve with the package of a tree, and sample it under a load."""
    from loadtests import processes
    from loadtests.swarm import Swarm

    work, clients, _ = LOADS[load]
    processes.allow_files(40_000)
    port = processes.free_port()
    with processes.running(["-c", f"from loadtests.flames import serve; serve({port})"], port, tree) as pid:
        swarm = Swarm(port)
        swarm.open(clients)
        work(swarm, scale / 10)
        processes.ask(port, "/start")
        before = processes.cpu_seconds(pid)
        count = work(swarm, scale)
        spent = processes.cpu_seconds(pid) - before
        stacks = Counter({tuple(row[:-1]): row[-1] for row in processes.ask(port, "/stop")["stacks"]})
        swarm.close()
    return Profile(title, spent / count * 1e6, stacks)


# -- the picture -------------------------------------------------------------------------------------------------------

WIDTH, ROW, MARGIN = 1100, 17, 10
#: Frames narrower than this many pixels are left out; they are in their callers' width.
LEAST = 1.5
#: Colours by where the code is: ours by layer, what we use, lines of code.
COLOURS = [
    ("websocket/", "#f4a259"),
    ("engineio/", "#f6c667"),
    ("socketio/", "#e76f51"),
    (LINE, "#f3ead3"),
    ("gevent/", "#9ab8d8"),
    ("geventwebsocket/", "#9ab8d8"),
    ("flask/", "#a8c9a0"),
    ("werkzeug/", "#a8c9a0"),
]
OURS, OTHERS = "#ee8959", "#cfcfcf"
OWN_MODULES = ("context:", "handlers:", "extension:", "wsgi_server:", "events:", "views:", "middleware:", "shortcuts:")


class Node:
    """A frame of the picture: so many samples here and in what it called."""

    __slots__ = ("children", "count")

    def __init__(self) -> None:
        self.count = 0
        self.children: dict[str, Node] = {}


def tree_of(stacks: Counter[Stack]) -> Node:
    """The stacks as a tree, from the loop or greenlet that runs them; what all have in common at the outside is cut."""
    root = Node()
    for stack, count in stacks.items():
        node = root
        node.count += count
        for name in stack:
            node = node.children.setdefault(name, Node())
            node.count += count
    while len(root.children) == 1 and (inner := next(iter(root.children.values()))).count == root.count:
        root = inner
    return root


def depth_of(node: Node, least: float) -> int:
    return 1 + max((depth_of(child, least) for child in node.children.values() if child.count >= least), default=0)


def colour_of(name: str) -> str:
    for start, colour in COLOURS:
        if name.startswith(start):
            return colour
    return OURS if name.startswith(OWN_MODULES) else OTHERS


def svg(profiles: Sequence[Profile], unit: str) -> str:
    """The picture: one flame graph above the other, on one scale."""
    scale = (WIDTH - 2 * MARGIN) / max(found.price for found in profiles)
    parts, top = [], 0
    for found in profiles:
        tree = tree_of(found.stacks)
        pixels = found.price * scale / max(1, tree.count)  # of one sample
        height = depth_of(tree, LEAST / pixels) * ROW
        title = f"{found.title}: {found.price:.1f} µs of CPU for each {unit} ({tree.count:,} samples)"
        parts.append(f'<text x="{MARGIN}" y="{top + 18}" font-size="14" font-weight="bold">{html.escape(title)}</text>')
        parts += _frames(tree, title, float(MARGIN), top + 26 + height - ROW, pixels)
        top += height + 26 + 14
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
    head += 'font-family="monospace" font-size="11">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>', *parts, "</svg>"]) + "\n"


def _frames(node: Node, name: str, x: float, y: int, pixels: float) -> Iterator[str]:
    """A frame and what it called, above it."""
    width = node.count * pixels
    if width < LEAST:
        return
    text = html.escape(name)
    yield f'<g><title>{text}: {node.count}</title><rect x="{x:.1f}" y="{y}" width="{width - 0.4:.1f}" '
    fitting = int((width - 6) / 6.7)
    shown = "all" if " of CPU for each " in name else name
    label = ""
    if fitting >= 4:
        label = shown if len(shown) <= fitting else shown[: fitting - 1] + "…"
    yield f'height="{ROW - 1}" fill="{colour_of(name)}"/>'
    if label:
        yield f'<text x="{x + 3:.1f}" y="{y + 12}">{html.escape(label)}</text>'
    yield "</g>"
    for child_name, child in sorted(node.children.items()):
        yield from _frames(child, child_name, x, y - ROW, pixels)
        x += child.count * pixels


def collapsed(stacks: Counter[Stack]) -> str:
    """The stacks in the usual form of one line each, for other tools."""
    return "".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(stacks.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("load", nargs="?", choices=LOADS)
    parser.add_argument("--before", metavar="REVISION", help="show the package at this revision, too")
    parser.add_argument("--scale", type=float, default=1.0, help="how much load, as a factor")
    parser.add_argument("--out", type=Path, help="the picture; beside it, with --stacks, the stacks as text")
    parser.add_argument("--stacks", action="store_true")
    arguments = parser.parse_args()
    if arguments.load is None:
        parser.error("name a load")
    from loadtests.bench import tree_of as package_at

    out = arguments.out or Path(f"flame-{arguments.load}.svg")
    with contextlib.ExitStack() as stack:
        trees = [("now", ROOT)]
        if arguments.before:
            trees.insert(0, (f"before ({arguments.before})", stack.enter_context(package_at(arguments.before))))
        profiles = [profile(arguments.load, tree, title, arguments.scale) for title, tree in trees]
    out.write_text(svg(profiles, LOADS[arguments.load][2]))
    for number, found in enumerate(profiles):
        print(f"{found.title}: {found.price:.1f} us")
        if arguments.stacks:
            out.with_suffix(f".{number}.txt").write_text(collapsed(found.stacks))
    print(json.dumps({"picture": str(out), "bytes": out.stat().st_size}))


if __name__ == "__main__":
    main()
