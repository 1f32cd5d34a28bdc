"""A fold table: the weight of every character, in memory and as bytes for the control topic.

Most characters follow one another with equal weights or with weights that grow by one; those are
`Run`s. The others stand one by one. Serialised: zlib over

    0x01 version, flags (1 pad space, 2 exact), unit (bytes)
    collation, weight of a space                    (Avro strings / bytes; numbers are Avro longs)
    number of runs, then of each: code points since the last's end, length, step, weight
    number of single ones; code points since the last one, all; lengths in units, all; weights, all
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from mysync_schemas.avro import (
    read_bytes,
    read_long,
    read_string,
    write_bytes,
    write_long,
    write_string,
)
from mysync_schemas.errors import BadFold, SchemaError

__all__ = ["FoldTable", "Run"]

_VERSION: Final = 1
_PAD: Final = 1
_EXACT: Final = 2
_MAX_SIZE: Final = 16 << 20  # unpacked; real ones stay under 0.5 MB
_OTHER: Final = b"\xff"  # closes a unit that no ASCII character has


class Run(NamedTuple):
    """`length` characters from `first` on; the weight grows by `step` (0 or 1) a character."""

    first: int
    length: int
    step: int
    weight: bytes

    def weight_of(self, code: int) -> bytes:
        """The weight of a character of the run."""
        if not self.step:
            return self.weight
        number = int.from_bytes(self.weight, "big") + code - self.first
        return number.to_bytes(len(self.weight), "big")

    def weight_after(self) -> bytes | None:
        """The weight that the next character has if the run goes on; None if it can't."""
        try:
            return self.weight_of(self.first + self.length)
        except OverflowError:
            return None


