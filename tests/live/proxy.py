"""A TCP proxy between client and server, for networks that fail: they break, or stand still without an end.

Owns bytes and connections; knows no protocol.
"""

from __future__ import annotations

import contextlib
import socket
import threading

#: What the kernel takes from the server while the proxy stands still, in bytes (about).
WINDOW = 65536


class Link:
    """One connection of a client, and the proxy's own to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.proxy, self.client = proxy, client
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        self.server.connect(("127.0.0.1", proxy.target))
        for sock in (client, self.server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.flowing = threading.Event()
        if not proxy.frozen:
            self.flowing.set()
        self.budget = proxy.budget
        self.threads = [
            threading.Thread(target=self._pump, args=pair, daemon=True)
            for pair in ((client, self.server), (self.server, client))
        ]
        for thread in self.threads:
            thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        downstream = source is self.server
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(WINDOW)
                self.flowing.wait()
                if not data:
                    break
                if downstream and self.budget is not None:
                    data = data[: self.budget]
                    self.budget -= len(data)
                sink.sendall(data)
                if downstream and self.budget == 0:
                    self.cut()
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.flowing.set()

    def end(self) -> None:
        self.cut()
        for thread in self.threads:
            thread.join(10)
        self.client.close()
        self.server.close()


class Proxy:
    """Listens on ``url``; as a context manager, it leaves nothing behind."""

    def __init__(self, port: int) -> None:
        self.target = port
        #: Whether new connections carry nothing.
        self.frozen = False
        #: Bytes that each new connection brings to the client before it breaks; ``None``: as many as there are.
        self.budget: int | None = None
        self.links: list[Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.links.append(Link(self, client))

    def freeze(self) -> None:
        """No connection carries anything any more, not even its end."""
        self.frozen = True
        for link in list(self.links):
            link.flowing.clear()

    def thaw(self) -> None:
        """Everything flows again."""
        self.frozen = False
        for link in list(self.links):
            link.flowing.set()

    def cut(self) -> None:
        """Break the connections that there are, without a word to either side."""
        while self.links:
            self.links.pop().end()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        self.cut()
