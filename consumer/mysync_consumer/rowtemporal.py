# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value writers of DATE, DATETIME, TIMESTAMP and TIME: as `rowvalues`.

Formats: MySQL source documentation, `my_time.h` (packed temporals). Fractions of a second take
(fsp + 1) // 2 bytes, counting hundredths, ten-thousandths or millionths.
"""

import re

import cython

from mysync_consumer.imagebuffer import ImageBuffer
from mysync_consumer.rowerrors import BadValue
from mysync_consumer.rowread import ABSENT, SIZED, VARINT
from mysync_consumer.rowvalues import ValueWriter

if not cython.compiled:
    from mysync_consumer.rowvalues import payload, text_of

_DAY = 86_400_000_000
_DAYS_TO_1970 = 719_162  # from 0001-01-01
_MAX_DAY = 2_932_896  # 9999-12-31
_MAX_TIME = 3_020_400_000_000  # below 839:00:00
_MAX_TIMESTAMP = (1 << 31) * 1_000_000
_ZERO_TIMES = (0x80_0000, 0x8000_0000, 0x80_0000_0000, 0x8000_0000_0000)
_POWERS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DATETIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?", re.ASCII)


class DateWriter(ValueWriter):
    """DATE: day, month and year in 5, 4 and 15 bits of three little-endian bytes."""

    def __init__(self, name: str, nullable: bool) -> None:
        ValueWriter.__init__(self, name, nullable, VARINT, SIZED)
        self.width = 3

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            match = _DATE.fullmatch(text_of(payload(buf, self.start, self.end)))
            if match is None:
                raise BadValue("not a DATE")
            year, month, day = map(int, match.groups())
            if month > 12 or day > 31:
                raise BadValue("not a DATE")
            out.put_little(year << 9 | month << 5 | day, 3)
        else:
            date = civil(self.number)
            # civil() has 5 bits for the day and a month that counts in 13 to the year
            month = date >> 5
            out.put_little((month // 13) << 9 | (month % 13) << 5 | (date & 31), 3)


def civil(days: int) -> int:
    """Days since 1970-01-01 as `(year * 13 + month) << 5 | day`, MySQL's packed date.

    The proleptic Gregorian calendar by eras of 400 years that begin on 1 March: all that is divided
    is positive, so that C and Python divide alike.
    """
    if days < -_DAYS_TO_1970 or days > _MAX_DAY:
        raise BadValue(f"day {days} is outside of the years 1 to 9999")
    days += 719_468
    era = days // 146_097
    day_of_era = days - era * 146_097
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400
    if month <= 2:
        year += 1
    return (year * 13 + month) << 5 | day


class TemporalWriter(ValueWriter):
    """What the types with fractions of a second share: 0 to 3 more bytes, big-endian."""

    def __init__(self, name: str, nullable: bool, exceptional: int, base: int, fsp: int) -> None:
        ValueWriter.__init__(self, name, nullable, VARINT, exceptional)
        self.fsp = fsp
        self.fraction = (fsp + 1) // 2
        self.unit = _POWERS[6 - 2 * self.fraction]
        self.step = _POWERS[6 - fsp]
        self.width = base + self.fraction

    def units(self, micros: int) -> int:
        """Microseconds in the column's units (hundredths for one byte, and so on)."""
        if micros % self.step:
            raise BadValue(f"{micros} µs have more than the column's {self.fsp} decimals")
        return micros // self.unit

    def parse(self, text: str) -> tuple[int, ...]:
        """(year, month, day, hour, minute, second, micros) of an exceptional value."""
        match = _DATETIME.fullmatch(text)
        if match is None or len(match[7] or "") != self.fsp:
            raise BadValue(f"not a date and time with {self.fsp} decimals")
        parts = [int(part) for part in match.groups()[:6]]
        parts.append(int((match[7] or "").ljust(6, "0")))
        if parts[1] > 12 or parts[2] > 31 or parts[3] > 23 or parts[4] > 59 or parts[5] > 59:
            raise BadValue("not a date and time")
        return tuple(parts)


class DatetimeWriter(TemporalWriter):
    """DATETIME(n): 1 bit sign (always set), year·13+month, day, hour, minute, second in 40 bits."""

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        TemporalWriter.__init__(self, name, nullable, SIZED, 5, fsp)
        self.micros = 0

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        packed = self.packed(buf)
        out.put_big(packed | 1 << 39, 5)
        out.put_big(self.units(self.micros), self.fraction)

    def packed(self, buf: bytes) -> int:
        """The value in 39 bits; its fraction of a second stays in `micros`."""
        if self.odd:
            year, month, day, hour, minute, second, part = self.parse(
                text_of(payload(buf, self.start, self.end))
            )
            date = (year * 13 + month) << 5 | day
            micros = part
        else:
            micros = self.number
            if micros < -_DAYS_TO_1970 * _DAY or micros >= (_MAX_DAY + 1) * _DAY:
                raise BadValue(f"{micros} µs are outside of the years 1 to 9999")
            micros += _DAYS_TO_1970 * _DAY
            date = civil(micros // _DAY - _DAYS_TO_1970)
            micros %= _DAY
            second = micros // 1_000_000
            micros %= 1_000_000
            hour = second // 3600
            minute = second // 60 % 60
            second %= 60
        self.micros = micros
        return date << 17 | hour << 12 | minute << 6 | second


class TimestampWriter(TemporalWriter):
    """TIMESTAMP(n): seconds since 1970 in four bytes; all zero is the zero timestamp."""

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        TemporalWriter.__init__(self, name, nullable, SIZED, 4, fsp)

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            if any(self.parse(text_of(payload(buf, self.start, self.end)))):
                raise BadValue("an exceptional TIMESTAMP that isn't zero")
            out.put_zeros(self.width)
        else:
            # Beyond 2038 the servers known here can't read it back.
            if self.number <= 0 or self.number >= _MAX_TIMESTAMP:
                raise BadValue(f"{self.number} µs are outside of TIMESTAMP's range")
            out.put_big(self.number // 1_000_000, 4)
            out.put_big(self.units(self.number % 1_000_000), self.fraction)


class TimeWriter(TemporalWriter):
    """TIME(n): hour, minute, second in 10, 6 and 6 bits and the fraction, as one number that is
    negated whole and moved up by half its range.
    """

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        TemporalWriter.__init__(self, name, nullable, ABSENT, 3, fsp)
        self.zero = _ZERO_TIMES[self.fraction]

    def put(self, buf: bytes, out: ImageBuffer) -> None:  # noqa: ARG002
        micros = self.number
        if micros <= -_MAX_TIME or micros >= _MAX_TIME:
            raise BadValue(f"{micros} µs are outside of TIME's range")
        negative = micros < 0
        if negative:
            micros = -micros
        second = micros // 1_000_000
        packed = (second // 3600) << 12 | (second // 60 % 60) << 6 | second % 60
        packed = packed << 8 * self.fraction | self.units(micros % 1_000_000)
        if negative:
            packed = -packed
        out.put_big(packed + self.zero, self.width)
