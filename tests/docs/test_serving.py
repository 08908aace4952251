"""Owns the promise that every block that serves really serves: on a free port, asked for a handshake.

Commands run as they are written, with the port added. Python programs get it at their one call of ``socketio.run``.
"""

import contextlib
import http.client
import re
import shlex
import signal
import ssl
import subprocess
import sys
import time

import pytest

from tests.docs.pages import PAGES, prelude
from tests.docs.test_python_blocks import environment, unexpected_tracebacks, write_files
from tests.live.servers import free_port

PATH = "/socket.io/?EIO=4&transport=polling"


def program_of(page, block, port):
    """The block as a program, after what the page ran before it."""
    before = [prelude()] if page.has_prelude else []
    for earlier in page.python():
        if earlier is block:
            break
        if earlier.marker == "":
            before.append(earlier.text)
    text, count = re.subn(r"socketio\.run\(app\b", f"socketio.run(app, port={port}", block.text)
    assert count == 1, "a block that serves calls socketio.run(app ...) once"
    return "\n".join([*before, text])


def with_port(command, port):
    """A command of a bash block as arguments, serving on `port` of the loopback interface."""
    words = shlex.split(command)
    if words[0] == "gunicorn":
        return [sys.executable, "-m", *words, "-b", f"127.0.0.1:{port}", "--no-control-socket"]
    assert words[:4] == ["python", "-m", "flask_socketio_py", "run"], f"don't know how to serve with {command!r}"
    return [sys.executable, *words[1:], "--port", str(port)]


BLOCKS = [
    pytest.param(page, block, id=f"{page.name}:{block.line}")
    for page in PAGES
    for block in page.blocks
    if block.marker == "serve"
]


def ask(port, tls):
    """The answer to a handshake, or None while there is none."""
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        try:
            connection.request("GET", PATH)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return None


def wait_for_answer(process, port, tls, log):
    deadline = time.monotonic() + 60
    while (answer := ask(port, tls)) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return answer


class Served:
    """One server that the block shows, as a process of its own that logs to a file."""

    def __init__(self, page, block, command, folder):
        self.port = free_port()
        self.tls = "certfile" in block.text or "ssl_context" in block.text
        self.log = folder / f"log-{self.port}"
        if command is None:
            program = folder / f"served_{self.port}.py"
            program.write_text(program_of(page, block, self.port), "utf-8")
            arguments = [sys.executable, str(program)]
        else:
            arguments = with_port(command, self.port)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(arguments, cwd=folder, env=environment(), stdout=output, stderr=output)

    def check(self):
        status, body = wait_for_answer(self.process, self.port, self.tls, self.log)
        assert status == 200, body
        assert body.startswith('0{"sid":"'), body

    def stop(self):
        """Waits for its end, which has been asked for, and forces it if need be; gives what it logged."""
        try:
            self.process.wait(40)
        finally:
            self.process.kill()
            self.process.wait(40)
        return self.log.read_text()


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_what_serves_answers_a_handshake(page, block, tmp_path):
    write_files(page, tmp_path)
    for other in page.bash():
        if other.marker == "run":
            subprocess.run(other.text, shell=True, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    commands = block.commands() if block.language == "bash" else [None]
    servers = [Served(page, block, command, tmp_path) for command in commands]
    try:
        for server in servers:
            server.check()
    finally:
        for server in servers:
            server.process.send_signal(signal.SIGTERM)  # all of them, before any is waited for
        logs = [server.stop() for server in servers]
    for log in logs:
        assert unexpected_tracebacks(log) == [], log


def test_all_ways_to_serve_are_shown():
    blocks = [block for page in PAGES for block in page.bash() if block.marker == "serve"]
    commands = [command for block in blocks for command in block.commands()]
    for way in ("-k gevent ", "GeventWebSocketWorker", "SocketIOWorker", "flask_socketio_py run"):
        assert any(way in command for command in commands), way
    assert any(block.marker == "serve" for page in PAGES for block in page.python())
