"""Strategies for what servers tell each other: all operations, with data that comes back from any wire as it was."""

from hypothesis import strategies as st

from flask_socketio_py.socketio.adapters.operations import (
    Ack,
    AckCount,
    Broadcast,
    Count,
    Counted,
    Disconnect,
    Fetch,
    Fetched,
    Join,
    Leave,
    ServerAnswer,
    ServerEvent,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**53), 2**53)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | NUMBERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.builds(lambda name, args: [name, *args], TEXTS, st.lists(VALUES, max_size=3))
ROOMS = st.lists(TEXTS | NUMBERS, max_size=3, unique=True).map(tuple)
IDS = st.text("0123456789abcdef", min_size=16, max_size=16)
TIMES = st.integers(1, 10**6).map(lambda milliseconds: milliseconds / 1000)
SOCKETS = st.builds(
    lambda sid, handshake, rooms, data: {"id": sid, "handshake": handshake, "rooms": [sid, *rooms], "data": data},
    TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    ROOMS,
    st.dictionaries(TEXTS, VALUES, max_size=2),
)
SIZES = st.dictionaries(TEXTS | NUMBERS, st.integers(0, 1000), max_size=3)

BROADCASTS = st.builds(
    Broadcast, EVENTS, ROOMS, ROOMS, st.booleans(), st.booleans(), st.none(), st.none(), st.just(False)
)
ASKING = st.builds(
    Broadcast, EVENTS, ROOMS, ROOMS, st.booleans(), st.booleans(), IDS, st.none() | TIMES, st.just(False)
)
REQUESTS = st.one_of(
    ASKING,
    st.builds(Join, ROOMS, ROOMS, ROOMS),
    st.builds(Leave, ROOMS, ROOMS, ROOMS),
    st.builds(Disconnect, ROOMS, ROOMS, st.booleans()),
    st.builds(Fetch, IDS, ROOMS, ROOMS),
    st.builds(Count, IDS, ROOMS, ROOMS, st.booleans()),
    st.builds(ServerEvent, EVENTS, st.none() | IDS),
)
REPLIES = st.one_of(
    st.builds(Fetched, IDS, st.lists(SOCKETS, max_size=2)),
    st.builds(Counted, IDS, st.integers(0, 2**40), st.none() | SIZES),
    st.builds(ServerAnswer, IDS, VALUES),
    st.builds(AckCount, IDS, st.integers(0, 2**40)),
    st.builds(Ack, IDS, VALUES, st.none()),
)
