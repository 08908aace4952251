"""Writes the reference from the code: ``python docs/make_reference.py [--check] [folder]``.

Needs the package installed. Rewrites what stands between the two markers of ``api.md`` (signatures, docstrings and
``#:`` comments of what the package exports, and of what that returns) and of ``options.md`` (``config.Options``); the
rest of both pages is written by hand. With ``--check`` it changes nothing, and fails if a page is not current.
"""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path

import reference_reader as reader
from reference_reader import Member, Wrong

import flask_socketio_py
from flask_socketio_py.config import Options

FOLDER = Path(__file__).resolve().parent / "reference"
BEGIN, END = "<!-- reference: made by docs/make_reference.py -->\n", "<!-- end of the reference -->\n"

MAIN = "SocketIO"
#: Documented although nothing public is annotated with it.
COMPANIONS = ("flask_socketio_py.socketio.socket.Socket",)
#: Classes that public members return, and that are described on another page or are nobody's business: name -> page.
ELSEWHERE = {
    "Options": "options.md",
    "ServerView": "internals.md",
    "ManagerView": "internals.md",
    "EngineView": "internals.md",
    "EngineServer": "",
    "Session": "",
}
#: Public only within the package, and sections of a source that hold nothing else.
HIDDEN = {"Socket.admitted", "Socket.extras", "Socket.held", "Socket.presence"}
HIDDEN_SECTIONS = {"for the layers around it"}
#: Other classes than those exported that users make themselves.
MADE_BY_USERS = {"PreparedMessage"}
#: Headings for sections whose name in the source says too little (``Class.section``), and for the members of a class
#: that has no sections (``Class``), where others inherit them.
TITLES = {
    "Audience.asking and moving all of them": "Asking and moving receivers",
    "Audience.choosing": "Choosing receivers",
    "Scaffold.the namespace": "Sockets and servers",
    "Socket.the end": "Disconnecting",
}
#: Links and what else a docstring has no place for; it follows the docstring.
MORE = {
    "Namespace": "More in [Class namespaces](../howto/namespaces.md).",
    "Namespace.call": "More in [Acknowledgements](../howto/acknowledgements.md#asking-a-client).",
    "Parser": "What the option [`parser`](options.md#handlers-and-sessions) may be: an object with these methods.",
    "SocketIO": "[All options](options.md).",
    "SocketIO.after_event": "More in [Middleware](../howto/middleware.md#around-the-handlers).",
    "SocketIO.async_mode": 'Always `"gevent"`.',
    "SocketIO.before_event": "[What runs in which order](events.md#around-a-handler).",
    "SocketIO.before_request": "More in [Requests and headers](../howto/requests.md#every-request).",
    "SocketIO.call": "More in [Acknowledgements](../howto/acknowledgements.md#asking-a-client).",
    "SocketIO.cluster": "More in [Scaling](../topics/scaling.md#seeing-its-state).",
    "SocketIO.emit": "`broadcast` is accepted and means nothing here. More in "
    "[Emitting from anywhere](../howto/emitting.md).",
    "SocketIO.emit_with_ack": "More in [Acknowledgements](../howto/acknowledgements.md#asking-many).",
    "SocketIO.engine": "`socketio.engine.clients_count` is the number of connections.",
    "SocketIO.of": "More in [Dynamic namespaces](../howto/dynamic-namespaces.md).",
    "SocketIO.on": "[Which handler gets what](events.md#which-handler).",
    "SocketIO.on_connection_error": "[All of them](errors.md#why-a-request-was-refused).",
    "SocketIO.on_error": "More in [Errors](../howto/errors.md).",
    "SocketIO.on_error_default": "Used without parentheses.",
    "SocketIO.on_namespace": "More in [Class namespaces](../howto/namespaces.md).",
    "SocketIO.reason": "All are in [Reasons](events.md#reasons).",
    "SocketIO.run": "[All options](options.md#options-of-run).",
    "SocketIO.server": "It is described in [Internals](internals.md).",
    "SocketIO.server_options": "The options as they were given.",
    "SocketIO.shutdown": "For servers of your own; `run()` and our gunicorn worker do it by themselves.",
    "SocketIO.sockio_mw": "The wrapper of `app.wsgi_app`.",
    "SocketIO.use": "More in [Middleware](../howto/middleware.md).",
    "SocketIO.start_background_task": "More in [Background tasks and threads](../howto/background.md).",
    "SocketIO.wsgi_server": "The server, while `run()` serves.",
    "Socket.id": "Its public id, which is also `request.sid` and the name of a room of its own.",
    "Socket.namespace": "Its namespace; `namespace.name` is the name.",
    "SocketIOTestClient": "More in [Testing](../howto/testing.md).",
    "current_socket": "It has what a [`Socket`](#socket) has. Outside of a handler using it is a `RuntimeError`. "
    "More in [The socket](../howto/socket.md).",
    "call": "More in [Acknowledgements](../howto/acknowledgements.md#asking-a-client).",
    "emit": "Further keywords are accepted and mean nothing, as in Flask-SocketIO.",
    "join_room": "More in [Rooms](../howto/rooms.md).",
    "Options.allow_eio3": "[More](../howto/version-2.md).",
    "Options.allow_request": "[More](../howto/requests.md#may-this-one-connect).",
    "Options.always_connect": "[More](errors.md#what-a-refused-client-is-told).",
    "Options.async_handlers": "[More](../topics/ordering.md).",
    "Options.cleanup_empty_child_namespaces": "[More](../howto/dynamic-namespaces.md#when-one-goes).",
    "Options.client_dir": "[More](../howto/client.md).",
    "Options.connection_state_recovery": "[More](../howto/recovery.md).",
    "Options.cookie": "[More](../howto/cors.md#a-cookie-for-the-proxy).",
    "Options.cors": "[More](../howto/cors.md).",
    "Options.cors_allowed_origins": "[More](../topics/security.md#origins).",
    "Options.default_ack_timeout": "[More](../howto/acknowledgements.md#how-long).",
    "Options.generate_id": "[More](../howto/requests.md#the-id-of-a-session).",
    "Options.initial_packet": "[More](../howto/requests.md#the-first-message).",
    "Options.manage_session": "[More](../howto/sessions.md).",
    "Options.max_handlers_per_client": "[More](../topics/ordering.md#a-client-that-sends-too-much).",
    "Options.max_outbox_size": "[More](../topics/ordering.md#a-client-that-does-not-read).",
    "Options.message_queue": "[More](../topics/scaling.md#where-redis-is).",
    "Options.namespaces": "[More](../howto/namespaces.md#which-namespaces-exist).",
    "Options.parser": "[More](../howto/msgpack.md).",
    "Options.path": "`resource` means the same.",
    "Options.per_message_deflate": "[More](../howto/compression.md).",
    "Options.serve_client": "[More](../howto/client.md).",
}
#: The tables of options; an option that is in none has its place in the last, "Further options".
GROUPS = {
    "Endpoint and transports": (
        *("path", "add_trailing_slash", "transports", "allow_upgrades", "allow_eio3", "allow_request", "generate_id"),
        *("initial_packet", "serve_client", "client_dir"),
    ),
    "Times": (
        *("ping_interval", "ping_timeout", "upgrade_timeout", "connect_timeout", "default_ack_timeout"),
        "body_timeout",
    ),
    "Limits": ("max_http_buffer_size", "max_outbox_size", "max_handlers_per_client", "max_namespaces_per_client"),
    "Handlers and sessions": (
        *("namespaces", "cleanup_empty_child_namespaces", "async_handlers", "always_connect", "manage_session"),
        *("connection_state_recovery", "parser", "json"),
    ),
    "HTTP and origins": (
        *("cors_allowed_origins", "cors_credentials", "cors", "cookie", "http_compression", "compression_threshold"),
        "per_message_deflate",
    ),
    "Several servers": (
        *("message_queue", "client_manager", "channel", "requests_timeout", "max_cluster_message_size"),
    ),
    "Logging and compatibility": ("logger", "engineio_logger", "async_mode"),
}


