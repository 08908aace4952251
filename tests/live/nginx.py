"""Owns the life of a real nginx: a configuration of ours on free loopback ports, with a folder of its own.

Without an nginx the test is skipped on a laptop and fails in CI. Knows nothing of what is behind it.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.live.servers import ROOT, Server


def find_nginx() -> str:
    """The program's path; Debian has it where only root looks."""
    found = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is not None:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail("missing: nginx")
    pytest.skip("missing: nginx")


def changed(text: str, replaced: dict[str, str]) -> str:
    """A text with other ports or files: each of them must be there exactly once."""
    for old, new in replaced.items():
        assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
        text = text.replace(old, new)
    return text


class Nginx(Server):
    """nginx with a whole configuration, in which `listen` is what becomes a free address."""

    def __init__(self, configuration: str, listen: str, *, tls: bool = False) -> None:
        self.program = find_nginx()
        super().__init__(host_kind="nginx", cwd=ROOT, tls=tls)
        self.folder = Path(tempfile.mkdtemp(prefix="live-nginx-"))
        # Root's nginx works as another user, who must reach his own folders below.
        self.folder.chmod(0o711)
        text = changed(configuration, {f"listen {listen}": f"listen 127.0.0.1:{self.port}"})
        (self.folder / "nginx.conf").write_text(text, "utf-8")

    def command(self) -> list[str]:
        return [self.program, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]

    def discard(self) -> None:
        super().discard()
        shutil.rmtree(self.folder, ignore_errors=True)
