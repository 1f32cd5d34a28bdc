# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value codecs of DATE, DATETIME, TIMESTAMP and TIME.

Formats: `sql-common/my_time.cc` (`my_datetime_packed_to_binary` and its siblings). Fractions of a
second take (fsp + 1) // 2 bytes, counting hundredths, ten-thousandths or millionths. A DATE or
DATETIME that is a day of the proleptic Gregorian calendar from year 1 on becomes a number; zero and
partial dates and days that don't exist become the text that the server shows.
"""

from functools import lru_cache

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.rowimage import ValueCodec

if not cython.compiled:
    from mysync_producer.rowbuffer import big, little
    from mysync_producer.rowimage import short

NO_DAY = -(1 << 30)
# Microseconds in the last fraction unit of each fsp that the format has (by bytes of fraction) ...
_UNIT = (1_000_000, 10_000, 100, 1)
# ... and in the last digit that the column shows.
_DIGIT = tuple(10 ** (6 - fsp) for fsp in range(7))


def is_day(year: int, month: int, day: int) -> bool:
    """A day of the proleptic Gregorian calendar, from year 1 on."""
    if year < 1 or month < 1 or day < 1:
        return False
    if day < 29:
        return True
    if month == 2:
        return day == 29 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day < 31 or (day == 31 and month != 4 and month != 6 and month != 9 and month != 11)


def days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms");
    719468 lie between 0000-03-01, where its years begin, and then.
    """
    if month < 3:
        year -= 1
        month += 12
    return (
        365 * year
        + year // 4
        - year // 100
        + year // 400
        + (153 * (month - 3) + 2) // 5
        + day
        - 1
        - 719_468
    )


def day_number(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01, NO_DAY (2^30 below) where there is no such day."""
    return days(year, month, day) if is_day(year, month, day) else NO_DAY


if not cython.compiled:
    day_number = lru_cache(1 << 14)(day_number)


class DateCodec(ValueCodec):
    """DATE: 3 bytes, little-endian: 15 bits year, 4 month, 5 day."""

    def __init__(self, nullable: bool) -> None:
        ValueCodec.__init__(self, nullable, True)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < 3:
            raise short()
        packed = little(src, pos, 3)
        year = packed >> 9
        month = packed >> 5 & 15
        day = packed & 31
        if year > 9999 or month > 12:
            raise BadValue(f"DATE {year}-{month}-{day}")
        number = day_number(year, month, day)
        if number == NO_DAY:
            out.put_byte(self.exceptional)
            put_ascii(out, date_text(year, month, day))
        else:
            out.put_byte(self.normal)
            out.put_long(number)
        return pos + 3


def date_text(year: int, month: int, day: int) -> str:
    return f"{year:04}-{month:02}-{day:02}"


def put_ascii(out: RowBuffer, text: str) -> int:
    data = text.encode("ascii")
    out.put_long(len(data))
    out.put_object(data)
    return 0


class FractionCodec(ValueCodec):
    """What DATETIME, TIMESTAMP and TIME share: `width` whole bytes, then the fraction's."""

    def __init__(self, nullable: bool, exceptional: bool, fsp: int, width: int) -> None:
        ValueCodec.__init__(self, nullable, exceptional)
        # Python's numbers: a shift by a C int would be C's, of 32 bits.
        fraction = (fsp + 1) // 2
        self.fsp = fsp
        self.width = width + fraction
        self.shift = 8 * fraction
        self.mask = (1 << 8 * fraction) - 1
        self.unit = _UNIT[fraction]
        # An odd number of digits leaves the last stored one 0.
        self.digit = _DIGIT[fsp] if fsp % 2 else 1
        self.zero = 0x800000 << (8 * fraction)

    def micros(self, fraction: int) -> int:
        """Microseconds of a stored fraction."""
        micros = fraction * self.unit
        if micros >= 1_000_000 or (self.digit > 1 and micros % self.digit):
            raise BadValue(f"{micros} microseconds with {self.fsp} digits of a second's fraction")
        return micros

    def fraction_text(self, micros: int) -> str:
        return f".{micros:06}"[: self.fsp + 1] if self.fsp else ""

    def put_zero(self, out: RowBuffer) -> int:
        """A zero TIMESTAMP."""
        out.put_byte(self.exceptional)
        put_ascii(out, "0000-00-00 00:00:00" + self.fraction_text(0))
        return 0

    def put_moment(
        self,
        out: RowBuffer,
        year: int,
        month: int,
        day: int,
        hour: int,
        minute: int,
        second: int,
        micros: int,
    ) -> int:
        """A DATETIME."""
        if year > 9999 or hour > 23 or minute > 59 or second > 59:
            raise BadValue(f"DATETIME {year}-{month}-{day} {hour}:{minute}:{second}")
        number = day_number(year, month, day)
        if number == NO_DAY:
            out.put_byte(self.exceptional)
            time = f" {hour:02}:{minute:02}:{second:02}{self.fraction_text(micros)}"
            put_ascii(out, date_text(year, month, day) + time)
        else:
            out.put_byte(self.normal)
            seconds = number * 86_400 + hour * 3600 + minute * 60 + second
            out.put_long(seconds * 1_000_000 + micros)
        return 0


class DatetimeCodec(FractionCodec):
    """DATETIME2: 5 bytes, big-endian: 1 bit sign (always set), 17 year * 13 + month, 5 day, 5 hour,
    6 minute, 6 second."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, True, fsp, 5)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        packed = big(src, pos, self.width)
        micros = self.micros(packed & self.mask) if self.shift else 0
        packed >>= self.shift
        hour = packed >> 12 & 31
        minute = packed >> 6 & 63
        second = packed & 63
        day = packed >> 17 & 31
        year = (packed >> 22) - (1 << 17)
        if year < 0:
            raise BadValue("DATETIME with a negative sign")
        month = year % 13
        year //= 13
        self.put_moment(out, year, month, day, hour, minute, second, micros)
        return pos + self.width


class TimestampCodec(FractionCodec):
    """TIMESTAMP2: 4 bytes, big-endian, seconds from 1970 UTC, unsigned (MariaDB from 11.5 on goes
    to 2106); 0 is '0000-00-00 00:00:00'."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, True, fsp, 4)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        packed = big(src, pos, self.width)
        if packed:
            micros = self.micros(packed & self.mask) if self.shift else 0
            out.put_byte(self.normal)
            out.put_long((packed >> self.shift) * 1_000_000 + micros)
        else:
            self.put_zero(out)
        return pos + self.width


class TimeCodec(FractionCodec):
    """TIME2: 3 bytes, big-endian: 1 bit sign (set if not negative), 1 unused, 10 hour, 6 minute,
    6 second. A negative value is the complement of whole and fraction taken as one number."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, False, fsp, 3)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        packed = big(src, pos, self.width)
        packed -= self.zero
        negative = packed < 0
        if negative:
            packed = -packed
        micros = self.micros(packed & self.mask) if self.shift else 0
        packed >>= self.shift
        hour = packed >> 12
        minute = packed >> 6 & 63
        second = packed & 63
        if hour > 838 or minute > 59 or second > 59:
            raise BadValue(f"TIME {hour}:{minute}:{second}")
        value = (hour * 3600 + minute * 60 + second) * 1_000_000 + micros
        if self.normal >= 0:
            out.put_byte(self.normal)
        out.put_long(-value if negative else value)
        return pos + self.width
