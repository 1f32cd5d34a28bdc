"""From a table version to what turns its shown values into image values."""

from collections.abc import Mapping, Sequence

from mysync_producer.rowerrors import NotReadable
from mysync_producer.rowplan import type_of
from mysync_producer.selectlist import doubtful_labels, typed_json
from mysync_producer.selectmap import octets_of, table_map_of
from mysync_producer.selecttemporal import (
    DatetimeValue,
    DateValue,
    OldDatetimeValue,
    OldTimestampValue,
    OldTimeValue,
    TimestampValue,
    TimeValue,
)
from mysync_producer.selectvalues import (
    BitValue,
    CompressedValue,
    DecimalValue,
    DoubleValue,
    FloatValue,
    ImageValue,
    IntValue,
    JsonValue,
    LabelValue,
    SizedValue,
    YearValue,
)
from mysync_producer.tablemap import ColumnType
from mysync_schemas.charset import Charset
from mysync_schemas.table import Column, TableSchema

__all__ = ["image_values"]

_WIDTHS = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
_TEMPORALS = {
    ColumnType.DATE: DateValue,
    ColumnType.DATETIME2: DatetimeValue,
    ColumnType.TIMESTAMP2: TimestampValue,
    ColumnType.TIME2: TimeValue,
    ColumnType.DATETIME: OldDatetimeValue,
    ColumnType.TIMESTAMP: OldTimestampValue,
    ColumnType.TIME: OldTimeValue,
}


def image_values(
    schema: TableSchema, *, mariadb: bool, charsets: Mapping[str, Charset]
) -> list[ImageValue]:
    """One for each column, in the table's order."""
    table_map = table_map_of(schema, mariadb=mariadb, charsets=charsets)
    columns = sorted(schema.columns, key=lambda column: column.ordinal)
    return [
        _image_value(schema, column, meta, labels or (), mariadb)
        for column, meta, labels in zip(columns, table_map.metas, table_map.labels, strict=True)
    ]


def _image_value(
    schema: TableSchema, column: Column, meta: int, labels: Sequence[bytes], mariadb: bool
) -> ImageValue:
    nullable = column.nullable
    kind = type_of(column)
    if kind in _TEMPORALS:
        return _TEMPORALS[kind](nullable, column.fsp)
    match kind:
        case ColumnType.ENUM | ColumnType.SET:
            width = meta >> 8
            if doubtful_labels(column):
                known = list(labels)
                return LabelValue(
                    nullable, width, known, kind == ColumnType.SET, _unlike(schema, column)
                )
            # MariaDB shows a SET of 64 labels as a signed number.
            least = 1 << 63 if width == 8 else 0
            return IntValue(nullable, width, least, (1 << 8 * width) - 1)
        case ColumnType.YEAR:
            return YearValue(nullable, 2 if column.column_type == "year(2)" else 4)
        case ColumnType.FLOAT:
            return FloatValue(nullable)
        case ColumnType.DOUBLE:
            return DoubleValue(nullable)
        case ColumnType.NEWDECIMAL:
            return DecimalValue(nullable, meta & 255, meta >> 8)
        case ColumnType.BIT:
            return BitValue(nullable, column.precision or 0)
        case ColumnType.JSON:
            if not typed_json(column, mariadb=mariadb):
                return SizedValue(nullable, 4, 0xFFFFFFFF)
            return JsonValue(nullable, not schema.identity, _inexact(schema, column))
        case ColumnType.VARCHAR_COMPRESSED:
            return CompressedValue(nullable, 1 if meta < 256 else 2, meta)
        case ColumnType.BLOB_COMPRESSED:
            return CompressedValue(nullable, meta, (1 << 8 * meta) - 1)
        case ColumnType.STRING | ColumnType.VARCHAR:
            limit = octets_of(column)
            return SizedValue(nullable, 1 if limit < 256 else 2, limit)
        case ColumnType.BLOB | ColumnType.GEOMETRY | ColumnType.VECTOR:
            return SizedValue(nullable, meta, (1 << 8 * meta) - 1)
    return _integer(column)


def _integer(column: Column) -> IntValue:
    width = _WIDTHS[column.data_type]
    half = 1 << (8 * width - 1)
    if column.unsigned:
        return IntValue(column.nullable, width, 0, 2 * half - 1)
    return IntValue(column.nullable, width, half, half - 1)


def _inexact(schema: TableSchema, column: Column) -> NotReadable:
    return NotReadable(
        str(schema.table_id),
        column.name,
        "SQL doesn't show all of how a document is stored (it holds a DECIMAL, or was updated in "
        "place), and the table has no key, so that rows are found by what is stored",
    )


def _unlike(schema: TableSchema, column: Column) -> NotReadable:
    return NotReadable(
        str(schema.table_id),
        column.name,
        "a row has a label that isn't text, and the table's definition shows another in its place",
    )
