"""How a user's function may be called: decided by its signature, never by catching its TypeError."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def accepts(function: Callable[..., Any], *args: Any) -> bool:
    """Whether a function can be called with these positional arguments; a builtin without a signature is trusted to."""
    try:
        inspect.signature(function).bind(*args)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
