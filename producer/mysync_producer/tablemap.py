"""TABLE_MAP events: what the rows that follow are made of.

Format: MySQL source documentation, `mysql::binlog::event::Table_map_event` (types, metadata bytes,
optional metadata fields 1-13); MariaDB writes the same with fields 1-11. Everything is read with
bounds checks; a body that doesn't add up is `CorruptTableMap`, an unknown column type or optional
field too: neither says how long it is, or what it would change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from mysync_producer.rowerrors import CorruptTableMap

_T = TypeVar("_T")


class ColumnType(IntEnum):
    """Column types (`enum_field_types`), as the type bytes of a TABLE_MAP say them."""

    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    NULL = 6
    TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    TIME = 11
    DATETIME = 12
    YEAR = 13
    NEWDATE = 14
    VARCHAR = 15
    BIT = 16
    TIMESTAMP2 = 17
    DATETIME2 = 18
    TIME2 = 19
    BLOB_COMPRESSED = 140
    VARCHAR_COMPRESSED = 141
    VECTOR = 242
    JSON = 245
    NEWDECIMAL = 246
    ENUM = 247
    SET = 248
    BLOB = 252
    VAR_STRING = 253
    STRING = 254
    GEOMETRY = 255


# How many metadata bytes each type has (`Table_map_event`, table of m_field_metadata).
_META_SIZES = {
    ColumnType.FLOAT: 1,
    ColumnType.DOUBLE: 1,
    ColumnType.VARCHAR: 2,
    ColumnType.BIT: 2,
    ColumnType.TIMESTAMP2: 1,
    ColumnType.DATETIME2: 1,
    ColumnType.TIME2: 1,
    ColumnType.BLOB_COMPRESSED: 1,
    ColumnType.VARCHAR_COMPRESSED: 2,
    ColumnType.VECTOR: 1,
    ColumnType.JSON: 1,
    ColumnType.NEWDECIMAL: 2,
    ColumnType.ENUM: 2,
    ColumnType.SET: 2,
    ColumnType.BLOB: 1,
    ColumnType.VAR_STRING: 2,
    ColumnType.STRING: 2,
    ColumnType.GEOMETRY: 1,
}
_KNOWN = frozenset(ColumnType)
# The columns that have a bit in the SIGNEDNESS field (`is_numeric_type`; YEAR: observed, on both).
_NUMERIC = frozenset(
    {
        ColumnType.TINY,
        ColumnType.SHORT,
        ColumnType.INT24,
        ColumnType.LONG,
        ColumnType.LONGLONG,
        ColumnType.FLOAT,
        ColumnType.DOUBLE,
        ColumnType.NEWDECIMAL,
        ColumnType.YEAR,
    }
)
_CHARACTER = frozenset(
    {
        ColumnType.VARCHAR,
        ColumnType.VAR_STRING,
        ColumnType.STRING,
        ColumnType.BLOB,
        ColumnType.BLOB_COMPRESSED,
        ColumnType.VARCHAR_COMPRESSED,
        ColumnType.VECTOR,  # MySQL's Field_vector is a BLOB
    }
)


@dataclass(frozen=True, slots=True)
class TableMap:
    """One parsed TABLE_MAP. Sequences are per column, in the table's order; what the server didn't
    log (binlog_row_metadata=MINIMAL, NO_LOG) is empty or None and never guessed."""

    table_id: int
    flags: int
    db: str
    table: str
    types: bytes
    """Real types: ENUM and SET, which travel as STRING, are said as themselves."""
    metas: tuple[int, ...]
    """The metadata bytes as a little-endian number; for NEWDECIMAL, BIT, STRING, ENUM and SET
    `meta & 255` is the first byte and `meta >> 8` the second."""
    nullable: tuple[bool, ...]
    names: tuple[str, ...] = ()
    unsigned: tuple[bool | None, ...] = ()
    """None for columns that aren't numeric."""
    collations: tuple[int | None, ...] = ()
    """Collation ids of character, ENUM and SET columns (63 is binary)."""
    labels: tuple[tuple[bytes, ...] | None, ...] = ()
    """Labels of ENUM and SET columns, in the column's character set."""
    geometry_types: tuple[int | None, ...] = ()
    dimensions: tuple[int | None, ...] = ()
    """Dimensions of VECTOR columns."""
    primary_key: tuple[tuple[int, int], ...] = ()
    """(column index from 0, prefix length in characters or 0), in the key's order."""
    visible: tuple[bool, ...] = ()

    @property
    def columns(self) -> int:
        return len(self.types)


