"""Which partition a row goes to, and the canonical key that decides it.

The canonical key of a row: `db.table`, 0x00, then for each column of its identity one part:

    1 byte     the column's `Kind`
    varint     length of what follows, as an Avro long
    bytes      normal value: its Avro bytes without the union's index (FLOAT, DOUBLE: -0.0 as 0.0)
               STRING: the folded text (`fold.FoldTable`), nothing before it
               exceptional value: 0x01, then its Avro bytes without the union's index
               STRING's exceptional value: 0x01 alone

A key prefix is cut off first: characters of text, bytes of BYTES. Text that isn't valid in its
character set can't be folded, so all such values of a column are one: keys that the server holds
equal must be equal here, the reverse isn't needed.

`key_hash` is over these bytes. So is the partition of a table routed by key; a table routed whole
goes where its anchor's name alone hashes to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from mysync_schemas.avro import encode_long, read_bytes, read_string, write_bytes
from mysync_schemas.errors import UnsupportedColumn
from mysync_schemas.fold import FoldTable
from mysync_schemas.hashing import partition_of
from mysync_schemas.table import Key, KeyPart, Routing, TableId, TableSchema
from mysync_schemas.types import Kind

__all__ = [
    "CanonicalKey",
    "anchor_partition",
    "identity_of",
    "part_bytes",
    "routing_of",
    "table_prefix",
]

EXCEPTIONAL: Final = b"\x01"
_NEGATIVE_ZERO: Final = {Kind.FLOAT: b"\0\0\0\x80", Kind.DOUBLE: b"\0\0\0\0\0\0\0\x80"}
# Values of these can't be told equal from their bytes, or can't be in a key at all.
_NO_IDENTITY: Final = frozenset({"json"})


class _Column(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def data_type(self) -> str: ...
    @property
    def nullable(self) -> bool: ...


def table_prefix(db: str, table: str) -> bytes:
    """What the canonical keys of a table begin with."""
    return f"{db}.{table}".encode() + b"\0"


def anchor_partition(anchor: str, partitions: int) -> int:
    """The partition of tables routed whole under `anchor` ("db.table")."""
    return partition_of(anchor.encode(), partitions)


def part_bytes(
    kind: Kind, avro: bytes, exceptional: bool, prefix: int | None, fold: FoldTable | None
) -> bytes:
    """One part's bytes (the last line of the layout above), of the value's Avro bytes.

    `avro` is without the union's index. `fold` is needed for STRING.
    """
    if kind is Kind.STRING:
        if exceptional:
            return EXCEPTIONAL
        assert fold is not None
        return fold.fold(read_string(avro, 0)[0][:prefix])
    if exceptional:
        return EXCEPTIONAL + avro
    if avro == _NEGATIVE_ZERO.get(kind):
        return bytes(len(avro))
    if kind is Kind.BYTES and prefix is not None:
        cut = bytearray()
        write_bytes(cut, read_bytes(avro, 0)[0][:prefix])
        return bytes(cut)
    return avro


class CanonicalKey:
    """Makes the canonical keys of one table version; `folds` by collation.

    Raises `KeyError` if a fold table that the version refers to is missing.
    """

    def __init__(self, schema: TableSchema, folds: Mapping[str, FoldTable]) -> None:
        key = schema.identity_key
        if key is None:
            raise ValueError(f"{schema.table_id} has no identity")
        self.prefix = table_prefix(schema.db, schema.table)
        refs = {ref.column: ref.collation for ref in schema.folds}
        self._parts: list[tuple[Kind, int | None, FoldTable | None]] = []
        for part in key.columns:
            assert part.column is not None
            kind = Kind(schema.column(part.column).kind)
            fold = folds[refs[part.column]] if kind is Kind.STRING else None
            self._parts.append((kind, part.prefix_length, fold))

    def of(self, values: Sequence[tuple[bytes, bool]]) -> bytes:
        """Of (Avro bytes without the union's index, exceptional?) of each identity column."""
        out = bytearray(self.prefix)
        for (kind, prefix, fold), (avro, exceptional) in zip(self._parts, values, strict=True):
            data = part_bytes(kind, avro, exceptional, prefix, fold)
            out.append(kind)
            out += encode_long(len(data))
            out += data
        return bytes(out)


def identity_of(columns: Iterable[_Column], keys: Iterable[Key]) -> Key | None:
    """The key that identifies rows: the primary key, else the first unique one without NULLs."""
    by_name = {column.name: column for column in columns}
    candidates = [key for key in keys if key.unique and _usable(key, by_name)]
    for key in candidates:
        if key.name == "PRIMARY":
            return key
    return candidates[0] if candidates else None


def _usable(key: Key, columns: Mapping[str, _Column]) -> bool:
    return all(
        part.column is not None
        and part.expression is None
        and part.column in columns
        and not columns[part.column].nullable
        and columns[part.column].data_type not in _NO_IDENTITY
        for part in key.columns
    )


def routing_of(
    tables: Iterable[TableSchema], uncertain: Collection[TableId] = ()
) -> dict[TableId, Routing]:
    """The routing of all tables of a pipeline, which depends on one another by foreign keys.

    A table goes whole to one partition if its definition is uncertain, or if it has no identity, or
    a unique key beside it, or if its rows only mean something in their order
    (`TableSchema.row_by_row`), or if a key is one WITHOUT OVERLAPS (MariaDB; told by the
    definition's text), or if it belongs to tables
    connected by foreign keys (all of these to the partition of the smallest name among them), or if
    an identity column can't be folded (it has no fold table).
    """
    known = {schema.table_id: schema for schema in tables}
    anchors = _components(known.values())
    routing = {}
    for table, schema in known.items():
        if table in anchors:
            routing[table] = Routing(mode="whole", anchor=str(anchors[table]))
        elif table not in uncertain and _by_key(schema):
            routing[table] = Routing(mode="key", anchor=str(table))
        else:
            routing[table] = Routing(mode="whole", anchor=str(table))
    return routing


def _by_key(schema: TableSchema) -> bool:
    key = schema.identity_key
    if key is None or schema.row_by_row or schema.state != "defined":
        return False
    # Such a key (MariaDB) ties rows together whose values differ.
    if "WITHOUT OVERLAPS" in schema.create_sql.upper():
        return False
    if any(other.unique and other.name != key.name for other in schema.keys):
        return False
    folded = {ref.column for ref in schema.folds}
    return all(_hashable(schema, part, folded) for part in key.columns)


def _hashable(schema: TableSchema, part: KeyPart, folded: set[str]) -> bool:
    if part.column is None:
        return False
    column = schema.column(part.column)
    if column.kind == 0:
        raise UnsupportedColumn(str(schema.table_id), part.column, "its kind isn't known")
    if column.data_type in _NO_IDENTITY:
        return False
    return column.kind != Kind.STRING or part.column in folded


def _components(tables: Iterable[TableSchema]) -> dict[TableId, TableId]:
    """Each table that has to do with a foreign key -> the smallest table connected with it."""
    parent: dict[TableId, TableId] = {}

    def root(table: TableId) -> TableId:
        parent.setdefault(table, table)
        while parent[table] != table:
            table = parent[table]
        return table

    for schema in tables:
        for foreign in schema.foreign_keys:
            one = root(schema.table_id)
            other = root(foreign.parent)
            parent[max(one, other)] = min(one, other)
    return {table: root(table) for table in parent}
