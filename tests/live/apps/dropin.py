"""The application most live tests serve: what of Flask-SocketIO's surface a client can see, as users write it.

Handlers live in ``events`` (default namespace), ``spaces`` (other namespaces, refusals) and ``outside`` (emits from
background tasks, threads and HTTP routes). Sessions and login are here, with the application.
"""

from flask import Flask, jsonify, request, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from tests.live.apps import events, outside, spaces
from tests.live.apps.extension import journal, socketio
from tests.live.apps.package import OPTIONS

app = Flask(__name__)
app.config["SECRET_KEY"] = "only for tests"
app.register_blueprint(outside.routes)
login_manager = LoginManager(app)


class User(UserMixin):
    def __init__(self, name):
        self.id = name


@login_manager.user_loader
def load_user(name):
    return User(name)


@app.route("/")
def index():
    return "ready"


@app.route("/journal/<key>")
def read_journal(key):
    return jsonify(journal[key])


@app.route("/login/<name>")
def login(name):
    login_user(User(name))
    session["color"] = "blue"
    return "hello " + name


@app.route("/color")
def color():
    return jsonify(session.get("color"))


@socketio.on("who is it")
def who_is_it():
    return current_user.get_id()


@socketio.on("log out")
def log_out():
    logout_user()


@socketio.on("get color")
def get_color():
    return session.get("color")


@socketio.on("set color")
def set_color(value):
    session["color"] = value


@socketio.on("request")
def describe_request():
    return {
        "args": request.args.to_dict(),
        "path": request.path,
        "remote_addr": request.remote_addr,
        "header": request.headers.get("X-Live"),
    }


socketio.on_event("added with on_event", events.added_with_on_event)
socketio.on_namespace(spaces.Chat("/chat"))
socketio.init_app(app, **{"namespaces": ["/", "/bare"], **OPTIONS})
