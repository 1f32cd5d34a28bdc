"""Asks a server for a character set's table: every character's code, and every code's character.

One SELECT converts thousands of characters, each followed by a line feed, whose byte is no part of
another code in any of these sets. What the server lacks it gives as `?`; such a character is left
out, as is one whose code doesn't come back as it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from mysync_schemas.charset import CharsetTable, linear_code
from mysync_schemas.errors import BadCharset

__all__ = ["Cell", "build"]

Cell = Callable[[str], str | bytes | None]
"""Runs a SELECT and gives its only cell."""

_T = TypeVar("_T")
_AT_ONCE: Final = 8192  # characters in a SELECT, which then has 130 KB
_MARK: Final = b"\n"
_MARK_POINT: Final = 10
_MISSING: Final = b"?"
_SUPPLEMENTARY: Final = frozenset({"gb18030"})  # sets with codes beyond U+FFFF


def build(name: str, cell: Cell) -> CharsetTable:
    """The table of a character set that the server has. Raises `BadCharset`."""
    points = [p for p in range(0x10000) if p != _MARK_POINT and not 0xD800 <= p <= 0xDFFF]
    given = zip(points, _codes(name, points, cell), strict=True)
    codes = {p: code for p, code in given if code != _MISSING or p == ord(_MISSING)}
    codes[_MARK_POINT] = _MARK
    back = _points(name, list(codes.values()), cell)
    kept = {p: code for (p, code), found in zip(codes.items(), back, strict=True) if p == found}
    return CharsetTable(name, kept, supplementary=_supplementary(name, cell))


def _supplementary(name: str, cell: Cell) -> bool:
    """Whether all characters beyond U+FFFF follow the rule, as the server says, both ways."""
    if name not in _SUPPLEMENTARY:
        return False
    points = range(0x10000, 0x110000)
    expected = [linear_code(point) for point in points]
    return list(_codes(name, points, cell)) == expected and (
        list(_points(name, expected, cell)) == list(points)
    )


def _codes(name: str, points: Sequence[int], cell: Cell) -> Iterator[bytes]:
    for part in _parts(points):
        text = b"".join(point.to_bytes(4, "big") + b"\0\0\0" + _MARK for point in part)
        answer = _convert(text, "utf32", name, cell)
        codes = answer.split(_MARK)
        if len(codes) != len(part) + 1 or codes[-1]:
            raise BadCharset(f"{name}: {len(codes) - 1} codes for {len(part)} characters")
        yield from codes[:-1]


def _points(name: str, codes: Sequence[bytes], cell: Cell) -> Iterator[int | None]:
    """Of each code its character; None where it has none, or several."""
    for part in _parts(codes):
        text = b"".join(code + _MARK for code in part)
        answer = _convert(text, name, "utf32", cell)
        found = memoryview(answer).cast("B")
        points = [int.from_bytes(found[at : at + 4], "big") for at in range(0, len(found), 4)]
        if len(points) != 2 * len(part) or any(mark != _MARK_POINT for mark in points[1::2]):
            raise BadCharset(f"{name}: the characters of {len(part)} codes can't be told apart")
        yield from points[::2]


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for at in range(0, len(items), _AT_ONCE):
        yield items[at : at + _AT_ONCE]


def _convert(text: bytes, charset: str, wanted: str, cell: Cell) -> bytes:
    sql = f"SELECT HEX(CONVERT(CONVERT(x'{text.hex()}' USING {charset}) USING {wanted}))"
    answer = cell(sql)
    if answer is None:
        raise BadCharset(f"the server doesn't convert {charset} to {wanted}")
    return bytes.fromhex(answer if isinstance(answer, str) else answer.decode("ascii"))
