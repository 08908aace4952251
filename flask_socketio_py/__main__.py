"""The command line: `python -m flask_socketio_py run module:app`, `... emit EVENT`, `... install-client`.

Owns: patching the standard library before anything that would bind its unpatched names, finding the application, and
telling a person what is wrong with a command. How the server serves is `SocketIO.run`'s affair.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import inspect
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client_bundle import INSTALL_DIRECTORY
from .client_install import DEFAULT_VERSION, InstallError, install

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["CommandError", "load_app", "main"]

#: Holds the URL of the message queue, so that its password is on no command line.
QUEUE_VARIABLE = "SOCKETIO_MESSAGE_QUEUE"
_ADDRESS_ERRORS = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}


class CommandError(Exception):
    """A mistake in the command; the message says what to do instead."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "run":
            return _run(options)
        return _emit(options) if options.command == "emit" else _install_client(options)
    except (CommandError, InstallError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def load_app(target: str) -> Flask:
    """The Flask application named by `target`: "module", "module:name" or "module:factory"."""
    from flask import Flask

    module_name, _, attribute = target.partition(":")
    module = _import(module_name)
    found = _look_up(module, attribute.removesuffix("()") or "app", Flask)
    if not isinstance(found, Flask) and callable(found):
        try:
            inspect.signature(found).bind()
        except TypeError as error:
            raise CommandError(f"{target} can't be called without arguments to make the application: {error}") from None
        found = found()
    if not isinstance(found, Flask):
        raise CommandError(f"{target} gives a {type(found).__name__}; the Flask application or its factory is needed")
    if "socketio" not in found.extensions:
        raise CommandError(
            f"the application of {target} has no SocketIO: make one with SocketIO(app), or call socketio.init_app(app)"
        )
    return found


def _import(name: str) -> Any:
    path = Path(name)
    if path.suffix == ".py" or "/" in name:
        dotted = ".".join(path.with_suffix("").parts)
        raise CommandError(f"{name} is a file; give the module, as in an import: {dotted}:app")
    if not all(part.isidentifier() for part in name.split(".")):
        raise CommandError(f"{name!r} is no module: give the application as module:app")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that the application itself fails to import is its own bug: that traceback must be seen.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        raise CommandError(f"there is no module {name!r} in {Path.cwd()} nor among the installed packages") from None


def _look_up(module: Any, attribute: str, flask_class: type) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError:
        pass
    apps = sorted(name for name, value in vars(module).items() if isinstance(value, flask_class))
    factories = [name for name in ("create_app", "make_app") if callable(getattr(module, name, None))]
    hint = "; did you mean " + " or ".join(f"{module.__name__}:{name}" for name in apps + factories) + "?"
    raise CommandError(f"module {module.__name__} has no {attribute!r}{hint if apps or factories else ''}")


def _run(options: argparse.Namespace) -> int:
    for option in ("certfile", "keyfile"):
        path = getattr(options, option)
        if path is not None and not Path(path).is_file():
            raise CommandError(f"--{option}: there is no file {path}")
    if options.keyfile and not options.certfile:
        raise CommandError("--keyfile needs --certfile too")

    # Before Flask and before the application: a name that they bind now would stay unpatched, and block the server.
    from gevent import monkey

    monkey.patch_all()
    # "python -m" has put the working directory there already, but a console script or "python -P" has not.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))

    app = load_app(options.target)
    settings = {name: getattr(options, name) for name in ("certfile", "keyfile") if getattr(options, name)}
    if options.reload:
        settings["use_reloader"] = True
    try:
        app.extensions["socketio"].run(app, host=options.host, port=options.port, **settings)
    except OSError as error:
        if error.errno not in _ADDRESS_ERRORS:
            raise
        # Not the error's own text: gevent adds the address to that, a second time.
        reason = os.strerror(error.errno)
        raise CommandError(f"can't serve on {options.host} port {options.port}: {reason}") from None
    return 0


def _emit(options: argparse.Namespace) -> int:
    queue = options.queue or os.environ.get(QUEUE_VARIABLE)
    if not queue:
        raise CommandError(f"--queue is missing: the servers' message_queue; or set {QUEUE_VARIABLE}")
    args = [_value(sys.stdin.read() if text == "-" else text) for text in options.data]

    from .emitter import Emitter
    from .errors import ClusterError

    try:
        with Emitter(queue, options.namespace, options.channel) as emitter:
            emitter.to(*options.room).except_(*options.excepted).emit(options.event, *args)
    except (ClusterError, ValueError) as error:
        raise CommandError(str(error)) from None
    return 0


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise CommandError(
            f"{text[:80]!r} is not JSON; a text has quotes of its own, as in '\"{text[:20]}\"'"
        ) from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _install_client(options: argparse.Namespace) -> int:
    into = Path(options.into)
    version = install(options.version, into)
    print(f"socket.io-client {version} is in {into}")
    if into.resolve() != INSTALL_DIRECTORY.resolve():
        print(f"Serve it with SocketIO(app, client_dir={str(into.resolve())!r})")
    return 0


def port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flask_socketio_py", description="Socket.IO for Flask on gevent.")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="serve an application, with the standard library patched first")
    run.add_argument("target", metavar="module:app", help="the Flask application or its factory; default name: app")
    run.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    run.add_argument("--port", type=port, default=5000, help="port to listen on (default: %(default)s)")
    run.add_argument("--certfile", help="serve TLS with this certificate chain")
    run.add_argument("--keyfile", help="its private key, if it is in a file of its own")
    run.add_argument("--reload", action="store_true", help="start anew when a source file changes")

    emit = commands.add_parser("emit", help="emit an event to the clients of servers that have a message_queue")
    emit.add_argument("event", help="the name of the event")
    emit.add_argument(
        "data", metavar="JSON", nargs="*", help="its arguments, each in JSON; - reads one from standard input"
    )
    emit.add_argument("--room", action="append", default=[], help="to the clients in this room; may be repeated")
    emit.add_argument(
        "--except", dest="excepted", metavar="ROOM", action="append", default=[], help="not to those; may be repeated"
    )
    emit.add_argument("--namespace", default="/", help="the namespace (default: %(default)s)")
    emit.add_argument("--queue", metavar="URL", help=f"the servers' message_queue (default: ${QUEUE_VARIABLE})")
    emit.add_argument("--channel", help="the servers' option channel, if they have one")

    client = commands.add_parser("install-client", help="fetch the official JavaScript client's bundle with npm")
    client.add_argument("--version", default=DEFAULT_VERSION, help="its version (default: %(default)s)")
    client.add_argument("--into", metavar="DIR", default=str(INSTALL_DIRECTORY), help="where to (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
