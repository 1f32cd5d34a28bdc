"""MySQL's types and what they are in Avro: one table of kinds.

The usual value of a type is the Avro type (with its logical type) that ordinary readers expect. A
value which that can't carry exactly takes the *exceptional branch*, the last one of the column's
union. The layout of every column: `["null" if nullable] + [normal] + [exceptional if any]`; a lone
member isn't a union. So null has index 0, normal is 1 if nullable else 0, exceptional is
normal + 1.

Exceptional strings: DATE `YYYY-MM-DD`; DATETIME and TIMESTAMP `YYYY-MM-DD hh:mm:ss` with `.` and as
many digits as the column has. A DATE or DATETIME is normal iff it is a real date of the proleptic
Gregorian calendar with year ≥ 1.

Sources: Avro specification 1.12 ("Logical Types"), MySQL manual ("Data Types").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, Final

from mysync_schemas.charset import COMMON, TABLED, UNICODE
from mysync_schemas.errors import UnsupportedColumn
from mysync_schemas.names import avro_names
from mysync_schemas.table import Column
from mysync_schemas.versioned import by_transaction

__all__ = [
    "CHARSETS",
    "EXCEPTIONAL",
    "UNREADABLE",
    "AvroType",
    "Kind",
    "avro_field",
    "avro_type",
    "complete",
    "is_old_temporal",
    "kind_of",
    "labelled_type",
    "labels_of",
    "normal_index",
    "normal_type",
    "unsupported",
]

AvroType = str | dict[str, Any] | list[Any]


class Kind(IntEnum):
    """How a column's values look in Avro. The numbers are part of canonical keys: never reused."""

    INT32 = 1  # int: TINYINT … INT, TINYINT … MEDIUMINT UNSIGNED, YEAR
    INT64 = 2  # long: INT UNSIGNED, BIGINT
    UINT64 = 3  # long | bytes decimal(20,0) from 2**63
    DECIMAL = 4  # bytes decimal: minimal two's complement, big-endian, unscaled
    FLOAT = 5
    DOUBLE = 6
    DATE = 7  # int date (days since 1970-01-01) | string
    DATETIME = 8  # long local-timestamp-micros | string
    TIMESTAMP = 9  # long timestamp-micros | string
    TIME = 10  # long, microseconds, signed
    STRING = 11  # string | bytes in the column's character set
    BYTES = 12
    BIT = 13  # bytes, ceil(n / 8), big-endian
    ENUM = 14  # string | int (index)
    SET = 15  # string, comma-joined | long (bitmask)
    JSON = 16  # string | bytes (MySQL binary JSON)


EXCEPTIONAL: Final[Mapping[Kind, AvroType]] = {
    Kind.UINT64: {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 0},
    Kind.DATE: "string",
    Kind.DATETIME: "string",
    Kind.TIMESTAMP: "string",
    Kind.STRING: "bytes",
    Kind.ENUM: "int",
    Kind.SET: "long",
    Kind.JSON: "bytes",
}

_NORMAL: Final[Mapping[Kind, AvroType]] = {
    Kind.INT32: "int",
    Kind.INT64: "long",
    Kind.UINT64: "long",
    Kind.FLOAT: "float",
    Kind.DOUBLE: "double",
    Kind.DATE: {"type": "int", "logicalType": "date"},
    Kind.DATETIME: {"type": "long", "logicalType": "local-timestamp-micros"},
    Kind.TIMESTAMP: {"type": "long", "logicalType": "timestamp-micros"},
    Kind.TIME: "long",
    Kind.STRING: "string",
    Kind.BYTES: "bytes",
    Kind.BIT: "bytes",
    Kind.ENUM: "string",
    Kind.SET: "string",
    Kind.JSON: "string",
}

_KINDS: Final[Mapping[str, Kind]] = {
    "tinyint": Kind.INT32,
    "smallint": Kind.INT32,
    "mediumint": Kind.INT32,
    "int": Kind.INT32,
    "bigint": Kind.INT64,
    "year": Kind.INT32,
    "decimal": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    "timestamp": Kind.TIMESTAMP,
    "time": Kind.TIME,
    "char": Kind.STRING,
    "varchar": Kind.STRING,
    "tinytext": Kind.STRING,
    "text": Kind.STRING,
    "mediumtext": Kind.STRING,
    "longtext": Kind.STRING,
    "binary": Kind.BYTES,
    "varbinary": Kind.BYTES,
    "tinyblob": Kind.BYTES,
    "blob": Kind.BYTES,
    "mediumblob": Kind.BYTES,
    "longblob": Kind.BYTES,
    "bit": Kind.BIT,
    "enum": Kind.ENUM,
    "set": Kind.SET,
    "json": Kind.JSON,
    "geometry": Kind.BYTES,
    "point": Kind.BYTES,
    "linestring": Kind.BYTES,
    "polygon": Kind.BYTES,
    "multipoint": Kind.BYTES,
    "multilinestring": Kind.BYTES,
    "multipolygon": Kind.BYTES,
    "geomcollection": Kind.BYTES,
    "geometrycollection": Kind.BYTES,
    "vector": Kind.BYTES,
    "inet4": Kind.BYTES,
    "inet6": Kind.BYTES,
    "uuid": Kind.BYTES,
}

