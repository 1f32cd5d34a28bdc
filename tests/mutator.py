"""A plain mutator: bytes of a corpus, damaged in the ways that bytes are damaged."""

import random
from collections.abc import Callable, Iterator, Sequence

ODD = (0, 1, 0x7F, 0x80, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)


def mutations(corpus: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """So many damaged copies: bytes changed, cut off, inserted, doubled, taken from another."""
    r = random.Random(seed)
    corpus = [each for each in corpus if each]
    for _ in range(count):
        data = bytearray(r.choice(corpus))
        for _ in range(r.choice((1, 1, 1, 2, 5))):
            if data:
                r.choice(_WAYS)(data, r, corpus)
        yield bytes(data)


def _change(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    data[r.randrange(len(data))] = r.choice(ODD) if r.random() < 0.5 else r.randrange(256)


def _flip(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def _cut(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    del data[r.randrange(len(data)) :]


def _remove(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    at = r.randrange(len(data))
    del data[at : at + r.randint(1, 4)]


def _insert(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    at = r.randrange(len(data))
    data[at:at] = r.randbytes(r.randint(1, 4))


def _double(data: bytearray, r: random.Random, _: Sequence[bytes]) -> None:
    at = r.randrange(len(data))
    data[at:at] = data[at : at + r.randint(1, 16)]


def _splice(data: bytearray, r: random.Random, corpus: Sequence[bytes]) -> None:
    other = r.choice(corpus)
    at = r.randrange(len(data))
    data[at:] = other[r.randrange(len(other)) :]


_WAYS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _change, _change, _change, _flip, _cut, _remove, _insert, _double, _splice,
)  # fmt: skip
