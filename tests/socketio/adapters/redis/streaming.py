"""Servers of one cluster with a log, and clients that come back, without a network: what the tests of it share."""

from contract.application import Application, serve
from contract.returning import Browser
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect
from flask_socketio_py.socketio.broadcast import BroadcastOperator

RECOVERY = {"max_disconnection_duration": 30}


class Cluster:
    """Servers over one Redis. ``recovery=None``: nobody can come back."""

    def __init__(self, redis, recovery=RECOVERY, **dialect_options):
        self.redis = redis
        self._recovery = recovery
        self._dialect_options = dialect_options
        self.servers = []

    def add(self, namespaces=("/", "/chat"), **options):
        """One more server, that hears and is heard."""
        application = Application(namespaces)
        dialect = StreamsDialect(self.redis.url, **self._dialect_options)
        server = serve(
            application, dialect=dialect, connection_state_recovery=self._recovery, requests_timeout=2.0, **options
        )
        server.application = application
        server.cluster.start()
        wait_until(lambda: dialect.pending.connected, "it reads the log")
        self.servers.append(server)
        return server

    def close(self):
        for server in self.servers:
            server.close()


def dialect_of(server):
    return server.cluster.dialect


def to(server, *rooms, namespace="/"):
    return BroadcastOperator(server.of(namespace), rooms)


def forget(server):
    """What a SIGKILL leaves of a server: its connections end, and it says nothing any more."""
    dialect = dialect_of(server)
    dialect.bus.closed = True
    dialect.reader.close()
    dialect.bus.subscriber.close()
    dialect.bus.publisher.close()


class Traveller(Browser):
    """A client that goes from server to server."""

    def go(self, server, namespace="/", **auth):
        """Connect to a server, and be let in; returns its socket."""
        self.server = server
        self.connect(namespace, **auth)
        wait_until(lambda: self._socket(namespace) is not None and self._socket(namespace).connected, "it is let in")
        self.read()
        return self._socket(namespace)

    def refused(self, server, namespace="/"):
        """Try to connect to a server; returns what it says to that."""
        self.server = server
        self.connect(namespace)
        wait_until(lambda: self.news or self.read() or self.news, "it is refused")
        [(kind, where, error)] = self.news
        assert (kind, where) == (4, namespace)
        return error

    def _socket(self, namespace):
        return self.peer.client.sockets.get(namespace)

    def wait(self, count, what="events"):
        """The names and arguments of all events so far, once there are so many."""

        def enough():
            self.read()
            return len(self.events) >= count

        wait_until(enough, f"{count} {what}: {self.events[-3:]}")
        return [event[:-1] for event in self.events]


def numbers(traveller, count):
    """The numbers of the events named ``n``."""
    return [event[1] for event in traveller.wait(count) if event[0] == "n"]


def emit(server, *values, rooms=()):
    for value in values:
        to(server, *rooms).emit("n", value)


def keys(cluster):
    return cluster.redis.ask("KEYS", "sio:session:*")


def ttl(cluster):
    return [cluster.redis.ask("PTTL", key) for key in keys(cluster)]
