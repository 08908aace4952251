"""Where workers meet: a name of its own for each master, a place that fits, nobody else's, cleaned of the dead."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from flask_socketio_py import mesh_directory


@pytest.fixture
def place(monkeypatch):
    """The directory that the directories of meshes are made in; pytest's own are too long for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="mesh-", dir="/tmp"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_each_master_has_its_own(place):
    mine = mesh_directory.directory_of(os.getpid())
    assert mine == mesh_directory.directory_of(os.getpid())
    assert mine != mesh_directory.directory_of(os.getppid())
    assert os.path.dirname(mine) == str(place)
    assert mesh_directory.start_time(os.getpid()).isdigit()
    assert mesh_directory.start_time(2**22 + 1) == ""


def test_the_runtime_directory_is_preferred_if_it_is_ours(place, monkeypatch):
    runtime = place / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert os.path.dirname(mesh_directory.directory_of(1)) == str(runtime)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert os.path.dirname(mesh_directory.directory_of(1)) == str(place)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / "absent"))
    assert os.path.dirname(mesh_directory.directory_of(1)) == str(place)


def test_a_path_too_long_for_a_socket_is_not_used(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    found = mesh_directory.directory_of(os.getpid())
    assert os.path.dirname(found) == "/tmp"
    mesh_directory.private_directory(found)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.path.join(found, ".abcdef"))
    os.unlink(os.path.join(found, ".abcdef"))
    os.rmdir(found)
    monkeypatch.setattr(mesh_directory, "_MAX_PATH", 3)
    with pytest.raises(OSError, match="no directory"):
        mesh_directory.directory_of(os.getpid())


def test_a_directory_that_others_made_or_may_use_is_not_trusted(place, monkeypatch):
    path = place / "mine"
    mesh_directory.private_directory(str(path))
    mesh_directory.private_directory(str(path))
    (place / "link").symlink_to(path)
    (place / "file").write_text("")
    os.chmod(place / "file", 0o600)
    for name in ("link", "file"):
        with pytest.raises(PermissionError):
            mesh_directory.private_directory(str(place / name))
    os.chmod(path, 0o701)
    with pytest.raises(PermissionError):
        mesh_directory.private_directory(str(path))
    os.chmod(path, 0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError):
        mesh_directory.private_directory(str(path))


def socket_at(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


def test_what_dead_masters_left_is_removed_and_nothing_else(place):
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    left = place / f"flask_socketio_py-{dead.pid}-{mesh_directory.start_time(dead.pid)}"
    dead.wait()
    reused = place / f"flask_socketio_py-{os.getpid()}-1"
    alive = place / os.path.basename(mesh_directory.directory_of(os.getpid()))
    serving = place / "flask_socketio_py-4194305-1"  # of a container with processes of its own
    others = [place / "flask_socketio_py-1-2-3", place / "something-4194305-1"]
    for path in (left, reused, alive, serving, *others):
        path.mkdir(0o700)
        socket_at(path / "killed").close()
    socket_at(left / ".hidden").close()  # killed before it was to be found
    listening = socket_at(serving / "serves")
    listening.listen()
    own = place / "flask_socketio_py-4194306-1"
    mesh_directory.clean(str(own))
    assert sorted(path.name for path in place.iterdir()) == sorted(path.name for path in (alive, serving, *others))
    assert [path.name for path in serving.iterdir()] == ["serves"]
    assert [path.name for path in alive.iterdir()] == ["killed"]
    listening.close()


def test_of_another_users_nothing_is_removed(place, monkeypatch):
    left = place / "flask_socketio_py-4194305-1"
    left.mkdir(0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    mesh_directory.clean(str(place / "own"))
    assert left.exists()


def test_only_sockets_are_removed(place):
    """A file refuses to be connected to like a dead socket."""
    own = place / "flask_socketio_py-4194306-1"
    left = place / "flask_socketio_py-4194305-1"
    for path in (own, left):
        path.mkdir(0o700)
        (path / "file").write_text("precious")
        (path / "link").symlink_to(path / "file")
        (path / "folder").mkdir()
        socket_at(path / "killed").close()
        (path / "to a socket").symlink_to(path / "killed")
    mesh_directory.clean(str(own))
    for path in (own, left):
        assert sorted(entry.name for entry in path.iterdir()) == ["file", "folder", "link", "to a socket"]


def test_one_that_is_being_made_is_left_alone(place):
    own = place / "flask_socketio_py-4194306-1"
    own.mkdir(0o700)
    socket_at(own / ".hidden").close()  # bound, and about to listen
    mesh_directory.clean(str(own))
    assert (own / ".hidden").exists()


@pytest.mark.parametrize("mode", [0o701, 0o770])
def test_what_looks_like_one_of_ours_is_left_alone(place, mode):
    """A link that leads elsewhere, or a directory that others may write to: who knows whose files are in it."""
    elsewhere = place / "elsewhere"
    elsewhere.mkdir(0o700)
    (place / "flask_socketio_py-4194305-1").symlink_to(elsewhere)
    open_to_others = place / "flask_socketio_py-4194304-1"
    open_to_others.mkdir()
    open_to_others.chmod(mode)
    for path in (elsewhere, open_to_others):
        socket_at(path / "killed").close()
    mesh_directory.clean(str(place / "own"))
    for path in (elsewhere, open_to_others):
        assert [entry.name for entry in path.iterdir()] == ["killed"]
