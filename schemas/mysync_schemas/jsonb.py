"""MySQL's binary JSON ↔ the text the server prints for it.

A row image holds a JSON column as one binary document: a type byte, then the value. Containers are
an element count, their size in bytes, the entries (keys first, then values) and the data that the
entries point to; counts, sizes and offsets are 2 bytes wide ("small") or 4 ("large"). Source of the
format: MySQL's internals documentation of `json_binary.h`; the text is that of `Json_wrapper`, as
`SELECT json_column` gives it. All integers are little-endian.

Text can't carry everything a document can hold. The server reads an integer below 2³² as INTEGER,
from there on as UNSIGNED INTEGER, so that others lose their type; DECIMAL, temporal and opaque
values become numbers and strings. `to_text` says whether it was exact; what wasn't travels as the
binary document itself.

The reader trusts nothing: whatever points outside the document is a `JsonError`. The writer makes
what the server would have written itself: keys ordered by length, then bytes; the small format
wherever it fits; small numbers and literals inside their entries.
"""

import json
import struct
from base64 import b64encode
from math import isfinite
from struct import Struct
from typing import NoReturn

from mysync_schemas.errors import JsonError

__all__ = ["MAX_DEPTH", "JsonError", "from_text", "to_text", "validate"]

MAX_DEPTH = 100
"""Levels of containers that the server accepts (JSON_DOCUMENT_MAX_DEPTH)."""

SMALL_OBJECT, LARGE_OBJECT, SMALL_ARRAY, LARGE_ARRAY = 0x00, 0x01, 0x02, 0x03
LITERAL, INT16, UINT16, INT32, UINT32, INT64, UINT64 = 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A
DOUBLE, STRING, OPAQUE = 0x0B, 0x0C, 0x0F

# Types of the opaque values that have a text of their own (enum_field_types).
TIMESTAMP, DATE, TIME, DATETIME, NEWDECIMAL = 7, 10, 11, 12, 246

LITERALS = {0: "null", 1: "true", 2: "false"}

_I16, _U16, _I32, _U32 = Struct("<h"), Struct("<H"), Struct("<i"), Struct("<I")
_I64, _U64, _DOUBLE = Struct("<q"), Struct("<Q"), Struct("<d")

# What the server escapes; everything else goes out as it is, `/` and DEL included.
_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x20)} | {
    0x08: "\\b",
    0x09: "\\t",
    0x0A: "\\n",
    0x0C: "\\f",
    0x0D: "\\r",
    0x22: '\\"',
    0x5C: "\\\\",
}


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
    reader = _Reader(data)
    try:
        text = reader.value(data[0], 1, len(data), 1)
    except (struct.error, IndexError):
        raise JsonError(f"binary JSON of {len(data)} bytes ends within a value") from None
    return text, reader.exact


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
        kind, body = _encode(value, 1)
    except UnicodeEncodeError:
        raise JsonError("JSON text holds an unpaired surrogate") from None
    return bytes((kind,)) + body


# Reading


