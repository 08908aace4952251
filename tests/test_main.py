"""Owns the promises of `python -m flask_socketio_py run`: what it finds, what it tells, and that it patches first.

Mistakes are tried on load_app(), in this process. What the command does as a whole is tried on real processes.
"""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flask_socketio_py.__main__ import CommandError, load_app, main

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 60
APP = """
import sys
from gevent import monkey
patched_first = monkey.is_module_patched("socket") and monkey.is_module_patched("threading")
from flask import Flask
from flask_socketio_py import SocketIO

app = Flask(__name__)
socketio = SocketIO(app)

@app.get("/")
def index():
    return "version 1, patched first" if patched_first else "version 1, not patched"
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes an importable module, whose name it returns."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = []

    def write(source, name=None):
        names.append(name or f"app_for_test_main_{len(names)}")
        path = tmp_path.joinpath(*names[-1].split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("from flask import Flask\n" + source)
        return names[-1]

    yield write
    for name in names:
        sys.modules.pop(name, None)


WITH_SOCKETIO = "app = Flask('found')\napp.extensions['socketio'] = 'there'\n"
FACTORY = (
    "def create_app(name='found'):\n    app = Flask(name)\n    app.extensions['socketio'] = 'there'\n    return app\n"
)


@pytest.mark.parametrize(
    ("source", "suffix"),
    [
        (WITH_SOCKETIO, ""),
        (WITH_SOCKETIO, ":app"),
        (WITH_SOCKETIO.replace("app ", "site ").replace("app.", "site."), ":site"),
        (FACTORY, ":create_app"),
        (FACTORY, ":create_app()"),
    ],
)
def test_the_application_is_found_by_name_or_made_by_its_factory(module, source, suffix):
    assert load_app(module(source) + suffix).name == "found"


def test_a_module_in_a_package_is_found(module):
    assert load_app(module(WITH_SOCKETIO, "package_for_test_main.wsgi") + ":app").name == "found"


@pytest.mark.parametrize(
    ("source", "suffix", "message"),
    [
        ("application = Flask('x')", "", r"has no 'app'; did you mean \w+:application\?"),
        (FACTORY, ":app", r"has no 'app'; did you mean \w+:create_app\?"),
        ("", "", "has no 'app'$"),
        ("app = Flask('x')", "", r"has no SocketIO: make one with SocketIO\(app\)"),
        ("app = 3", "", "gives a int; the Flask application"),
        ("def app():\n    return None", "", "gives a NoneType; the Flask application"),
        ("def create_app(name):\n    return None", ":create_app", "can't be called without arguments.*'name'"),
    ],
)
def test_a_mistake_in_the_application_is_named(module, source, suffix, message):
    with pytest.raises(CommandError, match=message):
        load_app(module(source) + suffix)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_at_all", "no module 'no_such_module_at_all' in /"),
        ("no_such_package.wsgi:app", r"no module 'no_such_package\.wsgi'"),
        ("app.py", r"is a file; give the module, as in an import: app:app"),
        ("shop/wsgi.py:app", r"as in an import: shop\.wsgi:app"),
        ("", "'' is no module"),
        (":app", "'' is no module"),
        ("..app", "is no module"),
    ],
)
def test_a_mistake_in_the_target_is_named(target, message):
    with pytest.raises(CommandError, match=message):
        load_app(target)


def test_an_error_inside_the_application_is_not_hidden(module):
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        load_app(module("import no_such_dependency"))
    with pytest.raises(TypeError, match="from inside"):
        load_app(module("def create_app():\n    raise TypeError('from inside')") + ":create_app")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--certfile", "nowhere.pem"], "error: --certfile: there is no file nowhere.pem\n"),
        (["--keyfile", __file__], "error: --keyfile needs --certfile too\n"),
    ],
)
def test_mistakes_in_options_are_named_before_anything_is_loaded(capsys, arguments, message):
    assert main(["run", "no_such_module", *arguments]) == 1
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    "arguments", [[], ["serve"], ["run"], ["run", "x", "--port", "65536"], ["run", "x", "--port", "a"]]
)
def test_a_command_that_cannot_be_read_shows_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: python -m flask_socketio_py" in capsys.readouterr().err


# --- the whole command -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def command(*arguments):
    return [sys.executable, "-m", "flask_socketio_py", "run", *map(str, arguments)]


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@contextlib.contextmanager
def serving(folder, port, *arguments):
    """The command as a process of its own, with everything that it starts; ended by SIGTERM."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command("shop:app", "--port", port, *arguments),
            cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(DEADLINE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def get(port, path="/", context=None):
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE, context=context)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def wait_for_answer(folder, process, expected, *arguments, **options):
    """Asks until the page holds `expected`; the log says why if it never does."""
    deadline = time.monotonic() + DEADLINE
    page = None
    while page is None or expected not in page:
        with contextlib.suppress(OSError, http.client.HTTPException):
            page = get(*arguments, **options)
        log = (folder / "log").read_text()
        assert process.poll() is None, log
        assert time.monotonic() < deadline, f"last answer: {page}\n{log}"
        time.sleep(0.05)
    return page


def test_it_patches_before_it_imports_and_serves_until_told_to_stop(folder):
    port = free_port()
    with serving(folder, port) as process:
        assert wait_for_answer(folder, process, "version", port) == "version 1, patched first"
        assert get(port, "/socket.io/?EIO=4&transport=polling").startswith('0{"sid":"')
    log = (folder / "log").read_text()
    assert "Traceback" not in log
    # gevent warns when it patches too late.
    assert "Warning" not in log


def test_nothing_that_binds_unpatched_names_is_imported_before_the_patch():
    # An import that runs before patch_all() keeps the blocking socket, lock or SSL context, silently.
    code = "import sys, flask_socketio_py.__main__; print(sorted({'flask', 'ssl', 'redis'} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


def test_it_serves_tls(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=folder, check=True, capture_output=True, timeout=DEADLINE,
    )  # fmt: skip
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    port = free_port()
    with serving(folder, port, "--certfile", "cert.pem", "--keyfile", "key.pem") as process:
        wait_for_answer(folder, process, "version 1", port, context=context)


def test_it_starts_anew_when_the_application_changes(folder):
    port = free_port()
    with serving(folder, port, "--reload") as process:
        wait_for_answer(folder, process, "version 1, patched first", port)
        (folder / "shop.py").write_text(APP.replace("version 1", "version 2"))
        wait_for_answer(folder, process, "version 2, patched first", port)


def test_a_port_that_is_taken_is_named(folder):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        run = subprocess.run(
            command("shop:app", "--port", port),
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f"error: can't serve on 127.0.0.1 port {port}: Address already in use"
    assert "Traceback" not in run.stderr


def test_a_mistake_is_one_line_not_a_traceback(folder):
    run = subprocess.run(command("shp"), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE)
    expected = f"error: there is no module 'shp' in {folder.resolve()} nor among the installed packages\n"
    assert (run.returncode, run.stdout, run.stderr) == (1, "", expected)
