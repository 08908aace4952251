"""Owns the promises of client_bundle.py and client_install.py: which files, which answers, and what a person is told.

The bundle here is a small one that the test makes; npm is a small script, so that no test needs a registry.
"""

import gzip
import io
import json
import stat
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

from flask_socketio_py import client_bundle, client_install
from flask_socketio_py.client_bundle import FILE_NAMES, ClientBundle

SOURCE = b"/* Socket.IO v4.8.4 */ " + b"io();" * 100
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def directory(tmp_path):
    folder = tmp_path / "client"
    folder.mkdir()
    for name in FILE_NAMES:
        (folder / name).write_bytes(SOURCE if name.endswith(".js") else b'{"version":3}')
    (folder / "version").write_text("4.8.4\n")
    return folder


def respond(bundle, file_name="socket.io.js", method="GET", **headers):
    answer = bundle.respond(
        file_name, {"REQUEST_METHOD": method} | {f"HTTP_{k.upper()}": v for k, v in headers.items()}
    )
    assert answer is not None
    status, fields, body = answer
    assert len(fields) == len(dict(fields)), "a header is given twice"
    return status, dict(fields), body


def test_the_bundle_has_exactly_the_eight_files_of_the_official_server():
    assert sorted(FILE_NAMES) == [
        "socket.io.esm.min.js",
        "socket.io.esm.min.js.map",
        "socket.io.js",
        "socket.io.js.map",
        "socket.io.min.js",
        "socket.io.min.js.map",
        "socket.io.msgpack.min.js",
        "socket.io.msgpack.min.js.map",
    ]


@pytest.mark.parametrize("name", sorted(FILE_NAMES))
def test_each_file_is_served(directory, name):
    kind = "json" if name.endswith(".map") else "javascript"
    status, headers, body = respond(ClientBundle(str(directory)), name)
    assert status == "200 OK"
    assert body == (directory / name).read_bytes()
    assert headers == {
        "Cache-Control": "public, max-age=0",
        "Content-Length": str(len(body)),
        "Content-Type": f"application/{kind}; charset=utf-8",
        "ETag": '"4.8.4"',
        "Vary": "Accept-Encoding",
    }


@pytest.mark.parametrize(
    "name", ["", "version", "socket.io.slim.js", "../client_bundle.py", "/socket.io.js", "SOCKET.IO.JS"]
)
def test_any_other_name_is_not_ours(directory, name):
    assert ClientBundle(str(directory)).respond(name, {"REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT"])
def test_only_reading_is_ours(directory, method):
    assert ClientBundle(str(directory)).respond("socket.io.js", {"REQUEST_METHOD": method}) is None


@pytest.mark.parametrize("value", ['"4.8.4"', 'W/"4.8.4"', '"4.8.3", "4.8.4"', "*"])
def test_a_known_etag_is_answered_304_without_a_body(directory, value):
    status, headers, body = respond(ClientBundle(str(directory)), if_none_match=value)
    assert (status, headers["ETag"], body) == ("304 Not Modified", '"4.8.4"', b"")
    assert "Content-Length" not in headers
    assert "Content-Type" not in headers


@pytest.mark.parametrize("value", ["", '"4.8.3"', "4.8.4", 'w/"4.8.4"', '"4.8.4'])
def test_another_etag_gets_the_file(directory, value):
    assert respond(ClientBundle(str(directory)), if_none_match=value)[0] == "200 OK"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("GZIP", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip;q=0, deflate", "deflate"),
        ("*", "gzip"),
        ("*;q=0.5, gzip;q=0", "deflate"),
        ("", None),
        ("br", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0, deflate;q=0", None),
        ("gzip;q=x", None),
        ("*;q=0", None),
    ],
)
def test_the_content_coding_is_the_one_the_client_likes_best(directory, accepted, coding):
    bundle = ClientBundle(str(directory))
    _, headers, body = respond(bundle, accept_encoding=accepted)
    decode = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding]
    assert headers.get("Content-Encoding") == coding
    assert decode(body) == SOURCE
    assert headers["Content-Length"] == str(len(body))
    # The plain file is still there for the next one.
    assert respond(bundle)[2] == SOURCE


def test_head_has_the_headers_of_get_and_no_body(directory):
    bundle = ClientBundle(str(directory))
    expected = respond(bundle, accept_encoding="gzip")
    assert respond(bundle, method="HEAD", accept_encoding="gzip") == (*expected[:2], b"")


def test_files_are_read_once(directory):
    bundle = ClientBundle(str(directory))
    first = respond(bundle)
    (directory / "socket.io.js").unlink()
    assert respond(bundle) == first


def test_without_a_bundle_the_answer_names_the_command_and_installing_is_enough(tmp_path, directory):
    bundle = ClientBundle(str(tmp_path / "later"))
    status, headers, body = respond(bundle)
    assert status == "404 Not Found"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert b"python -m flask_socketio_py install-client" in body
    assert respond(bundle, method="HEAD") == (status, headers, b"")
    directory.rename(tmp_path / "later")
    assert respond(bundle)[0] == "200 OK"


