"""One WebSocket after the other under attack: a new one wherever the last did not outlive what was sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conformance.raw import WebSocket


def survivors(
    inputs: Iterable[bytes], open_websocket: Callable[[], WebSocket], outlives: Callable[[WebSocket, bytes], bool]
) -> int:
    """Send each input; returns how many a connection outlived."""
    websocket: WebSocket | None = None
    survived = 0
    for data in inputs:
        if websocket is None:
            websocket = open_websocket()
        if outlives(websocket, data):
            survived += 1
        else:
            websocket.connection.close()
            websocket = None
    if websocket:
        websocket.connection.close()
    return survived
