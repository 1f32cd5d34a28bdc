"""A column as the target defines it: what it may hold, and what it is in a TABLE_MAP.

Formats: MySQL source documentation, `mysql::binlog::event::Table_map_event`; MariaDB's types of
COMPRESSED columns: `Field_varstring_compressed`, `Field_blob_compressed` (`sql/field.h`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mysync_schemas.columncompression import is_compressed
from mysync_schemas.table import Column
from mysync_schemas.types import is_old_temporal, labels_of

__all__ = ["TargetColumn"]

# enum_field_types, as they stand in a TABLE_MAP.
TINY, SHORT, LONG, FLOAT, DOUBLE, LONGLONG, INT24 = 1, 2, 3, 4, 5, 8, 9
DATE, YEAR, VARCHAR, BIT, TIMESTAMP2, DATETIME2, TIME2 = 10, 13, 15, 16, 17, 18, 19
BLOB_COMPRESSED, VARCHAR_COMPRESSED = 140, 141
VECTOR, JSON, NEWDECIMAL, ENUM, SET, BLOB, STRING, GEOMETRY = 242, 245, 246, 247, 248, 252, 254, 255

PLAIN = {
    "tinyint": TINY,
    "smallint": SHORT,
    "mediumint": INT24,
    "int": LONG,
    "bigint": LONGLONG,
    "date": DATE,
    "year": YEAR,
}
TEMPORAL = {"timestamp": TIMESTAMP2, "datetime": DATETIME2, "time": TIME2}
OLD_TEMPORAL = {"timestamp": 7, "datetime": 12, "time": 11}
BLOBS = {
    "tinyblob": 1,
    "blob": 2,
    "mediumblob": 3,
    "longblob": 4,
    "tinytext": 1,
    "text": 2,
    "mediumtext": 3,
    "longtext": 4,
}
GEOMETRIES = frozenset(
    ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring")
) | {"multipolygon", "geomcollection", "geometrycollection"}
MARIADB_FIXED = {"inet4": 4, "inet6": 16, "uuid": 16}


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """A column of a target table; lengths in characters and octets, `fsp` in decimals."""

    name: str
    ordinal: int
    column_type: str
    data_type: str
    nullable: bool
    unsigned: bool = False
    char_length: int | None = None
    octet_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fsp: int = 0
    charset: str | None = None
    collation: str | None = None
    labels: tuple[str, ...] = ()
    generated: Literal["", "VIRTUAL", "STORED"] = ""
    expression: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "TargetColumn":
        """From a row of information_schema.columns, keys in any case."""
        get = {key.lower(): value for key, value in row.items()}.__getitem__
        data_type = get("data_type").lower()
        column_type = get("column_type")
        extra = (get("extra") or "").upper()
        return cls(
            name=get("column_name"),
            ordinal=int(get("ordinal_position")),
            column_type=column_type,
            data_type=data_type,
            nullable=get("is_nullable") == "YES",
            unsigned="unsigned" in column_type.lower().split(),
            char_length=get("character_maximum_length"),
            octet_length=get("character_octet_length"),
            precision=get("numeric_precision"),
            scale=get("numeric_scale"),
            fsp=get("datetime_precision") or 0,
            charset=get("character_set_name"),
            collation=get("collation_name"),
            labels=labels_of(column_type) if data_type in ("enum", "set") else (),
            generated="VIRTUAL"
            if "VIRTUAL GENERATED" in extra
            else "STORED"
            if "STORED GENERATED" in extra
            else "",
            expression=get("generation_expression") or None,
        )

    @classmethod
    def from_column(cls, column: Column) -> "TargetColumn":
        """A column that information_schema doesn't list."""
        return cls(
            column.name,
            column.ordinal,
            column.column_type,
            column.data_type,
            column.nullable,
            column.unsigned,
            fsp=column.fsp,
            generated=column.generated,
            expression=column.expression,
        )

    @property
    def old_temporal(self) -> bool:
        """A column in MariaDB's old temporal format."""
        return is_old_temporal(self.column_type)

    @property
    def compressed(self) -> bool:
        """A COMPRESSED column (MariaDB)."""
        return is_compressed(self.column_type)

    @property
    def prefix(self) -> int:
        """Bytes of the length that precedes a value of variable size in an image."""
        if self.data_type in BLOBS:
            return BLOBS[self.data_type]
        if self.data_type in ("json", "vector") or self.data_type in GEOMETRIES:
            return 4
        return 1 if self.stored <= 255 else 2

    @property
    def octets(self) -> int:
        """The greatest size of a value of variable size, in bytes."""
        if self.data_type in MARIADB_FIXED:
            return MARIADB_FIXED[self.data_type]
        if self.data_type in ("json", "vector") or self.data_type in GEOMETRIES:
            return (1 << 32) - 1
        if self.data_type in BLOBS:
            return int((1 << 8 * BLOBS[self.data_type]) - 1)
        return self.octet_length or 0

    @property
    def stored(self) -> int:
        """The greatest size of what is stored of it: a COMPRESSED string has a byte before it."""
        return self.octets + 1 if self.compressed and self.data_type not in BLOBS else self.octets

    def binlog_type(self) -> tuple[int, bytes]:
        """The type code in a TABLE_MAP, and its metadata. KeyError for a type without one."""
        kind = self.data_type
        if self.old_temporal:
            return OLD_TEMPORAL[kind], b""
        if kind in TEMPORAL:
            return TEMPORAL[kind], bytes((self.fsp,))
        if kind in BLOBS:
            return BLOB_COMPRESSED if self.compressed else BLOB, bytes((BLOBS[kind],))
        if kind in GEOMETRIES:
            return GEOMETRY, b"\x04"
        if kind in ("varchar", "varbinary"):
            code = VARCHAR_COMPRESSED if self.compressed else VARCHAR
            return code, self.stored.to_bytes(2, "little")
        if kind in ("char", "binary") or kind in MARIADB_FIXED:
            # Two more bits of the length hide, inverted, in the type.
            return STRING, bytes((STRING ^ (self.octets & 0x300) >> 4, self.octets & 0xFF))
        match kind:
            case "decimal":
                return NEWDECIMAL, bytes((self.precision or 0, self.scale or 0))
            case "float":
                return FLOAT, b"\x04"
            case "double":
                return DOUBLE, b"\x08"
            case "bit":
                bits = self.precision or 1
                return BIT, bytes((bits % 8, bits // 8))
            case "enum":
                return STRING, bytes((ENUM, 1 if len(self.labels) < 256 else 2))
            case "set":
                width = (len(self.labels) + 7) // 8
                return STRING, bytes((SET, width if width <= 4 else 8))
            case "json":
                return JSON, b"\x04"
            case "vector":
                return VECTOR, b"\x04"
        return PLAIN[kind], b""
