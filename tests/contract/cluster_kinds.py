"""The clusters that the contract suite runs over: how to make a dialect of each kind, and what can be done to it."""

from redis_server import RedisServer

from flask_socketio_py.socketio.adapters.memory import Hall, MemoryDialect
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.queue import QueueDialect
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect


class Memory:
    """The servers of one process."""

    name = "memory"

    def __enter__(self):
        self._hall = Hall()
        return self

    def __exit__(self, *exc_info):
        assert self._hall.members == [], "every server has left"

    def dialect(self):
        return MemoryDialect(self._hall)

    @staticmethod
    def silence(cluster):
        """Let a server hear and say nothing, although it is there."""
        cluster.dialect._receive = lambda *args: None


class Classic:
    """The channels of the official adapter."""

    name = "classic"
    dialect_class = ClassicDialect

    def __enter__(self):
        self._redis = RedisServer()
        self._redis.__enter__()
        return self

    def __exit__(self, *exc_info):
        self._redis.__exit__(*exc_info)

    def dialect(self):
        return self.dialect_class(self._redis.url)

    @staticmethod
    def silence(cluster):
        """Let a server hear and say nothing, although it is there."""
        cluster.dialect._receive = lambda *args: None


class Sharded(Classic):
    """The channels of the official sharded adapter."""

    name = "sharded"
    dialect_class = ShardedDialect


class Streams(Classic):
    """The log of the official streams adapter."""

    name = "streams"
    dialect_class = StreamsDialect


class Queue(Classic):
    """The queue of Flask-SocketIO. A silent server is still one of ours, since it answers the roll call."""

    name = "queue"
    dialect_class = QueueDialect


KINDS = [Memory, Classic, Sharded, Streams, Queue]
