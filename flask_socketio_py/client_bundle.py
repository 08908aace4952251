"""The official JavaScript client's files, as the server hands them to browsers.

Owns: where the bundle lies, and the whole HTTP answer for one of its eight files: validators, content coding, HEAD.
Must not know Flask, nor how the bundle got here (that is `client_install`).
HTTP semantics: RFC 9110 sections 8.8.3 (ETag), 12.5.3 (Accept-Encoding), 13.1.2 (If-None-Match).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["FILE_NAMES", "INSTALL_DIRECTORY", "VERSION_MARKER", "ClientBundle"]

# Where `python -m flask_socketio_py install-client` puts the bundle.
INSTALL_DIRECTORY = Path(__file__).parent / "client"
VERSION_MARKER = "version"
FILE_NAMES = frozenset(
    f"socket.io{variant}.js{suffix}" for variant in ("", ".min", ".msgpack.min", ".esm.min") for suffix in ("", ".map")
)

# In the order of preference among codings that the client likes equally.
_ENCODERS = {"gzip": lambda data: gzip.compress(data, mtime=0), "deflate": zlib.compress}
_NOT_INSTALLED = b"""The Socket.IO JavaScript client is not installed on this server.
Install it with npm on the PATH:

    python -m flask_socketio_py install-client

or load the client in the page from elsewhere.
"""

Response = tuple[str, list[tuple[str, str]], bytes]


class ClientBundle:
    """Answers requests for the bundle's files; reads and compresses each once, when first asked for."""

    def __init__(self, directory: str | None = None) -> None:
        """`directory` holds the files; without it: the installed bundle, else npm's copy in the working directory."""
        if directory is not None:
            self._candidates = [Path(directory)]
        else:
            self._candidates = [INSTALL_DIRECTORY, Path.cwd() / "node_modules" / "socket.io-client" / "dist"]
        self._bodies: dict[tuple[str, str], bytes] = {}
        self._etags: dict[str, str] = {}

    def respond(self, file_name: str, environ: WSGIEnvironment) -> Response | None:
        """Status, headers and body for `file_name`, or None if the request is none for the bundle."""
        method = environ["REQUEST_METHOD"]
        if file_name not in FILE_NAMES or method not in ("GET", "HEAD"):
            return None
        try:
            status, headers, body = self._answer(file_name, environ)
        except FileNotFoundError:
            # Nothing is remembered, so that installing the bundle is enough: no restart.
            headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
            status, body = "404 Not Found", _NOT_INSTALLED
        if not status.startswith("304"):
            headers.append(("Content-Length", str(len(body))))
        return status, headers, b"" if method == "HEAD" else body

    def _answer(self, file_name: str, environ: WSGIEnvironment) -> Response:
        content = self._load(file_name)
        etag = self._etags[file_name]
        headers = [("Cache-Control", "public, max-age=0"), ("ETag", etag), ("Vary", "Accept-Encoding")]
        if _etag_matches(environ.get("HTTP_IF_NONE_MATCH", ""), etag):
            return "304 Not Modified", headers, b""
        kind = "json" if file_name.endswith(".map") else "javascript"
        headers.append(("Content-Type", f"application/{kind}; charset=utf-8"))
        coding = _choose_coding(environ.get("HTTP_ACCEPT_ENCODING", ""))
        if coding is None:
            return "200 OK", headers, content
        headers.append(("Content-Encoding", coding))
        key = (file_name, coding)
        if key not in self._bodies:
            self._bodies[key] = _ENCODERS[coding](content)
        return "200 OK", headers, self._bodies[key]

    def _load(self, file_name: str) -> bytes:
        content = self._bodies.get((file_name, ""))
        if content is None:
            directory = next((path for path in self._candidates if (path / file_name).is_file()), None)
            if directory is None:
                raise FileNotFoundError(file_name)
            content = (directory / file_name).read_bytes()
            self._etags[file_name] = f'"{_version(directory) or hashlib.sha256(content).hexdigest()[:16]}"'
            self._bodies[file_name, ""] = content
        return content


def _version(directory: Path) -> str | None:
    """The release in `directory`: our installer leaves a marker, npm a package.json one level up."""
    try:
        return (directory / VERSION_MARKER).read_text("utf-8").strip()
    except FileNotFoundError:
        pass
    try:
        description = json.loads((directory.parent / "package.json").read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if isinstance(description, dict) and description.get("name") == "socket.io-client":
        return str(description.get("version"))
    return None


def _etag_matches(if_none_match: str, etag: str) -> bool:
    candidates = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return etag in candidates or candidates == ["*"]


def _choose_coding(accept_encoding: str) -> str | None:
    """The coding with the client's highest weight; None to send the file as it is."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameters = item.partition(";")
        name, _, value = parameters.partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        weights[coding.strip()] = weight
    others = weights.get("*", 0.0)
    best = max(_ENCODERS, key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    # Unless it is named, "identity" is what remains when nothing else is wanted.
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None
