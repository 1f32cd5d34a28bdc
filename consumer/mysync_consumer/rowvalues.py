# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value writers: one column's Avro value becomes its bytes in a row image of the target.

A writer is made for one column of one target table. The plan's scan leaves in it what the record
holds (see `Field`); `put` appends the
image's bytes. A value that the column can't hold exactly is a BadValue: nothing is rounded, cut
or replaced.

Row image formats: MySQL source documentation, `mysql::binlog::event::Rows_event`, and the comments
of `Field::pack`, `decimal2bin` and `my_time.h` (packed temporals). Avro's: specification 1.12.
"""

from codecs import charmap_encode

import cython

from mysync_consumer.imagebuffer import ImageBuffer
from mysync_consumer.rowerrors import BadValue
from mysync_consumer.rowread import ABSENT, FIXED4, FIXED8, SIZED, VARINT, Field
from mysync_schemas import jsonb
from mysync_schemas.charset import Charset

_POWERS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)


class ValueWriter(Field):
    """What every column has. `width` is its image's width, or -1: then `prefix` bytes say it."""

    def __init__(self, name: str, nullable: bool, normal: int, exceptional: int) -> None:
        Field.__init__(self, name, nullable, normal, exceptional)
        self.width = -1
        self.prefix = 0
        self.limit = 0

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        raise NotImplementedError

    def put_sized(self, buf: bytes, out: ImageBuffer) -> None:
        """The payload as it is, behind its length."""
        if self.end - self.start > self.limit:
            raise BadValue(f"{self.end - self.start} bytes, the column holds {self.limit}")
        out.put_little(self.end - self.start, self.prefix)
        out.put(buf, self.start, self.end)

    def put_object(self, value: bytes, out: ImageBuffer) -> None:
        if len(value) > self.limit:
            raise BadValue(f"{len(value)} bytes, the column holds {self.limit}")
        out.put_little(len(value), self.prefix)
        out.put_object(value)


def payload(buf: bytes, start: int, end: int) -> bytes:
    """A copy of the bytes from `start` to `end`."""
    return buf[start:end]


class IntWriter(ValueWriter):
    """TINYINT … INT signed and unsigned, BIGINT; little-endian."""

    def __init__(self, name: str, nullable: bool, width: int, unsigned: bool) -> None:
        ValueWriter.__init__(self, name, nullable, VARINT, ABSENT)
        self.width = width
        self.low = 0 if unsigned else -(1 << 8 * width - 1)
        self.high = (1 << 8 * width) - 1 if unsigned else (1 << 8 * width - 1) - 1

    def put(self, buf: bytes, out: ImageBuffer) -> None:  # noqa: ARG002
        if self.number < self.low or self.number > self.high:
            raise BadValue(f"{self.number} is outside of {self.low} to {self.high}")
        out.put_little(self.number, self.width)


class YearWriter(ValueWriter):
    """YEAR: a byte from 1900; 0 is the year 0000."""

    def __init__(self, name: str, nullable: bool) -> None:
        ValueWriter.__init__(self, name, nullable, VARINT, ABSENT)
        self.width = 1

    def put(self, buf: bytes, out: ImageBuffer) -> None:  # noqa: ARG002
        if self.number == 0:
            out.put_byte(0)
        elif 1901 <= self.number <= 2155:
            out.put_byte(self.number - 1900)
        else:
            raise BadValue(f"{self.number} is no YEAR")


class UInt64Writer(ValueWriter):
    """BIGINT UNSIGNED: a long, or bytes decimal(20,0) from 2⁶³ on: 00 and the eight bytes."""

    def __init__(self, name: str, nullable: bool) -> None:
        ValueWriter.__init__(self, name, nullable, VARINT, SIZED)
        self.width = 8

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            i = self.start
            if self.end - i != 9 or buf[i] != 0 or buf[i + 1] < 0x80:
                raise BadValue("not a number from 2⁶³ to 2⁶⁴-1")
            for k in range(8):
                out.put_byte(buf[i + 8 - k])
        elif self.number < 0:
            raise BadValue(f"{self.number} is negative")
        else:
            out.put_little(self.number, 8)


class FixedWriter(ValueWriter):
    """FLOAT and DOUBLE: the same IEEE 754 bytes on both sides."""

    def __init__(self, name: str, nullable: bool, width: int) -> None:
        ValueWriter.__init__(self, name, nullable, FIXED4 if width == 4 else FIXED8, ABSENT)
        self.width = width

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        out.put(buf, self.start, self.end)


_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


