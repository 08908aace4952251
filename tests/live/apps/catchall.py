"""Every form of catch-all at once, to see which handler wins; and errors for which only the default handler is left."""

from flask import Flask, request

from tests.live.apps.package import OPTIONS, Namespace, SocketIO

app = Flask(__name__)
socketio = SocketIO(app, namespaces="*", **OPTIONS)


@app.route("/")
def index():
    return "ready"


@socketio.on("exact", namespace="/known")
def exact(*args):
    return ["namespace and event", request.namespace, request.event["message"], *args]


@socketio.on("*", namespace="/known")
def any_event(event, *args):
    return ["namespace and any event", request.namespace, event, *args]


@socketio.on("common", namespace="*")
def any_namespace(*args):
    return ["any namespace and event", request.namespace, request.event["message"], *args]


@socketio.on("*", namespace="*")
def anything(event, *args):
    return ["any namespace and any event", request.namespace, event, *args]


@socketio.on("fail", namespace="/known")
def fail():
    raise ValueError("on purpose")


@socketio.on("fail", namespace="/own")
def fail_where_errors_are_handled():
    raise ValueError("on purpose")


@socketio.on_error("/own")
def own_error(error):
    return ["own", str(error)]


@socketio.on_error_default
def default_error(error):
    return ["default", str(error), request.namespace, request.event["message"]]


class Quiet(Namespace):
    def on_exact(self, *args):
        return ["class", *args]


socketio.on_namespace(Quiet("/class"))
