"""Owns permessage-deflate by itself: what is agreed to which offer, what is compressed, what inflates and what not."""

import random
import re
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_socketio_py.websocket.extensions import Agreement, Deflate, Inflation, TooBigError

NONE_TAKEN_OVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
DEFAULT = Deflate()
TOKENS = st.text("!#$%&'*+.^_`|~-abcXYZ019", min_size=1, max_size=12)
WINDOWS = range(9, 16)
#: What may stand in a header, and what may not.
PIECES = st.sampled_from(
    [
        *["permessage-deflate", "server_max_window_bits", "client_max_window_bits", "client_no_context_takeover"],
        *[
            ";",
            ",",
            "=",
            '"',
            "\\",
            " ",
            "\t",
            "15",
            "8",
            "é",
            "\x00",
            "x" * 50,
            '"15"',
            "; ",
            ", ",
            "constructor",
            "__proto__",
        ],
    ]
)


def deflated(*parts, flush=zlib.Z_SYNC_FLUSH, bits=15, level=6):
    """A message as a client compresses it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits)
    data = b"".join(compressor.compress(part) for part in parts) + compressor.flush(flush)
    return data.removesuffix(b"\0\0\xff\xff")


def inflate(data, limit=10**6, bits=15):
    inflation = Inflation(bits, limit)
    inflation.expect(len(data))
    return inflation.take(data, True)


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ("permessage-deflate", ""),
        ("permessage-deflate; client_max_window_bits", ""),  # what browsers and ws send
        ("permessage-deflate;client_max_window_bits", ""),
        (" \tpermessage-deflate\t ;\tclient_max_window_bits ", ""),
        ("permessage-deflate; client_max_window_bits=15", ""),
        ("permessage-deflate; client_max_window_bits=10", "; client_max_window_bits=10"),
        ('permessage-deflate; client_max_window_bits = "10"', "; client_max_window_bits=10"),
        ('permessage-deflate; client_max_window_bits="1\\0"', "; client_max_window_bits=10"),
        ("permessage-deflate; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=15"),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""),
        ("permessage-deflate; server_max_window_bits=10, permessage-deflate", ""),
        ("permessage-deflate; unheard_of, permessage-deflate; client_max_window_bits=9", "; client_max_window_bits=9"),
        ("foo, bar; baz=1, x-webkit-deflate-frame, permessage-deflate", ""),
        (", ,,permessage-deflate,, ,", ""),
        ('foo; a="b, c"; d="\\"", permessage-deflate', None),  # quoted, it must be a token still
        ("foo; a=\"b\", permessage-deflate; client_max_window_bits; server_max_window_bits='15'", None),
    ],
)
def test_offers_and_their_answers(offers, answer):
    agreed = DEFAULT.negotiate(offers)
    assert (agreed and agreed.header) == (None if answer is None else NONE_TAKEN_OVER + answer)


@pytest.mark.parametrize(
    "offers",
    [
        *[
            "",
            " ",
            ",",
            ";",
            "permessage-deflate;",
            "permessage-deflate foo",
            "permessage-deflate,;",
            "=permessage-deflate",
        ],
        *["Permessage-Deflate", "permessage-deflat", "permessage_deflate", "constructor", "__proto__; toString"],
        *[
            f"permessage-deflate; server_max_window_bits{value}"
            for value in ("", "=", "=7", "=08", "=16", "=99", "=-9")
        ],
        *[
            f"permessage-deflate; server_max_window_bits={value}"
            for value in ("8", "14", "1e1", "+9", "٩", '""', '"', " ")
        ],
        *[
            f"permessage-deflate; client_max_window_bits={value}"
            for value in ("", "7", "16", "08", "999", '"15', "15\n")
        ],
        *[f"permessage-deflate; {side}_no_context_takeover={value}" for side in ("server", "client") for value in "1a"],
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; constructor",
        "permessage-deflate; client_max_window_bits, \x00",
        "permessage-deflate, é",
    ],
)
def test_what_cannot_be_had_is_declined_and_no_fault(offers):
    assert DEFAULT.negotiate(offers) is None


@pytest.mark.parametrize("theirs", range(8, 16))
@pytest.mark.parametrize("ours", WINDOWS)
def test_the_servers_window_is_never_larger_than_the_client_asks(ours, theirs):
    agreed = Deflate(server_max_window_bits=ours).negotiate(f"permessage-deflate; server_max_window_bits={theirs}")
    assert agreed == (Agreement(f"{NONE_TAKEN_OVER}; server_max_window_bits={ours}", 15) if ours <= theirs else None)


@pytest.mark.parametrize("ours", WINDOWS)
def test_a_client_is_limited_only_if_it_says_that_it_can_be(ours):
    deflate = Deflate(client_max_window_bits=ours)
    limit = f"; client_max_window_bits={ours}" if ours < 15 else ""
    assert deflate.negotiate("permessage-deflate") == Agreement(NONE_TAKEN_OVER, 15)
    assert deflate.negotiate("permessage-deflate; client_max_window_bits") == Agreement(NONE_TAKEN_OVER + limit, ours)
    smallest = deflate.negotiate("permessage-deflate; client_max_window_bits=8")
    assert smallest == Agreement(NONE_TAKEN_OVER + "; client_max_window_bits=8", 9)


def test_a_smaller_window_of_ours_is_told_unasked():
    agreed = Deflate(server_max_window_bits=10).negotiate("permessage-deflate")
    assert agreed.header == NONE_TAKEN_OVER + "; server_max_window_bits=10"


@given(st.lists(st.tuples(TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=3)), max_size=4))
def test_other_extensions_are_passed_over(others):
    elements = [
        name + "".join(f";{key}" + (f"={value}" if value else "") for key, value in more) for name, more in others
    ]
    assert DEFAULT.negotiate(", ".join([*elements, "permessage-deflate"])) == Agreement(NONE_TAKEN_OVER, 15)
    quoted = [re.sub(r"=([^;]+)", r'="\1"', element) for element in elements]
    assert DEFAULT.negotiate(" ,".join(["permessage-deflate", *quoted])) == Agreement(NONE_TAKEN_OVER, 15)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_whatever_stands_in_the_header_only_our_answer_comes_back(header):
    agreed = DEFAULT.negotiate(header)
    if agreed is not None:
        answer = re.fullmatch(
            re.escape(NONE_TAKEN_OVER) + r"((?:; (?:server|client)_max_window_bits=\d+)*)", agreed.header
        )
        assert answer
        assert "permessage-deflate" in header
        assert agreed.window_bits in WINDOWS


HOSTILE = {
    "spaces": lambda n: "permessage-deflate" + " " * n + "x",
    "spaces before a parameter": lambda n: "a;" + " " * n + ",",
    "spaces around equals": lambda n: "a; b" + " " * (n // 2) + "=" + " " * (n // 2),
    "commas": lambda n: "," * n,
    "commas and spaces": lambda n: " ," * (n // 2) + ";",
    "semicolons": lambda n: "a" + ";" * n,
    "a name": lambda n: "a" * n,
    "names": lambda n: "a," * (n // 2),
    "parameters": lambda n: "permessage-deflate" + ";a" * (n // 2),
    "parameters and spaces": lambda n: "permessage-deflate" + ";a " * (n // 3) + "=",
    "open quote": lambda n: 'a; b="' + "x" * n,
    "open quote, escapes": lambda n: 'a; b="' + "\\" * n,
    "escapes": lambda n: 'a; b="' + "\\a" * (n // 2) + '"',
    "quotes": lambda n: "a" + ';b="' * (n // 4),
    "offers": lambda n: "permessage-deflate; server_max_window_bits=8," * (n // 45),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_is_linear_in_the_length_of_the_header(name):
    def cost(size):
        header, best = HOSTILE[name](size), float("inf")
        for _ in range(3):
            start = time.process_time()
            assert DEFAULT.negotiate(header) is None
            best = min(best, time.process_time() - start)
        return best

    # Quadratic work would be 100 times as much for 10 times the length.
    assert cost(200_000) < 40 * max(cost(20_000), 0.001)


# -- compressing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", WINDOWS)
@pytest.mark.parametrize(("level", "mem_level"), [(1, 1), (6, 8), (9, 9)])
def test_a_compressed_payload_fits_the_agreed_window(bits, level, mem_level):
    source = random.Random(7692)
    words = [source.randbytes(20).hex().encode() for _ in range(2000)]
    payload = b" ".join(source.choices(words, k=5000))
    data = Deflate(level=level, mem_level=mem_level, server_max_window_bits=bits).compress(payload)
    assert len(data) < len(payload)
    assert not data.endswith(b"\0\0\xff\xff")
    # Octet by octet, so that zlib has no more of the past than the window.
    inflater = zlib.decompressobj(-bits)
    assert b"".join(inflater.decompress(data[at : at + 1]) for at in range(len(data))) == payload


def test_the_threshold_counts_the_bytes_before_compression():
    assert Deflate(threshold=100).compress(b"a" * 99) is None
    assert inflate(Deflate(threshold=100).compress(b"a" * 100)) == b"a" * 100
    assert Deflate().compress(b"a" * 1023) is None
    assert Deflate().compress(b"a" * 1024) is not None


@pytest.mark.parametrize("payload", [b"", b"2", b"3probe", random.Random(1).randbytes(5000)])
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_what_would_not_become_smaller_is_not_compressed(payload, level):
    assert Deflate(threshold=0, level=level).compress(payload) is None


def test_level_0_compresses_nothing():
    assert Deflate(level=0).compress(b"a" * 5000) is None


@given(st.binary(max_size=300).map(lambda data: data * 20), st.integers(1, 9), st.sampled_from(WINDOWS))
def test_what_is_compressed_inflates_to_the_same(payload, level, bits):
    data = Deflate(threshold=0, level=level, server_max_window_bits=bits).compress(payload)
    assert data is None or (inflate(data, bits=bits) == payload and len(data) < len(payload))


# -- inflating -------------------------------------------------------------------------------------------------------

EXAMPLES = {  # RFC 7692, 7.2.3
    "one block": "f248cdc9c90700",
    "stored": "000500faff48656c6c6f00",
    "final block": "f348cdc9c9070000",
    "final block without the octet behind it": "f348cdc9c90700",
    "two blocks": "f248050000 00ffff cac9c90700".replace(" ", ""),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_specification(name):
    assert inflate(bytes.fromhex(EXAMPLES[name])) == b"Hello"


@pytest.mark.parametrize("data", [b"", b"\0", b"\2\0", b"\1\0\0\xff\xff", b"\3\0", b"\3\0\0"])
def test_an_empty_message(data):
    assert inflate(data) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x06",
        b"Hello, not compressed",
        deflated(b"Hello" * 100)[:-2],
        b"\0\x10\0\xef\xffHello",  # a stored block of 16 bytes, of which 5 are there
        b"\4",  # the first bits of a block
        deflated(b"Hello") + b"\0",
        deflated(b"Hello") + b"\0\0\xff\xff",
        deflated(b"Hello", flush=zlib.Z_FINISH) + b"\0\0",
        deflated(b"Hello", flush=zlib.Z_FINISH) + b"x",
        deflated(b"Hello", flush=zlib.Z_FINISH) + deflated(b"Hello"),
        b"\3\0" * 1000,
        zlib.compress(b"Hello"),
        zlib.compress(b"Hello", wbits=31),
    ],
    ids=range(14),
)
def test_what_is_no_compressed_message_is_an_error(data):
    with pytest.raises(zlib.error):
        inflate(data)


def test_a_window_of_the_message_before_is_not_there():
    first = zlib.compressobj(wbits=-15)
    taken = [first.compress(b"some words" * 9) + first.flush(zlib.Z_SYNC_FLUSH) for _ in range(2)]
    assert inflate(taken[0][:-4]) == b"some words" * 9
    with pytest.raises(zlib.error):
        inflate(taken[1][:-4])


@pytest.mark.parametrize("limit", [0, 1, 100, 65_535, 1_000_000])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_message_as_long_as_the_limit_passes_even_if_it_grew(limit, level):
    payload = random.Random(limit).randbytes(limit)
    data = deflated(payload, level=level)
    assert len(data) > limit
    assert inflate(data, limit) == payload
    with pytest.raises(TooBigError):
        inflate(deflated(payload + b"x", level=level), limit)


def test_blocks_that_hold_nothing_do_not_come_without_end():
    inflation = Inflation(15, 1000)
    chunk = b"\0\0\0\xff\xff" * 20
    for _ in range(11):
        inflation.expect(len(chunk))
        assert inflation.take(chunk, False) == b""
    with pytest.raises(TooBigError):
        inflation.expect(len(chunk))
