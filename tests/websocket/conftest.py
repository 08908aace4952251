"""Sockets of every kind for the tests of the connection."""

import pytest

from .peer import Sockets, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder)
    return folder


@pytest.fixture(params=["pair", "tcp", "tls"])
def sockets(request, certificate):
    sockets = Sockets(request.param, certificate)
    yield sockets
    sockets.stop()


@pytest.fixture
def pairs(certificate):
    """Only socket pairs: for what doesn't depend on the kind."""
    sockets = Sockets("pair", certificate)
    yield sockets
    sockets.stop()