def test_the_copy_that_npm_installed_in_the_working_directory_serves(tmp_path, monkeypatch, directory):
    package = tmp_path / "node_modules" / "socket.io-client"
    package.mkdir(parents=True)
    (directory / "version").unlink()
    directory.rename(package / "dist")
    (package / "package.json").write_text('{"name": "socket.io-client", "version": "4.7.5"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client_bundle, "INSTALL_DIRECTORY", tmp_path / "nothing")
    assert respond(ClientBundle())[1]["ETag"] == '"4.7.5"'


@pytest.mark.parametrize("description", [None, "{", "[]", '{"name": "my-page", "version": "4.8.4"}'])
def test_files_of_unknown_version_get_an_etag_from_their_content(tmp_path, directory, description):
    (directory / "version").unlink()
    if description is not None:
        (tmp_path / "package.json").write_text(description)
    etags = [respond(ClientBundle(str(directory)))[1]["ETag"]]
    (directory / "socket.io.js").write_bytes(b"changed")
    etags.append(respond(ClientBundle(str(directory)))[1]["ETag"])
    assert etags[0] != etags[1]
    assert '"4.8.4"' not in etags


# --- installing ------------------------------------------------------------------------------------------------------


def make_npm(folder, monkeypatch, script):
    """Puts an executable `npm` first on the PATH: Python code that gets the package's name as `spec`."""
    folder.mkdir()
    npm = folder / "npm"
    npm.write_text(
        f"#!{sys.executable}\nimport shutil, sys\nassert sys.argv[1] == 'pack'\nspec = sys.argv[2]\n{script}\n"
    )
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def make_archive(path, without=()):
    files = {f"package/dist/{name}": name.encode() for name in FILE_NAMES - set(without)}
    files["package/package.json"] = b'{"name": "socket.io-client", "version": "4.8.4"}'
    files["../../escaped"] = b"never written"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_install_lays_the_files_and_the_version(tmp_path, monkeypatch):
    make_archive(tmp_path / "made.tgz")
    copy = (
        f"shutil.copy({str(tmp_path / 'made.tgz')!r}, 'socket.io-client.tgz'); assert spec == 'socket.io-client@4.8.x'"
    )
    make_npm(tmp_path / "bin", monkeypatch, copy)
    into = tmp_path / "deep" / "client"
    assert client_install.install("4.8.x", into) == "4.8.4"
    assert {path.name for path in into.iterdir()} == FILE_NAMES | {"version"}
    status, headers, body = respond(ClientBundle(str(into)), "socket.io.min.js")
    assert (status, headers["ETag"], body) == ("200 OK", '"4.8.4"', b"socket.io.min.js")
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("version", ["latest", "", "--force", "4.8.4 x", "file:..", "4.8.4\n", "٤.8.4"])
def test_a_version_is_a_version_and_nothing_else_that_npm_would_take(tmp_path, version):
    with pytest.raises(client_install.InstallError, match="no version"):
        client_install.install(version, tmp_path)


def test_without_npm_a_person_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(client_install.InstallError, match=r"npm is not on the PATH.*Node\.js"):
        client_install.install("4.8.4", tmp_path / "client")


def test_what_npm_says_is_passed_on(tmp_path, monkeypatch):
    make_npm(tmp_path / "bin", monkeypatch, "sys.exit('no such version')")
    with pytest.raises(
        client_install.InstallError, match=r"(?s)could not fetch socket\.io-client@9\.9\.9.*no such version"
    ):
        client_install.install("9.9.9", tmp_path / "client")


def test_a_release_without_one_of_the_files_installs_nothing(tmp_path, monkeypatch):
    make_archive(tmp_path / "made.tgz", without=["socket.io.esm.min.js"])
    make_npm(tmp_path / "bin", monkeypatch, f"shutil.copy({str(tmp_path / 'made.tgz')!r}, 'socket.io-client.tgz')")
    with pytest.raises(client_install.InstallError, match=r"no socket\.io\.esm\.min\.js"):
        client_install.install("1.0.0", tmp_path / "client")
    assert not (tmp_path / "client").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    make_archive(tmp_path / "made.tgz")
    make_npm(tmp_path / "bin", monkeypatch, f"shutil.copy({str(tmp_path / 'made.tgz')!r}, 'socket.io-client.tgz')")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(client_install.InstallError, match=r"can't write to .*file.*--into"):
        client_install.install("4.8.4", tmp_path / "file")


def test_the_command_line_installs_too(tmp_path, monkeypatch):
    make_archive(tmp_path / "made.tgz")
    make_npm(tmp_path / "bin", monkeypatch, f"shutil.copy({str(tmp_path / 'made.tgz')!r}, 'socket.io-client.tgz')")
    command = [sys.executable, "-m", "flask_socketio_py", "install-client", "--into", str(tmp_path / "client")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    into = tmp_path / "client"
    assert run.stdout == f"socket.io-client 4.8.4 is in {into}\nServe it with SocketIO(app, client_dir={str(into)!r})\n"


def test_the_tests_drive_the_release_that_users_install():
    packages = json.loads((ROOT / "tests" / "package.json").read_text())["dependencies"]
    assert packages["socket.io-client"] == client_install.DEFAULT_VERSION
