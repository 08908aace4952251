"""Owns long-polling clients that are only HTTP: a new connection for each request, or one that is shared.

So it is seen what a load balancer, or the kernel between several workers, does to a session.
"""

import concurrent.futures
import http.client
import json
import re
import socket
import ssl
from typing import Any

from tests.live.servers import Server, certificate

ENDPOINT = "/socket.io/?EIO=4&transport=polling"


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body!r}")
        self.status = status
        self.body = body


def connect(server: Server, timeout: float = 20.0, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the server, over TLS if it speaks that."""
    sock = socket.socket()
    sock.settimeout(timeout)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", server.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if server.tls:
        context = ssl.create_default_context(cafile=certificate()[0])
        return context.wrap_socket(sock, server_hostname="localhost")
    return sock


def http_connection(server: Server) -> http.client.HTTPConnection:
    """The same, for HTTP requests."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.sock = connect(server)
    return connection


class Poller:
    """One session in the main namespace."""

    def __init__(self, server: Server, key: str = "poller") -> None:
        self.server = server
        self.calls = 0
        opened = self.request(f"{ENDPOINT}&key={key}")
        self.sid = json.loads(opened[1:])["sid"]
        self.url = f"{ENDPOINT}&sid={self.sid}"
        self.post(b"40")
        assert self.poll().startswith(b'40{"sid"')

    def request(
        self, url: str, body: bytes | None = None, connection: http.client.HTTPConnection | None = None
    ) -> bytes:
        """One request, on a connection of its own if none is given.

        Raises:
            Refused: it was not answered with 200.
            OSError, http.client.HTTPException: it was not answered.
        """
        used = connection or http_connection(self.server)
        try:
            used.request("GET" if body is None else "POST", url, body)
            response = used.getresponse()
            data = response.read()
            if response.status != 200:
                raise Refused(response.status, data)
            return data
        finally:
            if connection is None:
                used.close()

    def post(self, body: bytes, connection: http.client.HTTPConnection | None = None) -> None:
        assert self.request(self.url, body, connection) == b"ok"

    def poll(self, connection: http.client.HTTPConnection | None = None) -> bytes:
        return self.request(self.url, None, connection)

    def call(self, event: str, *args: Any, connection: http.client.HTTPConnection | None = None) -> Any:
        """Two requests: an event, and what acknowledges it."""
        self.calls += 1
        self.post(f"42{self.calls}{json.dumps([event, *args])}".encode(), connection)
        prefix = f"43{self.calls}["
        while True:
            for packet in self.poll(connection).decode().split("\x1e"):
                if packet == "2":
                    self.post(b"3", connection)
                else:
                    assert packet.startswith(prefix), packet[:100]
                    result = json.loads(packet[len(prefix) - 1 :])
                    return result[0] if len(result) == 1 else result

    def call_after_a_cut(self) -> None:
        """A call where an earlier one may have got through, of which the answer did not: it comes first then."""
        self.calls += 1
        self.post(f'42{self.calls}["echo",{self.calls}]'.encode())
        wanted, earlier = f"43{self.calls}[{self.calls}]", re.compile(rf"2|43{self.calls - 1}\[.*\]").fullmatch
        packets: list[str] = []
        while wanted not in packets:
            packets = self.poll().decode().split("\x1e")
            assert all(packet == wanted or earlier(packet) for packet in packets), packets
            if "2" in packets:
                self.post(b"3")


def owners(pollers: list[Poller]) -> dict[int, list[Poller]]:
    """The sessions by the process that has them."""
    found: dict[int, list[Poller]] = {}
    for poller in pollers:
        found.setdefault(poller.call("pid"), []).append(poller)
    return found


def spread(server: Server, workers: int = 2, most: int = 400) -> list[Poller]:
    """Sessions of at least so many workers: which worker takes a connection is the kernel's choice."""
    pollers: list[Poller] = []
    with concurrent.futures.ThreadPoolExecutor(8) as threads:  # one at a time, the kernel prefers one worker
        while len(by_worker := {poller.sid[:6]: poller for poller in pollers}) < workers:
            assert len(pollers) < most, f"no {workers} workers have sessions"
            pollers += threads.map(lambda _: Poller(server), range(8))
    return [*by_worker.values(), *(poller for poller in pollers[:12] if poller not in by_worker.values())]
