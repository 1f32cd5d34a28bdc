"""A table as the target defines it: its TABLE_MAP, and how that differs from the source's.

The applier maps columns by their position only and believes what the map says, so the map is built
from the target's own definition (`information_schema.columns` in ordinal order), whatever the
source looks like. Anything that would let a value change its meaning on the way is a difference.

Format of TABLE_MAP: MySQL source documentation, `mysql::binlog::event::Table_map_event`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mysync_consumer import inferredtable
from mysync_consumer.rowerrors import UnwritableTable
from mysync_consumer.spelling import plain_type, signature, utf8mb3
from mysync_consumer.targetcolumn import TargetColumn
from mysync_schemas.longunique import hash_columns
from mysync_schemas.partition import identity_of
from mysync_schemas.table import Column, Key, KeyPart, TableSchema, TableType
from mysync_schemas.versioned import period, with_period_end

__all__ = ["TargetColumn", "TargetTable", "differences", "identity_in"]

Flavor = Literal["mysql", "mariadb"]

# A field of the optional metadata.
VECTOR_DIMENSIONALITY = 13

# Bit fields have their exact length (TM_BIT_LEN_EXACT_F); both servers set it.
MAP_FLAGS = 1


@dataclass(frozen=True, slots=True)
class TargetTable:
    """A table on the target: columns in ordinal order, unique keys (the primary one: PRIMARY)."""

    db: str
    table: str
    flavor: Flavor
    columns: tuple[TargetColumn, ...]
    unique_keys: tuple[Key, ...] = ()
    engine: str = "InnoDB"
    table_type: TableType = "BASE TABLE"
    hash_keys: frozenset[str] = frozenset()
    """Names of the unique keys that are hash indexes of long columns: no rows are found by them."""

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
        table_type: TableType = "BASE TABLE",
    ) -> "TargetTable":
        """From the table's rows of information_schema.columns and .statistics."""
        listed = [TargetColumn.from_row(row) for row in columns]
        statistics = list(statistics)
        keys = unique_keys_of(statistics)
        hidden = period(table_type, listed)
        listed += [TargetColumn.from_column(column) for column in hidden]
        # InnoDB has no other hash indexes than those of long columns.
        by_hash = hash_keys_of(statistics if engine.lower() == "innodb" else ())
        if by_hash:
            hashes = hash_columns(listed, (key for key in keys if key.name in by_hash))
            listed += [TargetColumn.from_column(column) for column in hashes]
        if hidden:
            keys = tuple(map(with_period_end, keys))
        found = tuple(sorted(listed, key=lambda c: c.ordinal))
        return cls(db, table, flavor, found, keys, engine, table_type, by_hash)

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns of the key by which rows are found here; () = keyless."""
        usable = (key for key in self.unique_keys if key.name not in self.hash_keys)
        key = identity_of(self.columns, usable)
        return () if key is None else tuple(str(part.column) for part in key.columns)

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


def hash_keys_of(statistics: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Names of the hash indexes."""
    rows = [{key.lower(): value for key, value in row.items()} for row in statistics]
    return frozenset(str(row["index_name"]) for row in rows if row["index_type"] == "HASH")


def first(pair: tuple[int, KeyPart]) -> int:
    return pair[0]


def identity_in(schema: TableSchema, target: TargetTable) -> tuple[str, ...]:
    """The columns by which rows of this version are found on the target; () = keyless."""
    return target.identity if schema.state == "inferred" else schema.identity


def differences(schema: TableSchema, target: TargetTable) -> list[str]:
    """Why rows of the source's table can't be written to the target's as they are; [] = they can.

    Columns are joined by name. Compared are type, character set, collation, nullability, what they
    are generated from, and the unique keys. Display widths of integers are not: they change no
    value. Of an inferred version only what the log told of it is compared (`inferredtable`).
    """
    if schema.state == "inferred":
        return inferredtable.differences(schema, target.columns, target.unique_keys)
    found = []
    if schema.table_type != target.table_type:
        found.append(
            f"TABLE_TYPE {schema.table_type} on the source, {target.table_type} on the target"
        )
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
