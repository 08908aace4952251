"""Registry: what an application has registered, by namespace. Data and look-up; runs nothing.

A namespace is named by a string, or found by a compiled pattern or a function (a dynamic namespace). What finds it is
registered under a key of its own, which the namespaces that it lets come into being have as their template.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
#: How a namespace is given: its name, what its name must match, or a function ``(name, auth)`` that says yes or no.
Selector = Any
ANY = "*"
#: Most characters of the name of a dynamic namespace, which clients choose.
MAX_NAME = 255


def normalized(namespace: Selector) -> Selector:
    """The official form of a namespace's name: ``""`` is ``"/"``, and a leading slash is added.

    Raises:
        TypeError: for what is no name, compiled pattern or function.
    """
    if namespace is None or namespace == "":
        return "/"
    if isinstance(namespace, str):
        return namespace if namespace[0] == "/" or namespace == ANY else f"/{namespace}"
    if (isinstance(namespace, re.Pattern) and isinstance(namespace.pattern, str)) or callable(namespace):
        return namespace
    raise TypeError(
        f"a namespace must be a name, a compiled pattern or a function (name, auth), not {type(namespace).__name__}"
    )


class Registry:
    """Lists of functions by kind and namespace, and the dynamic namespaces in the order in which they were named."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._parents: dict[Selector, str] = {}
        #: Whether functions run before or after handlers anywhere.
        self.wrapped = False
        #: (kind, key of the namespace) -> functions.
        self._functions: dict[tuple[str, str], list[Function]] = {}

    def key(self, namespace: Selector) -> str:
        """The key of a namespace; a pattern or function is remembered as a parent of dynamic namespaces.

        Raises:
            TypeError: for what can't be a namespace.
        """
        if isinstance(namespace, str) or namespace is None:
            return namespace or "/"
        namespace = normalized(namespace)
        key = self._parents.get(namespace)
        if key is None:
            key = self._parents[namespace] = f"dynamic namespace {len(self._parents) + 1}"
        return key

    def name(self, namespace: Selector) -> str:
        """The key of a namespace that has something registered, and which clients may therefore join."""
        key = self.key(namespace)
        self.names.add(key)
        return key

    def add(self, kind: str, namespace: Selector, function: Function) -> None:
        """Register a function.

        Raises:
            TypeError: for what can't be called.
        """
        if not callable(function):
            raise TypeError(f"{kind} must be given a function, not {type(function).__name__}")
        namespace = normalized(namespace)
        key = ANY if namespace == ANY else self.name(namespace)
        self._functions.setdefault((kind, key), []).append(function)
        self.wrapped = self.wrapped or kind in ("before_event", "after_event")

    def of(self, kind: str, template: str) -> list[Function]:
        """The functions of a kind: those for all namespaces, then those of this one."""
        functions = self._functions
        if not functions:
            return []
        for_all = functions.get((kind, ANY), [])
        return [*for_all, *functions.get((kind, template), ())] if template != ANY else list(for_all)

    def has(self, kind: str, template: str) -> bool:
        """Whether there is one."""
        functions = self._functions
        return bool(functions) and ((kind, template) in functions or (kind, ANY) in functions)

    def parent(self, name: str) -> str | list[tuple[Selector, str]] | None:
        """The first parent that takes a name; where functions have to be asked, all candidates in order."""
        if len(name) > MAX_NAME:
            return None
        candidates: list[tuple[Selector, str]] = []
        for selector, key in self._parents.items():
            if not isinstance(selector, re.Pattern):
                candidates.append((selector, key))
            elif selector.fullmatch(name):
                if not candidates:
                    return key
                candidates.append((selector, key))
        return candidates or None
