"""One server of a cluster and the bare Redis beside it: what a foreign server would say and hear on the channels."""

import redis as redis_py
from contract.application import Application, Peer, serve
from contract.waiting import wait_until
from flask import Flask

from flask_socketio_py import SocketIO

PATIENCE = 10.0


class Foreigner:
    """Publishes what it likes, and records what our server publishes."""

    def __init__(self, server, *, sharded=False, patterns=("*",), channels=()):
        self._server = server
        self._sharded = sharded
        self._client = server.client()
        self._hearing = self._client.pubsub()
        if sharded:
            self._hearing.ssubscribe(*channels)
        else:
            self._hearing.psubscribe(*patterns)
        self._confirmations = len(channels) if sharded else len(patterns)
        while self._confirmations:
            self._confirmations -= self._hearing.get_message(timeout=PATIENCE) is not None
        self.heard = []

    def say(self, channel, data):
        """How many heard it."""
        return self._client.execute_command("SPUBLISH" if self._sharded else "PUBLISH", channel, data)

    def listen(self):
        """Everything that was published since the beginning, as (channel, data)."""
        while (message := self._next()) is not None:
            if message["type"] in ("message", "pmessage", "smessage"):
                self.heard.append((message["channel"].decode(), message["data"]))
        return self.heard

    def _next(self):
        if self._sharded:
            return self._hearing.get_sharded_message(timeout=0)
        return self._hearing.get_message(timeout=0)

    def wait(self, channel, count=1):
        """The data published on a channel, once there are so many."""

        def found():
            data = [data for heard, data in self.listen() if heard == channel]
            return data if len(data) >= count else None

        return wait_until(found, f"{count} messages on {channel}")

    def close(self):
        self._hearing.close()
        self._client.close()


class Talking(Application):
    """Answers a server event with its arguments."""

    def server_event_handler(self, namespace, event):
        return (lambda *args: list(args)) if event == "ask" else None


class Node:
    """One server of ours, with a client."""

    def __init__(self, dialect, namespaces=("/",), **options):
        self.dialect = dialect
        self.server = serve(Talking(namespaces), dialect=dialect, requests_timeout=2.0, **options)
        self.peer = Peer(self.server)
        self.socket = self.peer.join()
        self.ready()

    def ready(self):
        assert self.dialect.bus.subscriber.ready(PATIENCE)

    def got(self, count=1, peer=None):
        """The next events of the client."""
        found = []

        def enough():
            found.extend((peer or self.peer).events())
            return len(found) >= count

        wait_until(enough, f"{count} events")
        return found

    def close(self):
        self.server.close()


def configured(**options):
    """The dialect of an application with these options."""
    return SocketIO(Flask("configured"), **options)._serving().cluster.dialect


def subscribers(server, channel, sharded=False):
    try:
        return server.ask("PUBSUB", "SHARDNUMSUB" if sharded else "NUMSUB", channel)[1]
    except redis_py.exceptions.ResponseError as error:
        raise AssertionError(str(error)) from None
