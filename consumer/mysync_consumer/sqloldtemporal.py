"""Values of MariaDB's old temporal formats as SQL: the image (`rowoldtemporal`) as a text."""

import datetime as dt
from collections.abc import Callable

from mysync_consumer.rowoldtemporal import TIME_ZERO
from mysync_consumer.targetcolumn import TargetColumn

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 (the session's zone is UTC)


def literal(column: TargetColumn) -> Callable[[bytes], bytes]:
    """What writes the column's values."""
    texts = {"datetime": _datetime, "timestamp": _timestamp, "time": _time}
    text = texts[column.data_type]
    return lambda raw: f"'{text(raw, column.fsp)}'".encode()


def _fraction(part: int, fsp: int) -> str:
    return f".{part:0{fsp}}" if fsp else ""


def _timestamp(raw: bytes, fsp: int) -> str:
    seconds = int.from_bytes(raw[:4], "big" if fsp else "little")
    part = int.from_bytes(raw[4:], "big")
    if seconds == 0 and part == 0:
        return "0000-00-00 00:00:00" + _fraction(0, fsp)
    return f"{_EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}{_fraction(part, fsp)}"


def _datetime(raw: bytes, fsp: int) -> str:
    if not fsp:
        digits = f"{int.from_bytes(raw, 'little'):014}"
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {_clock(digits[8:])}"
    rest, part = divmod(int.from_bytes(raw, "big"), 10**fsp)
    rest, second = divmod(rest, 60)
    rest, minute = divmod(rest, 60)
    rest, hour = divmod(rest, 24)
    months, day = divmod(rest, 32)
    moment = f"{months // 13:04}-{months % 13:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    return moment + _fraction(part, fsp)


def _time(raw: bytes, fsp: int) -> str:
    if not fsp:
        number = int.from_bytes(raw, "little", signed=True)
        return ("-" if number < 0 else "") + _clock(f"{abs(number):06}")
    distance = int.from_bytes(raw, "big") - TIME_ZERO * 10**fsp
    seconds, part = divmod(abs(distance), 10**fsp)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return ("-" if distance < 0 else "") + clock + _fraction(part, fsp)


def _clock(digits: str) -> str:
    return f"{digits[:-4]}:{digits[-4:-2]}:{digits[-2:]}"
