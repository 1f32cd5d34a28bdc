"""The text that MySQL prints for single values in a JSON document (`Json_wrapper::to_string`)."""

from base64 import b64encode
from math import isfinite
from struct import Struct

from mysync_schemas.errors import JsonError

__all__ = ["double_text", "opaque_text"]

# Types of the opaque values that have a text of their own (enum_field_types).
TIMESTAMP, DATE, TIME, DATETIME, NEWDECIMAL = 7, 10, 11, 12, 246

_I64 = Struct("<q")


def double_text(number: float) -> str:
    """A DOUBLE as the server prints it in JSON: the shortest digits that give it back (my_gcvt).

    Fixed notation from 10⁻¹⁵ to below 10¹⁵ and for whatever has a fraction, elsewhere an exponent
    without sign or padding; always recognisable as no integer. Not finite: JsonError (the server
    can't store it either).
    """
    if not isfinite(number):
        raise JsonError(f"corrupt binary JSON: {number} is no number of JSON")
    text = repr(number)
    if "e" not in text and (-1e15 < number < 1e15 or text[-2:] != ".0"):
        return text
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
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
# In a document the digits before the point fill groups of nine: 36 and 30 behind it at most.
_MAX_PRECISION = 90


def decimal_text(data: bytes) -> str:
    """MySQL's packed DECIMAL behind its precision and scale (decimal2bin)."""
    if len(data) < 2:
        raise JsonError(f"corrupt binary JSON: a DECIMAL of {len(data)} bytes")
    precision, scale = data[0], data[1]
    before = precision - scale
    groups = _decimal_groups(before, scale) if before >= 0 else []
    size = 2 + sum(width for _, width in groups)
    if not 0 < precision <= _MAX_PRECISION or len(data) != size or not groups:
        raise JsonError(f"corrupt binary JSON: DECIMAL({precision},{scale}), {len(data)} bytes")
    negative = not data[2] & 0x80
    packed = bytes(b ^ 0xFF for b in data[2:]) if negative else data[2:]
    packed = bytes((packed[0] ^ 0x80,)) + packed[1:]
    digits, pos = "", 0
    for count, width in groups:
        digits += str(int.from_bytes(packed[pos : pos + width], "big")).zfill(count)
        pos += width
    if len(digits) != precision:
        raise JsonError("corrupt binary JSON: a DECIMAL with a digit over 9")
    whole = digits[:before].lstrip("0") or "0"
    return f"{'-' if negative else ''}{whole}{'.' + digits[before:] if scale else ''}"


def _decimal_groups(before: int, scale: int) -> list[tuple[int, int]]:
    """(digits, bytes) of each group: nine digits in four bytes, the outer ones shorter."""
    groups = [(before % 9, _DIGIT_BYTES[before % 9])] if before % 9 else []
    groups += [(9, 4)] * (before // 9) + [(9, 4)] * (scale // 9)
    return groups + ([(scale % 9, _DIGIT_BYTES[scale % 9])] if scale % 9 else [])
