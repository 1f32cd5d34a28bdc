# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value codecs of MariaDB's old temporal formats (`mysql56_temporal_format=OFF`; COLUMN_TYPE says
`/* mariadb-5.3 */`). A TABLE_MAP doesn't say how many digits of a second's fraction they have.

Format: MariaDB, `sql/field.cc`: without a fraction `Field_timestamp0`, `Field_datetime0` and
`Field_time0` (little-endian), with one `Field_timestamp_hires`, `Field_datetime_hires` and
`Field_time_hires` (big-endian, in units of the last digit).
"""

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.rowtemporal import FractionCodec

if not cython.compiled:
    from mysync_producer.rowbuffer import big, little
    from mysync_producer.rowimage import short

_UNITS = tuple(10 ** (6 - fsp) for fsp in range(7))
_DATETIME_BYTES = (8, 6, 6, 7, 7, 7, 8)
_TIME_BYTES = (3, 4, 4, 5, 5, 5, 6)
# A TIME is stored as its distance from -839:00:00.
_TIME_ZERO = 3_020_400
_TIME_LIMIT = 3_020_400_000_000


class OldTimestampCodec(FractionCodec):
    """TIMESTAMP: 4 bytes of seconds from 1970 UTC, then the fraction; all 0 is zero."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, True, fsp, 4)
        self.unit = _UNITS[fsp]

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        seconds = big(src, pos, 4) if self.fsp else little(src, pos, 4)
        micros = big(src, pos + 4, self.width - 4) * self.unit if self.fsp else 0
        if micros >= 1_000_000:
            raise BadValue(f"TIMESTAMP with {micros} microseconds")
        if seconds == 0 and micros == 0:
            self.put_zero(out)
        else:
            out.put_byte(self.normal)
            out.put_long(seconds * 1_000_000 + micros)
        return pos + self.width


class OldDatetimeCodec(FractionCodec):
    """DATETIME: the number YYYYMMDDhhmmss; with a fraction one number in mixed units: year, 13
    months, 32 days, 24 hours, 60 minutes, 60 seconds, fractions."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, True, fsp, 5)
        self.unit = _UNITS[fsp]
        self.width = _DATETIME_BYTES[fsp]

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if self.fsp:
            packed = big(src, pos, self.width)
            if packed >= 1 << 60:
                raise BadValue(f"DATETIME {packed}")
            packed *= self.unit
            micros = packed % 1_000_000
            packed //= 1_000_000
            second = packed % 60
            packed //= 60
            minute = packed % 60
            packed //= 60
            hour = packed % 24
            packed //= 24
            day = packed % 32
            packed //= 32
            month = packed % 13
            year = packed // 13
        else:
            packed = little(src, pos, 8)
            micros = 0
            second = packed % 100
            packed //= 100
            minute = packed % 100
            packed //= 100
            hour = packed % 100
            packed //= 100
            day = packed % 100
            packed //= 100
            month = packed % 100
            year = packed // 100
        if month > 12 or day > 31:
            raise BadValue(f"DATETIME {year}-{month}-{day}")
        self.put_moment(out, year, month, day, hour, minute, second, micros)
        return pos + self.width


class OldTimeCodec(FractionCodec):
    """TIME: the signed number hhmmss; with a fraction the distance from -839:00:00."""

    def __init__(self, nullable: bool, fsp: int) -> None:
        FractionCodec.__init__(self, nullable, False, fsp, 3)
        self.unit = _UNITS[fsp]
        self.width = _TIME_BYTES[fsp]
        self.zero = _TIME_ZERO * 10**fsp

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        if self.fsp:
            micros = (big(src, pos, self.width) - self.zero) * self.unit
        else:
            micros = little(src, pos, 3)
            negative = micros >= 0x800000
            if negative:
                micros = 0x1000000 - micros
            second = micros % 100
            minute = micros // 100 % 100
            if minute > 59 or second > 59:
                raise BadValue(f"TIME {micros}")
            micros = (micros // 10_000 * 3600 + minute * 60 + second) * 1_000_000
            if negative:
                micros = -micros
        if micros <= -_TIME_LIMIT or micros >= _TIME_LIMIT:
            raise BadValue(f"TIME of {micros} microseconds")
        if self.normal >= 0:
            out.put_byte(self.normal)
        out.put_long(micros)
        return pos + self.width
