"""The clusters that the suites over all kinds run on: two servers, and a client of each."""

import pytest

from contract.application import Peer

from .cluster_kinds import KINDS
from .cluster_servers import Servers


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    with request.param() as kind:
        yield kind


@pytest.fixture
def servers(kind):
    servers = Servers(kind, 2)
    yield servers
    servers.close()


@pytest.fixture
def pair(servers):
    """A client of each server."""
    first, second = (Peer(server) for server in servers)
    return (first, first.join()), (second, second.join())
