"""A table as the target defines it: its TABLE_MAP, and how that differs from the source's.

The applier maps columns by their position only and believes what the map says, so the map is built
from the target's own definition (`information_schema.columns` in ordinal order), whatever the
source looks like. Anything that would let a value change its meaning on the way is a difference.

Format of TABLE_MAP: MySQL source documentation, `mysql::binlog::event::Table_map_event`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mysync_consumer.rowerrors import UnwritableTable
from mysync_schemas.columncompression import is_compressed
from mysync_schemas.table import Column, Key, KeyPart, TableSchema
from mysync_schemas.types import labels_of

__all__ = ["TargetColumn", "TargetTable", "differences"]

Flavor = Literal["mysql", "mariadb"]

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

# A field of the optional metadata.
VECTOR_DIMENSIONALITY = 13

# Bit fields have their exact length (TM_BIT_LEN_EXACT_F); both servers set it.
MAP_FLAGS = 1

_DISPLAY_WIDTH = re.compile(r"^((?:tiny|small|medium|big)?int|year)\(\d+\)")


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
        if kind in TEMPORAL:
            return TEMPORAL[kind], bytes((self.fsp,))
        if kind in BLOBS and self.compressed:
            return BLOB_COMPRESSED, bytes((BLOBS[kind],))
        if kind in BLOBS:
            return BLOB, bytes((BLOBS[kind],))
        if kind in GEOMETRIES:
            return GEOMETRY, b"\x04"
        if kind in ("varchar", "varbinary") and self.compressed:
            return VARCHAR_COMPRESSED, self.stored.to_bytes(2, "little")
        if kind in ("varchar", "varbinary"):
            return VARCHAR, self.octets.to_bytes(2, "little")
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


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table on the target: columns in ordinal order, unique keys (the primary one: PRIMARY)."""

    db: str
    table: str
    flavor: Flavor
    columns: tuple[TargetColumn, ...]
    unique_keys: tuple[Key, ...] = ()
    engine: str = "InnoDB"

    @classmethod
    def from_rows(
        cls,
        db: str,
        table: str,
        columns: Iterable[Mapping[str, Any]],
        statistics: Iterable[Mapping[str, Any]],
        *,
        engine: str = "InnoDB",
        flavor: Flavor = "mysql",
    ) -> "TargetTable":
        """From the table's rows of information_schema.columns and .statistics."""
        found = sorted((TargetColumn.from_row(row) for row in columns), key=lambda c: c.ordinal)
        return cls(db, table, flavor, tuple(found), unique_keys_of(statistics), engine)

    def table_map(self, table_id: int) -> bytes:
        """The body of a TABLE_MAP event (without header and checksum).

        Of the optional metadata only what the server looks at: the dimensions of VECTOR columns.

        Raises:
            UnwritableTable: a column of a type that has no place in a map.
        """
        types, metadata, nullable = bytearray(), b"", bytearray((len(self.columns) + 7) // 8)
        for i, column in enumerate(self.columns):
            try:
                code, meta = column.binlog_type()
            except KeyError:
                what = f"column {column.name}: row events of type {column.data_type} aren't known"
                raise UnwritableTable(f"{self.db}.{self.table}", what) from None
            types.append(code)
            metadata += meta
            if column.nullable:
                nullable[i >> 3] |= 1 << (i & 7)
        return b"".join(
            (
                table_id.to_bytes(6, "little"),
                MAP_FLAGS.to_bytes(2, "little"),
                *(bytes((len(name),)) + name + b"\0" for name in self.names()),
                lenenc(len(types)),
                types,
                lenenc(len(metadata)),
                metadata,
                nullable,
                self.dimensions(),
            )
        )

    def dimensions(self) -> bytes:
        """The optional metadata of VECTOR columns: type, length, a number for each."""
        found = [c.column_type for c in self.columns if c.data_type == "vector"]
        sizes = b"".join(lenenc(int(kind.partition("(")[2].rstrip(")"))) for kind in found)
        return bytes((VECTOR_DIMENSIONALITY,)) + lenenc(len(sizes)) + sizes if found else b""

    def names(self) -> tuple[bytes, bytes]:
        return self.db.encode(), self.table.encode()


def lenenc(number: int) -> bytes:
    """MySQL's length-encoded integer (protocol documentation, "Integer Types")."""
    if number < 251:
        return bytes((number,))
    if number < 1 << 16:
        return b"\xfc" + number.to_bytes(2, "little")
    return b"\xfd" + number.to_bytes(3, "little")


def unique_keys_of(statistics: Iterable[Mapping[str, Any]]) -> tuple[Key, ...]:
    """The unique keys in rows of information_schema.statistics, keys in any case."""
    parts: dict[str, list[tuple[int, KeyPart]]] = {}
    for row in statistics:
        get = {key.lower(): value for key, value in row.items()}.get
        if int(get("non_unique") or 0):
            continue
        part = KeyPart(
            column=get("column_name"), prefix_length=get("sub_part"), expression=get("expression")
        )
        parts.setdefault(str(get("index_name")), []).append((int(get("seq_in_index") or 0), part))
    return tuple(
        Key(name=name, unique=True, columns=tuple(part for _, part in sorted(found, key=first)))
        for name, found in parts.items()
    )


def first(pair: tuple[int, KeyPart]) -> int:
    return pair[0]


def differences(schema: TableSchema, target: TargetTable) -> list[str]:
    """Why rows of the source's table can't be written to the target's as they are; [] = they can.

    Columns are joined by name. Compared are type, character set, collation, nullability, what they
    are generated from, and the unique keys. Display widths of integers are not: they change no
    value.
    """
    found = []
    there = {column.name: column for column in target.columns}
    for column in schema.columns:
        other = there.pop(column.name, None)
        if other is None:
            found.append(f"column {column.name} is missing on the target")
        else:
            found += column_differences(column, other)
    found += [f"column {name} is on the target only" for name in there]
    mine = {signature(key) for key in schema.keys if key.unique}
    theirs = {signature(key) for key in target.unique_keys}
    found += [f"{key} is missing on the target" for key in sorted(mine - theirs)]
    found += [f"{key} is on the target only" for key in sorted(theirs - mine)]
    return found


def column_differences(column: Column, other: TargetColumn) -> list[str]:
    mine = (
        ("type", plain_type(column.column_type), plain_type(other.column_type)),
        ("character set", utf8mb3(column.charset), utf8mb3(other.charset)),
        ("collation", utf8mb3(column.collation), utf8mb3(other.collation)),
        ("nullable", column.nullable, other.nullable),
        ("generated", column.generated, other.generated),
        ("generated as", column.expression, other.expression),
    )
    return [
        f"column {column.name}: {what} {source} on the source, {target} on the target"
        for what, source, target in mine
        if source != target
    ]


def plain_type(column_type: str) -> str:
    """COLUMN_TYPE without the display width that MySQL no longer prints."""
    return _DISPLAY_WIDTH.sub(r"\1", column_type)


def utf8mb3(name: str | None) -> str | None:
    """Servers name utf8mb3 and its collations in the old way or the new one."""
    if name is not None and (name == "utf8" or name.startswith("utf8_")):
        return "utf8mb3" + name[4:]
    return name


def signature(key: Key) -> str:
    """A unique key by what it makes unique, whatever its name."""
    parts = ", ".join(
        f"({part.expression})"
        if part.column is None
        else part.column + (f"({part.prefix_length})" if part.prefix_length else "")
        for part in key.columns
    )
    return f"{'primary' if key.name == 'PRIMARY' else 'unique'} key ({parts})"
