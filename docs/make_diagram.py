"""Draws the states of a session from the table in the code: ``python docs/make_diagram.py [--check] [page]``.

Needs the package installed. Rewrites the diagram in ``docs/topics/sessions.md``; with ``--check`` it changes nothing,
and fails if the diagram is not current.
"""

import argparse
import sys
from pathlib import Path

from flask_socketio_py.engineio.session import TRANSITIONS, State

PAGE = Path(__file__).resolve().parent / "topics" / "sessions.md"
BEGIN, END = "<!-- diagram: made by docs/make_diagram.py -->\n", "<!-- end of the diagram -->\n"


def diagram() -> str:
    """The table as a Mermaid diagram: one arrow for each pair of states, labelled with what leads along it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, event), (target, _) in TRANSITIONS.items():
        arrows.setdefault((state, target), []).append(event.value)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.OPEN.value}"]
    for (source, target), events in arrows.items():
        lines.append(f"    {source.value} --> {target.value}: {', '.join(events)}")
    return "\n".join([*lines, f"    {State.CLOSED.value} --> [*]", "```", ""])


def table() -> str:
    """The same with what is done, one row for each transition."""
    lines = ["| State | Event | What is done | Next state |", "|---|---|---|---|"]
    for (state, event), (target, action) in TRANSITIONS.items():
        lines.append(f"| {state.value} | {event.value} | {action} | {target.value} |")
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description="Draws the states of a session from the table in the code.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if the page is not current")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    options = parser.parse_args()
    text = options.page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{options.page} has no place for the diagram", file=sys.stderr)
        return 2
    current = "".join([before, BEGIN, "\n", diagram(), "\n", table(), "\n", END, after])
    if current == text:
        return 0
    if options.check:
        print(f"{options.page} is not current: run python docs/make_diagram.py", file=sys.stderr)
        return 1
    options.page.write_text(current, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
