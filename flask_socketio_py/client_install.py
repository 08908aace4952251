"""Fetches the official JavaScript client with npm and lays its bundle where `client_bundle` finds it.

Owns: which release, and the one call of npm. npm asks whatever registry the machine is set up for and checks
what it gets; this module names no address and runs none of the package's code.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from .client_bundle import FILE_NAMES, VERSION_MARKER

__all__ = ["DEFAULT_VERSION", "InstallError", "install"]

DEFAULT_VERSION = "4.8.4"
_VERSION = re.compile(r"\d+(\.(\d+|x)){0,2}(-[0-9A-Za-z.-]+)?", re.ASCII)
_DEADLINE = 300  # seconds for npm, which itself retries


class InstallError(Exception):
    """The bundle could not be installed; the message says what to do."""


def install(version: str, into: Path) -> str:
    """Replaces the bundle in `into` by that of `version` ("4.8.4", or "4.8" for its newest); gives the exact one."""
    if not _VERSION.fullmatch(version):
        raise InstallError(f"{version!r} is no version: give one like {DEFAULT_VERSION}")
    with tempfile.TemporaryDirectory(prefix="socket.io-client-") as folder:
        archive = _pack(f"socket.io-client@{version}", Path(folder))
        files = _read(archive)
    exact = str(json.loads(files.pop("package.json"))["version"])
    try:
        into.mkdir(parents=True, exist_ok=True)
        # The marker goes last: while it names this version, every file is of this version.
        (into / VERSION_MARKER).unlink(missing_ok=True)
        for name, content in files.items():
            (into / name).write_bytes(content)
        (into / VERSION_MARKER).write_text(exact + "\n", "utf-8")
    except OSError as error:
        raise InstallError(f"can't write to {into}: {error.strerror}; choose another directory with --into") from error
    return exact


def _pack(package: str, folder: Path) -> Path:
    """The package's archive, downloaded by npm into `folder`."""
    npm = shutil.which("npm")
    if npm is None:
        raise InstallError(
            "npm is not on the PATH. It comes with Node.js (on Debian: apt-get install npm); nothing else needs it."
        )
    try:
        # In the empty folder, so that no project's own settings for npm apply.
        run = subprocess.run(
            [npm, "pack", package],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DEADLINE,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"npm did not fetch {package} within {_DEADLINE} seconds") from error
    archives = list(folder.glob("*.tgz"))
    if run.returncode or len(archives) != 1:
        raise InstallError(f"npm could not fetch {package}:\n{run.stderr.strip()}")
    return archives[0]


def _read(archive: Path) -> dict[str, bytes]:
    """The bundle's files and package.json. Members are read by name: no path in the archive is ever followed."""
    wanted = {name: f"package/dist/{name}" for name in sorted(FILE_NAMES)} | {"package.json": "package/package.json"}
    files = {}
    with tarfile.open(archive) as tar:
        for name, member in wanted.items():
            try:
                stream = tar.extractfile(member)
            except KeyError:
                stream = None
            if stream is None:
                raise InstallError(f"this release of socket.io-client has no {name}; take 4.3 or newer")
            files[name] = stream.read()
    return files
