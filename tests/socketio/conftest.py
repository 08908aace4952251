"""A server of two namespaces, and three clients in the main one who have read what there was to read."""

import pytest
from contract.application import Application, Peer, serve


@pytest.fixture
def server():
    return serve(Application(("/", "/chat")))


@pytest.fixture
def peers(server):
    return [Peer(server) for _ in range(3)]


@pytest.fixture
def sockets(peers):
    sockets = [peer.join() for peer in peers]
    for peer in peers:
        peer.texts()
    return sockets
