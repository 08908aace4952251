"""Owns reading streams: from where, in which order, and what is told of entries that can't be read any more."""

import pytest
from contract.waiting import in_hub, wait_until

from flask_socketio_py.errors import ClusterError
from flask_socketio_py.socketio.adapters.redis.stream_reader import StreamReader


def values(reader, stream="s"):
    return [fields[b"n"] for name, _, fields in reader.got if name == stream]


def numbers(first, last):
    return [b"%d" % number for number in range(first, last)]


def add(server, first, last, stream="s"):
    with server.client() as client, client.pipeline(transaction=False) as pipeline:
        for number in range(first, last):
            pipeline.xadd(stream, {"n": number})
        pipeline.execute()


def test_entries_have_their_id_and_their_fields(server, read):
    reader = read(server, "s")
    server.ask("XADD", "s", "7-1", "a", b"\0", "b", "2")
    wait_until(lambda: reader.got)
    assert reader.got == [("s", "7-1", {b"a": b"\0", b"b": b"2"})]
    assert reader.positions == {"s": "7-1"}


@pytest.mark.parametrize("exists", [False, True])
def test_from_now_on_means_from_when_it_is_ready(server, read, exists):
    if exists:
        add(server, 0, 10)
    reader = read(server, "s")
    add(server, 10, 500)
    wait_until(lambda: len(reader.got) == 490)
    assert values(reader) == numbers(10, 500)


def test_from_an_id_on(server, read):
    for number in range(1, 6):
        server.ask("XADD", "s", f"{number}-0", "n", number)
    reader = read(server, "s", last="2-0")
    wait_until(lambda: len(reader.got) == 3)
    assert [identifier for _, identifier, _ in reader.got] == ["3-0", "4-0", "5-0"]
    assert reader.gaps == []


def test_several_streams_are_read_side_by_side(server, read):
    reader = read(server, "s", "t")
    add(server, 0, 300)
    add(server, 300, 600, "t")
    wait_until(lambda: len(reader.got) == 600)
    assert (values(reader), values(reader, "t")) == (numbers(0, 300), numbers(300, 600))


def test_connections_that_break_lose_and_repeat_nothing(server, read):
    reader = read(server, "s", count=7)
    for step in range(20):
        add(server, step * 50, step * 50 + 50)
        wait_until(lambda step=step: len(reader.got) > step * 50)
        server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wait_until(lambda: len(reader.got) >= 1000)
    assert values(reader) == numbers(0, 1000)
    assert reader.gaps == []


def test_a_stream_that_vanished_is_told_and_read_from_its_new_beginning(server, read):
    reader = read(server, "s")
    server.ask("XADD", "s", "9999999999999-0", "n", 0)
    wait_until(lambda: len(reader.got) == 1)
    server.ask("DEL", "s")
    wait_until(lambda: reader.gaps == [("s", "9999999999999-0", "lost")])
    # Smaller than the last id: XREAD after that one would never give it.
    add(server, 1, 3)
    wait_until(lambda: len(reader.got) == 3)
    assert values(reader) == numbers(0, 3)
    assert reader.gaps == [("s", "9999999999999-0", "lost")]


def test_data_that_is_older_after_a_restart_is_told_and_not_read_again(own_server, read):
    for number in range(1, 4):
        own_server.ask("XADD", "s", f"{number}-0", "n", number)
    reader = read(own_server, "s", last="0-0")
    wait_until(lambda: len(reader.got) == 3)
    own_server.ask("CONFIG", "SET", "appendonly", "no")
    own_server.ask("XADD", "s", "9999999999999-0", "n", 4)
    wait_until(lambda: len(reader.got) == 4)
    own_server.restart()
    wait_until(lambda: reader.gaps == [("s", "9999999999999-0", "lost")])
    own_server.ask("XADD", "s", "*", "n", 5)
    wait_until(lambda: len(reader.got) == 5)
    assert values(reader) == numbers(1, 6)


def test_what_was_trimmed_before_it_was_read_is_told(server, read):
    for number in range(1, 10):
        server.ask("XADD", "s", f"{number}-0", "n", number)
    server.ask("XTRIM", "s", "MAXLEN", 3)
    reader = read(server, "s", last="2-0")
    wait_until(lambda: len(reader.got) == 3)
    assert reader.gaps == [("s", "2-0", "trimmed")]
    assert values(reader) == numbers(7, 10)


def test_the_first_entry_as_a_position_is_no_gap(server, read):
    for number in range(1, 4):
        server.ask("XADD", "s", f"{number}-0", "n", number)
    reader = read(server, "s", last="1-0")
    wait_until(lambda: len(reader.got) == 2)
    assert reader.gaps == []