class _Reader:
    """Walks one document. `exact` turns false at the first thing that text can't carry.

    `unread` keeps a corrupt document, whose elements share bytes, from growing without bounds.
    """

    __slots__ = ("data", "exact", "unread")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.exact = True
        self.unread = len(data)

    def take(self, size: int, pos: int) -> None:
        self.unread -= size
        if self.unread < 0:
            corrupt("elements share their bytes", pos)

    def value(self, kind: int, pos: int, end: int, depth: int) -> str:
        """The text of the value at `pos`, which must not reach beyond `end`."""
        if kind == STRING:
            length, pos = self.length(pos, end)
            return quote(self.string(pos, length))
        if kind <= LARGE_ARRAY:
            return self.container(kind, pos, end, depth)
        if kind == LITERAL:
            if pos >= end:
                corrupt("a literal ends", pos)
            return self.literal(self.data[pos], pos)
        size = _SIZES.get(kind)
        if size is not None:
            if pos + size > end:
                corrupt("a number ends", pos)
            return self.number(kind, pos)
        if kind == OPAQUE:
            self.exact = False
            if pos >= end:
                corrupt("an opaque value ends", pos)
            length, start = self.length(pos + 1, end)
            return opaque_text(self.data[pos], self.data[start : start + length])
        return corrupt(f"unknown type 0x{kind:02x}", pos)

    def literal(self, code: int, pos: int) -> str:
        text = LITERALS.get(code)
        return text if text is not None else corrupt(f"unknown literal 0x{code:02x}", pos)

    def number(self, kind: int, pos: int) -> str:
        if kind == DOUBLE:
            return double_text(_DOUBLE.unpack_from(self.data, pos)[0])
        number: int = _NUMBERS[kind].unpack_from(self.data, pos)[0]
        if (kind in _UNSIGNED) != (number >= 1 << 32):
            self.exact = False
        return str(number)

    def length(self, pos: int, end: int) -> tuple[int, int]:
        """A length of 1 to 5 bytes, 7 bits each, lowest first; and where its data starts."""
        length = shift = 0
        while pos < end and shift < 35:
            byte = self.data[pos]
            pos += 1
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if length > end - pos:
                    corrupt(f"{length} bytes are announced, {end - pos} are left", pos)
                self.take(length, pos)
                return length, pos
            shift += 7
        return corrupt("a length doesn't end", pos)

    def string(self, pos: int, length: int) -> str:
        raw = self.data[pos : pos + length]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.exact = False
            return raw.decode(errors="replace")

    def container(self, kind: int, start: int, end: int, depth: int) -> str:
        if depth > MAX_DEPTH:
            corrupt(f"nested deeper than {MAX_DEPTH} levels", start)
        data = self.data
        large = kind in (LARGE_OBJECT, LARGE_ARRAY)
        is_object = kind <= LARGE_OBJECT
        width, unsigned = (4, _U32) if large else (2, _U16)
        if start + 2 * width > end:
            corrupt("a container's header ends", start)
        count = unsigned.unpack_from(data, start)[0]
        size = unsigned.unpack_from(data, start + width)[0]
        keys = start + 2 * width
        values = keys + count * (width + 2) if is_object else keys
        first = values + count * (width + 1)
        if size > end - start or first > start + size:
            corrupt(f"a container of {count} elements and {size} bytes doesn't fit", start)
        self.take(first - start, start)
        end = start + size
        inlined = _INLINED_LARGE if large else _INLINED_SMALL
        parts = []
        before = (-1, b"")
        for i in range(count):
            entry = values + i * (width + 1)
            element = data[entry]
            if element in inlined:
                text = self.value(element, entry + 1, entry + 1 + width, depth + 1)
            else:
                pos = start + unsigned.unpack_from(data, entry + 1)[0]
                if pos < first or pos >= end:
                    corrupt("an element lies outside its container", entry)
                text = self.value(element, pos, end, depth + 1)
            if is_object:
                entry = keys + i * (width + 2)
                pos = start + unsigned.unpack_from(data, entry)[0]
                length = _U16.unpack_from(data, entry + width)[0]
                if pos < first or pos + length > end:
                    corrupt("a key lies outside its object", entry)
                self.take(length, pos)
                order = (length, data[pos : pos + length])
                self.exact &= before < order
                before = order
                text = f"{quote(self.string(pos, length))}: {text}"
            parts.append(text)
        joined = ", ".join(parts)
        return f"{{{joined}}}" if is_object else f"[{joined}]"


_NUMBERS = {
    INT16: _I16,
    UINT16: _U16,
    INT32: _I32,
    UINT32: _U32,
    INT64: _I64,
    UINT64: _U64,
}
_SIZES = {kind: number.size for kind, number in _NUMBERS.items()} | {DOUBLE: 8}
_UNSIGNED = frozenset((UINT16, UINT32, UINT64))
_INLINED_SMALL = frozenset((LITERAL, INT16, UINT16))
_INLINED_LARGE = _INLINED_SMALL | {INT32, UINT32}


def corrupt(what: str, pos: int) -> NoReturn:
    raise JsonError(f"corrupt binary JSON: {what} at byte {pos}")