class _Cursor:
    """Reads a byte string from front to back and never past its end."""

    __slots__ = ("data", "end", "pos", "where")

    def __init__(self, data: bytes, where: str, pos: int = 0, end: int | None = None) -> None:
        self.data = data
        self.where = where
        self.pos = pos
        self.end = len(data) if end is None else end

    def __bool__(self) -> bool:
        return self.pos < self.end

    def take(self, size: int) -> bytes:
        start = self.pos
        if size > self.end - start:
            raise CorruptTableMap(
                f"{self.where} ends too early: {size} bytes wanted at {start} of {self.end}"
            )
        self.pos = start + size
        return self.data[start : self.pos]

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def lenenc(self) -> int:
        """A length-encoded integer (client/server protocol, `Protocol::LengthEncodedInteger`)."""
        first = self.uint(1)
        if first < 251:
            return first
        if first == 252:
            return self.uint(2)
        if first == 253:
            return self.uint(3)
        if first == 254:
            return self.uint(8)
        raise CorruptTableMap(f"{self.where}: length byte {first} at {self.pos - 1}")

    def sub(self, where: str) -> "_Cursor":
        """A cursor over the next length-prefixed block."""
        size = self.lenenc()
        start = self.pos
        self.take(size)
        return _Cursor(self.data, where, start, self.pos)

    def done(self) -> None:
        if self:
            raise CorruptTableMap(f"{self.where}: {self.end - self.pos} bytes too many")


