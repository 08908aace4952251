"""The private directory in which the processes of one gunicorn master find each other's Unix sockets.

Its name says whose children meet there; nobody else may look in. What is dead in it is removed. Knows nothing of what
the sockets carry.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import stat
import tempfile

log = logging.getLogger(__name__)

#: Bytes of the longest path of a Unix socket on any system we know (Linux: 108 with the final zero, BSD: 104).
_MAX_PATH = 103
_LONGEST_NAME = 8
_is_ours = re.compile(r"flask_socketio_py-(\d+)-(\d+)").fullmatch


def directory_of(parent: int) -> str:
    """The directory in which the children of a process meet: the same for each of them. It may not exist yet.

    Raises:
        OSError: there is no place for it.
    """
    name = f"flask_socketio_py-{parent}-{start_time(parent)}"
    return os.path.join(_base_for(name), name)


def start_time(process: int) -> str:
    """What tells a process from a later one with the same number; empty if there is none, ``0`` where nobody says."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (FileNotFoundError, ProcessLookupError):
        return "" if os.path.exists("/proc/self/stat") else "0"
    except OSError:
        return "0"


def _base_for(name: str) -> str:
    """The directory for our directory: the same for every sibling."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    candidates = [tempfile.gettempdir(), "/tmp"]
    if runtime and os.path.isdir(runtime) and os.stat(runtime).st_uid == os.geteuid():
        candidates.insert(0, runtime)
    for base in candidates:
        longest = os.path.join(base, name, "x" * _LONGEST_NAME)
        if len(os.fsencode(longest)) <= _MAX_PATH and os.access(base, os.W_OK | os.X_OK):
            return base
    raise OSError(f"no directory for the sockets between workers: tried {', '.join(candidates)}")


def private_directory(path: str) -> None:
    """Make a directory that is only ours, or check that it is.

    Raises:
        OSError: it is not, or can't be made.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        log.debug("%s is there", path)
    found = os.lstat(path)
    if not _is_private(found):
        raise PermissionError(
            f"{path} is not a directory that only this user may use: let TMPDIR be one where nobody else can make it"
        )


def _is_private(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def clean(own: str) -> None:
    """Remove what killed processes have left in our directory, and killed masters beside it."""
    sweep(own)
    base = os.path.dirname(own)
    for entry in _entries(base):
        path = os.path.join(base, entry)
        match = _is_ours(entry)
        if match is not None and path != own and start_time(int(match[1])) != match[2] and _is_mine(path):
            sweep(path, hidden=True)


def sweep(directory: str, *, hidden: bool = False) -> None:
    """Remove the sockets nobody listens on any more, and the directory if nothing is left.

    Args:
        hidden: also those that were not to be found yet: nobody makes any here now.
    """
    for entry in _entries(directory):
        path = os.path.join(directory, entry)
        if (hidden or not entry.startswith(".")) and _is_dead(path):
            remove(path)
    try:
        os.rmdir(directory)
    except OSError:
        log.debug("%s is in use", directory)


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError as error:
        log.debug("can't clean %s: %s", directory, error)
        return []


def _is_mine(path: str) -> bool:
    try:
        return _is_private(os.lstat(path))
    except OSError:
        return False


def _is_dead(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False  # a file would refuse, too
    except OSError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as conn:
        conn.setblocking(False)
        try:
            conn.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def remove(path: str) -> None:
    """Remove a socket; that it has gone already is fine."""
    try:
        os.unlink(path)
    except OSError as error:
        log.debug("can't remove %s: %s", path, error)
