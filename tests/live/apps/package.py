"""The package under test: ours, or Flask-SocketIO itself, which is the oracle for everything the tests say of both.

``SOCKETIO_PACKAGE=flask_socketio`` runs the same applications and tests on the original. An application imports from
here what it would import from the package.
"""

import importlib
import json
import os

package = importlib.import_module(os.environ.get("SOCKETIO_PACKAGE", "flask_socketio_py"))
# Further constructor options, from the test that starts the server.
OPTIONS = json.loads(os.environ.get("SOCKETIO_OPTIONS", "{}"))

SocketIO = package.SocketIO
Namespace = package.Namespace
ConnectionRefusedError = package.ConnectionRefusedError
emit = package.emit
send = package.send
call = package.call
join_room = package.join_room
leave_room = package.leave_room
close_room = package.close_room
rooms = package.rooms
disconnect = package.disconnect
