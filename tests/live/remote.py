"""What a test has the server do, written as the server's own code: ``do(client, IO.to("a").emit("news", 1))``.

A chain is data until ``do`` sends it to ``apps/surface.py``; several chains of one ``do`` run in one handler, without a
pause between them. Knows nothing of what the names mean.
"""

from __future__ import annotations

from typing import Any

from tests.live.jsclient import Client


class Chain:
    """Names, arguments and items, to be followed from a root."""

    def __init__(self, steps: list[Any]) -> None:
        self._steps = steps

    def __getattr__(self, name: str) -> Chain:
        return Chain([*self._steps, ["get", name]])

    def __call__(self, *args: Any, **kwargs: Any) -> Chain:
        return Chain([*self._steps, ["call", list(args), kwargs]])

    def __getitem__(self, key: Any) -> Chain:
        return Chain([*self._steps, ["item", key]])


#: The extension, and the socket whose client asks.
IO, SOCKET = Chain(["io"]), Chain(["socket"])


def setting(chain: Chain, name: str, value: Any) -> Chain:
    """An assignment to an attribute."""
    return Chain([*chain._steps, ["set", name, value]])


def function(name: str) -> dict[str, str]:
    """A function of the application, as an argument."""
    return {"$function": name}


def callback(name: str) -> dict[str, str]:
    """A function that emits ``called back`` with this name and its arguments, as an argument."""
    return {"$callback": name}


class RemoteError(Exception):
    """What the server's code raised."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__(found["error"], found["text"])
        self.name, self.text = found["error"], found["text"]
        self.responses, self.missing = found.get("responses"), found.get("missing")


def do_all(client: Client, *chains: Chain) -> list[Any]:
    """What each of the chains gives, done one after another in one handler."""
    found = client.call("do", *(chain._steps for chain in chains))
    for outcome in found:
        if "error" in outcome:
            raise RemoteError(outcome)
    return [outcome["value"] for outcome in found]


def do(client: Client, *chains: Chain) -> Any:
    """What the last of the chains gives."""
    return do_all(client, *chains)[-1]
