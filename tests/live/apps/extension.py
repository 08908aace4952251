"""The extension object, created before its application as in a Flask project with a factory, and the handlers' journal.

The journal is how a test learns what happened inside the server: handlers note things, ``/journal/<key>`` tells them.
A client chooses its key with the query parameter ``key``, so that tests on one server do not read each other's notes.
"""

from collections import defaultdict

from flask import request

from tests.live.apps.package import SocketIO

socketio = SocketIO()
journal = defaultdict(list)


def note(value, key=None):
    journal[key or request.args.get("key", "nobody")].append(value)
