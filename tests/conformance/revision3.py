"""The blocking client of `raw`, for sessions of revision 3: its payloads, written and read without any code of ours."""

from __future__ import annotations

import json
from typing import Any

from .raw import Closed, Headers, Response, Target, WebSocket


def split(body: bytes) -> list[str | bytes]:
    """The packets of a payload of either kind, by the letter; UTF-16 units are counted by hand."""
    packets: list[str | bytes] = []
    if body[:1] in (b"\0", b"\1"):
        while body:
            kind, end = body[0], body.index(b"\xff")
            size = int("".join(map(str, body[1:end])))
            data, body = body[end + 1 : end + 1 + size], body[end + 1 + size :]
            assert len(data) == size
            packets.append(data if kind else data.decode())
        return packets
    text = body.decode().encode("utf-16-be")
    while text:
        head, _, _ = text.decode("utf-16-be").partition(":")
        start = 2 * (len(head) + 1)
        end = start + 2 * int(head)
        packets.append(text[start:end].decode("utf-16-be"))
        text = text[end:]
    return packets


def write(*packets: str) -> bytes:
    return "".join(f"{len(item)}:{item}" for item in packets).encode()


class OldPolling:
    """A long-polling session of revision 3."""

    def __init__(self, server: Target, more: str = "") -> None:
        self.server = server
        self.getter, self.poster = server.connect(), server.connect()
        self.opening = self.getter.request("GET", server.url(revision=3) + more)
        self.backlog = split(self.opening.body)
        first = self.backlog.pop(0)
        assert isinstance(first, str)
        assert first[0] == "0"
        self.handshake: dict[str, Any] = json.loads(first[1:])
        self.sid: str = self.handshake["sid"]
        self.url = server.url(revision=3, sid=self.sid)

    def __enter__(self) -> OldPolling:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.getter.close()
        self.poster.close()

    def post(self, body: bytes, headers: Headers = ()) -> Response:
        return self.poster.request("POST", self.url, headers or [("Content-Type", "text/plain;charset=UTF-8")], body)

    def send(self, *packets: str) -> None:
        response = self.post(write(*packets))
        assert (response.status, response.body) == (200, b"ok"), response

    def poll(self) -> Response:
        return self.getter.request("GET", self.url)

    def receive(self) -> str | bytes:
        while not self.backlog:
            response = self.poll()
            if response.status != 200:
                raise Closed(repr(response))
            self.backlog = split(response.body)
        return self.backlog.pop(0)

    def join(self) -> OldPolling:
        assert [self.receive(), self.receive()] == ["40", '42["auth",{}]']
        return self


def open_websocket(server: Target, sid: str | None = None, more: str = "") -> WebSocket:
    response, connection = server.upgrade(server.url(transport="websocket", sid=sid, revision=3) + more)
    assert response.status == 101, response
    websocket = WebSocket(connection, sid)
    if sid is None:
        packet = websocket.receive()
        assert isinstance(packet, str)
        assert packet[0] == "0"
        websocket.handshake = json.loads(packet[1:])
        websocket.sid = websocket.handshake["sid"]
    return websocket


def join_websocket(server: Target) -> WebSocket:
    websocket = open_websocket(server)
    assert [websocket.receive(), websocket.receive()] == ["40", '42["auth",{}]']
    return websocket
