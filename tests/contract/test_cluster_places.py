"""Owns that a cluster keeps its promises wherever its Redis is: the contract suite in a Redis Cluster, the core of it
behind sentinels and behind TLS, there as users who may do nothing but what the documentation says they must.
"""

import pytest

from .cluster_places import ELSEWHERE, SPREAD, Places
from .test_clusters import (
    test_a_broadcast_is_acknowledged_by_all,
    test_a_broadcast_reaches_the_clients_of_all_servers,
    test_a_server_that_leaves_is_not_waited_for,
    test_events_of_one_server_keep_their_order,
    test_excepted_rooms,
    test_many_are_moved,
    test_namespaces_are_apart,
    test_rooms_and_exceptions,
    test_servers_talk,
    test_sockets_of_all_servers_are_found,
)

#: What any mistake in the way to Redis would show in.
CORE = {
    test_a_broadcast_reaches_the_clients_of_all_servers,
    test_rooms_and_exceptions,
    test_servers_talk,
    test_sockets_of_all_servers_are_found,
}
SPREAD_ONLY = {
    test_a_broadcast_is_acknowledged_by_all,
    test_a_server_that_leaves_is_not_waited_for,
    test_events_of_one_server_keep_their_order,
    test_excepted_rooms,
    test_many_are_moved,
    test_namespaces_are_apart,
}


def pytest_generate_tests(metafunc):
    kinds = [*SPREAD, *(ELSEWHERE if metafunc.function in CORE else ())]
    metafunc.parametrize("kind", kinds, indirect=True, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def places():
    places = Places()
    yield places
    places.close()


@pytest.fixture
def kind(request, places):
    return request.param.at(places)
