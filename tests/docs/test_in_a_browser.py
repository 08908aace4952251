"""Owns that the programs a newcomer copies, the README's and the first app's, work in two browsers."""

import contextlib
import subprocess
import sys

import pytest

from tests.docs.pages import page
from tests.docs.test_python_blocks import environment, write_files
from tests.docs.test_serving import wait_for_answer
from tests.live.browser import Browser
from tests.live.servers import free_port


@pytest.fixture
def serve(tmp_path):
    """``serve(page)`` writes the files of a page, serves its ``app.py``, and gives the address."""
    with contextlib.ExitStack() as stack:

        def serve(shown):
            write_files(shown, tmp_path)
            port, log = free_port(), tmp_path / "log"
            command = [sys.executable, "-m", "flask_socketio_py", "run", "app:app", "--port", str(port)]
            with log.open("wb") as output:
                process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=output, stderr=output)
            stack.callback(process.wait, 60)
            stack.callback(process.kill)
            wait_for_answer(process, port, False, log)
            return f"http://127.0.0.1:{port}/"

        yield serve


@pytest.fixture(scope="module")
def two_pages():
    """``two_pages(url)`` opens the address in two browsers."""
    with Browser() as one, Browser() as other:
        yield lambda url: (one.open(url), other.open(url))


def test_the_quick_start_of_the_readme(serve, two_pages):
    one, other = two_pages(serve(page("README.md")))
    for each in (one, other):
        each.wait_for("socket.connected")
    one.evaluate("document.querySelector('input').value = 'hello'")
    one.evaluate("document.querySelector('input').dispatchEvent(new Event('change'))")
    for each in (one, other):
        each.wait_for(r"document.querySelector('#log').textContent === 'hello\n'")


def test_the_first_app(serve, two_pages):
    one, other = two_pages(serve(page("docs/intro/first-app.md")))
    for each in (one, other):
        each.wait_for_text("b", "0")
    one.click("button")
    for each in (one, other):
        each.wait_for_text("b", "1")