def quote(text: str) -> str:
    """A string between double quotes, escaped as the server does."""
    return f'"{text.translate(_ESCAPES)}"'


def double_text(number: float) -> str:
    """A DOUBLE as the server prints it in JSON: the shortest digits that give it back (my_gcvt).

    Fixed notation from 10⁻¹⁵ to below 10¹⁵ and for whatever has a fraction, elsewhere an exponent
    without sign or padding; always recognisable as no integer. Not finite: JsonError (the server
    can't store it either).
    """
    if not isfinite(number):
        raise JsonError(f"corrupt binary JSON: {number} is no number of JSON")
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    sign = "-" if number < 0 or (number == 0 and str(number)[0] == "-") else ""
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign + "0.0"
    # 0.d₁d₂d₃… times 10^point is the number
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if -14 <= point <= max(15, count - 1):
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}"
        if point < count:
            return f"{sign}{digits[:point]}.{digits[point:]}"
        return f"{sign}{digits}{'0' * (point - count)}.0"
    tail = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1}"


def opaque_text(field_type: int, data: bytes) -> str:
    """The text of a value of an SQL type; types without one of their own as base64."""
    if field_type == NEWDECIMAL:
        return decimal_text(data)
    if field_type in (DATE, DATETIME, TIMESTAMP, TIME):
        if len(data) != 8:
            raise JsonError(f"corrupt binary JSON: a temporal value of {len(data)} bytes")
        return f'"{temporal_text(field_type, _I64.unpack(data)[0])}"'
    encoded = b64encode(data).decode()
    # The server breaks its base64 into lines of 76, and then escapes the line ends.
    lines = (encoded[i : i + 76] for i in range(0, len(encoded), 76))
    return f'"base64:type{field_type}:' + "\\n".join(lines) + '"'


def temporal_text(field_type: int, packed: int) -> str:
    """MySQL's packed temporal integer: date and time in the upper 40 bits, µs in the lower 24."""
    sign, packed = ("-", -packed) if packed < 0 else ("", packed)
    whole, micros = packed >> 24, packed & 0xFFFFFF
    if field_type == TIME:
        clock = f"{sign}{whole >> 12 & 0x3FF:02}:{whole >> 6 & 0x3F:02}:{whole & 0x3F:02}"
        return f"{clock}.{micros:06}"
    day, time = whole >> 17, whole & 0x1FFFF
    months = day >> 5
    date = f"{months // 13:04}-{months % 13:02}-{day & 0x1F:02}"
    if field_type == DATE:
        return date
    return f"{date} {time >> 12:02}:{time >> 6 & 0x3F:02}:{time & 0x3F:02}.{micros:06}"


_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def decimal_text(data: bytes) -> str:
    """MySQL's packed DECIMAL behind its precision and scale (decimal2bin)."""
    if len(data) < 2:
        raise JsonError(f"corrupt binary JSON: a DECIMAL of {len(data)} bytes")
    precision, scale = data[0], data[1]
    before = precision - scale
    widths = _decimal_groups(before, scale)
    if not 0 < precision <= 90 or before < 0 or len(data) != 2 + sum(b for _, b in widths):
        raise JsonError(f"corrupt binary JSON: DECIMAL({precision},{scale}), {len(data)} bytes")
    negative = not data[2] & 0x80
    packed = bytes(b ^ 0xFF for b in data[2:]) if negative else data[2:]
    packed = bytes((packed[0] ^ 0x80,)) + packed[1:]
    digits, pos = "", 0
    for width, size in widths:
        digits += str(int.from_bytes(packed[pos : pos + size], "big")).zfill(width)
        pos += size
    if len(digits) != precision:
        raise JsonError("corrupt binary JSON: a DECIMAL with a digit over 9")
    whole = digits[:before].lstrip("0") or "0"
    return f"{'-' if negative else ''}{whole}{'.' + digits[before:] if scale else ''}"


