"""The official JavaScript client, driven from Python: one Node process (``js/driver.cjs``), many sockets.

Everything that happens to a socket is recorded in order, so a test waits for what must happen, and after a round trip
can also say what did not happen.
"""

import base64
import itertools
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.live.servers import wait_for

JS = Path(__file__).resolve().parent / "js"
DEADLINE = 20.0


def pack(value: Any) -> Any:
    """JSON, with bytes as ``{"$bytes": base64}``, as in ``js/wire.cjs``."""
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {key: pack(item) for key, item in value.items()}
    return value


def unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"])
        return {key: unpack(item) for key, item in value.items()}
    return value


def run_scenario(name: str, url: str, options: dict[str, Any]) -> Any:
    """Result of a scenario of ``js/run.cjs`` in a process of its own."""
    command = ["node", str(JS / "run.cjs"), name, url, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"scenario {name} of {url} failed:\n{done.stdout}\n{done.stderr}"
    return unpack(json.loads(done.stdout))


class Driver:
    """The Node process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(JS / "driver.cjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.clients: dict[str, Client] = {}
        self._replies: dict[int, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            entry = unpack(json.loads(line))
            if "reply" in entry:
                self._replies[entry["reply"]] = entry
            elif entry["client"] in self.clients:
                self.clients[entry["client"]].entries.append(entry)

    def command(self, command: str, **parameters: Any) -> Any:
        assert self.process.stdin is not None
        number = next(self._numbers)
        self.process.stdin.write(json.dumps({"number": number, "command": command, **pack(parameters)}) + "\n")
        self.process.stdin.flush()
        what = f"the client's answer to {command} {parameters}"
        reply = wait_for(lambda: self._replies.pop(number, None), what, DEADLINE, interval=0.001)
        assert "error" not in reply, reply["error"]
        return reply["value"]

    def open(
        self, url: str, namespace: str = "/", *, auth: Any = None, share: "Client | None" = None, **options: Any
    ) -> "Client":
        """A socket on a connection of its own, or on the one of `share`; does not wait for it to be connected."""
        client = Client(self, f"client {next(self._numbers)}")
        self.clients[client.name] = client
        self.command(
            "open",
            client=client.name,
            url=url,
            namespace=namespace,
            auth=auth,
            share=share.name if share else None,
            options=options,
        )
        return client

    def forget_clients(self) -> None:
        for client in self.clients.values():
            client.disconnect()
        self.clients.clear()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(DEADLINE)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(DEADLINE)
            assert self.process.stdout is not None
            self.process.stdout.close()


class Client:
    """One Socket.IO socket of the JavaScript client."""

    def __init__(self, driver: Driver, name: str) -> None:
        self.driver = driver
        self.name = name
        self.entries: list[dict[str, Any]] = []

    def _command(self, command: str, **parameters: Any) -> Any:
        return self.driver.command(command, client=self.name, **parameters)

    def emit(self, *args: Any) -> None:
        self._command("emit", args=args)

    def call(self, *args: Any) -> Any:
        """What the server acknowledges with: the value if it is one, else the list (empty for None)."""
        answer = self.call_for_all(*args)
        return answer[0] if len(answer) == 1 else answer

    def call_for_all(self, *args: Any) -> list[Any]:
        """The list of what the server acknowledges with."""
        answer = self._command("call", args=args)
        assert isinstance(answer, list)
        return answer

    def ask(self, *args: Any) -> None:
        """An event that the server may acknowledge; if it does, that is an entry of the kind ``ack``."""
        self._command("ask", args=args)

    def answer(self, event: str, *args: Any, delay: int = 0) -> None:
        """From now on the client acknowledges `event`, `delay` milliseconds later: with `args`, or without any with
        the arguments it got.
        """
        self._command("answer", event=event, args=list(args) or None, delay=delay)

    def authenticate(self, auth: Any) -> None:
        """What is sent along with CONNECT from the next time on."""
        self._command("authenticate", auth=auth)

    def break_off(self, *, rudely: bool = False) -> None:
        """End the connection below the sockets: in good order, or (WebSocket only) without a word."""
        self._command("breakOff", rudely=rudely)

    def move(self, url: str) -> None:
        """The next connection goes to another server, as behind a load balancer."""
        self._command("move", url=url)

    def connect(self) -> None:
        self._command("connect")

    def disconnect(self) -> None:
        self._command("disconnect")

    def state(self) -> dict[str, Any]:
        found = self._command("state")
        assert isinstance(found, dict)
        return found

    def found(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"kind": kind, **fields}.items()
        return [entry for entry in list(self.entries) if all(entry.get(key) == value for key, value in wanted)]

    def wait(self, kind: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """The `count`-th entry of that kind with those fields."""
        what = f"{kind} {fields} of {self.name}"
        try:
            wait_for(lambda: len(self.found(kind, **fields)) >= count, what, DEADLINE, interval=0.001)
        except AssertionError as error:
            raise AssertionError(f"{error}; its last entries: {self.entries[-20:]}") from None
        return self.found(kind, **fields)[count - 1]

    def sid(self) -> str:
        """The public id, once the socket is connected."""
        return str(self.wait("connect", count=max(1, len(self.found("connect"))))["sid"])

    def received(self, event: str) -> list[list[Any]]:
        """The arguments of each `event` so far."""
        return [entry["args"] for entry in self.found("event", event=event)]

    def wait_event(self, event: str, count: int = 1) -> list[Any]:
        """The arguments of the `count`-th `event`."""
        args = self.wait("event", count, event=event)["args"]
        assert isinstance(args, list)
        return args
