"""A gunicorn worker that is told to end while it starts: it ends, whatever it was doing."""

import signal

import pytest

from tests.live.servers import OURS, PACKAGE, Server, children, wait_for

pytestmark = pytest.mark.skipif(PACKAGE != OURS, reason="about our own hosts")

# gunicorn calls the hook in the new process, which at that time handles no signals of its own.
TOLD_AT_BIRTH = """
import os, signal

def post_fork(server, worker):
    if worker.age == 1:
        os.kill(os.getpid(), signal.{name})
"""
TOLD_WHILE_IMPORTING = """
import os, signal
import gevent
from tests.live.apps.lifecycle import app

if os.path.exists(os.environ["TELL"]):
    os.unlink(os.environ["TELL"])
    os.kill(os.getpid(), signal.SIGTERM)
    gevent.sleep(0.1)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT", "SIGINT"])
def test_a_worker_told_to_end_at_its_birth_ends(tmp_path, name):
    configuration = tmp_path / "configuration.py"
    configuration.write_text(TOLD_AT_BIRTH.format(name=name))
    with Server("tests.live.apps.lifecycle:app", "worker", args=("-c", str(configuration), "-w", "1")) as server:
        wait_for(lambda: server.log().count("Booting worker") == 2, "it has ended, and another one is there")
        assert server.log().count("Worker exiting") == 1
        assert server.get("/pid").body.decode() == str(children(server.pid)[0])
        server.stop(signal.SIGTERM, timeout=15)


def test_a_worker_told_to_end_while_it_imports_the_application_ends(tmp_path):
    (tmp_path / "importing.py").write_text(TOLD_WHILE_IMPORTING)
    tell = tmp_path / "tell"
    tell.write_text("")
    with Server("importing:app", "worker", args=("--pythonpath", str(tmp_path)), env={"TELL": str(tell)}) as server:
        wait_for(lambda: server.log().count("Booting worker") == 2, "it has ended, and another one is there")
        assert server.log().count("Worker exiting") == 1
        assert server.get("/pid").body.decode() == str(children(server.pid)[0])
