"""Owns the promise that every Python block of the documentation runs, and that what is checked of it holds.

Each page in a process of its own, in an empty folder, with warnings as errors. Blocks that serve: ``test_serving.py``.
"""

import os
import subprocess
import sys

import pytest

from tests.docs.pages import PAGES, ROOT, Page

WITH_CODE = [page for page in PAGES if any(block.marker != "serve" for block in page.python())]
# Shown so that a reader sees what becomes of an error.
ON_PURPOSE = "on purpose"


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}


def write_files(page, folder):
    """The files that the page shows."""
    for block in page.blocks:
        if block.file_name:
            path = folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")


def unexpected_tracebacks(log):
    """The last lines of the tracebacks in `log` that no page shows on purpose."""
    found = []
    for block in log.split("Traceback (most recent call last):")[1:]:
        last = next((line for line in block.splitlines()[1:] if line and not line[0].isspace()), "(cut off)")
        if ON_PURPOSE not in last:
            found.append(last)
    return found


def run_page(page, folder):
    write_files(page, folder)
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "docs" / "run_page.py"), str(page.path)]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=90)


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run_in_order(page, tmp_path):
    run = run_page(page, tmp_path)
    assert run.returncode == 0, run.stderr
    assert unexpected_tracebacks(run.stderr) == [], run.stderr


def test_there_is_code():
    assert len(WITH_CODE) > 10
    assert sum(len(page.python()) for page in PAGES) > 50


@pytest.mark.parametrize("wrong", ["x = 1 / 0", "import gevent\ngevent.spawn(lambda: 1 / 0).join()"])
def test_a_block_that_fails_is_noticed(wrong, tmp_path):
    path = tmp_path / "wrong.md"
    path.write_text(f"# Wrong\n\n```python\n{wrong}\n```\n")
    run = run_page(Page(path), tmp_path)
    assert unexpected_tracebacks(run.stderr) == ["ZeroDivisionError: division by zero"]


def test_pages_that_start_from_the_prelude_say_so():
    for page in PAGES:
        if page.has_prelude:
            assert "index.md#the-first-lines" in page.text, page.name
