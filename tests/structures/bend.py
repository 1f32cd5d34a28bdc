"""Structures whose fields are right, but for one that is bent: what a plain mutator hardly makes.

A builder writes its structure field by field through a `Bend`, which leaves every field as it is
but for those at the chosen places. What stands around a bent field is made of what was written, so
that lengths and offsets further out still fit, unless one of them is what is bent.
"""

import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

Twist = tuple[int, int, int]
"""Which place (modulo their number), in which way, by which number."""

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFA, 0xFB, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFFF, 1 << 24,
            (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 60, (1 << 63) - 1,
            1 << 63, (1 << 64) - 1)  # fmt: skip


_BITS = 5 + 5 + 64 + 12  # way, edge or not, number, place


def _twists(packed: int) -> tuple[Twist, ...]:
    """One, or two in a third of all."""
    packed, twice = divmod(packed, 3)
    found = []
    for _ in range(2 if twice == 2 else 1):
        packed, place = divmod(packed, 1 << 12)
        packed, way = divmod(packed, 24)
        packed, edge = divmod(packed, 32)
        packed, number = divmod(packed, 1 << 64)
        found.append((place, way, _NUMBERS[edge] if edge < len(_NUMBERS) else number))
    return tuple(found)


# One draw for all of them: drawing takes longer than what is tested.
TWISTS = st.integers(0, 3 * (1 << 2 * _BITS) - 1).map(_twists)
_EACH = 5  # bent copies of a model


class Bend:
    """Writes fields; those at the places of the twists (counted from 0) become something else."""

    def __init__(self, twists: Sequence[Twist] = (), places: int = 1) -> None:
        self._twists = {place % places: (way, number) for place, way, number in twists}
        self.places = 0

    def _twist(self) -> tuple[int, int] | None:
        self.places += 1
        return self._twists.get(self.places - 1)

    def _number(
        self, value: int, encode: Callable[[int], bytes], malformed: Sequence[bytes]
    ) -> bytes:
        twist = self._twist()
        if twist is None:
            return encode(value)
        way, number = twist
        bent = (
            value - 1, value + 1, value * 2, value ^ 1 << number % 16, -value, value + number,
            number, number, number,
        )  # fmt: skip
        if way < len(bent):
            return encode(bent[way])
        if way < len(bent) + 5:
            return (*malformed, b"")[way % (len(malformed) + 1)]
        return encode(_NUMBERS[number % len(_NUMBERS)])

    def uint(self, value: int, size: int, order: Any = "little") -> bytes:
        """A number of so many bytes."""

        def encode(bent: int) -> bytes:
            return (bent % (1 << 8 * size)).to_bytes(size, order)

        return self._number(value, encode, (encode(value)[:-1], encode(value) + b"\0"))

    def lenenc(self, value: int) -> bytes:
        """MySQL's length-encoded integer (protocol documentation, "Integer Types")."""
        return self._number(value, lenenc, (b"\xfb", b"\xff", b"\xfe\1", b"\xfd", b"\xfc\1"))

    def avro(self, value: int) -> bytes:
        """An Avro int or long."""
        malformed = (b"\xff" * 9 + b"\1", b"\xff" * 9 + b"\2", b"\xff" * 12, b"\x80" * 9 + b"\0")
        return self._number(value, avro_long, malformed)

    def serialized(self, value: int) -> bytes:
        """An unsigned integer of MySQL's serialization library."""
        return self._number(value, serialized, (b"\xff", b"\x7f", b"\xff" * 8, b"\x01"))

    def var7(self, value: int) -> bytes:
        """A length in binary JSON: 7 bits a byte, the lowest first."""
        return self._number(value, var7, (b"\xff" * 4 + b"\x0f", b"\xff" * 6, b"\x80"))

    def raw(self, data: bytes) -> bytes:
        """Bytes without a structure, or a structure as a whole."""
        twist = self._twist()
        if twist is None:
            return data
        way, number = twist
        at = number % len(data) if data else 0
        changed = bytearray(data)
        if data:
            changed[at] ^= 1 << way % 8
        ways = (
            data[:at], data[at:], data[:at] + data[at + 1 :], data[:-1], data[1:], b"",
            data + b"\0", data + b"\xff", data * 2, b"\0" * len(data), b"\xff" * len(data),
            bytes((number & 0xFF,)) + data, data + data[: at + 1], data[::-1],
            data[:at] + bytes((number & 0xFF,)) + data[at + 1 :], data * (number % 50),
        )  # fmt: skip
        return ways[way] if way < len(ways) else bytes(changed)

    def order(self, items: Sequence[Any]) -> list[Any]:
        """A list whose items, or number of items, may be bent."""
        twist = self._twist()
        found = list(items)
        if twist is None:
            return found
        way, number = twist
        at = number % len(found) if found else 0
        piece = found[at : at + 1]
        return (
            found[:at], found[at:], found[:at] + found[at + 1 :], found[::-1], found + piece,
            piece + found, piece * (number % 50), [],
        )[way % 8]  # fmt: skip

    def flag(self, value: bool) -> bool:
        """Whether an optional part is there."""
        return value == (self._twist() is None)


