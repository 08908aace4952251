"""A TCP proxy in front of a server, that a test can make worse: cut after so many bytes, slow, silent, or gone."""

import gevent
import gevent.socket
from gevent.server import StreamServer


class Proxy:
    """Forwards to a local port. ``cut_after``: bytes from the server after which each connection is cut; ``slow``:
    seconds that 64 KiB to the server take at least.
    """

    def __init__(self, port, cut_after=None, slow=0.0):
        self.port = port
        self.cut_after = cut_after
        self.slow = slow
        self.silent = False
        self.cuts = 0
        listener = gevent.socket.socket()
        if slow:
            listener.setsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_RCVBUF, 65536)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        self._server = StreamServer(listener, self._serve)
        self._server.start()
        self.url = f"redis://127.0.0.1:{self._server.server_port}"

    def _serve(self, client, _):
        server = gevent.socket.create_connection(("127.0.0.1", self.port))
        up = gevent.spawn(self._pump, client, server, None, self.slow)
        self._pump(server, client, self.cut_after, 0.0)
        up.kill()
        client.close()
        server.close()

    def _pump(self, source, target, left, slow):
        try:
            while data := source.recv(65536):
                if slow:
                    gevent.sleep(slow)
                while self.silent:
                    gevent.sleep(0.01)
                if left is not None:
                    data, left = data[:left], left - len(data)
                target.sendall(data)
                if left is not None and left <= 0:
                    self.cuts += 1
                    break
            for sock in (source, target):
                sock.shutdown(gevent.socket.SHUT_RDWR)
        except OSError:
            return

    def close(self):
        self._server.stop(timeout=0.1)
