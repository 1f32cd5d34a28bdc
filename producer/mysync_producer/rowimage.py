# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value codecs: one column's bytes in a row image become its Avro bytes, without a Python value.

A codec is made for one column of one table version. `put` reads the value that begins at `pos`,
never past `end`, writes its union branch (where the column's Avro type is a union) and its Avro
encoding, and returns where the next value begins. Bytes that the server can't have written are a
BadValue; where in the stream that is, the caller says.

Row image formats: MySQL source documentation, `mysql::binlog::event::Rows_event` and the comments
of `Field::pack` and `decimal2bin`. Which type goes into which branch: `mysync_schemas.types`.
"""

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue

if not cython.compiled:
    from mysync_producer.rowbuffer import big, little


class ValueCodec:
    """What every column has: its place in unions and, for identity columns, in the last image."""

    def __init__(self, nullable: bool, exceptional: bool) -> None:
        self.nullable = nullable
        # Union indexes as they are written: zigzag, one byte; -1 where there is no union.
        self.normal = (2 if nullable else 0) if nullable or exceptional else -1
        self.exceptional = self.normal + 2 if exceptional else -1
        # Where a row's NULL bits have this column's.
        self.null_byte = 0
        self.null_bit = 0
        self.identity = False
        self.start = 0
        self.end = 0

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        raise NotImplementedError


def short() -> BadValue:
    return BadValue("the event ends within the value")


class IntCodec(ValueCodec):
    """TINYINT, SMALLINT, MEDIUMINT, INT (signed and unsigned) and signed BIGINT."""

    def __init__(self, nullable: bool, width: int, unsigned: bool) -> None:
        ValueCodec.__init__(self, nullable, False)
        self.width = width
        self.sign = 0 if unsigned else 1 << (8 * width - 1)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if self.normal >= 0:
            out.put_byte(self.normal)
        value = little(src, pos, self.width)
        if value & self.sign:
            # Taking the sign bit off twice: in 64-bit arithmetic that wraps, as it has to.
            value -= self.sign << 1
        out.put_long(value)
        return pos + self.width


class UInt64Codec(ValueCodec):
    """BIGINT UNSIGNED: a long, from 2^63 on bytes decimal(20,0)."""

    def __init__(self, nullable: bool) -> None:
        ValueCodec.__init__(self, nullable, True)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < 8:
            raise short()
        if src[pos + 7] < 128:
            out.put_byte(self.normal)
            out.put_long(little(src, pos, 8))
            return pos + 8
        out.put_byte(self.exceptional)
        out.put_long(9)
        out.put_byte(0)
        for i in range(8):
            out.put_byte(src[pos + 7 - i])
        return pos + 8


class YearCodec(ValueCodec):
    """YEAR: one byte from 1900, 0 for the year 0000."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < 1:
            raise short()
        if self.normal >= 0:
            out.put_byte(self.normal)
        value = src[pos]
        out.put_long(1900 + value if value else 0)
        return pos + 1


class FixedCodec(ValueCodec):
    """FLOAT and DOUBLE: IEEE 754, little-endian on both sides, so the bits go as they are."""

    def __init__(self, nullable: bool, width: int) -> None:
        ValueCodec.__init__(self, nullable, False)
        self.width = width

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if self.normal >= 0:
            out.put_byte(self.normal)
        out.put(src, pos, self.width)
        return pos + self.width


class BitCodec(ValueCodec):
    """BIT(n): ceil(n/8) bytes, big-endian."""

    def __init__(self, nullable: bool, bits: int) -> None:
        ValueCodec.__init__(self, nullable, False)
        self.width = (bits + 7) // 8
        self.limit = 1 << (bits % 8 or 8)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if src[pos] >= self.limit:
            raise BadValue("BIT with more bits than declared")
        if self.normal >= 0:
            out.put_byte(self.normal)
        out.put_bytes(src, pos, self.width)
        return pos + self.width


_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_LONG_DIGITS = 18  # what a 64-bit number holds


class DecimalCodec(ValueCodec):
    """DECIMAL(p,s): groups of up to 9 digits, big-endian; the sign bit is inverted and negative
    values are complemented (`decimal2bin`). Becomes the unscaled value, minimal two's complement.
    """

    def __init__(self, nullable: bool, precision: int, scale: int) -> None:
        ValueCodec.__init__(self, nullable, False)
        whole = precision - scale
        groups = [9] * (whole // 9) + [9] * (scale // 9)
        if whole % 9:
            groups.insert(0, whole % 9)
        if scale % 9:
            groups.append(scale % 9)
        width = sum(_DIGIT_BYTES[digits] for digits in groups)
        self.width = width
        self.groups = bytes(groups)
        self.digits = self.groups
        self.count = len(groups)
        self.native = cython.compiled and precision <= _LONG_DIGITS
        # Of the value taken as one number: its sign bit, all of its bits, and (shift, mask, limit)
        # of each group.
        self.sign = 1 << (8 * width - 1)
        self.ones = (1 << 8 * width) - 1
        self.steps: list[tuple[int, int, int]] = []
        shift = 8 * width
        for digits in groups:
            size = 8 * _DIGIT_BYTES[digits]
            shift -= size
            self.steps.append((shift, (1 << size) - 1, 10**digits))

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if self.normal >= 0:
            out.put_byte(self.normal)
        if self.native:
            put_integer(out, self.small(src, pos))
        else:
            put_number(out, self.unscaled(src[pos : pos + self.width]))
        return pos + self.width

    def small(self, src: bytes, pos: int) -> int:
        """The unscaled value of up to 18 digits."""
        negative = src[pos] < 128
        value = 0
        for i in range(self.count):
            digits = self.digits[i]
            size = (digits + 1) // 2 if digits < 8 else 4
            group = big(src, pos, size)
            pos += size
            sign = 128
            sign <<= 8 * size - 8
            if i == 0:
                group ^= sign
            if negative:
                group ^= (sign << 1) - 1
            limit = 1
            for _ in range(digits):
                limit *= 10
            if group >= limit:
                raise too_many_digits(group)
            value = value * limit + group
        return -value if negative else value

    def unscaled(self, data: bytes) -> int:
        """The unscaled value, whatever its size."""
        number = int.from_bytes(data, "big") ^ self.sign
        negative = data[0] < 128
        if negative:
            number ^= self.ones
        value = 0
        for shift, mask, limit in self.steps:
            group = number >> shift & mask
            if group >= limit:
                raise too_many_digits(group)
            value = value * limit + group
        return -value if negative else value


def too_many_digits(group: int) -> BadValue:
    return BadValue(f"DECIMAL with {group} where fewer digits belong")


def put_integer(out: RowBuffer, value: int) -> int:
    """Avro bytes: a 64-bit number as the shortest two's complement, big-endian."""
    size = 1
    rest = value >> 7
    while rest != 0 and rest != -1:
        rest >>= 8
        size += 1
    out.put_byte(size << 1)
    while size > 0:
        size -= 1
        out.put_byte(value >> (8 * size) & 255)
    return 0


def put_number(out: RowBuffer, value: int) -> int:
    """The same for a number of up to 500 bits."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    out.put_byte(size << 1)
    out.put_object(value.to_bytes(size, "big", signed=True))
    return 0
