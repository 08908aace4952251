"""Owns the reading of Markdown: which pages there are, their code blocks with markers, headings and links.

Markers are HTML comments, which no reader sees:

- ``<!-- prelude -->`` anywhere: before its own blocks the page runs the first block of ``docs/howto/index.md``;
- ``<!-- serve -->`` before a block: it serves until stopped. A Python block becomes a program together with what the
  page ran before; of a bash block each line is a command;
- ``<!-- run -->`` before a bash block: its commands are executed;
- ``<!-- check ... -->`` over several lines: Python that runs like a block, and shows that the blocks do what the page
  says.

A block whose first line is a comment with a file's name (``# app.py``) is also written to that file.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = ROOT / "docs" / "howto" / "index.md"

_FENCE = re.compile(r"^```(\w*)\s*$")
_MARKER = re.compile(r"^<!-- (serve|run) -->$")
_FILE = re.compile(r"^(?:# |<!-- )([\w/.-]+\.(?:py|html))(?: -->)?$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """One fenced block, or one hidden check; `line` is that of its first line of text."""

    line: int
    language: str
    marker: str
    text: str

    @property
    def file_name(self):
        found = _FILE.match(self.text.partition("\n")[0])
        return found[1] if found else None

    def commands(self):
        """The commands of a bash block: continued lines joined, comments and prompts' output left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


class Page:
    """One Markdown file."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(ROOT)) if ROOT in path.parents else path.name
        self.text = path.read_text("utf-8")
        self.blocks = []
        self.headings = []
        self.prose = []
        self._read()
        self.has_prelude = "<!-- prelude -->" in self.prose

    def _read(self):
        marker, block, language, start, open_with = "", None, "", 0, ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if block is not None:
                if line == open_with:
                    self.blocks.append(Block(start, language, marker, "\n".join(block) + "\n"))
                    marker, block = "", None
                else:
                    block.append(line)
            elif fence := _FENCE.match(line):
                block, language, start, open_with = [], fence[1], number + 1, "```"
            elif line == "<!-- check":
                block, language, start, open_with, marker = [], "python", number + 1, "-->", "check"
            elif found := _MARKER.match(line):
                marker = found[1]
            else:
                if line.strip():
                    assert not marker, f"{self.name}:{number}: no block follows the marker {marker!r}"
                if line.startswith("#"):
                    self.headings.append(line.lstrip("#").strip())
                self.prose.append(line)
        assert block is None, f"{self.name}: a block is never closed"

    def python(self):
        return [block for block in self.blocks if block.language == "python"]

    def bash(self):
        return [block for block in self.blocks if block.language == "bash"]

    def anchors(self):
        """What a link may name after ``#``, as GitHub makes it of the headings."""
        found = {}
        for heading in self.headings:
            slug = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
            count = found[slug] = found.get(slug, 0) + 1
            if count > 1:
                found[f"{slug}-{count - 1}"] = 1
        return set(found)

    def links(self):
        """(line of prose, target) of every link and image outside code."""
        return [target for line in self.prose for target in _LINK.findall(re.sub(r"`[^`]*`", "`code`", line))]


def prelude():
    """The lines that every how-to page starts from."""
    return Page(PRELUDE).python()[0].text


def paths():
    of_examples = [ROOT / "examples" / "README.md", *sorted((ROOT / "examples").glob("*/README.md"))]
    of_folders = [ROOT / "loadtests" / "README.md", *of_examples, *sorted((ROOT / "docs").rglob("*.md"))]
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *of_folders]


PAGES = [Page(path) for path in paths()]


def page(name):
    return next(item for item in PAGES if item.name == name)


def rows(item, columns):
    """The table rows of a page with that many columns, cells stripped; a cell's escaped bars stay in it."""
    found = []
    for line in item.prose:
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
        if len(cells) == columns and not set(cells[0]) <= set("-: "):
            found.append(cells)
    return found
