"""The module that Flask-SocketIO keeps its test client in, for applications that import it from there."""

from __future__ import annotations

from .testing import SocketIOTestClient

__all__ = ["SocketIOTestClient"]
