"""Reads from the package what ``make_reference.py`` writes: classes with their members, docstrings as Markdown.

What a name is and how it is called is asked of the imported code; order, sections and comments of its source. Knows no
page and nothing of what this package offers.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

PACKAGE = "flask_socketio_py"
WIDTH = 120
_SECTION = re.compile(r"^\s*# -- (.+?) -*$")
_PART = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
_ROLE = re.compile(r":\w+:`~?([\w.]+)`")
_WORD = re.compile(r"(?:\[[^\]]*\]\([^)]*\)|`[^`]*`|\S)+")


class Wrong(Exception):
    """The reference can't be made; the message says what to change."""


class Member(NamedTuple):
    """A method, a property, an attribute, or a function of a module."""

    name: str
    signature: str
    doc: str
    owner: type = object
    #: The section of the source that it stands in.
    section: str = ""
    callable: bool = True
    #: The default of a dataclass's field, as it is written.
    default: str | None = None
    #: The classes of the package that calling (or reading) it gives.
    returns: tuple[type, ...] = ()


class Source:
    """A module's text and syntax tree, and where the names in it come from."""

    def __init__(self, module: str) -> None:
        self.name = module
        path = Path(str(importlib.import_module(module).__file__))
        text = path.read_text("utf-8")
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self.classes = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)}
        self.imports: dict[str, tuple[str, str]] = {}
        parts = module.split(".") + ([""] if path.name == "__init__.py" else [])
        for node in ast.walk(self.tree):  # those for type checking, too
            if isinstance(node, ast.ImportFrom):
                origin = ".".join([*parts[: -node.level], node.module or ""]) if node.level else node.module or ""
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = origin.rstrip("."), alias.name

    def comment(self, node: ast.stmt) -> str:
        """The ``#:`` comment right above a statement."""
        found: list[str] = []
        number = node.lineno - 2
        while number >= 0 and (line := self.lines[number].strip()).startswith("#:"):
            found.insert(0, line[2:].strip())
            number -= 1
        return "\n".join(found)

    def section(self, node: ast.stmt, begin: int) -> str:
        """The name of the section that a statement of a class stands in; the class begins in that line."""
        for line in reversed(self.lines[begin - 1 : node.lineno - 1]):
            if found := _SECTION.match(line):
                return found[1]
        return ""


@functools.cache
def source(module: str) -> Source:
    return Source(module)