def parse_table_map(body: bytes, *, mariadb: bool = False) -> TableMap:
    """Parses the body of a TABLE_MAP event: from the table id, without header and checksum.

    `mariadb` says which server wrote it: MariaDB counts GEOMETRY among the character columns.
    Equal `body[8:]` (all but table id and flags) means an equal description: cache by that.
    """
    cursor = _Cursor(body, "TABLE_MAP event")
    table_id = cursor.uint(6)
    flags = cursor.uint(2)
    db = _name(cursor)
    table = _name(cursor)
    cursor.where = f"TABLE_MAP event of {db}.{table}"
    count = cursor.lenenc()
    raw_types = cursor.take(count)
    meta_cursor = cursor.sub(f"column metadata of {db}.{table}")
    types = bytearray()
    metas = []
    for column, code in enumerate(raw_types, 1):
        if code not in _KNOWN:
            raise CorruptTableMap(f"{db}.{table}: column {column} has the unknown type {code}")
        meta = meta_cursor.uint(_META_SIZES.get(ColumnType(code), 0))
        if code == ColumnType.STRING and meta & 255 in (ColumnType.ENUM, ColumnType.SET):
            code = meta & 255
        types.append(code)
        metas.append(meta)
    meta_cursor.done()
    nullable = _bits(cursor.take((count + 7) // 8), count, msb_first=False)
    optional = _Optional(bytes(types), mariadb)
    while cursor:
        kind = cursor.uint(1)
        optional.read(kind, cursor.sub(f"optional metadata field {kind} of {db}.{table}"))
    return TableMap(
        table_id=table_id,
        flags=flags,
        db=db,
        table=table,
        types=bytes(types),
        metas=tuple(metas),
        nullable=nullable,
        names=optional.names,
        unsigned=optional.unsigned,
        collations=optional.all_collations(),
        labels=optional.all_labels(),
        geometry_types=optional.geometry_types,
        dimensions=optional.dimensions,
        primary_key=optional.primary_key,
        visible=optional.visible,
    )


def _name(cursor: _Cursor) -> str:
    name = cursor.take(cursor.uint(1))
    if cursor.uint(1):
        raise CorruptTableMap(f"TABLE_MAP event: {name!r} isn't followed by a zero byte")
    return _utf8(name)


def _utf8(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise CorruptTableMap(f"TABLE_MAP event: the name {name!r} isn't UTF-8") from None


def _bits(data: bytes, count: int, *, msb_first: bool) -> tuple[bool, ...]:
    if msb_first:
        return tuple(bool(data[i >> 3] & 0x80 >> (i & 7)) for i in range(count))
    return tuple(bool(data[i >> 3] & 1 << (i & 7)) for i in range(count))


class _Optional:
    """Optional metadata: a list of (field type, length, value), each over one kind of column."""

    def __init__(self, types: bytes, mariadb: bool) -> None:
        character = _CHARACTER | {ColumnType.GEOMETRY} if mariadb else _CHARACTER
        self.count = len(types)
        self.numeric = self._indexes(types, _NUMERIC)
        self.character = self._indexes(types, character)
        self.enum_and_set = self._indexes(types, {ColumnType.ENUM, ColumnType.SET})
        self.by_type = {
            kind: self._indexes(types, {kind})
            for kind in (ColumnType.ENUM, ColumnType.SET, ColumnType.GEOMETRY, ColumnType.VECTOR)
        }
        self.names: tuple[str, ...] = ()
        self.unsigned: tuple[bool | None, ...] = ()
        self.geometry_types: tuple[int | None, ...] = ()
        self.dimensions: tuple[int | None, ...] = ()
        self.primary_key: tuple[tuple[int, int], ...] = ()
        self.visible: tuple[bool, ...] = ()
        self.collations: dict[int, int] = {}
        self.labels: dict[int, tuple[bytes, ...]] = {}

    @staticmethod
    def _indexes(types: bytes, wanted: set[ColumnType] | frozenset[ColumnType]) -> tuple[int, ...]:
        return tuple(i for i, code in enumerate(types) if code in wanted)

    def read(self, kind: int, cursor: _Cursor) -> None:
        match kind:
            case 1:
                bits = _bits(
                    cursor.take((len(self.numeric) + 7) // 8), len(self.numeric), msb_first=True
                )
                self.unsigned = self._spread(dict(zip(self.numeric, bits, strict=True)))
            case 2 | 10:
                self._default_collation(cursor, self.character if kind == 2 else self.enum_and_set)
            case 3 | 11:
                columns = self.character if kind == 3 else self.enum_and_set
                self.collations |= {column: cursor.lenenc() for column in columns}
            case 4:
                self.names = tuple(_utf8(cursor.take(cursor.lenenc())) for _ in range(self.count))
            case 5 | 6:
                for column in self.by_type[ColumnType.SET if kind == 5 else ColumnType.ENUM]:
                    self.labels[column] = tuple(self._strings(cursor))
            case 7:
                columns = self.by_type[ColumnType.GEOMETRY]
                self.geometry_types = self._spread({i: cursor.lenenc() for i in columns})
            case 8:
                self.primary_key = tuple((self._column(cursor), 0) for _ in _rest(cursor))
            case 9:
                self.primary_key = tuple(
                    (self._column(cursor), cursor.lenenc()) for _ in _rest(cursor)
                )
            case 12:
                visible = cursor.take((self.count + 7) // 8)
                self.visible = _bits(visible, self.count, msb_first=True)
            case 13:
                columns = self.by_type[ColumnType.VECTOR]
                self.dimensions = self._spread({i: cursor.lenenc() for i in columns})
            case _:
                raise CorruptTableMap(f"{cursor.where}: unknown field")
        cursor.done()

    def _column(self, cursor: _Cursor) -> int:
        column = cursor.lenenc()
        if column >= self.count:
            raise CorruptTableMap(f"{cursor.where}: names column {column} of {self.count}")
        return column

    def _default_collation(self, cursor: _Cursor, columns: tuple[int, ...]) -> None:
        """A default, then pairs (index among `columns`, collation) of those that differ from it."""
        self.collations |= dict.fromkeys(columns, cursor.lenenc())
        while cursor:
            index = cursor.lenenc()
            if index >= len(columns):
                raise CorruptTableMap(f"{cursor.where}: names character column {index}")
            self.collations[columns[index]] = cursor.lenenc()

    @staticmethod
    def _strings(cursor: _Cursor) -> Iterator[bytes]:
        for _ in range(cursor.lenenc()):
            yield cursor.take(cursor.lenenc())

    def _spread(self, values: Mapping[int, _T]) -> tuple[_T | None, ...]:
        return tuple(values.get(i) for i in range(self.count))

    def all_collations(self) -> tuple[int | None, ...]:
        return self._spread(self.collations) if self.collations else ()

    def all_labels(self) -> tuple[tuple[bytes, ...] | None, ...]:
        return self._spread(self.labels) if self.labels else ()


def _rest(cursor: _Cursor) -> Iterator[None]:
    while cursor:
        yield None
