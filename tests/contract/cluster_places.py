"""The places that the contract suite runs at: a Redis Cluster, behind sentinels, TLS with users of few rights.

Each is started once, when it is first asked for. The rights are those that ``docs/deploy/redis.md`` tells, so that the
suite is the proof that they suffice.
"""

import contextlib
import re
from pathlib import Path

from redis_places import TLSServer, tls_url, watched
from redis_server import redis_cluster

from .cluster_kinds import Classic, Queue, Sharded, Streams

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "deploy" / "redis.md"
_DIALECTS = {"classic": "", "sharded": "sharded", "streams": "streams", "queue": "queue"}


def documented_rules():
    """The ACL rule of each dialect, as the page has them: a table row with the dialect's URL and the rule."""
    rows = re.findall(r"^\| `redis(?:\+(\w+))?://` \| `(on [^`]+)` \|$", _PAGE.read_text("utf-8"), re.MULTILINE)
    # In a table a bar is escaped.
    rules = {dialect or "classic": rule.replace("\\|", "|").split() for dialect, rule in rows}
    assert set(rules) == set(_DIALECTS)
    return rules


class Places:
    """Makes URLs; ends what it started."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self._started = {}

    def url(self, place, dialect):
        if place not in self._started:
            self._started[place] = getattr(self, f"_{place}")()
        return self._started[place](dialect)

    def close(self):
        self._stack.close()

    def _cluster(self):
        servers = self._stack.enter_context(redis_cluster())
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers[:2])
        return lambda dialect: f"redis+cluster{_word(dialect)}://{hosts}"

    def _sentinel(self):
        everything = self._stack.enter_context(watched())
        return lambda dialect: everything.url(_DIALECTS[dialect])

    def _tls(self):
        server = self._stack.enter_context(TLSServer())
        for dialect, rule in documented_rules().items():
            server.ask("ACL", "SETUSER", dialect, *[word.replace("PASSWORD", "s/cr@t") for word in rule])
        return lambda dialect: tls_url(server.port, f"{dialect}:s%2Fcr%40t@").replace("://", _word(dialect) + "://")


def _word(dialect):
    return _DIALECTS[dialect] and "+" + _DIALECTS[dialect]


class Placed:
    """A kind of dialect at a place."""

    def __init__(self, kind, place):
        self.name = f"{kind.name}-{place}"
        self._kind = kind
        self._place = place
        self.silence = kind.silence

    def at(self, places):
        """This, with its Redis."""
        self._url = places.url(self._place, self._kind.name)
        return self

    def dialect(self):
        return self._kind.dialect_class(self._url)


#: Where the keys and channels of one server are spread over several.
SPREAD = [Placed(Sharded, "cluster"), Placed(Streams, "cluster")]
#: Where only the way to Redis is another.
ELSEWHERE = [
    *(Placed(kind, "cluster") for kind in (Classic, Queue)),
    *(Placed(kind, "sentinel") for kind in (Classic, Streams)),
    *(Placed(kind, "tls") for kind in (Classic, Sharded, Streams, Queue)),
]