class FoldTable:
    """Folds texts of one collation. `exact` tables (of `_bin`) have no weights: UTF-8 as it is.

    `unit` is the size of a weight's units in bytes, `space` the weight of a space.
    """

    def __init__(
        self,
        collation: str,
        *,
        pad_space: bool,
        exact: bool = False,
        unit: int = 1,
        space: bytes = b" ",
        runs: Sequence[Run] = (),
        single: Mapping[int, bytes] | None = None,
    ) -> None:
        self.collation = collation
        self.pad_space = pad_space
        self.exact = exact
        self.unit = unit
        self.space = space
        self.runs = tuple(runs)
        self.single = dict(single or {})
        self._firsts = [run.first for run in self.runs]
        self._codes: dict[bytes, bytes] = {}
        self._chars = _Chars(self)
        self._pad = b" " if pad_space else b""
        self._ascii: bytes | None = None if exact else b""
        self._ignored = b""
        if not exact:
            self._name_units()

    def _name_units(self) -> None:
        ascii_weights = [self._weight_or_none(code) for code in range(128)]
        for code, weight in enumerate(ascii_weights):
            if weight is not None and len(weight) == self.unit:
                self._codes[weight] = bytes([code])
        folded = [self._folded(weight) for weight in ascii_weights if weight is not None]
        self._pad = self._folded(self.space) if self.pad_space else b""
        if len(folded) == 128 and all(len(text) <= 1 for text in folded):
            self._ascii = bytes(text[0] if text else 0 for text in folded) + bytes(128)
            self._ignored = bytes(code for code, text in enumerate(folded) if not text)
        else:
            self._ascii = None

    def weight(self, code: int) -> bytes:
        """The server's weight of a code point. Raises `BadFold` if the table doesn't have it."""
        weight = self._weight_or_none(code)
        if weight is None:
            raise BadFold(f"U+{code:04X} isn't in the character set of {self.collation}")
        return weight

    def _weight_or_none(self, code: int) -> bytes | None:
        weight = self.single.get(code)
        if weight is None:
            index = bisect_right(self._firsts, code) - 1
            if index >= 0 and code < self._firsts[index] + self.runs[index].length:
                weight = self.runs[index].weight_of(code)
        return weight

    def _folded(self, weight: bytes) -> bytes:
        units = [weight[at : at + self.unit] for at in range(0, len(weight), self.unit)]
        return b"".join(self._codes.get(unit, unit + _OTHER) for unit in units)

    def fold(self, text: str) -> bytes:
        """The folded text. Raises `BadFold` for a character that the character set hasn't."""
        if self.exact:
            try:
                folded = text.encode()
            except UnicodeEncodeError as error:
                raise BadFold(f"{text!r} isn't valid text") from error
        elif self._ascii is not None and text.isascii():
            folded = text.encode("ascii").translate(self._ascii, self._ignored)
        else:
            folded = b"".join(map(self._chars.__getitem__, text))
        pad = self._pad
        if len(pad) == 1:
            return folded.rstrip(pad)
        while pad and folded.endswith(pad):
            folded = folded[: -len(pad)]
        return folded

    def to_bytes(self) -> bytes:
        """Serialises; `from_bytes` reads it."""
        flags = _PAD * self.pad_space | _EXACT * self.exact
        out = bytearray([_VERSION, flags, self.unit])
        write_string(out, self.collation)
        write_bytes(out, self.space)
        write_long(out, len(self.runs))
        end = 0
        for run in self.runs:
            write_long(out, run.first - end)
            write_long(out, run.length)
            write_long(out, run.step)
            write_bytes(out, run.weight)
            end = run.first + run.length
        write_long(out, len(self.single))
        ordered = sorted(self.single.items())
        last = 0
        for code, _ in ordered:
            write_long(out, code - last)
            last = code
        for _, weight in ordered:
            write_long(out, len(weight) // self.unit)
        for _, weight in ordered:
            out += weight
        return zlib.compress(bytes(out), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> FoldTable:
        """Reads a serialised table. Raises `BadFold`."""
        try:
            unpack = zlib.decompressobj()
            plain = unpack.decompress(data, _MAX_SIZE)
            if not unpack.eof:
                raise BadFold(f"a fold table ends early or is larger than {_MAX_SIZE} bytes")
            return cls._read(plain)
        except (zlib.error, IndexError, OverflowError, SchemaError) as error:
            raise BadFold(f"a fold table of {len(data)} bytes can't be read: {error}") from error

    @classmethod
    def _read(cls, data: bytes) -> FoldTable:
        version, flags, unit = data[0], data[1], data[2]
        if version != _VERSION or unit == 0:
            raise BadFold(f"version {version}, unit {unit}")
        collation, at = read_string(data, 3)
        space, at = read_bytes(data, at)
        runs, at = _read_runs(data, at)
        count, at = _read_count(data, at)
        codes = []
        code = 0
        for _ in range(count):
            delta, at = read_long(data, at)
            code += delta
            codes.append(code)
        sizes = []
        for _ in range(count):
            size, at = _read_count(data, at)
            sizes.append(size * unit)
        single = {}
        for code, size in zip(codes, sizes, strict=True):
            single[code] = data[at : at + size]
            at += size
        if at != len(data):
            raise BadFold(f"{len(data) - at} bytes are left")
        return cls(
            collation,
            pad_space=bool(flags & _PAD),
            exact=bool(flags & _EXACT),
            unit=unit,
            space=space,
            runs=runs,
            single=single,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FoldTable) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # compared by its content

    def __repr__(self) -> str:
        return f"FoldTable({self.collation}, {len(self.runs)} runs, {len(self.single)} single)"


class _Chars(dict[str, bytes]):
    """Folded characters, made when they are first met."""

    def __init__(self, table: FoldTable) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, char: str) -> bytes:
        folded = self[char] = self._table._folded(self._table.weight(ord(char)))
        return folded


def _read_count(data: bytes, at: int) -> tuple[int, int]:
    count, at = read_long(data, at)
    if not 0 <= count <= len(data):
        raise BadFold(f"count {count} at byte {at}")
    return count, at


def _read_runs(data: bytes, at: int) -> tuple[list[Run], int]:
    count, at = _read_count(data, at)
    runs = []
    end = 0
    for _ in range(count):
        gap, at = read_long(data, at)
        length, at = read_long(data, at)
        step, at = read_long(data, at)
        weight, at = read_bytes(data, at)
        run = Run(end + gap, length, step, weight)
        end = run.first + run.length
        if gap < 0 or length < 1 or step not in (0, 1) or end > 0x110000:
            raise BadFold(f"{run} can't be")
        run.weight_of(end - 1)  # its last weight fits
        runs.append(run)
    return runs, at
