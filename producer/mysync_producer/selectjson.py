# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""A document of MySQL's JSON from its text and the types of its values, as binary JSON.

The text alone doesn't tell an INTEGER from an UNSIGNED INTEGER, a DECIMAL from a DOUBLE, or a DATE
from a STRING. The types come from the server, in three lists behind one another (`selectlist`): of
the document, of the members of its objects, of the elements of its arrays; containers in the order
in which they are met from the front, a container before those within it; `null` has none there.
Every value's text has to fit its type, the lists have to be as long as there are values.

A DECIMAL is stored with a precision, its leading zeros counted. SQL shows how many bytes it takes,
not how many zeros are in the first of them: here it has the fewest. No function of the server
depends on that, but in a table without a key rows are found by all their bytes, so that such a
document is refused there, as is one with holes that updates in place have left.

Format: `mysync_schemas.jsonb`.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NoReturn

from mysync_producer.rowerrors import BadValue
from mysync_schemas.errors import JsonError
from mysync_schemas.jsonb import MAX_DEPTH, from_text, to_text
from mysync_schemas.jsonwrite import container, encode

__all__ = ["Inexact", "document"]

_DATE, _TIME, _DATETIME, _DECIMAL = 10, 11, 12, 246
_OPAQUE: Final = 0x0F
_I16, _I32, _I64 = Struct("<h"), Struct("<i"), Struct("<q")
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
# Types whose values `from_text` reads as they are, but for long integers.
_TYPED: Final = re.compile(rb"UNSIGNED|DECIMAL|DATE|TIME|BLOB|BIT|OPAQUE|GEOMETRY")
_LONG: Final = re.compile(rb"[0-9]{10}")
_TEMPORAL: Final = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?(?: ?(-?)(\d{2,3}):(\d\d):(\d\d)\.(\d{6}))?"
)
_BASE64: Final = re.compile(r"base64:type(\d{1,3}):([A-Za-z0-9+/=\n]*)")
_FIXED: Final = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_DECIMAL_HEAD: Final = 5
_MOST: Final = 90  # digits of a DECIMAL in a document
_DIGIT_BYTES: Final = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


class Inexact(Exception):
    """A document of which SQL doesn't show all stored bytes."""


class _Number(str):
    """A number's text."""

    __slots__ = ()


def _constant(text: str) -> NoReturn:
    raise BadValue(f"JSON with the number {text}")


_DECODER: Final = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_constant, strict=False
)


def document(text: bytes, types: bytes, *, strict: bool = False) -> bytes:
    """The binary document. `strict`: all of its bytes matter where they are what travels; a fourth
    list then says how many bytes are holes.

    Raises BadValue for what can't be a document, Inexact (`strict` only).
    """
    try:
        plain = text.decode()
    except UnicodeDecodeError:
        raise BadValue("JSON that isn't UTF-8") from None
    try:
        if _TYPED.search(types) is None and _LONG.search(text) is None:
            if not types:
                raise BadValue("JSON without its types")
            return from_text(plain)
        typed = _Typed(types, 4 if strict else 3)
        kind, body = typed.document(_DECODER.decode(plain))
    except (JsonError, json.JSONDecodeError, RecursionError, UnicodeEncodeError) as error:
        raise BadValue(f"JSON that can't be read: {error}") from None
    found = bytes((kind,)) + body
    if strict and typed.uncertain and not to_text(found)[1]:
        raise Inexact
    return found


class _Typed:
    """The lists of types, used up from the front."""

    def __init__(self, types: bytes, count: int) -> None:
        lists = types.decode("ascii", "replace").split(";")
        if len(lists) != count:
            raise BadValue(f"JSON with {len(lists)} lists of types")
        self.root = lists[0]
        self.members = iter(lists[1].split(",") if lists[1] else ())
        self.elements = iter(lists[2].split(",") if lists[2] else ())
        # Whether something is stored as SQL doesn't show it.
        self.uncertain = count == 4 and lists[3] != "0"

    def document(self, value: object) -> tuple[int, bytes]:
        found = self.value(value, self.root, 1)
        if next(self.members, None) is not None or next(self.elements, None) is not None:
            raise BadValue("JSON with more types than values")
        return found

    def value(self, value: object, kind: str, depth: int) -> tuple[int, bytes]:
        """Type byte and body."""
        if isinstance(value, dict):
            _same(kind, "OBJECT", value)
            return self.members_of(value, depth)
        if isinstance(value, list):
            _same(kind, "ARRAY", value)
            types = self.take(self.elements, value, depth)
            items = [self.value(v, t, depth + 1) for v, t in zip(value, types, strict=True)]
            return container(0x02, [], items)
        if isinstance(value, _Number):
            return self.number(value, kind)
        if isinstance(value, str):
            return _string(value, kind)
        _same(kind, "NULL" if value is None else "BOOLEAN", value)
        return encode(value, 1, 1)

    def members_of(self, value: dict[str, object], depth: int) -> tuple[int, bytes]:
        types = self.take(self.members, value.values(), depth)
        typed = {
            name.encode(): self.value(inner, kind, depth + 1)
            for (name, inner), kind in zip(value.items(), types, strict=True)
        }
        ordered = sorted(typed.items(), key=lambda member: (len(member[0]), member[0]))
        names = [name for name, _ in ordered]
        if list(typed) != names or any(len(name) > 0xFFFF for name in names):
            raise BadValue("a JSON object whose keys aren't in their order")
        return container(0x00, names, [element for _, element in ordered])

    def take(self, types: Iterator[str], values: Iterable[object], depth: int) -> list[str]:
        """The types of a container's values."""
        if depth > MAX_DEPTH:
            raise BadValue(f"JSON nested deeper than {MAX_DEPTH} levels")
        found = ["NULL" if value is None else next(types, "") for value in values]
        if "" in found:
            raise BadValue("JSON with fewer types than values")
        return found

    def number(self, text: str, kind: str) -> tuple[int, bytes]:
        if kind == "DOUBLE":
            return encode(float(text), 1, 1)
        if kind.startswith("DECIMAL "):
            self.uncertain = True
            return _OPAQUE, _opaque(_DECIMAL, _decimal(text, kind[8:]))
        number = _integer(text)
        if kind == "INTEGER" and -(1 << 63) <= number < 1 << 63:
            return _signed(number)
        if kind == "UNSIGNED INTEGER" and 0 <= number < 1 << 64:
            return _unsigned(number)
        raise BadValue(f"JSON with the {kind} {text}")