def _decimal_groups(before: int, scale: int) -> list[tuple[int, int]]:
    """(digits, bytes) of each group: nine digits in four bytes, the outer ones shorter."""
    groups = [(before % 9, _DIGIT_BYTES[before % 9])] if before % 9 else []
    groups += [(9, 4)] * (before // 9) + [(9, 4)] * (scale // 9)
    return groups + ([(scale % 9, _DIGIT_BYTES[scale % 9])] if scale % 9 else [])


# Writing


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

_LITERAL_BODY = {None: b"\x00", True: b"\x01", False: b"\x02"}


def _encode(value: object, depth: int) -> tuple[int, bytes]:
    """Type byte and body of a value, outside of any container."""
    if isinstance(value, str):
        raw = value.encode()
        return STRING, _varlen(len(raw)) + raw
    if value is None or value is True or value is False:
        return LITERAL, _LITERAL_BODY[value]
    if isinstance(value, int):
        return _encode_integer(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise JsonError("JSON text holds a number beyond DOUBLE")
        return DOUBLE, _DOUBLE.pack(value)
    if depth > MAX_DEPTH:
        raise JsonError(f"JSON text is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        names = sorted((name.encode() for name in value), key=lambda name: (len(name), name))
        if names and len(names[-1]) > 0xFFFF:
            raise JsonError(f"JSON text holds a key of {len(names[-1])} bytes, over 65,535")
        elements = [_encode(value[name.decode()], depth + 1) for name in names]
        return _pack(SMALL_OBJECT, names, elements)
    if isinstance(value, list):
        return _pack(SMALL_ARRAY, None, [_encode(element, depth + 1) for element in value])
    raise TypeError(f"no JSON value: {type(value).__name__}")


def _encode_integer(value: int) -> tuple[int, bytes]:
    if -0x8000 <= value <= 0x7FFF:
        return INT16, _I16.pack(value)
    if -0x8000_0000 <= value <= 0x7FFF_FFFF:
        return INT32, _I32.pack(value)
    if value < 1 << 32:
        return INT64, _I64.pack(value)
    return UINT64, _U64.pack(value)


def _varlen(length: int) -> bytes:
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)


def _pack(
    kind: int, names: list[bytes] | None, elements: list[tuple[int, bytes]]
) -> tuple[int, bytes]:
    """A container, small if all of it fits into 65,535 bytes.

    The children's own formats don't depend on this one's: a child too big for the small format
    makes its parent too big for it as well.
    """
    small = _pack_as(2, 0xFFFF, _INLINED_SMALL, _U16, names, elements)
    if small is not None:
        return kind, small
    large = _pack_as(4, 0xFFFF_FFFF, _INLINED_LARGE, _U32, names, elements)
    if large is None:
        raise JsonError("a JSON document over 4 GiB")
    return kind + 1, large


def _pack_as(
    width: int,
    limit: int,
    inlined: frozenset[int],
    unsigned: Struct,
    names: list[bytes] | None,
    elements: list[tuple[int, bytes]],
) -> bytes | None:
    """The container with `width`-byte offsets, or None if it is over `limit` bytes."""
    offset = 2 * width + len(elements) * (width + 1)
    if names is not None:
        offset += len(names) * (width + 2)
    size = offset + sum(map(len, names or ()))
    size += sum(len(body) for kind, body in elements if kind not in inlined)
    if size > limit:
        return None
    pack = unsigned.pack
    parts = [pack(len(elements)), pack(size)]
    for name in names or ():
        parts += (pack(offset), _U16.pack(len(name)))
        offset += len(name)
    for kind, body in elements:
        if kind in inlined:
            parts.append(bytes((kind,)) + body.ljust(width, _padding(kind, body)))
        else:
            parts.append(bytes((kind,)) + pack(offset))
            offset += len(body)
    parts += names or ()
    parts += [body for kind, body in elements if kind not in inlined]
    return b"".join(parts)


def _padding(kind: int, body: bytes) -> bytes:
    """An inlined INT16 is widened with its sign, everything else with zeros."""
    return b"\xff" if kind == INT16 and body[1] & 0x80 else b"\x00"