class DecimalWriter(ValueWriter):
    """DECIMAL(p,s): the digits before and after the point in groups of nine (four bytes each), the
    outermost group of each side shorter. The sign is the first bit, inverted; negative values are
    complemented.
    """

    def __init__(self, name: str, nullable: bool, precision: int, scale: int) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, ABSENT)
        whole = precision - scale
        self.head = whole % 9
        self.middle = whole // 9 + scale // 9
        self.tail = scale % 9
        self.head_bytes = _DIGIT_BYTES[self.head]
        self.tail_bytes = _DIGIT_BYTES[self.tail]
        self.head_power = _POWERS[self.head]
        self.tail_power = _POWERS[self.tail]
        self.width = self.head_bytes + 4 * self.middle + self.tail_bytes
        self.precision = precision

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        size = self.end - self.start
        if size == 0:
            raise BadValue("a DECIMAL without bytes")
        negative = buf[self.start] >= 0x80
        at = out.size()
        out.put_zeros(self.width)
        if size <= 8:
            value = complement(buf, self.start, self.end)
            fits = self.put_small(-value if negative else value, out, at)
        else:
            number = int.from_bytes(payload(buf, self.start, self.end), "big", signed=True)
            fits = self.put_large(abs(number), out, at)
        if not fits:
            raise BadValue(f"more than {self.precision} digits")
        if negative:
            out.invert(at, at + self.width)
        out.flip_sign(at)

    def put_small(self, value: int, out: ImageBuffer, at: int) -> bool:
        """Writes the groups from the last one to the first; false if digits are left over."""
        pos = at + self.width
        if self.tail:
            pos -= self.tail_bytes
            poke(out, pos, value % self.tail_power, self.tail_bytes)
            value //= self.tail_power
        for _ in range(self.middle):
            pos -= 4
            poke(out, pos, value % 1_000_000_000, 4)
            value //= 1_000_000_000
        if self.head:
            poke(out, at, value % self.head_power, self.head_bytes)
            value //= self.head_power
        return value == 0

    def put_large(self, value: int, out: ImageBuffer, at: int) -> bool:
        """The same for what doesn't fit into 64 bits."""
        pos = at + self.width
        if self.tail:
            pos -= self.tail_bytes
            value, group = divmod(value, self.tail_power)
            poke(out, pos, group, self.tail_bytes)
        for _ in range(self.middle):
            pos -= 4
            value, group = divmod(value, 1_000_000_000)
            poke(out, pos, group, 4)
        if self.head:
            value, group = divmod(value, self.head_power)
            poke(out, at, group, self.head_bytes)
        return bool(value == 0)


def complement(buf: bytes, start: int, end: int) -> int:
    """A big-endian two's complement number of 1 to 8 bytes."""
    if cython.compiled:
        bits: int = 0xFFFFFFFFFFFFFFFF if buf[start] >= 0x80 else 0
        while start < end:
            bits = bits << 8 | buf[start]
            start += 1
        return bits
    return int.from_bytes(buf[start:end], "big", signed=True)


def poke(out: ImageBuffer, at: int, value: int, width: int) -> None:
    """Overwrites `width` bytes with a big-endian number."""
    while width > 0:
        width -= 1
        if cython.compiled:
            out.p[at + width] = value & 0xFF
        else:
            out.data[at + width] = value & 0xFF
        value >>= 8


# How far a character set reaches; what a string is checked for before it is copied.
UTF8MB4, UTF8MB3, LATIN1, ASCII = 0, 1, 2, 3
CHARSETS = {"utf8mb4": UTF8MB4, "utf8mb3": UTF8MB3, "utf8": UTF8MB3, "latin1": LATIN1}
CHARSETS["ascii"] = ASCII

# MySQL's latin1 is cp1252 with the five C1 controls that cp1252 leaves open.
_LATIN1 = {ord(bytes([b]).decode("cp1252", "ignore") or chr(b)): b for b in range(256)}


class TextWriter(ValueWriter):
    """CHAR, VARCHAR and the TEXTs. `chars` limits characters; -1: only bytes count.

    The normal branch is UTF-8, the exceptional one bytes in the column's own character set.
    """

    def __init__(
        self, name: str, nullable: bool, charset: int, prefix: int, limit: int, chars: int
    ) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, SIZED)
        self.charset = charset
        self.copied = charset == UTF8MB4
        self.ascii = True  # whether ASCII is the same bytes in the character set
        self.prefix = prefix
        self.limit = limit
        self.chars = chars

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        chars = 0 if self.odd else characters(buf, self.start, self.end)
        if chars < 0:
            raise BadValue("not valid UTF-8")
        if self.chars >= 0 and chars > self.chars:
            raise BadValue(f"{chars} characters, the column holds {self.chars}")
        if self.copied or self.odd or (self.ascii and chars == self.end - self.start):
            self.put_sized(buf, out)
        else:
            self.put_object(self.encode(text_of(payload(buf, self.start, self.end))), out)

    def encode(self, text: str) -> bytes:
        """A text in the column's character set, exactly or not at all."""
        if self.charset == UTF8MB3:
            if max(text) <= "\uffff":
                return text.encode()
        elif self.charset == LATIN1:
            try:
                return charmap_encode(text, "strict", _LATIN1)[0]
            except UnicodeEncodeError:
                pass
        charset = {UTF8MB3: "utf8mb3", LATIN1: "latin1", ASCII: "ascii"}[self.charset]
        raise BadValue(f"a character that {charset} doesn't have")