def _same(kind: str, expected: str, value: object) -> None:
    if kind != expected:
        raise BadValue(f"JSON with the {kind} {str(value)[:40]}")


def _integer(text: str) -> int:
    if not text.lstrip("-").isdigit() or len(text) > 20:
        raise BadValue(f"JSON with the integer {text[:40]}")
    return int(text)


def _signed(number: int) -> tuple[int, bytes]:
    if number >= 1 << 32:
        return 0x09, _I64.pack(number)
    return encode(number, 1, 1)


def _unsigned(number: int) -> tuple[int, bytes]:
    """The narrowest unsigned type."""
    if number <= 0xFFFF:
        return 0x06, _U16.pack(number)
    if number <= 0xFFFF_FFFF:
        return 0x08, _U32.pack(number)
    return 0x0A, _U64.pack(number)


def _string(text: str, kind: str) -> tuple[int, bytes]:
    if kind == "STRING":
        return encode(text, 1, 1)
    if kind in ("DATE", "TIME", "DATETIME", "TIMESTAMP"):
        return _OPAQUE, _temporal(text, kind)
    found = _BASE64.fullmatch(text)
    if found is None or kind not in ("BLOB", "BIT", "OPAQUE", "GEOMETRY") or int(found[1]) > 255:
        raise BadValue(f"JSON with the {kind} {text[:40]!r}")
    try:
        return _OPAQUE, _opaque(int(found[1]), b64decode(found[2].replace("\n", ""), validate=True))
    except Base64Error:
        raise BadValue(f"JSON with the {kind} {text[:40]!r}") from None


def _opaque(field_type: int, data: bytes) -> bytes:
    size = len(data)
    head = bytearray((field_type,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def _temporal(text: str, kind: str) -> bytes:
    """MySQL's packed temporal integer: `jsontext.temporal_text` reads it."""
    found = _TEMPORAL.fullmatch(text)
    if found is None:
        raise BadValue(f"JSON with the {kind} {text[:40]!r}")
    year, month, day, sign, hour, minute, second, micros = found.groups()
    date, clock = year is not None, hour is not None
    if (date, clock) != {"DATE": (True, False), "TIME": (False, True)}.get(kind, (True, True)):
        raise BadValue(f"JSON with the {kind} {text[:40]!r}")
    packed = 0
    if date:
        packed = ((int(year) * 13 + int(month)) << 5 | int(day)) << 17
    if clock:
        packed += int(hour) << 12 | int(minute) << 6 | int(second)
    packed = packed << 24 | int(micros or 0)
    types = {"DATE": _DATE, "TIME": _TIME, "DATETIME": _DATETIME, "TIMESTAMP": 7}
    return _opaque(types[kind], _I64.pack(-packed if sign else packed))


def _decimal(text: str, stored: str) -> bytes:
    """Precision, scale, and the digits as `decimal2bin` packs them; `stored`: JSON_STORAGE_SIZE."""
    wrong = BadValue(f"JSON with the DECIMAL {text[:40]} of {stored[:9]} bytes")
    if not _FIXED.fullmatch(text) or not stored.isdigit():
        raise wrong
    whole, _, fraction = text.lstrip("-").partition(".")
    whole = whole.lstrip("0")
    behind = 4 * (len(fraction) // 9) + _DIGIT_BYTES[len(fraction) % 9]
    # Before the digits: three type bytes and lengths, precision and scale.
    before = int(stored) - _DECIMAL_HEAD - behind
    full, rest = divmod(before, 4)
    most = 9 * full + 2 * rest
    least = most - 1 if rest else max(most - 2, 0)
    # Whole groups are what a wider column leaves (`bin2decimal`).
    whole = whole if len(whole) >= least else whole.zfill(least if rest else most)
    if before < 0 or len(whole) > most or not 0 < len(whole) + len(fraction) <= _MOST:
        raise wrong
    head = len(whole) % 9
    groups = [whole[:head]] if head else []
    groups += [whole[i : i + 9] for i in range(head, len(whole), 9)]
    groups += [fraction[i : i + 9] for i in range(0, len(fraction), 9)]
    packed = b"".join(int(g).to_bytes(_DIGIT_BYTES[len(g)], "big") for g in groups)
    negative = text.startswith("-") and any(packed)
    packed = bytes((packed[0] ^ 0x80,)) + packed[1:]
    if negative:
        packed = bytes(byte ^ 0xFF for byte in packed)
    return bytes((len(whole) + len(fraction), len(fraction))) + packed
