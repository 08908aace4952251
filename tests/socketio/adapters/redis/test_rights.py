"""Owns what a server does whose user lacks one of the rights that ``docs/deploy/redis.md`` tells: it serves its own
clients, the log says which right it is, and once it has it the server is one of the cluster. So each is really needed.
"""

import re

import gevent
import pytest
from contract.application import Application, Peer, serve
from contract.cluster_places import documented_rules
from contract.waiting import wait_until

from flask_socketio_py.socketio.adapters.redis import bus, feed, stream_pending
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.queue import QueueDialect
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect
from flask_socketio_py.socketio.broadcast import BroadcastOperator

from .fleet import eventually

DIALECTS = {"classic": ClassicDialect, "sharded": ShardedDialect, "streams": StreamsDialect, "queue": QueueDialect}
#: Needed when a namespace goes only, or for what clients come back with, or for a namespace that is not here. And of
#: ``+ping``, which every connection needs, one dialect is enough.
LATER = {"+unsubscribe", "+punsubscribe", "+sunsubscribe", "+set", "+get", "+del", "+multi", "+exec"}
LATER |= {"~sio:session:*", "&socket.io#/chat#*", "+xrange"}

NEEDED = [
    (dialect, word)
    for dialect, rule in documented_rules().items()
    for word in rule
    if word[0] in "+~&" and word not in LATER and (word != "+ping" or dialect == "streams")
]


@pytest.fixture
def hasty(monkeypatch):
    """What is tried again is tried again soon, and nobody is waited for long."""
    monkeypatch.setattr(feed, "AGAIN", 0.1)
    monkeypatch.setattr(stream_pending, "OUTAGE_GRACE", 0.2)
    monkeypatch.setattr(bus, "PATIENCE", 0.2)


@pytest.mark.parametrize(("dialect", "word"), NEEDED, ids=lambda one: re.sub(r"\W+", "-", one))
def test_a_right_is_needed_and_its_want_is_told(server, caplog, hasty, dialect, word):
    rule = [one.replace("PASSWORD", "secret") for one in documented_rules()[dialect]]
    server.ask("ACL", "SETUSER", "few", "reset", *[one for one in rule if one != word])
    urls = server.url, server.url.replace("://", "://few:secret@")
    other, few = (serve(Application(("/",)), dialect=DIALECTS[dialect](url), requests_timeout=1.0) for url in urls)
    try:
        far, near = Peer(other), Peer(few)
        far.join()
        near.join()
        seen = {far: [], near: []}

        def heard(*peers):
            for peer in peers:
                seen[peer].extend(event[1] for event in peer.events())
            return all(seen[peer][-1:] == [number] for peer in peers)

        def told():
            few.cluster.others("/")
            few.of("/").shared.server_side_emit(["x"])
            return expected in caplog.text

        number = 0
        BroadcastOperator(few.of("/")).emit("n", number)
        wait_until(lambda: heard(near), "its own clients are served")
        expected = "ACL SETUSER USER " + {"&": "&CHANNEL", "~": "~KEY"}.get(word[0], word)
        wait_until(told, "what is missing is told")
        assert "Traceback" not in caplog.text
        assert "secret" not in caplog.text
        lines = [line for line in caplog.text.splitlines() if "no connection" in line]
        assert len(lines) == len(set(lines))
        server.ask("ACL", "SETUSER", "few", word)
        for emitting in (few, other):

            def arrives(emitting=emitting):
                nonlocal number
                number += 1
                BroadcastOperator(emitting.of("/")).emit("n", number)
                with gevent.Timeout(0.3, False):
                    while not heard(near, far):
                        gevent.sleep(0.01)
                return heard(near, far)

            eventually(arrives, "it is one of the cluster")
        eventually(lambda: few.cluster.others("/") == 1, "it knows the other")
    finally:
        few.close()
        other.close()
