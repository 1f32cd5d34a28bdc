"""Where a new pipeline begins, as the settings say it.

    latest                          the log's end at that moment
    binlog.000042:1234              a position: a place between two transactions
    UUID:1-77:tag:1-3, 0-1-100      a GTID set: everything in it is on the target already
    2026-11-28T10:00:00+01:00       the first transaction, in the log's order, at or after this time
    10 minutes ago, 2h ago          the same, by the source's clock at the first start

Pure: no clock is read and no server is asked. A time needs its zone: without one nobody can tell
whose it is.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_settings import NoDecode

from mysync_schemas.errors import SchemaError
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = [
    "AfterGtids",
    "Ago",
    "AtPosition",
    "AtTime",
    "Latest",
    "StartPoint",
    "StartSetting",
    "parse_start",
    "shown_time",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UUID: Final = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\s*:", re.IGNORECASE)
_MARIADB: Final = re.compile(r"\d+-\d+-\d+(\s*,\s*\d+-\d+-\d+)*")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d.*", re.IGNORECASE)
_AGO: Final = re.compile(r"((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+)\bago", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_LONGEST: Final = 100 * 365 * 86_400  # seconds
_UNITS: Final = {
    name: seconds
    for seconds, names in (
        (1, "s sec secs second seconds"),
        (60, "m min mins minute minutes"),
        (3_600, "h hour hours"),
        (86_400, "d day days"),
        (604_800, "w week weeks"),
    )
    for name in names.split()
}
_FORMS: Final = (
    "`latest`, a position (binlog.000042:1234), a GTID set, a time with its zone "
    "(2026-11-28T10:00:00Z) or an age (10 minutes ago)"
)


@dataclass(frozen=True)
class Latest:
    """The log's end."""

    def __str__(self) -> str:
        return "latest"


@dataclass(frozen=True)
class AtPosition:
    """A place between two transactions, or said to be one."""

    position: BinlogPosition

    def __str__(self) -> str:
        return str(self.position)


@dataclass(frozen=True)
class AfterGtids:
    """Everything that isn't in the set. It isn't empty; never change it, take a copy."""

    gtids: GtidSet | MariadbGtidSet

    def __str__(self) -> str:
        return str(self.gtids)


@dataclass(frozen=True)
class AtTime:
    """Microseconds since 1970 (UTC)."""

    us: int

    def __str__(self) -> str:
        return shown_time(self.us)


@dataclass(frozen=True)
class Ago:
    """Microseconds before the first start, by the source's clock."""

    us: int

    def __str__(self) -> str:
        return f"{self.us / 1_000_000:g} seconds ago"


StartPoint = Latest | AtPosition | AfterGtids | AtTime | Ago


def shown_time(us: int) -> str:
    """A time as ISO 8601 in UTC."""
    return (
        datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000).isoformat()
    )


def parse_start(value: object) -> StartPoint:
    """Reads the setting; raises ValueError that says what it may be."""
    if isinstance(value, Latest | AtPosition | AfterGtids | AtTime | Ago):
        return value
    if isinstance(value, date):  # so YAML gives what isn't quoted; a datetime is one too
        if not isinstance(value, datetime):
            raise ValueError(f"{value} is a day: say the time and its zone, {value}T00:00:00Z")
        return _time(value)
    if not isinstance(value, str):
        raise ValueError(f"it may be {_FORMS}")
    text = value.strip()
    if text.lower() == "latest":
        return Latest()
    try:
        return _parsed(text)
    except SchemaError as error:
        raise ValueError(str(error)) from None


def _parsed(text: str) -> StartPoint:
    if ago := _AGO.fullmatch(text):
        return _ago(ago[1])
    if _UUID.match(text):
        gtids = GtidSet.parse(text)
        if gtids.isempty():
            raise ValueError(f"{text!r} names no transaction")
        return AfterGtids(gtids)
    if _MARIADB.fullmatch(text):
        return AfterGtids(MariadbGtidSet.parse(text))
    if _TIME.fullmatch(text):
        try:
            return _time(datetime.fromisoformat(text))
        except ValueError as error:
            raise ValueError(f"{text!r} isn't a time: {error}") from None
    if re.fullmatch(r".+\.\d+:\d+", text):
        position = BinlogPosition.parse(text)
        if not FIRST <= position.pos < 1 << 32:
            raise ValueError(f"{text!r}: a file's first position is {FIRST}, its last one 2^32 - 1")
        return AtPosition(position)
    raise ValueError(f"{text!r} isn't a place to begin at: it may be {_FORMS}")


def _time(time: datetime) -> AtTime:
    if time.tzinfo is None:
        raise ValueError(
            f"{time.isoformat()} has no zone: end it with Z for UTC, or with an offset like +01:00"
        )
    past = time.astimezone(UTC) - _EPOCH
    us = (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
    if us < 0:
        raise ValueError(f"{time.isoformat()} is before 1970")
    return AtTime(us)


def _ago(spans: str) -> Ago:
    seconds = 0.0
    for number, unit in _SPAN.findall(spans):
        if unit.lower() not in _UNITS:
            raise ValueError(f"{unit!r} isn't a unit of time: s, m, h, d and w are, or their names")
        seconds += float(number) * _UNITS[unit.lower()]
    if seconds > _LONGEST:
        raise ValueError(f"{spans.strip()} is longer than a hundred years")
    return Ago(round(seconds * 1_000_000))


StartSetting = Annotated[
    StartPoint,
    NoDecode,
    PlainValidator(parse_start),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string"}),
]
