"""Two servers of one cluster with a client each, over any dialect, and traffic that goes on while Redis moves."""

import contextlib

import gevent
from contract.application import Application, Peer, serve
from contract.waiting import wait_until

from flask_socketio_py.socketio.broadcast import BroadcastOperator


def eventually(condition, what):
    """As ``wait_until``, for what takes a failover."""
    for _ in range(3):
        with contextlib.suppress(AssertionError):
            return wait_until(condition, what)
    return wait_until(condition, what)


class Fleet:
    """``first`` emits, in traffic, the event ``n`` with 0, 1, 2, ...; ``near`` is its client, ``far`` the other's."""

    def __init__(self, dialect_class, url, **options):
        dialects = [dialect_class(url, **options) for _ in range(2)]
        self.dialect = dialects[0]
        self.servers = [serve(Application(("/",)), dialect=dialect, requests_timeout=2.0) for dialect in dialects]
        self.first = self.servers[0]
        self.near, self.far = (Peer(server) for server in self.servers)
        self.sockets = [peer.join() for peer in (self.near, self.far)]
        self.got_near, self.got_far = [], []
        self.sent = 0
        self._traffic = None
        eventually(self._is_one, "they are one cluster")

    def emit(self):
        BroadcastOperator(self.first.of("/")).emit("n", self.sent)
        self.sent += 1

    def read(self):
        for peer, got in ((self.near, self.got_near), (self.far, self.got_far)):
            got.extend(event[1] for event in peer.events() if event[0] == "n")

    def _is_one(self):
        """Whether what is emitted at one end reaches the other."""
        if any(server.cluster.others("/") != 1 for server in self.servers):
            return False
        BroadcastOperator(self.first.of("/")).emit("probe")
        with contextlib.suppress(AssertionError):
            return wait_until(lambda: ["probe"] in [event[:1] for event in self.far.events()], "it arrives")
        return False

    @contextlib.contextmanager
    def traffic(self):
        """An event every few milliseconds, until the other server's client is told again what was emitted late."""

        def go_on():
            while True:
                self.emit()
                gevent.sleep(0.005)

        emitting = gevent.spawn(go_on)
        try:
            self.flows()
            yield
            self.flows()
        finally:
            emitting.kill()
        self.settle()

    def flows(self):
        number = self.sent + 20
        eventually(lambda: self.read() or (self.got_far and self.got_far[-1] > number), "it flows")

    def settle(self):
        """What was emitted last is there, and so is what was before."""
        last = self.sent
        self.emit()
        eventually(lambda: self.read() or (self.got_near[-1:] == self.got_far[-1:] == [last]), "it is all there")

    def close(self):
        for server in self.servers:
            server.close()


def increasing(numbers):
    return numbers == sorted(set(numbers))