class CharsetWriter(TextWriter):
    """The same for a character set with a table (`mysync_schemas.charset`): the source's."""

    def __init__(
        self,
        name: str,
        nullable: bool,
        charset: Charset,
        prefix: int,
        limit: int,
        chars: int,
    ) -> None:
        TextWriter.__init__(self, name, nullable, -1, prefix, limit, chars)
        self.codes = charset
        self.ascii = charset.ascii

    def encode(self, text: str) -> bytes:
        found: bytes | None = self.codes.encode(text)
        if found is None:
            raise BadValue(f"a character that {self.codes.name} doesn't have")
        return found


def characters(buf: bytes, start: int, end: int) -> int:
    """How many characters the UTF-8 bytes hold, or -1 if they are not valid UTF-8."""
    if cython.compiled:
        count = 0
        while start < end:
            lead = buf[start]
            start += 1
            count += 1
            if lead < 0x80:
                continue
            if lead < 0xC2 or lead > 0xF4:
                return -1
            more = 1 if lead < 0xE0 else 2 if lead < 0xF0 else 3
            if end - start < more or buf[start] & 0xC0 != 0x80:
                return -1
            if (lead == 0xE0 and buf[start] < 0xA0) or (lead == 0xED and buf[start] > 0x9F):
                return -1
            if (lead == 0xF0 and buf[start] < 0x90) or (lead == 0xF4 and buf[start] > 0x8F):
                return -1
            if more > 1 and buf[start + 1] & 0xC0 != 0x80:
                return -1
            if more > 2 and buf[start + 2] & 0xC0 != 0x80:
                return -1
            start += more
        return count
    try:
        return len(buf[start:end].decode())
    except UnicodeDecodeError:
        return -1


def text_of(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadValue("not valid UTF-8") from None


class BytesWriter(ValueWriter):
    """BINARY, VARBINARY, the BLOBs, GEOMETRY, VECTOR, INET*, UUID: the bytes as they are."""

    def __init__(self, name: str, nullable: bool, prefix: int, limit: int) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, ABSENT)
        self.prefix = prefix
        self.limit = limit

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        self.put_sized(buf, out)


class BitWriter(ValueWriter):
    """BIT(n): ⌈n/8⌉ bytes, big-endian."""

    def __init__(self, name: str, nullable: bool, bits: int) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, ABSENT)
        self.width = (bits + 7) // 8
        self.first = 1 << (bits % 8 or 8)

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.end - self.start != self.width or buf[self.start] >= self.first:
            raise BadValue("more or fewer bits than the column has")
        out.put(buf, self.start, self.end)


class EnumWriter(ValueWriter):
    """ENUM: the label's 1-based number; 0 is the error value."""

    def __init__(self, name: str, nullable: bool, labels: tuple[str, ...]) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, VARINT)
        self.numbers = {label.encode(): i for i, label in enumerate(labels, 1)}
        self.count = len(labels)
        self.width = 1 if len(labels) < 256 else 2

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            if self.number < 0 or self.number > self.count:
                raise BadValue(f"label number {self.number} of {self.count}")
            out.put_little(self.number, self.width)
        else:
            label = payload(buf, self.start, self.end)
            number = self.numbers.get(label)
            if number is None:
                raise BadValue(f"label {label.decode(errors='backslashreplace')!r} is missing")
            out.put_little(number, self.width)


_KNOWN_SETS = 1000


class SetWriter(ValueWriter):
    """SET: a bit for each label, the first one lowest. Combinations seen are remembered."""

    def __init__(self, name: str, nullable: bool, labels: tuple[str, ...]) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, VARINT)
        self.bits = {label.encode(): i for i, label in enumerate(labels)}
        self.known = {b"": b"\0" * 8}
        self.count = len(labels)
        width = (len(labels) + 7) // 8
        self.width = width if width <= 4 else 8

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            mask = self.number & 0xFFFFFFFFFFFFFFFF
            if mask.bit_length() > self.count:
                raise BadValue(f"bits {mask:#x} beyond the column's labels")
            image = mask.to_bytes(8, "little")
        else:
            labels = payload(buf, self.start, self.end)
            image = self.known.get(labels) or self.image(labels)
        out.put(image, 0, self.width)

    def image(self, labels: bytes) -> bytes:
        mask = 0
        for label in labels.split(b","):
            bit = self.bits.get(label)
            if bit is None:
                raise BadValue(f"label {label.decode(errors='backslashreplace')!r} is missing")
            mask |= 1 << bit
        image: bytes = mask.to_bytes(8, "little")
        if len(self.known) < _KNOWN_SETS:
            self.known[labels] = image
        return image


class JsonWriter(ValueWriter):
    """MySQL's JSON: text becomes the binary document, a binary document is checked and copied."""

    def __init__(self, name: str, nullable: bool) -> None:
        ValueWriter.__init__(self, name, nullable, SIZED, SIZED)
        self.prefix = 4
        self.limit = (1 << 32) - 1

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        raw = payload(buf, self.start, self.end)
        try:
            if self.odd:
                jsonb.validate(raw)
                self.put_sized(buf, out)
            else:
                self.put_object(jsonb.from_text(text_of(raw)), out)
        except jsonb.JsonError as error:
            raise BadValue(str(error)) from None
