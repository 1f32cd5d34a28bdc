"""Generated columns of MySQL that a replica would compute differently than the source did.

MySQL's replication applier computes generated columns anew, in its own session. A stored value, or
one in an index, that depends on the session would silently differ (or an index would hold what its
row doesn't): such tables are refused by name. MariaDB forbids such expressions, and takes values
from the row image.

What a value can depend on (MySQL manual, "CREATE TABLE and Generated Columns"; observed on 9.7):

- the session's time zone: TIMESTAMP columns, FROM_UNIXTIME, and texts that become points in time
  (they may hold an offset, '2024-01-01 00:00:00+05:00');
- the day it is computed: a TIME that becomes a date;
- the locale of whichever session opened the table first: names of days and months.

The expression is judged by its text, as information_schema has it. Rather one too many is refused:
a text column beside a function of dates is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from mysync_schemas.table import Column, Key

__all__ = ["session_dependence"]

# Literals are cut out first: a quote inside one is doubled or escaped, and information_schema
# escapes the quotes themselves.
_LITERAL: Final = re.compile(r"\\?'(?:[^'\\]|''|\\[^'])*\\?'")
_NAME: Final = re.compile(r"`((?:[^`]|``)+)`")
_OFFSET: Final = re.compile(r"[+-]\d\d:\d\d\\?'$")
_NAMES_OF_DAYS: Final = re.compile(r"%[abMW]")
_DATES: Final = re.compile(
    r"\b(?:as (?:date|datetime)|interval|(?:date|datetime|timestamp|str_to_date|date_format|to_days"
    r"|to_seconds|year|month|monthname|quarter|week|weekofyear|yearweek|weekday|dayofweek|dayofmonth"
    r"|dayofyear|dayname|day|last_day|date_add|date_sub|adddate|subdate|datediff|timestampdiff"
    r"|timestampadd|convert_tz|extract|from_days|makedate|period_add|period_diff|get_format) ?\()",
)
_TIMES: Final = re.compile(
    r"\b(?:as time|(?:time|hour|minute|second|microsecond|time_format|time_to_sec|addtime|subtime"
    r"|timediff|sec_to_time|maketime) ?\()",
)
_TEXTS: Final = frozenset(
    {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum", "set"}
    | {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
)


def session_dependence(columns: Iterable[Column], keys: Iterable[Key]) -> Iterator[tuple[str, str]]:
    """(what, why) for each generated column or index part that depends on its session."""
    by_name = {column.name: column for column in columns}
    indexed = {part.column for key in keys for part in key.columns}
    for column in by_name.values():
        kept = column.generated == "STORED" or column.name in indexed
        if column.expression and kept:
            why = _reason(column.expression, by_name, {column.name})
            if why is not None:
                yield f"column {column.name}", why
    for key in keys:
        for part in key.columns:
            why = _reason(part.expression, by_name, set()) if part.expression else None
            if why is not None:
                yield f"index {key.name}", why


def _reason(expression: str, columns: dict[str, Column], above: set[str]) -> str | None:
    literals = _LITERAL.findall(expression)
    rest = _LITERAL.sub("''", expression)
    names = {name.replace("``", "`") for name in _NAME.findall(rest)}
    used = [columns[name] for name in sorted(names) if name in columns]
    for column in used:
        # What a virtual column is made of is computed along with it.
        if column.expression and column.name not in above:
            why = _reason(column.expression, columns, above | {column.name})
            if why is not None:
                return why
    code = _NAME.sub("``", rest).lower()
    if any(column.data_type == "timestamp" for column in used):
        return "a TIMESTAMP in it is read in the session's time zone"
    if "from_unixtime" in code or "unix_timestamp" in code:
        return "FROM_UNIXTIME and UNIX_TIMESTAMP depend on the session's time zone"
    kinds = {column.data_type for column in used}
    dates = bool(_DATES.search(code)) or bool(kinds & {"date", "datetime"})
    if dates or _TIMES.search(code) or "time" in kinds:
        if any(_OFFSET.search(literal) for literal in literals):
            return "a point in time with an offset is read in the session's time zone"
        if kinds & _TEXTS:
            return "a text that is read as a point in time may depend on the session's time zone"
    if dates and "time" in kinds:
        return "a TIME that becomes a date takes the day on which it is computed"
    if "dayname" in code or "monthname" in code or _names_days(code, literals):
        return "names of days and months depend on lc_time_names"
    return None


def _names_days(code: str, literals: Iterable[str]) -> bool:
    return "date_format" in code and any(_NAMES_OF_DAYS.search(text) for text in literals)
