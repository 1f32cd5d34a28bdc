# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Dates and times as a SELECT shows them (TIMESTAMP in UTC) become values of a row image.

A column shows as many digits of a second's fraction as it has, so nothing is lost; zero, partial
and impossible dates are shown as they are stored. Formats: `rowtemporal`, and for MariaDB's old
ones `rowoldtemporal`, which read them.
"""

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.selectvalues import ImageValue

if not cython.compiled:
    from mysync_producer.rowtemporal import days, is_day
    from mysync_producer.selectvalues import bad, put_big, put_little

_POWERS = (1_000_000, 100_000, 10_000, 1000, 100, 10, 1)
# Of the stored fraction, by its bytes.
_UNITS = (1_000_000, 10_000, 100, 1)
_OLD_DATETIME_BYTES = (8, 6, 6, 7, 7, 7, 8)
_OLD_TIME_BYTES = (3, 4, 4, 5, 5, 5, 6)
# MariaDB's old TIME is stored as its distance from -839:00:00.
_OLD_TIME_ZERO = 3_020_400_000_000


class TemporalValue(ImageValue):
    """What they share: the parts of the last text, whose fraction has `fsp` digits."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        ImageValue.__init__(self, nullable)
        self.fsp = fsp
        self.fraction = (fsp + 1) // 2
        self.unit = _UNITS[self.fraction]
        self.power = _POWERS[fsp]
        self.year = self.month = self.day = 0
        self.hour = self.minute = self.second = 0
        self.micros = 0

    def number(self, src: bytes, pos: int, count: int) -> int:
        """So many digits, or a BadValue."""
        value = 0
        for i in range(count):
            digit = src[pos + i]
            if digit < 48 or digit > 57:
                raise BadValue("a date or time with a sign that is no digit")
            value = value * 10 + (digit - 48)
        return value

    def read_date(self, src: bytes, pos: int) -> int:
        """`YYYY-MM-DD`: 10 bytes that are there."""
        if src[pos + 4] != 45 or src[pos + 7] != 45:
            raise BadValue("a date without its hyphens")
        self.year = self.number(src, pos, 4)
        self.month = self.number(src, pos + 5, 2)
        self.day = self.number(src, pos + 8, 2)
        if self.month > 12 or self.day > 31:
            raise BadValue(f"the date {self.year}-{self.month}-{self.day}")
        return 0

    def read_clock(self, src: bytes, pos: int, end: int) -> int:
        """`:MM:SS` and the fraction up to `end`."""
        size = 7 + self.fsp if self.fsp else 6
        if end - pos != size or src[pos] != 58 or src[pos + 3] != 58:
            raise bad("a time", src, pos, end)
        self.minute = self.number(src, pos + 1, 2)
        self.second = self.number(src, pos + 4, 2)
        self.micros = 0
        if self.fsp:
            if src[pos + 6] != 46:
                raise bad("a time", src, pos, end)
            self.micros = self.number(src, pos + 7, self.fsp) * self.power
        if self.minute > 59 or self.second > 59:
            raise bad("a time", src, pos, end)
        return 0

    def read_moment(self, src: bytes, pos: int, end: int) -> int:
        """`YYYY-MM-DD hh:mm:ss` and the fraction."""
        if end - pos < 19 or src[pos + 10] != 32:
            raise bad("a date and time", src, pos, end)
        self.read_date(src, pos)
        self.hour = self.number(src, pos + 11, 2)
        self.read_clock(src, pos + 13, end)
        if self.hour > 23:
            raise bad("a date and time", src, pos, end)
        return 0

    def read_span(self, src: bytes, pos: int, end: int) -> bool:
        """`[-]hh:mm:ss` with two or three digits of hours; whether it is negative."""
        negative = pos < end and src[pos] == 45
        if negative:
            pos += 1
        width = end - pos - (7 + self.fsp if self.fsp else 6)
        if width != 2 and width != 3:
            raise bad("a TIME", src, pos, end)
        self.hour = self.number(src, pos, width)
        self.read_clock(src, pos + width, end)
        if self.hour > 838:
            raise bad("a TIME", src, pos, end)
        return negative

    def seconds(self, src: bytes, pos: int, end: int) -> int:
        """Of a TIMESTAMP, from 1970 in UTC; 0 for the zero one."""
        self.read_moment(src, pos, end)
        if self.year == 0 and self.month == 0 and self.day == 0:
            if self.hour or self.minute or self.second or self.micros:
                raise bad("a TIMESTAMP", src, pos, end)
            return 0
        if not is_day(self.year, self.month, self.day):
            raise bad("a TIMESTAMP", src, pos, end)
        value = days(self.year, self.month, self.day)
        value = value * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
        if value < 0 or value > 0xFFFFFFFF:
            raise bad("a TIMESTAMP", src, pos, end)
        return value


