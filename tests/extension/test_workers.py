"""The gunicorn worker's parts; that it serves and drains is shown by the live tests, in processes of its own."""

import inspect

from gunicorn.workers.ggevent import GeventPyWSGIWorker, PyWSGIHandler

from flask_socketio_py import workers, wsgi_server


def test_it_is_gunicorns_gevent_worker_with_our_server_and_handler():
    assert issubclass(workers.SocketIOWorker, GeventPyWSGIWorker)
    assert workers.SocketIOWorker.server_class is wsgi_server.Server
    assert workers.SocketIOWorker.wsgi_handler is workers.GunicornHandler
    assert issubclass(workers.GunicornHandler, wsgi_server.Handler)


def test_the_handler_does_what_gunicorns_does():
    """gunicorn's own handler has two methods; both are taken over."""
    assert {
        name for name, _ in inspect.getmembers(PyWSGIHandler, inspect.isfunction) if name in vars(PyWSGIHandler)
    } == {
        "get_environ",
        "log_request",
    }
    assert workers.GunicornHandler.log_request is PyWSGIHandler.log_request
    assert "get_environ" in vars(workers.GunicornHandler)