def shown(kind: type, member: Member) -> bool:
    """Whether it is for users. An attribute without words is nobody's business, a method without them a mistake."""
    name = f"{kind.__name__}.{member.name}"
    if name in HIDDEN or member.section in HIDDEN_SECTIONS:
        return False
    return bool(member.doc) or member.callable or name in MORE


@functools.cache
def documented() -> tuple[list[type], list[type], list[str]]:
    """The classes of the page with the main one first, the exceptions, and the names of everything else exported."""
    classes: list[type] = []
    exceptions: list[type] = []
    others: list[str] = []
    for name in flask_socketio_py.__all__:
        value = getattr(flask_socketio_py, name)
        if not reader.is_class(value):
            others.append(name)
        elif issubclass(value, Exception):
            exceptions.append(value)
        else:
            classes.append(value)
    classes.sort(key=lambda kind: (kind.__name__ != MAIN, kind.__name__))
    waiting = [*classes, *map(reader.load, COMPANIONS)]
    for name in others:
        waiting.extend(reader.classes_named_by(name))
    found: list[type] = []
    while waiting:  # and what their members return
        kind = waiting.pop(0)
        if kind not in found and kind.__name__ not in ELSEWHERE and kind not in exceptions:
            found.append(kind)
            for member in reader.members(kind):
                if shown(kind, member):
                    waiting.extend(member.returns)
    return found, exceptions, others


@functools.cache
def link_targets(page: str = "") -> dict[str, str]:
    """Where the names of classes lead to; the page of most, if it is another one."""
    classes, exceptions, others = documented()
    names = [*(kind.__name__ for kind in (*classes, *exceptions)), *others]
    targets = {name: f"{page}#{name.lower()}" for name in names}
    return {**targets, **{name: page for name, page in ELSEWHERE.items() if page}}


