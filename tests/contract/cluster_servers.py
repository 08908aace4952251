"""Servers of one cluster, of whatever kind, and clients of them without a network: what the suites over all need."""

import gc

from contract.application import Application, serve
from contract.waiting import wait_until
from flask_socketio_py.socketio.broadcast import BroadcastOperator


class Answering(Application):
    """Answers server events; remembers which came."""

    def __init__(self, name):
        super().__init__(("/", "/chat"))
        self.name = name
        self.heard = []

    def server_event_handler(self, namespace, event):
        if event != "who":
            return None

        def who(*args):
            self.heard.append((namespace, args))
            return {"name": self.name, "args": list(args)}

        return who


class Servers:
    """Servers of one cluster, each with an application of its own."""

    def __init__(self, kind, count, **options):
        self.kind = kind
        self.applications = [Answering(f"server {number}") for number in range(count)]
        self.servers = [
            serve(application, dialect=kind.dialect(), requests_timeout=2.0, **options)
            for application in self.applications
        ]
        for server in self.servers:
            server.of("/chat")
            server.cluster.start()
        wait_until(self._know_each_other, "the servers know each other")

    def _know_each_other(self):
        return all(server.cluster.others("/") == len(self.servers) - 1 for server in self.servers)

    def __iter__(self):
        return iter(self.servers)

    def close(self):
        for server in self.servers:
            server.close()


def everybody(server, *rooms):
    return BroadcastOperator(server.of("/"), rooms)


def got(peer, count=1):
    """The next events of a client, without the offset that recovery appends."""
    found = []

    def enough():
        found.extend(peer.events())
        return len(found) >= count

    wait_until(enough, f"{count} events")
    return found


def nothing_more(servers, *peers):
    """What was sent before this reaches everybody before this does."""
    servers.servers[0].to("/").emit("the end")
    for peer in peers:
        assert got(peer) == [["the end"]]


def long_timers():
    """Timers of acks.py that still run, by their callbacks."""
    timers = [item for item in gc.get_objects() if type(item).__name__ == "timer" and item.callback is not None]
    return sum(getattr(timer.callback, "__module__", None) == "flask_socketio_py.socketio.acks" for timer in timers)
