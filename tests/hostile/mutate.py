"""Random and mutated inputs from a fixed seed: the same bytes in every run, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

# Separators, digits and literals of every grammar involved, and bytes that are no text at all.
INTERESTING = [
    *[bytes([value]) for value in (0, 0x0A, 0x1E, 0x7F, 0x80, 0xFF)],
    *b"- -1 0 1 99999999999 1e400 / , [ ] { } : \\ \\ud800 NaN true null b = & %00 % __proto__ 41 42".split(),
    *["\u00e9".encode(), "\U0001f600".encode(), "\u0661".encode(), b"\xed\xa0\x80"],
    *[b"\r\n", b" ", b'"', b'{"_placeholder":true,"num":0}'],
]


def mutate(chance: random.Random, seed: bytes) -> bytes:
    """One to four small accidents happen to a valid input."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(data))
        end = min(len(data), place + chance.randint(1, 8))
        match chance.randrange(7):
            case 0 if data:
                data[min(place, len(data) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                data[place:place] = chance.choice(INTERESTING)
            case 2:
                del data[place:end]
            case 3:
                data[place:place] = data[place:end] * chance.randint(1, 20)
            case 4:
                data[place:end] = chance.choice(INTERESTING)
            case 5:
                data[place:end] = chance.randbytes(end - place)
            case _:
                del data[place:]
    return bytes(data)


def mutations(seeds: Sequence[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """`count` inputs: each seed's mutations in turn, and every tenth wholly random."""
    chance = random.Random(seed)
    for number in range(count):
        if number % 10 == 9:
            yield chance.randbytes(chance.randint(0, 200))
        else:
            yield mutate(chance, seeds[number % len(seeds)])
