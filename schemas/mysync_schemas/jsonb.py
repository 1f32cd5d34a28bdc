"""MySQL's binary JSON ↔ the text the server prints for it.

A row image holds a JSON column as one binary document: a type byte, then the value. Containers are
an element count, their size in bytes, the entries (keys first, then values) and the data that the
entries point to; counts, sizes and offsets are 2 bytes wide ("small") or 4 ("large"). Source of the
format: MySQL's internals documentation of `json_binary.h`; the text is that of `Json_wrapper`, as
`SELECT json_column` gives it. All integers are little-endian.

    00 01   object, small and large     05 06   int16, uint16    0b   double
    02 03   array, small and large      07 08   int32, uint32    0c   string: length, UTF-8
    04      null, true, false           09 0a   int64, uint64    0f   opaque: type, length, bytes

Text can't carry everything a document can hold. The server reads an integer below 2³² as INTEGER,
from there on as UNSIGNED INTEGER, so that others lose their type; DECIMAL, temporal and opaque
values become numbers and strings. `to_text` says whether it was exact; what wasn't travels as the
binary document itself.

`jsonread` reads, `jsonwrite` writes, `jsontext` prints single values.
"""

import json
from typing import NoReturn

from mysync_schemas.errors import JsonError
from mysync_schemas.jsonread import Reader
from mysync_schemas.jsontext import double_text
from mysync_schemas.jsonwrite import encode

__all__ = ["MAX_DEPTH", "JsonError", "double_text", "from_text", "to_text", "validate"]

MAX_DEPTH = 100
"""Levels of containers that the server accepts (JSON_DOCUMENT_MAX_DEPTH)."""


def to_text(data: bytes) -> tuple[str, bool]:
    """The text the server prints for a binary document, and whether that text says it all.

    Exact means that `from_text` of it gives the same document with the same JSON types. An empty
    document reads as `null` (so does the server) but isn't exact, nor is one whose strings aren't
    UTF-8 (they show U+FFFD). Holes left by partial updates are skipped.

    Raises:
        JsonError: the bytes are not a binary JSON document.
    """
    if not data:
        return "null", False
    reader = Reader(data, MAX_DEPTH)
    return reader.document(), reader.exact


def validate(data: bytes) -> None:
    """Raises JsonError unless a server could read the document. Empty is valid: it is `null`."""
    to_text(data)


def from_text(text: str) -> bytes:
    """The binary document that the server would store for a JSON text.

    Integers from -2⁶³ to 2³²-1 become INTEGER, up to 2⁶⁴-1 UNSIGNED INTEGER, other numbers DOUBLE
    (correctly rounded). Of equal keys the last one stays.

    Raises:
        JsonError: not JSON; deeper than MAX_DEPTH; a key over 65,535 bytes; a number beyond DOUBLE;
            an unpaired surrogate; a document over 4 GiB.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(f"invalid JSON text: {error}") from None
    except RecursionError:
        raise JsonError(f"JSON text is nested deeper than {MAX_DEPTH} levels") from None
    try:
        kind, body = encode(value, 1, MAX_DEPTH)
    except UnicodeEncodeError:
        raise JsonError("JSON text holds an unpaired surrogate") from None
    return bytes((kind,)) + body


def _number(text: str) -> int | float:
    """An integer literal: what 64 bits can't hold becomes a DOUBLE."""
    if len(text) < 19:
        return int(text)
    number = int(text) if len(text) <= 20 else None
    if number is None or not -(1 << 63) <= number < 1 << 64:
        return float(text)
    return number


def _constant(text: str) -> NoReturn:
    raise JsonError(f"invalid JSON text: {text}")


_DECODER = json.JSONDecoder(parse_int=_number, parse_constant=_constant)
