"""The clusters that the contract suite runs over: how to make a dialect of each kind, and what can be done to it."""

from flask_socketio_py.socketio.adapters.memory import Hall, MemoryDialect


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


KINDS = [Memory]
