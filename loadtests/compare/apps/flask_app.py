"""The application of the comparison, on this package or on Flask-SocketIO: only the import differs.

    python flask_app.py flask_socketio_py|flask_socketio PORT

Both with their defaults. With REDIS_URL in the environment it is one server of a cluster.
"""

from gevent import monkey

monkey.patch_all()

import importlib
import os
import sys

from flask import Flask

package = importlib.import_module(sys.argv[1])
options = {"async_mode": "gevent"} if package.__name__ == "flask_socketio" else {}

app = Flask(__name__)
app.config["SECRET_KEY"] = "for load tests only"
socketio = package.SocketIO(app, message_queue=os.environ.get("REDIS_URL"), **options)


@socketio.on("echo")
def echo(text):
    return text


@socketio.on("tell everybody")
def tell_everybody(text):
    socketio.emit("told", text)


socketio.run(app, host="127.0.0.1", port=int(sys.argv[2]))
