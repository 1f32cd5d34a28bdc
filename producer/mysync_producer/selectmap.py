"""The TABLE_MAP that the source would log for a table version: what rows that were read by a SELECT
are made of, for a TablePlan that has seen no event.

It says what binlog_row_metadata=FULL would say of types, sizes and labels. Collations, the primary
key and visibility are left out: nothing depends on them here. An ENUM's or SET's labels are encoded
in the column's character set; one that isn't text there stays unreadable, as in the log.
"""

from collections.abc import Mapping
from typing import Final

from mysync_producer.rowplan import type_of
from mysync_producer.rowtext import LATIN1
from mysync_producer.tablemap import ColumnType, TableMap
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.table import Column, TableSchema
from mysync_schemas.types import UNREADABLE

__all__ = ["labels_of", "octets_of", "table_map_of"]

_NUMERIC: Final = frozenset(
    {"tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal", "year"}
)
_BLOB_BYTES: Final = {"tiny": 1, "medium": 3, "long": 4}
# Octets of the types whose length information_schema doesn't give (MariaDB).
_PADDED: Final = {"inet4": 4, "inet6": 16, "uuid": 16}
_LATIN1: Final = {char: byte for byte, char in LATIN1.items()}
# Bytes that hardly any character set has a character for.
_UNTEXT: Final = (b"\xff", b"\x80", b"\xff\xff\xff\xff", b"\0")


def table_map_of(
    schema: TableSchema, *, mariadb: bool, charsets: Mapping[str, Charset] = UNICODE
) -> TableMap:
    """`charsets`: as `mysync_schemas.charset.charsets_of` gives them, for labels."""
    del mariadb  # what both would say differently isn't in the map
    columns = sorted(schema.columns, key=lambda column: column.ordinal)
    return TableMap(
        table_id=0,
        flags=0,
        db=schema.db,
        table=schema.table,
        types=bytes(type_of(column) for column in columns),
        metas=tuple(_meta(column) for column in columns),
        nullable=tuple(column.nullable for column in columns),
        names=tuple(column.name for column in columns),
        unsigned=tuple(
            column.unsigned if column.data_type in _NUMERIC else None for column in columns
        ),
        labels=tuple(labels_of(column, charsets) for column in columns),
    )


def octets_of(column: Column) -> int:
    """Of CHAR, VARCHAR, BINARY, VARBINARY, MariaDB's types of a fixed size: the longest value."""
    octets = _PADDED.get(column.data_type, column.octet_length)
    assert octets is not None
    return octets


def _meta(column: Column) -> int:
    """The metadata bytes, as `TableMap.metas` has them (`Table_map_event`, m_field_metadata)."""
    kind = type_of(column)
    match kind:
        case ColumnType.FLOAT:
            return 4
        case ColumnType.DOUBLE:
            return 8
        case ColumnType.NEWDECIMAL:
            return (column.precision or 0) | (column.scale or 0) << 8
        case ColumnType.BIT:
            bits = column.precision or 0
            return bits % 8 | bits // 8 << 8
        case ColumnType.DATETIME2 | ColumnType.TIMESTAMP2 | ColumnType.TIME2:
            return column.fsp
        case ColumnType.ENUM:
            return kind | (1 if len(column.labels) < 256 else 2) << 8
        case ColumnType.SET:
            width = (len(column.labels) + 7) // 8
            return kind | (width if width <= 4 else 8) << 8
        case ColumnType.STRING:
            # Lengths over 255 take two bits of the type byte, inverted (`Field_string`).
            octets = octets_of(column)
            return kind ^ (octets & 0x300) >> 4 | (octets & 255) << 8
        case ColumnType.VARCHAR:
            return octets_of(column)
        case ColumnType.VARCHAR_COMPRESSED:
            return octets_of(column) + 1
        case ColumnType.BLOB | ColumnType.BLOB_COMPRESSED:
            name = column.data_type
            return next((size for head, size in _BLOB_BYTES.items() if name.startswith(head)), 2)
        case ColumnType.JSON | ColumnType.GEOMETRY | ColumnType.VECTOR:
            return 4
    return 0


def labels_of(column: Column, charsets: Mapping[str, Charset]) -> tuple[bytes, ...] | None:
    """Of ENUM and SET: the labels in the column's character set."""
    if column.data_type not in ("enum", "set"):
        return None
    return tuple(_label(label, column.charset or "binary", charsets) for label in column.labels)


def _label(label: str, charset: str, charsets: Mapping[str, Charset]) -> bytes:
    known = charsets.get(charset)
    if UNREADABLE in label:
        return next(b for b in _UNTEXT if known is None or known.decode(b) is None)
    if charset == "latin1":
        return bytes(_LATIN1.get(char, ord(char) & 255) for char in label)
    if known is not None:
        return known.encode(label) or (b"" if not label else b"\xff")
    return label.encode()
