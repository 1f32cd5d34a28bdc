# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value writers of MariaDB's old temporal formats (`mysql56_temporal_format=OFF`).

Such columns take the new format too, but convert it as the session's sql_mode and time zone say:
dates that don't exist became zero without a warning (observed on 10.11). So they get their own.

Format: MariaDB, `sql/field.cc`: without a fraction `Field_timestamp0`, `Field_datetime0` and
`Field_time0` (little-endian), with one `Field_timestamp_hires`, `Field_datetime_hires` and
`Field_time_hires` (big-endian, in units of the last digit).
"""

import cython

from mysync_consumer.imagebuffer import ImageBuffer
from mysync_consumer.rowerrors import BadValue
from mysync_consumer.rowread import ABSENT, SIZED
from mysync_consumer.rowtemporal import DatetimeWriter, TemporalWriter

if not cython.compiled:
    from mysync_consumer.rowtemporal import _MAX_TIME, _MAX_TIMESTAMP
    from mysync_consumer.rowvalues import payload, text_of

DATETIME_BYTES = (8, 6, 6, 7, 7, 7, 8)
TIME_BYTES = (3, 4, 4, 5, 5, 5, 6)
# A TIME is stored as its distance from -839:00:00.
TIME_ZERO = 3_020_400


class OldTimestampWriter(TemporalWriter):
    """TIMESTAMP: 4 bytes of seconds since 1970, then the fraction; all 0 is the zero timestamp."""

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        TemporalWriter.__init__(self, name, nullable, SIZED, 4, fsp)
        self.unit = self.step

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        if self.odd:
            if any(self.parse(text_of(payload(buf, self.start, self.end)))):
                raise BadValue("an exceptional TIMESTAMP that isn't zero")
            out.put_zeros(self.width)
        elif self.number <= 0 or self.number >= _MAX_TIMESTAMP:
            raise BadValue(f"{self.number} µs are outside of TIMESTAMP's range")
        elif self.fsp == 0:
            self.units(self.number)
            out.put_little(self.number // 1_000_000, 4)
        else:
            out.put_big(self.number // 1_000_000, 4)
            out.put_big(self.units(self.number % 1_000_000), self.fraction)


class OldDatetimeWriter(DatetimeWriter):
    """DATETIME: the number YYYYMMDDhhmmss; with a fraction one number in mixed units: year, 13
    months, 32 days, 24 hours, 60 minutes, 60 seconds, fractions."""

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        DatetimeWriter.__init__(self, name, nullable, fsp)
        self.unit = self.step
        self.width = DATETIME_BYTES[fsp]

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        packed = self.packed(buf)
        part = self.units(self.micros)
        months = packed >> 22
        day = packed >> 17 & 31
        hour = packed >> 12 & 31
        minute = packed >> 6 & 63
        second = packed & 63
        if self.fsp == 0:
            number = (months // 13 * 100 + months % 13) * 100 + day
            number = ((number * 100 + hour) * 100 + minute) * 100 + second
            out.put_little(number, 8)
        else:
            number = (((months * 32 + day) * 24 + hour) * 60 + minute) * 60 + second
            out.put_big(number * (1_000_000 // self.unit) + part, self.width)


class OldTimeWriter(TemporalWriter):
    """TIME: the signed number hhmmss; with a fraction the distance from -839:00:00."""

    def __init__(self, name: str, nullable: bool, fsp: int) -> None:
        TemporalWriter.__init__(self, name, nullable, ABSENT, 3, fsp)
        self.unit = self.step
        self.width = TIME_BYTES[fsp]
        self.zero = TIME_ZERO * 10**fsp

    def put(self, buf: bytes, out: ImageBuffer) -> None:  # noqa: ARG002
        micros = self.number
        if micros <= -_MAX_TIME or micros >= _MAX_TIME:
            raise BadValue(f"{micros} µs are outside of TIME's range")
        negative = micros < 0
        if negative:
            micros = -micros
        units = self.units(micros)
        if self.fsp == 0:
            units = (units // 3600 * 100 + units // 60 % 60) * 100 + units % 60
        if negative:
            units = -units
        if self.fsp == 0:
            out.put_little(units, 3)
        else:
            out.put_big(self.zero + units, self.width)
