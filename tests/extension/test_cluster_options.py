"""Owns what the options make of the URL of a message queue: which wire is spoken, under which names."""

import pytest

from flask_socketio_py.config import Options
from flask_socketio_py.configured import dialect
from flask_socketio_py.socketio.adapters.redis.classic import ClassicDialect
from flask_socketio_py.socketio.adapters.redis.sharded import ShardedDialect
from flask_socketio_py.socketio.adapters.redis.streams import StreamsDialect


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://localhost", ClassicDialect),
        ("redis+sharded://localhost", ShardedDialect),
        ("redis+streams://localhost/3", StreamsDialect),
        ("rediss+cluster+streams://:secret@a:1,b:2", StreamsDialect),
    ],
)
def test_the_url_says_which_wire(app, url, wanted):
    for channel, name in ((None, "socket.io"), ("mine", "mine")):
        found = dialect(app, Options(message_queue=url, channel=channel))
        assert type(found) is wanted
        assert found.channel == name


def test_a_dialect_with_a_log_can_do_more(app):
    class Half:
        logs = True

        def method(self, *args):
            """Does nothing."""

        start = add_namespace = remove_namespace = publish = reply = others = close = method

    with pytest.raises(TypeError, match="lacks recovery, waiting"):
        dialect(app, Options(message_queue=Half()))