def test_functions_that_fail_are_logged_and_end_nothing(server, opened, caplog):
    got = []

    def fail(stream, entries):
        got.extend(entries)
        raise RuntimeError("on purpose")

    reader = opened(StreamReader(server.url, {"s": "$"}, fail, block=0.3))
    assert reader.ready(10)
    for number in range(3):
        server.ask("XADD", "s", "*", "n", number)
    wait_until(lambda: len(got) == 3)
    assert "on purpose" in caplog.text


def test_what_is_no_stream_is_visible_and_tried_again(server, opened):
    server.ask("SET", "s", "v")
    got = []
    reader = opened(StreamReader(server.url, {"s": "0-0"}, lambda stream, entries: got.extend(entries), block=0.3))
    reader.start()
    wait_until(lambda: reader.status.state == "disconnected")
    assert "Redis refused it: WRONGTYPE" in reader.status.error
    server.ask("DEL", "s")
    server.ask("XADD", "s", "*", "n", 1)
    wait_until(lambda: got)
    assert reader.status.state == "connected"


@pytest.mark.parametrize("last", ["", "1", "-", "1-", "a-1", ">", "1-\N{SUPERSCRIPT TWO}"])
def test_a_position_that_is_none_is_refused(last):
    with pytest.raises(ValueError, match=r"must be like 1700000000000-0, or \$"):
        StreamReader("redis://", {"s": last}, print)


def test_nothing_is_read_after_the_end(server, read):
    for close in (lambda one: one.close(), lambda one: in_hub(one.close)):
        reader = read(server, "s")
        close(reader)
        wait_until(lambda: b"cmd=xread" not in server.ask("CLIENT", "LIST", "TYPE", "NORMAL"))
        add(server, 0, 10)
        assert reader.got == []
        assert reader.status.state == "idle"
        with pytest.raises(ClusterError, match="closed"):
            reader.start()


def test_an_entry_that_the_stream_lost_while_newer_ones_came_is_told_once(own_server, read):
    reader = read(own_server, "s")
    own_server.ask("XADD", "s", "1-0", "n", 1)
    own_server.ask("CONFIG", "SET", "appendonly", "no")
    own_server.ask("XADD", "s", "2-0", "n", 2)
    wait_until(lambda: len(reader.got) == 2)
    own_server.kill()
    own_server.settings["appendonly"] = "yes"
    own_server.start()
    own_server.ask("XADD", "s", "3-0", "n", 3)
    wait_until(lambda: len(reader.got) == 3)
    wait_until(lambda: reader.gaps)
    add(own_server, 4, 5)
    wait_until(lambda: len(reader.got) == 4)
    assert values(reader) == numbers(1, 5)
    assert [gap for gap in reader.gaps if gap[1] == "2-0"] == reader.gaps[:1]


def test_a_gap_behind_a_reader_that_was_held_up_is_told(server, opened):
    got, gaps = [], []

    def take(stream, entries):
        if not got:  # while this server is busy the others add more than the stream keeps
            add(server, 1, 100)
            server.ask("XTRIM", "s", "MAXLEN", 20)
        got.extend(fields[b"n"] for _, fields in entries)

    reader = opened(
        StreamReader(server.url, {"s": "$"}, take, on_gap=lambda *gap: gaps.append(gap), count=10, block=0.3)
    )
    assert reader.ready(10)
    first = server.ask("XADD", "s", "*", "n", 0).decode()
    wait_until(lambda: len(got) == 21)
    assert got == [b"0", *numbers(80, 100)]
    assert gaps == [("s", first, "trimmed")]


def test_replies_that_redis_cuts_off_become_smaller(server, opened):
    """A limit that a hundred entries at once exceed, but not a few."""
    with server.client() as client:
        for number in range(100):
            client.xadd("s", {"n": number, "filler": b"x" * 50_000})
    server.ask("CONFIG", "SET", "client-output-buffer-limit", "normal 1000000 0 0")
    try:
        got, gaps = [], []
        reader = opened(
            StreamReader(
                server.url,
                {"s": "0-0"},
                lambda stream, entries: got.extend(fields[b"n"] for _, fields in entries),
                on_gap=lambda *gap: gaps.append(gap),
                block=0.3,
            )
        )
        reader.start()
        wait_until(lambda: len(got) >= 100)
        assert got == numbers(0, 100)
        assert gaps == []
    finally:
        server.ask("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