UNREADABLE: Final = "\ufffd"
"""What an inferred version has for a label that isn't text in its column's character set."""

CHARSETS: Final = COMMON | TABLED | UNICODE.keys() | {"utf8", "binary"}
_LABEL: Final = re.compile(r"'((?:[^']|'')*)'")
_ESCAPED: Final = re.compile(r"''|\\(.)", re.DOTALL)
_ESCAPES: Final = str.maketrans({"'": "''", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def kind_of(column: Column) -> Kind:
    """The column's kind. Raises `KeyError` for a type without one (`unsupported` says so first)."""
    kind = _KINDS[column.data_type]
    if column.unsigned and column.data_type == "int":
        return Kind.INT64
    if column.unsigned and column.data_type == "bigint":
        return Kind.UINT64
    return kind


def normal_index(column: Column) -> int:
    """Index of the normal branch in the column's union (0 also where there is no union)."""
    return 1 if column.nullable else 0


def normal_type(column: Column) -> AvroType:
    """The Avro type of the column's normal branch."""
    kind = kind_of(column)
    if kind is Kind.DECIMAL:
        return {
            "type": "bytes",
            "logicalType": "decimal",
            "precision": column.precision,
            "scale": column.scale or 0,
        }
    return _NORMAL[kind]


def avro_type(column: Column) -> AvroType:
    """The column's Avro type: a union of its branches, or its only one."""
    branches: list[Any] = ["null"] if column.nullable else []
    branches.append(normal_type(column))
    exceptional = EXCEPTIONAL.get(kind_of(column))
    if exceptional is not None:
        branches.append(exceptional)
    return branches if len(branches) > 1 else normal_type(column)


def avro_field(column: Column) -> dict[str, Any]:
    """The column as a field of the table's record (after `complete`)."""
    field: dict[str, Any] = {
        "name": column.avro_name,
        "type": avro_type(column),
        "mysql.type": column.column_type,
    }
    if column.avro_name != column.name:
        field["mysql.name"] = column.name
    return field


def labels_of(column_type: str) -> tuple[str, ...]:
    r"""Labels of `enum('a','it''s')` or `set(…)`, in their order; () for other types.

    COLUMN_TYPE doubles `'` and writes backslash, line feed, carriage return and NUL as `\\`, `\n`,
    `\r`, `\0`, whatever the sql_mode (both servers: append_unescaped).
    """
    head, _, rest = column_type.partition("(")
    if head.strip().lower() not in ("enum", "set"):
        return ()
    return tuple(_ESCAPED.sub(_unescape, label) for label in _LABEL.findall(rest))


def labelled_type(data_type: str, labels: Iterable[str]) -> str:
    """The COLUMN_TYPE of an ENUM or SET (`data_type`) with these labels."""
    listed = ",".join("'" + label.translate(_ESCAPES) + "'" for label in labels)
    return f"{data_type}({listed})"


def _unescape(match: re.Match[str]) -> str:
    char = match[1]
    return "'" if char is None else {"n": "\n", "r": "\r", "0": "\0"}.get(char, char)


def complete(table: str, columns: Iterable[Column]) -> tuple[Column, ...]:
    """The table's columns, in ordinal order, with `kind` and `avro_name`.

    Raises `UnsupportedColumn` for the first that `unsupported` has a reason against.
    """
    ordered = sorted(columns, key=lambda column: column.ordinal)
    for column in ordered:
        reason = unsupported(column)
        if reason is not None:
            raise UnsupportedColumn(table, column.name, reason)
    names = avro_names(column.name for column in ordered)
    return tuple(
        column.model_copy(update={"kind": int(kind_of(column)), "avro_name": name})
        for column, name in zip(ordered, names, strict=True)
    )


def is_old_temporal(column_type: str) -> bool:
    """Whether this COLUMN_TYPE is one in MariaDB's old temporal format."""
    return column_type.endswith("/* mariadb-5.3 */")


def unsupported(column: Column) -> str | None:
    """Why mysync refuses this column, or None."""
    column_type = column.column_type.upper()
    if by_transaction(column):
        return (
            "the table is versioned by transaction numbers, which mean nothing on another server: "
            "give ROW START and ROW END the type TIMESTAMP(6)"
        )
    if column_type.endswith("/* 5.5 BINARY FORMAT */"):
        return (
            "it has the temporal format of MySQL 5.5, which isn't replicated: "
            "ALTER TABLE … FORCE rewrites it"
        )
    if column.data_type not in _KINDS:
        return f"type {column.data_type} isn't known"
    if column.charset is not None and column.charset not in CHARSETS:
        return f"character set {column.charset} isn't known"
    return None