def load(path: str) -> Any:
    """The object of this dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def is_class(value: object) -> bool:
    """Asked of the type, because a proxy answers ``isinstance`` for what it stands for, if anything is there."""
    return issubclass(type(value), type)


def resolve(module: str, name: str) -> type | None:
    """The class of the package that this name means in this module."""
    if not module.startswith(PACKAGE):
        return None
    there = source(module)
    if name in there.classes:
        value = vars(importlib.import_module(module)).get(name)
        return value if is_class(value) else None
    return resolve(*there.imports[name]) if name in there.imports else None


def classes_in(annotation: str, module: str) -> tuple[type, ...]:
    found = (resolve(module, name) for name in re.findall(r"\b[A-Z]\w*", annotation))
    return tuple(kind for kind in found if kind is not None)


# -- signatures ------------------------------------------------------------------------------------------------------


def default_of(value: object) -> str:
    if value is None or isinstance(value, bool | int | float | str | tuple | bytes):
        return _quoted(repr(value))
    return "..."


def _quoted(code: str) -> str:
    return code.replace("'", '"') if '"' not in code else code


def _annotation(function: Callable[..., Any]) -> str:
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        return ""
    return annotation.strip("'\"") if isinstance(annotation, str) else inspect.formatannotation(annotation)


def signature(name: str, function: Callable[..., Any], bound: bool = False) -> str:
    """How it is called, without the types of the parameters; with what it gives, where that says something.

    Args:
        bound: whether the first parameter is left out.
    """
    shown = inspect.signature(function)
    parts, star = [], False
    for parameter in list(shown.parameters.values())[1 if bound else 0 :]:
        text = str(parameter.replace(annotation=inspect.Parameter.empty, default=inspect.Parameter.empty))
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or parameter.kind in (parameter.VAR_POSITIONAL, parameter.KEYWORD_ONLY)
        if parameter.default is not parameter.empty:
            text += f"={default_of(parameter.default)}"
        parts.append(text)
    annotation = _annotation(function)
    known = vars(sys.modules.get(function.__module__, sys)).get(annotation)
    silent = annotation in ("", "None", "Any") or "Callable" in annotation or isinstance(known, TypeVar)
    silent = silent or hasattr(function, "__wrapped__")  # a context manager is none of the iterator it is made of
    annotation = re.sub(r"\b(\w+\.)+(?=[A-Z])", "", annotation)
    return f"{name}({', '.join(parts)})" + ("" if silent else f" -> {annotation}")


def constructor(kind: type) -> str:
    return signature(kind.__name__, inspect.getattr_static(kind, "__init__"), bound=True)


# -- members ---------------------------------------------------------------------------------------------------------


def members(kind: type) -> list[Member]:
    """The public members, in the order of the source: its own, then those it inherits from classes of the package."""
    found: dict[str, Member] = {}
    for owner in kind.__mro__:
        if owner.__module__.startswith(PACKAGE) or owner is kind:
            for member in _own(owner):
                found.setdefault(member.name, member)
    return list(found.values())


@functools.cache
def _own(owner: type) -> tuple[Member, ...]:
    there = source(owner.__module__)
    node = there.classes[owner.__name__]
    found = []
    for statement in node.body:
        section = there.section(statement, node.lineno)
        for name in _names(statement):
            if not name.startswith("_"):
                found.append(_member(owner, name, statement, there.comment(statement))._replace(section=section))
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            found.extend(_assigned_to_self(owner, statement, there))
    return tuple(found)


def _names(statement: ast.stmt) -> list[str]:
    """What a statement in a class, or a module, gives a name to."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _assigned_to_self(owner: type, init: ast.FunctionDef, there: Source) -> Iterator[Member]:
    for node in ast.walk(init):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if not (isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"):
                continue
            static = inspect.getattr_static(owner, target.attr, None)
            if not target.attr.startswith("_") and (static is None or inspect.ismemberdescriptor(static)):
                yield Member(target.attr, target.attr, there.comment(node), owner, "attributes", callable=False)


def _member(owner: type, name: str, statement: ast.stmt, comment: str) -> Member:
    value = inspect.getattr_static(owner, name, None)
    if isinstance(value, property | functools.cached_property):
        getter: Any = value.fget if isinstance(value, property) else value.func
        returns = classes_in(_annotation(getter), owner.__module__)
        return Member(name, name, inspect.getdoc(getter) or "", owner, callable=True, returns=returns)
    if isinstance(value, staticmethod | classmethod) or inspect.isfunction(value):
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        doc = inspect.getdoc(function) or ""
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = comment or f"Another name of ``{function.__name__}``."
        shown = signature(name, function, bound=not isinstance(value, staticmethod))
        return Member(name, shown, doc, owner, returns=classes_in(_annotation(function), function.__module__))
    if not comment and is_class(value):
        comment = inspect.getdoc(value) or ""
    default = getattr(statement, "value", None)
    written = None if default is None else _quoted(ast.unparse(default))
    if isinstance(default, ast.Constant) and default.lineno == default.end_lineno:
        line = source(owner.__module__).lines[default.lineno - 1]
        written = line.encode()[default.col_offset : default.end_col_offset].decode()
    elif isinstance(default, ast.Name | ast.Attribute):
        written = default_of(value)
    return Member(name, name, comment, owner, callable=False, default=written)


def exported(name: str) -> Member:
    """A function, or a value with a ``#:`` comment, that the package exports."""
    value = vars(sys.modules[PACKAGE]).get(name)
    if type(value) is type(exported):  # isinstance() would ask a proxy for what it stands for
        return Member(name, signature(name, value), inspect.getdoc(value) or "")
    for there, statement in _statements(name):
        if comment := there.comment(statement):
            return Member(name, name, comment, callable=False)
    raise Wrong(f"{name} is exported, but no comment that begins with #: stands where it is assigned")


def classes_named_by(name: str) -> tuple[type, ...]:
    """The classes of the package that the annotation of an exported value names, or that a function gives."""
    value = vars(sys.modules[PACKAGE]).get(name)
    if type(value) is type(exported):
        return classes_in(_annotation(value), value.__module__)
    return tuple(
        kind
        for there, statement in _statements(name)
        if isinstance(statement, ast.AnnAssign)
        for kind in classes_in(ast.unparse(statement.annotation), there.name)
    )


def _statements(name: str) -> Iterator[tuple[Source, ast.stmt]]:
    for module in [module for module in sys.modules if module.startswith(PACKAGE)]:
        for statement in source(module).tree.body:
            if name in _names(statement):
                yield source(module), statement


# -- docstrings ------------------------------------------------------------------------------------------------------


def markdown(docstring: str, targets: Mapping[str, str], more: str = "") -> list[str]:
    """A docstring as lines of Markdown: paragraphs, then ``Args``, ``Returns`` and ``Raises`` as a list.

    Args:
        targets: where the name of a class leads to.
        more: Markdown that follows the paragraphs.
    """
    parts: dict[str, list[str]] = {"": []}
    part = ""
    for line in inspect.cleandoc(docstring).splitlines():
        if found := _PART.match(line):
            part = found[1]
            parts.setdefault(part, [])
        elif part and line and not line.startswith(" "):  # the section is over
            part = ""
            parts[part].extend(["", line])
        else:
            parts[part].append(line)
    blocks = list(_paragraphs(_linked("\n".join(parts.pop("")), targets)))
    if more:
        if blocks and not blocks[-1].startswith(("```", "- ")):
            blocks[-1] = _wrap(f"{blocks[-1]} {more}")
        else:
            blocks.append(_wrap(more))
    items = [item for part, lines in parts.items() for item in _items(part, _linked("\n".join(lines), targets))]
    if items:
        blocks.append("\n".join(items))
    return "\n\n".join(blocks).splitlines()


def _paragraphs(text: str) -> Iterator[str]:
    literal = False
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if literal and block.startswith(" "):
            yield f"```text\n{textwrap.dedent(block)}\n```"
            continue
        literal = block.rstrip().endswith("::")
        block = block.rstrip().removesuffix("::").rstrip() if literal else block
        if block.startswith(("- ", "* ")):
            yield block
        elif re.match(r"=+( =+)+\n", block):
            yield f"```text\n{block}\n```"
        elif block.strip():
            yield _wrap(block + (":" if literal else ""))


def _items(part: str, text: str) -> Iterator[str]:
    """The entries of a section; one that goes on in further lines is indented there."""
    entries = re.split(r"\n(?=\S)", textwrap.dedent(text).strip("\n"))
    for entry in filter(None, entries):
        name, colon, meaning = entry.partition(":")
        if part in ("Returns", "Yields"):
            line = f"{part}: {entry}"
        elif colon and re.fullmatch(r"[\w*., ]+", name):
            code = ", ".join(f"`{one.strip()}`" for one in name.split(","))
            line = f"Raises {code}: {meaning.strip()}" if part == "Raises" else f"{code}: {meaning.strip()}"
        else:
            line = f"{part}: {entry}"
        yield _wrap(line, "- ")


def _linked(text: str, targets: Mapping[str, str]) -> str:
    """Roles and literals of reStructuredText as Markdown."""

    def link(found: re.Match[str]) -> str:
        name = found[1].removeprefix(f"{PACKAGE}.")
        last = name.rpartition(".")[2]
        return f"[`{last}`]({targets[last]})" if last in targets and last[0].isupper() else f"`{name}`"

    return re.sub(r"``([^`]+)``", r"`\1`", _ROLE.sub(link, text))


def _wrap(text: str, bullet: str = "") -> str:
    """Lines of at most 118 characters that cut neither a link nor code."""
    lines, indent = [bullet], " " * len(bullet)
    for word in _WORD.findall(" ".join(text.split())):
        if len(lines[-1]) + len(word) > WIDTH - 3 and lines[-1].strip():
            lines[-1] = lines[-1].rstrip()
            lines.append(indent)
        lines[-1] += f"{word} "
    lines[-1] = lines[-1].rstrip()
    return "\n".join(lines)
