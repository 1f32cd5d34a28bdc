"""Binlog positions, and their form as one Kafka offset.

A position stands between two events: the byte offset in the file where the next event begins. As an
offset it is `file number << 32 | pos`, ordered like the positions themselves. Event headers hold
32-bit positions, so a transaction begins below 4 GiB; the end of a larger one can't be said within
its file and is written as the start of the next file, which is the same place in the stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mysync_schemas.errors import BadPosition

__all__ = ["FIRST", "BinlogPosition"]

FIRST: Final = 4  # a binlog file begins with 4 magic bytes
_MAX_NUMBER: Final = 2**31 - 1  # MySQL's own limit (MAX_LOG_UNIQUE_FN_EXT), and what fits an offset
_FILE: Final = re.compile(r"(.+)\.([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class BinlogPosition:
    """`file` as the server names it (`binlog.000042`), `pos` in bytes. Ordered by number, pos.

    Raises `BadPosition` if it can't be one, and for a comparison of files of different base names:
    these don't belong to one sequence.
    """

    file: str
    pos: int

    def __post_init__(self) -> None:
        match = _FILE.fullmatch(self.file)
        if match is None or int(match[2]) > _MAX_NUMBER:
            raise BadPosition(f"{self.file!r} isn't a binlog file name such as 'binlog.000042'")
        if self.pos < 0:
            raise BadPosition(f"position {self.pos} in {self.file} is negative")

    @property
    def base(self) -> str:
        """The file's name without its number."""
        return self.file.rpartition(".")[0]

    @property
    def number(self) -> int:
        """The file's number: `42` of `binlog.000042`."""
        return int(self.file.rpartition(".")[2])

    def to_offset(self) -> int:
        """A Kafka offset (0 … 2**63 - 1). At or past 4 GiB: that of the next file's start."""
        if self.pos < 1 << 32:
            return self.number << 32 | self.pos
        if self.number == _MAX_NUMBER:
            raise BadPosition(f"{self}: there is no next file after number {_MAX_NUMBER}")
        return (self.number + 1) << 32 | FIRST

    @classmethod
    def from_offset(cls, offset: int, like: str) -> BinlogPosition:
        """The position that `to_offset` made `offset` of; `like` is any file of the sequence.

        The number is written with at least six digits, as both servers do ("%s.%06lu").
        """
        if not 0 <= offset < 1 << 63:
            raise BadPosition(f"offset {offset} isn't a binlog position")
        base = cls(like, 0).base
        return cls(f"{base}.{offset >> 32:06d}", offset & 0xFFFFFFFF)

    @classmethod
    def parse(cls, text: str) -> BinlogPosition:
        """Reads `file:pos`."""
        file, colon, pos = text.strip().rpartition(":")
        if not colon or not (pos.isascii() and pos.isdecimal() and len(pos) <= 20):
            raise BadPosition(f"{text!r} isn't a binlog position such as 'binlog.000042:4'")
        return cls(file, int(pos))

    def __str__(self) -> str:
        return f"{self.file}:{self.pos}"

    def _order(self, other: BinlogPosition) -> tuple[tuple[int, int], tuple[int, int]]:
        if self.base != other.base:
            raise BadPosition(f"{self} and {other} aren't of one sequence of binlog files")
        return (self.number, self.pos), (other.number, other.pos)

    def __lt__(self, other: BinlogPosition) -> bool:
        ours, theirs = self._order(other)
        return ours < theirs

    def __le__(self, other: BinlogPosition) -> bool:
        ours, theirs = self._order(other)
        return ours <= theirs

    def __gt__(self, other: BinlogPosition) -> bool:
        return other < self

    def __ge__(self, other: BinlogPosition) -> bool:
        return other <= self