def lenenc(value: int) -> bytes:
    value %= 1 << 64
    if value < 251:
        return bytes((value,))
    head, size = (0xFC, 2) if value < 1 << 16 else (0xFD, 3) if value < 1 << 24 else (0xFE, 8)
    return bytes((head,)) + value.to_bytes(size, "little")


def avro_long(value: int) -> bytes:
    return var7((value << 1 ^ value >> 63) % (1 << 64))


def var7(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def serialized(value: int) -> bytes:
    value %= 1 << 64
    size = max(1, (value.bit_length() + 6) // 7)
    if size > 8:
        return b"\xff" + value.to_bytes(8, "little")
    return (value << size | (1 << size - 1) - 1).to_bytes(size, "little")


@dataclass(frozen=True)
class Structure:
    """How a decoder's input is made.

    `build` writes a model through a Bend; `read` decodes that, and shows what it read in the form
    that `expected` gives of the model (without it: only that the sound one can be read is checked);
    `holds` says whether what was read of the bent one may be; `clean` are the errors that damage
    may end in.
    """

    models: st.SearchStrategy[Any]
    build: Callable[[Any, Bend], bytes]
    read: Callable[[bytes], Any]
    clean: tuple[type[Exception], ...]
    expected: Callable[[Any], Any] | None = None
    holds: Callable[[Any, Any], bool] | None = None


_SECONDS = 2.0  # of the processor, for the small structures that are made here
_MEMORY = 512 << 20


def fuzz(structure: Structure, examples: int) -> None:
    """So many bent structures, some of each model, which is also read as it is.

    Anything but a value or a clean error fails, as does what takes long or much memory.
    """
    seed = random.randrange(1 << 32)
    began, values = time.monotonic(), 0

    @hypothesis.seed(seed)
    @settings(
        max_examples=-(-examples // _EACH),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(structure.models, st.tuples(*[TWISTS] * _EACH))
    def example(model: Any, bends: tuple[tuple[Twist, ...], ...]) -> None:
        nonlocal values
        straight = Bend()
        sound = structure.build(model, straight)
        found = structure.read(sound)
        if structure.expected is not None:
            assert found == structure.expected(model), sound.hex()
        for twists in bends:
            bent = structure.build(model, Bend(twists, max(straight.places, 1)))
            values += is_value(structure, model, bent)

    print(f"\nseed {seed}: ", end="")
    with little_memory():
        example()
    seconds = time.monotonic() - began
    print(f"{examples} bent structures, {values} of them values, {seconds:.1f} s")


def is_value(structure: Structure, model: Any, bent: bytes) -> bool:
    """Whether it can be read; fails unless it is a clean error else."""
    start = time.thread_time()
    try:
        found = structure.read(bent)
    except structure.clean:
        return False
    except BaseException as error:
        error.add_note(f"read: {bent[:2000].hex()}")
        raise
    finally:
        assert time.thread_time() - start < _SECONDS, bent[:2000].hex()
    assert structure.holds is None or structure.holds(model, found), bent[:2000].hex()
    return True


@contextmanager
def little_memory() -> Iterator[None]:
    """A length that is believed before its bytes are there is a MemoryError in here."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