class DateValue(TemporalValue):
    """DATE."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos != 10:
            raise bad("a DATE", src, pos, end)
        self.read_date(src, pos)
        return put_little(out, self.year << 9 | self.month << 5 | self.day, 3)


class DatetimeValue(TemporalValue):
    """DATETIME2."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        self.read_moment(src, pos, end)
        packed = (self.year * 13 + self.month) << 5 | self.day
        packed = packed << 17 | self.hour << 12 | self.minute << 6 | self.second
        put_big(out, packed + 0x8000000000, 5)
        return put_big(out, self.micros // self.unit, self.fraction)


class TimestampValue(TemporalValue):
    """TIMESTAMP2."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        put_big(out, self.seconds(src, pos, end), 4)
        return put_big(out, self.micros // self.unit, self.fraction)


class TimeValue(TemporalValue):
    """TIME2: a negative one is the complement of all its bytes."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        negative = self.read_span(src, pos, end)
        width = 3 + self.fraction
        packed = self.hour << 12 | self.minute << 6 | self.second
        packed = packed << 8 * self.fraction | self.micros // self.unit
        zero = self.zero()
        return put_big(out, zero - packed if negative else zero + packed, width)

    def zero(self) -> int:
        one = 0x800000
        return one << 8 * self.fraction


class OldTimestampValue(TemporalValue):
    """MariaDB's old TIMESTAMP: `Field_timestamp0`, with a fraction `Field_timestamp_hires`."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        seconds = self.seconds(src, pos, end)
        if not self.fsp:
            return put_little(out, seconds, 4)
        put_big(out, seconds, 4)
        return put_big(out, self.micros // self.power, self.fraction)


class OldDatetimeValue(TemporalValue):
    """MariaDB's old DATETIME: `Field_datetime0`, with a fraction `Field_datetime_hires`."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        self.read_moment(src, pos, end)
        if not self.fsp:
            packed = self.year * 10_000 + self.month * 100 + self.day
            packed = packed * 1_000_000 + self.hour * 10_000 + self.minute * 100 + self.second
            return put_little(out, packed, 8)
        packed = ((self.year * 13 + self.month) * 32 + self.day) * 24 + self.hour
        packed = ((packed * 60 + self.minute) * 60 + self.second) * 1_000_000 + self.micros
        return put_big(out, packed // self.power, _OLD_DATETIME_BYTES[self.fsp])


class OldTimeValue(TemporalValue):
    """MariaDB's old TIME: `Field_time0`, with a fraction `Field_time_hires`."""

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        negative = self.read_span(src, pos, end)
        if not self.fsp:
            packed = self.hour * 10_000 + self.minute * 100 + self.second
            return put_little(out, 0x1000000 - packed if negative and packed else packed, 3)
        packed = (self.hour * 3600 + self.minute * 60 + self.second) * 1_000_000 + self.micros
        packed = _OLD_TIME_ZERO - packed if negative else _OLD_TIME_ZERO + packed
        return put_big(out, packed // self.power, _OLD_TIME_BYTES[self.fsp])
