"""Character sets as bijections between byte sequences and text.

Python's codecs differ from the servers' tables in most multi-byte sets and several others, without
an error on either side. So a set's table is what a server answered when it was asked for each
character, both ways (`charsetbuild`); only pairs that come back as they went are in it. A value is
carried as text if all of it is in the table, and text becomes the same bytes again by the same
table, whichever server is written to. Everything else stays bytes.

UCS-2, UTF-16 and UTF-32 need no table: their definition is one.

Serialised table: zlib over

    0x01 version, flags (1: the four-byte codes from 90308130 on follow U+10000 … in their order)
    name (Avro string), number of pairs (Avro longs here and below)
    code points, each as the distance from the one before; sizes of the codes; the codes
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Mapping
from typing import Final, Protocol

from mysync_schemas.avro import (
    read_bytes,
    read_long,
    read_string,
    write_bytes,
    write_long,
    write_string,
)
from mysync_schemas.errors import BadCharset, SchemaError
from mysync_schemas.table import TableSchema

__all__ = [
    "COMMON",
    "MAX_BYTES",
    "TABLED",
    "UNICODE",
    "Charset",
    "CharsetTable",
    "UnicodeCharset",
    "charsets_of",
]

COMMON: Final = frozenset({"utf8mb4", "utf8mb3", "ascii", "latin1"})
"""What the transcoders know by themselves."""

TABLED: Final = frozenset(
    {
        *("armscii8", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866"),
        *("cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek"),
        *("hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin2", "latin5", "latin7", "macce"),
        *("macroman", "sjis", "swe7", "tis620", "ujis"),
    }
)
"""What needs a table: all other sets of MySQL 9.7 and MariaDB 10.11."""

MAX_BYTES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("utf8mb4", "utf16", "utf16le", "utf32", "gb18030"), 4),
    **dict.fromkeys(("utf8mb3", "ujis", "eucjpms"), 3),
    **dict.fromkeys(("ucs2", "big5", "sjis", "cp932", "gbk", "gb2312", "euckr"), 2),
}
"""Bytes that a column holds for each character (`mbmaxlen`, SHOW CHARACTER SET); elsewhere 1."""

_VERSION: Final = 1
_SUPPLEMENTARY: Final = 1
_MAX_SIZE: Final = 4 << 20  # unpacked; gb18030's 63,486 pairs take 0.35 MB
_FIRST_FOUR: Final = 0x10000
_UNDEFINED: Final = "\ufffe"  # what charmap_decode takes for a hole


class Charset(Protocol):
    """How the values of a character set become text, and text values."""

    name: str
    ascii: bool
    """Whether ASCII text is the same bytes in it."""

    def decode(self, value: bytes) -> str | None:
        """The text; None unless `encode` gives the same bytes again."""

    def encode(self, text: str) -> bytes | None:
        """The bytes; None if a character isn't in the set."""


class UnicodeCharset:
    """ucs2, utf16, utf16le or utf32."""

    ascii = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._codec = _CODECS[name]
        self._limit = "\uffff" if name == "ucs2" else "\U0010ffff"

    def decode(self, value: bytes) -> str | None:
        try:
            text = value.decode(self._codec)
        except UnicodeDecodeError:
            return None
        return text if max(text, default="") <= self._limit else None

    def encode(self, text: str) -> bytes | None:
        if max(text, default="") > self._limit:
            return None
        try:
            return text.encode(self._codec)
        except UnicodeEncodeError:
            return None


_CODECS: Final = {
    "ucs2": "utf-16-be",
    "utf16": "utf-16-be",
    "utf16le": "utf-16-le",
    "utf32": "utf-32-be",
}
UNICODE: Final[Mapping[str, Charset]] = {name: UnicodeCharset(name) for name in _CODECS}