def prose(docstring: str, *keys: str, page: str = "") -> list[str]:
    """A docstring as lines of Markdown, and what ``MORE`` adds to it."""
    more = next((MORE[key] for key in keys if key in MORE), "")
    return reader.markdown(docstring, link_targets(page), more)


def item(member: Member, kind: type) -> list[str]:
    """One entry of a list."""
    lines = prose(member.doc, *(f"{base.__name__}.{member.name}" for base in kind.__mro__))
    if not lines:
        raise Wrong(f"{kind.__name__}.{member.name} has no docstring and no comment that begins with #:")
    return [f"- `{member.signature}`\\", *(f"  {line}".rstrip() for line in lines)]


def title(kind: type, member: Member) -> str:
    """Below which heading a member stands."""
    name = f"{member.owner.__name__}.{member.section}" if member.section else member.owner.__name__
    return TITLES.get(name, member.section.capitalize())


def body(kind: type) -> list[str]:
    """The docstring of a class and its members, section by section, those it inherits included."""
    lines = prose(kind.__doc__ or "", kind.__name__)
    sections: dict[str, list[Member]] = {"": []}
    for member in reader.members(kind):
        if shown(kind, member):
            sections.setdefault(title(kind, member), []).append(member)
    for heading, members in sections.items():
        if members:
            if heading:
                lines.extend(["", f"### {heading}"])
            elif lines[-1].startswith(("- ", "  ")):
                lines.extend(["", "<!-- another list -->"])
            lines.append("")
            for member in members:
                lines.extend(item(member, kind))
    return lines


def class_lines(kind: type) -> list[str]:
    lines = ["", f"## `{kind.__name__}`", ""]
    if kind.__name__ in {*flask_socketio_py.__all__, *MADE_BY_USERS}:
        lines.extend([f"`{reader.constructor(kind)}`", ""])
    return [*lines, *body(kind)]


def api() -> str:
    """Everything that the package exports."""
    classes, exceptions, others = documented()
    lines: list[str] = class_lines(classes[0])
    lines.extend(["", "## In handlers", "", "These find the client whose event is handled by themselves."])
    for member in sorted(map(reader.exported, others), key=lambda member: (member.callable, member.name)):
        lines.extend(["", f"### `{member.name}`", ""])
        if member.callable:
            lines.extend([f"`{member.signature}`", ""])
        lines.extend(prose(member.doc, member.name))
    for kind in classes[1:]:
        lines.extend(class_lines(kind))
    lines.extend(["", "## Exceptions", "", "[More about them](errors.md#exceptions)."])
    for kind in sorted(exceptions, key=lambda kind: (len(kind.__mro__), kind.__name__)):
        lines.extend(["", f"### `{kind.__name__}`", "", *body(kind)])
    return "\n".join(lines[1:]) + "\n"


def options() -> str:
    """The options of the constructor, a table for each group."""
    found = {member.name: member for member in reader.members(Options) if member.default is not None}
    named = [name for names in GROUPS.values() for name in names]
    for name in named:
        if name not in found:
            raise Wrong(f"there is no option {name}, which docs/make_reference.py has a place for")
    groups = {**GROUPS, "Further options": tuple(name for name in found if name not in named)}
    lines: list[str] = []
    for heading, names in groups.items():
        if not names:
            continue
        lines.extend(["", f"## {heading}", "", "| Option | Default | Meaning |", "|---|---|---|"])
        for name in names:
            text = " ".join(prose(found[name].doc, f"Options.{name}", page="api.md"))
            if not text:
                raise Wrong(f"the option {name} has no comment that begins with #:")
            cells = (f"`{name}`", f"`{found[name].default}`", text)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines[1:]) + "\n"


def check_names() -> None:
    """That what this file says by name is still there."""
    classes, exceptions, _ = documented()
    kinds = {kind.__name__: kind for kind in (*classes, *exceptions, Options)}
    for key in (*HIDDEN, *MADE_BY_USERS, *MORE):
        name, _, attribute = key.partition(".")
        known = [member.name for member in reader.members(kinds[name])] if name in kinds else []
        if not (attribute in known if attribute else name in {*kinds, *flask_socketio_py.__all__}):
            raise Wrong(f"docs/make_reference.py speaks of {key}, which is gone: remove it there")


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes the reference from the code.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail if a page is not current")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    try:
        check_names()
        parts = {"api.md": api(), "options.md": options()}
    except Wrong as error:
        print(error, file=sys.stderr)
        return 2
    status = 0
    for name, made in parts.items():
        path = arguments.folder / name
        text = path.read_text("utf-8")
        before, begin, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            print(f"{path} has no place for the reference", file=sys.stderr)
            return 2
        current = "".join([before, BEGIN, "\n", made, "\n", END, after])
        if current != text and arguments.check:
            print(f"{path} is not current: run python docs/make_reference.py", file=sys.stderr)
            status = 1
        elif current != text:
            path.write_text(current, "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
