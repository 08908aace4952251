"""Owns that what an emit costs Redis is measured, and that it is what the page on capacity works out."""

import pytest

from loadtests.redis_traffic import measure
from tests.redis_server import RedisServer

#: ``["news","xxx..."]`` as the clients of the measurement emit it.
SIZE = 42
WORKERS = 2


@pytest.fixture(scope="module")
def redis_url():
    with RedisServer() as server:
        yield server.url


@pytest.mark.parametrize(
    ("dialect", "commands", "into", "out"),
    [
        ("redis", 1, SIZE + 100, WORKERS * (SIZE + 120)),
        ("redis+sharded", 1, SIZE + 170, WORKERS * (SIZE + 170)),
        ("redis+streams", 1 + WORKERS, SIZE + 240 + 106 * WORKERS, WORKERS * (SIZE + 230)),
        ("redis+queue", 1, SIZE + 220, WORKERS * (SIZE + 220)),
    ],
)
def test_an_emit_costs_what_the_page_says(redis_url, dialect, commands, into, out):
    _, _, *rows = measure(redis_url, [WORKERS], [dialect], count=30)
    to_all, to_room, fetched = ([cell.strip() for cell in row.strip("| ").split("|")] for row in rows)
    assert to_all[:3] == [dialect, str(WORKERS), "to everybody"]
    found = [float(cell.replace(",", "")) for cell in to_all[3:6]]
    # Not to the byte: a reader of a stream may find two entries at once, and in a silence something goes on as well.
    assert round(found[0]) == commands
    assert found[1:] == [pytest.approx(into, rel=0.15), pytest.approx(out, rel=0.15)]
    if dialect == "redis+sharded":
        assert float(to_room[5]) == pytest.approx(SIZE + 180, rel=0.15)  # one listener
    assert round(float(fetched[3])) == 1 + WORKERS