class CharsetTable:
    """A set by its pairs: code point -> code. `supplementary`: gb18030's rule for U+10000 on.

    Raises `BadCharset` unless a byte sequence can be parted into codes in one way only.
    """

    def __init__(
        self, name: str, codes: Mapping[int, bytes], *, supplementary: bool = False
    ) -> None:
        self.name = name
        self.codes = dict(codes)
        self.supplementary = supplementary
        self.ascii = all(self.codes.get(code) == bytes((code,)) for code in range(128))
        self._chars = {code: chr(point) for point, code in self.codes.items()}
        if b"" in self._chars:
            raise BadCharset(f"{name}: a character without a code")
        if len(self._chars) != len(self.codes):
            raise BadCharset(f"{name}: two characters have one code")
        self._sizes = sorted({len(code) for code in self._chars})
        heads = {code[:size] for code in self._chars for size in range(1, len(code))}
        if not heads.isdisjoint(self._chars):
            raise BadCharset(f"{name}: a code begins with another one")
        self._decoding = ""
        self._encoding: Mapping[int, int] = {}
        if self._sizes == [1]:
            table = [self._chars.get(bytes((byte,)), _UNDEFINED) for byte in range(256)]
            self._decoding = "".join(table)
            self._encoding = {point: code[0] for point, code in self.codes.items()}

    def decode(self, value: bytes) -> str | None:
        if self._decoding:
            try:
                return codecs.charmap_decode(value, "strict", self._decoding)[0]
            except UnicodeDecodeError:
                return None
        chars = self._chars
        found = []
        at, end = 0, len(value)
        while at < end:
            for size in self._sizes:
                char = chars.get(value[at : at + size])
                if char is not None:
                    break
            else:
                size = 4
                char = self._four_bytes(value[at : at + 4]) if self.supplementary else None
                if char is None:
                    return None
            found.append(char)
            at += size
        return "".join(found)

    def encode(self, text: str) -> bytes | None:
        if self._decoding:
            try:
                return codecs.charmap_encode(text, "strict", self._encoding)[0]
            except UnicodeEncodeError:
                return None
        try:
            return b"".join([self.codes[point] for point in map(ord, text)])
        except KeyError:
            if not self.supplementary:
                return None
        parts = []
        for point in map(ord, text):
            code = linear_code(point) if point >= _FIRST_FOUR else self.codes.get(point)
            if code is None:
                return None
            parts.append(code)
        return b"".join(parts)

    def _four_bytes(self, code: bytes) -> str | None:
        point = linear_point(code)
        return None if point is None else chr(point)

    def to_bytes(self) -> bytes:
        """For the control topic."""
        out = bytearray((_VERSION, _SUPPLEMENTARY if self.supplementary else 0))
        write_string(out, self.name)
        write_long(out, len(self.codes))
        points = sorted(self.codes)
        before = 0
        for point in points:
            write_long(out, point - before)
            before = point
        ordered = [self.codes[point] for point in points]
        write_bytes(out, bytes(map(len, ordered)))
        write_bytes(out, b"".join(ordered))
        return zlib.compress(bytes(out), 9)

    @classmethod
    def from_bytes(cls, data: bytes) -> CharsetTable:
        """Raises `BadCharset`."""
        try:
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(data, _MAX_SIZE)
            if not unpacker.eof or unpacker.unused_data or raw[0] != _VERSION:
                raise BadCharset("not a character set's table")
            name, at = read_string(raw, 2)
            count, at = read_long(raw, at)
            points, point = [], 0
            for _ in range(count):
                distance, at = read_long(raw, at)
                point += distance
                points.append(point)
            sizes, at = read_bytes(raw, at)
            joined, at = read_bytes(raw, at)
        except BadCharset:
            raise
        except (zlib.error, SchemaError, IndexError, ValueError) as error:
            raise BadCharset(f"a character set's table that can't be read: {error}") from error
        if at != len(raw) or len(sizes) != count or sum(sizes) != len(joined):
            raise BadCharset("a character set's table that ends in its middle")
        if any(not 0 <= point <= 0x10FFFF or 0xD800 <= point <= 0xDFFF for point in points):
            raise BadCharset("a character set's table with what isn't a character")
        codes, begin = {}, 0
        for point, size in zip(points, sizes, strict=True):
            codes[point] = joined[begin : begin + size]
            begin += size
        return cls(name, codes, supplementary=bool(raw[1] & _SUPPLEMENTARY))


def charsets_of(schema: TableSchema, tables: Mapping[int, CharsetTable]) -> dict[str, Charset]:
    """By name the sets of a table's columns that aren't `COMMON`; `tables` by their ids.

    Raises `KeyError` if a table that the version refers to is missing.
    """
    return {**UNICODE, **{ref.charset: tables[ref.charset_id] for ref in schema.charsets}}


def linear_code(point: int) -> bytes:
    """gb18030's code of U+10000 to U+10FFFF (GB 18030-2005: four bytes counted as one number)."""
    rest, last = divmod(point - _FIRST_FOUR, 10)
    rest, third = divmod(rest, 126)
    first, second = divmod(rest, 10)
    return bytes((0x90 + first, 0x30 + second, 0x81 + third, 0x30 + last))


def linear_point(code: bytes) -> int | None:
    """The code point of such a code, or None."""
    if len(code) != 4:
        return None
    first, second, third, last = code[0] - 0x90, code[1] - 0x30, code[2] - 0x81, code[3] - 0x30
    if first < 0 or not 0 <= second <= 9 or not 0 <= third <= 125 or not 0 <= last <= 9:
        return None
    point = _FIRST_FOUR + ((first * 10 + second) * 126 + third) * 10 + last
    return point if point <= 0x10FFFF else None
