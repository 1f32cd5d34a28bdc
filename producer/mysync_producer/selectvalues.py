# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Values as a SELECT shows them become values of a row image: numbers, strings, bits.

One ImageValue is made for one column. `put` reads the text (or raw bytes) between `pos` and `end`,
which the caller has compared with the packet's end, and appends what the binlog would hold. A text
that the column's type can't have is a BadValue: a number is never cut or rounded.

Formats: `rowimage`, which reads them. Dates and times are in `selecttemporal`.
"""

import struct

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.selectjson import Inexact, document
from mysync_schemas.columncompression import compress

_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_INFINITY = float("inf")
_TENS = [10.0**power for power in range(23)]  # all exact


class ImageValue:
    """What every column has: whether and how its NULL is said."""

    def __init__(self, nullable: bool) -> None:
        self.nullable = nullable
        self.null_byte = 0
        self.null_bit = 0
        # Whether a second expression of the SELECT belongs to the column.
        self.paired = False

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        raise NotImplementedError

    def put_pair(self, src: bytes, pos: int, end: int, more: int, stop: int, out: RowBuffer) -> int:
        """For paired ones: the second value stands from `more` to `stop`."""
        raise NotImplementedError


def shown(src: bytes, pos: int, end: int) -> str:
    """What a message shows of a text."""
    return repr(src[pos : min(end, pos + 40)])


def bad(kind: str, src: bytes, pos: int, end: int) -> BadValue:
    return BadValue(f"{kind} shown as {shown(src, pos, end)}")


def magnitude(src: bytes, pos: int, end: int) -> int:
    """A number of digits alone, below 2^64."""
    if pos >= end:
        raise bad("a number", src, pos, end)
    if not cython.compiled:
        digits = src[pos:end]
        if not digits.isdigit() or (value := int(digits)) >> 64:
            raise bad("a number", src, pos, end)
        return value
    start = pos
    value = 0
    while pos < end:
        digit = src[pos]
        digit -= 48
        if digit < 0 or digit > 9:
            raise bad("a number", src, start, end)
        if value > 1844674407370955161 or (value == 1844674407370955161 and digit > 5):
            raise bad("a number", src, start, end)
        value = value * 10 + digit
        pos += 1
    return value


def put_little(out: RowBuffer, value: int, width: int) -> int:
    """The lowest `width` bytes of a number, little-endian."""
    while width > 0:
        out.put_byte(value & 255)
        value >>= 8
        width -= 1
    return 0


def put_big(out: RowBuffer, value: int, width: int) -> int:
    """The lowest `width` bytes of a number, big-endian."""
    while width > 0:
        width -= 1
        out.put_byte(value >> (8 * width) & 255)
    return 0


class IntValue(ImageValue):
    """Integers from -`least` to `most` in `width` bytes; ENUM and SET as their numbers."""

    def __init__(self, nullable: bool, width: int, least: int, most: int) -> None:
        ImageValue.__init__(self, nullable)
        self.width = width
        self.least = least
        self.most = most

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if pos < end and src[pos] == 45:  # -
            value = magnitude(src, pos + 1, end)
            if value > self.least:
                raise bad("an integer out of its range", src, pos, end)
            value = (0 - value) & 0xFFFFFFFFFFFFFFFF
        else:
            value = magnitude(src, pos, end)
            if value > self.most:
                raise bad("an integer out of its range", src, pos, end)
        return put_little(out, value, self.width)


class YearValue(ImageValue):
    """YEAR: of four digits; of two (MariaDB's YEAR(2)) from 1970 to 2069."""

    def __init__(self, nullable: bool, digits: int) -> None:
        ImageValue.__init__(self, nullable)
        self.digits = digits

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        value = magnitude(src, pos, end)
        if self.digits == 2:
            value += 1900 if value >= 70 else 2000
        if end - pos != self.digits or value > 2155 or (0 < value < 1901):
            raise bad("a YEAR", src, pos, end)
        out.put_byte(value - 1900 if value else 0)
        return 0


def real(src: bytes, pos: int, end: int) -> float:
    """The double that a decimal number with or without exponent is read as (nearest)."""
    start = pos
    negative = pos < end and src[pos] == 45
    if negative:
        pos += 1
    mantissa = 0
    digits = 0
    scale = 0
    dot = False
    while pos < end:
        char = src[pos]
        if char == 46 and not dot:  # .
            dot = True
        elif 48 <= char <= 57:
            digits += 1
            if digits < 18:
                mantissa = mantissa * 10 + (char - 48)
                scale += dot
        else:
            break
        pos += 1
    exponent = 0
    if pos < end and digits > 0 and src[pos] in (69, 101):  # E e
        pos += 1
        down = pos < end and src[pos] == 45
        if down or (pos < end and src[pos] == 43):
            pos += 1
        if end - pos > 4:
            raise bad("a floating-point number", src, start, end)
        exponent = magnitude(src, pos, end)
        if down:
            exponent = -exponent
        pos = end
    if pos < end or digits == 0:
        raise bad("a floating-point number", src, start, end)
    exponent -= scale
    if digits < 18 and mantissa <= 9007199254740992 and -23 < exponent < 23:
        # Both exact in a double: one rounding (W. Clinger, "How to read floating point numbers").
        value = float(mantissa)
        value = value * _TENS[exponent] if exponent >= 0 else value / _TENS[-exponent]
        return -value if negative else value
    value = float(src[start:end])
    if value - value != 0:
        raise bad("a floating-point number", src, start, end)
    return value


class FloatValue(ImageValue):
    """FLOAT: shown as the double that it is."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        value = real(src, pos, end)
        if cython.compiled:
            single = value
            if single != value:
                raise bad("a FLOAT", src, pos, end)
            out.put(cython.cast(cython.p_uchar, cython.address(single)), 0, 4)
            return 0
        try:
            packed = _FLOAT.pack(value)
        except OverflowError:
            raise bad("a FLOAT", src, pos, end) from None
        if _FLOAT.unpack(packed)[0] != value:
            raise bad("a FLOAT", src, pos, end)
        out.put_object(packed)
        return 0


class DoubleValue(ImageValue):
    """DOUBLE: shown with as many digits as give it back."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        value = real(src, pos, end)
        if cython.compiled:
            out.put(cython.cast(cython.p_uchar, cython.address(value)), 0, 8)
        else:
            out.put_object(_DOUBLE.pack(value))
        return 0


class DecimalValue(ImageValue):
    """DECIMAL(p,s): all digits of the scale are shown (`decimal2bin` packs them)."""

    def __init__(self, nullable: bool, precision: int, scale: int) -> None:
        ImageValue.__init__(self, nullable)
        whole = precision - scale
        groups = [9] * (whole // 9) + [9] * (scale // 9)
        if whole % 9:
            groups.insert(0, whole % 9)
        if scale % 9:
            groups.append(scale % 9)
        self.groups = bytes(groups)
        self.digits = self.groups
        self.count = len(groups)
        self.whole = whole
        self.scale = scale

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        start = pos
        negative = pos < end and src[pos] == 45
        if negative:
            pos += 1
        dot = end - self.scale - 1 if self.scale else end
        if dot < pos or end - pos > 300 or (self.scale and src[dot] != 46):
            raise bad("a DECIMAL", src, start, end)
        zero = True
        at = pos
        while at < end:
            if at != dot:
                char = src[at]
                if char < 48 or char > 57:
                    raise bad("a DECIMAL", src, start, end)
                if char != 48:
                    zero = False
            at += 1
        # ZEROFILL and a lone 0 before the point: what is before the column's digits must be 0.
        at = dot - self.whole
        while pos < at:
            if src[pos] != 48:
                raise bad("a DECIMAL", src, start, end)
            pos += 1
        flip = 255 if negative and not zero else 0
        sign = 128
        for i in range(self.count):
            size = self.digits[i]
            value = 0
            for _ in range(size):
                if at == dot:
                    at += 1
                value = value * 10 + (src[at] - 48 if at >= pos else 0)
                at += 1
            size = (size + 1) // 2 if size < 8 else 4
            while size > 0:
                size -= 1
                out.put_byte((value >> (8 * size) & 255) ^ flip ^ sign)
                sign = 0
        return 0


class BitValue(ImageValue):
    """BIT(n): its bytes as they are."""

    def __init__(self, nullable: bool, bits: int) -> None:
        ImageValue.__init__(self, nullable)
        self.width = (bits + 7) // 8
        self.limit = 1 << (bits % 8 or 8)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos != self.width:
            raise BadValue(f"a BIT of {end - pos} bytes instead of {self.width}")
        if src[pos] >= self.limit:
            raise BadValue("BIT with more bits than declared")
        out.put(src, pos, self.width)
        return 0


class SizedValue(ImageValue):
    """Text and bytes behind their size of `prefix` bytes; at most `limit` of them."""

    def __init__(self, nullable: bool, prefix: int, limit: int) -> None:
        ImageValue.__init__(self, nullable)
        self.prefix = prefix
        self.limit = limit

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = end - pos
        if size > self.limit:
            raise BadValue(f"{size} bytes in a column of at most {self.limit}")
        put_little(out, size, self.prefix)
        out.put(src, pos, size)
        return 0


class CompressedValue(SizedValue):
    """MariaDB's COMPRESSED columns: shown plain, stored behind a byte (`columncompression`)."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        value = src[pos:end]
        stored = b"\0" + value if value else b""
        if len(stored) > self.limit:
            stored = compress(value)
        return SizedValue.put(self, stored, 0, len(stored), out)


class JsonValue(ImageValue):
    """MySQL's JSON: its text, and the types of its values. `strict`: `refusal` is raised for a
    document whose stored bytes can't be told."""

    def __init__(self, nullable: bool, strict: bool, refusal: Exception) -> None:
        ImageValue.__init__(self, nullable)
        self.paired = True
        self.strict = strict
        self.refusal = refusal

    def put_pair(self, src: bytes, pos: int, end: int, more: int, stop: int, out: RowBuffer) -> int:
        try:
            value = document(src[pos:end], src[more:stop], strict=self.strict)
        except Inexact:
            raise self.refusal from None
        put_little(out, len(value), 4)
        out.put_object(value)
        return 0


class LabelValue(ImageValue):
    """ENUM or SET: its number, and its text in the column's character set, which has to be that of
    `labels`: else `refusal` is raised."""

    def __init__(
        self, nullable: bool, width: int, labels: list[bytes], many: bool, refusal: Exception
    ) -> None:
        ImageValue.__init__(self, nullable)
        self.paired = True
        self.number = IntValue(nullable, width, 1 << 63 if width == 8 else 0, (1 << 8 * width) - 1)
        self.labels = labels
        self.many = many
        self.refusal = refusal

    def put_pair(self, src: bytes, pos: int, end: int, more: int, stop: int, out: RowBuffer) -> int:
        self.number.put(src, pos, end, out)
        if src[more:stop] != self.text_of(int(src[pos:end])):
            raise self.refusal
        return 0

    def text_of(self, number: int) -> bytes | None:
        """The text of a number; None where it has none."""
        if self.many:
            chosen = [label for bit, label in enumerate(self.labels) if number >> bit & 1]
            return b",".join(chosen)
        if number == 0:
            return b""
        return self.labels[number - 1] if number <= len(self.labels) else None
