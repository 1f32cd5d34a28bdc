"""From a table's TABLE_MAP and its known schema to the codecs of its columns.

What the schema says decides how a value is carried; what the TABLE_MAP says decides how many bytes
it has. Where both speak they have to agree, or the table was changed behind the stream's back:
names, types, lengths, signs, nullability, character sets, labels. Nothing is guessed.
"""

from collections.abc import Mapping
from typing import NoReturn

from mysync_producer.rowcompressed import PREFIX, CompressedCodec
from mysync_producer.rowerrors import SchemaMismatch
from mysync_producer.rowimage import (
    BitCodec,
    DecimalCodec,
    FixedCodec,
    IntCodec,
    UInt64Codec,
    ValueCodec,
    YearCodec,
)
from mysync_producer.rowoldtemporal import OldDatetimeCodec, OldTimeCodec, OldTimestampCodec
from mysync_producer.rowtemporal import DateCodec, DatetimeCodec, TimeCodec, TimestampCodec
from mysync_producer.rowtext import (
    BytesCodec,
    CharsetCodec,
    EnumCodec,
    JsonCodec,
    Latin1Codec,
    SetCodec,
    Utf8Codec,
    latin1_text,
)
from mysync_producer.tablemap import ColumnType, TableMap
from mysync_schemas.charset import Charset
from mysync_schemas.collations import charset_of
from mysync_schemas.columncompression import is_compressed
from mysync_schemas.table import Column, TableSchema
from mysync_schemas.types import is_old_temporal

_TYPES = {
    "tinyint": ColumnType.TINY,
    "smallint": ColumnType.SHORT,
    "mediumint": ColumnType.INT24,
    "int": ColumnType.LONG,
    "bigint": ColumnType.LONGLONG,
    "float": ColumnType.FLOAT,
    "double": ColumnType.DOUBLE,
    "decimal": ColumnType.NEWDECIMAL,
    "year": ColumnType.YEAR,
    "date": ColumnType.DATE,
    "datetime": ColumnType.DATETIME2,
    "timestamp": ColumnType.TIMESTAMP2,
    "time": ColumnType.TIME2,
    "char": ColumnType.STRING,
    "binary": ColumnType.STRING,
    "inet4": ColumnType.STRING,
    "inet6": ColumnType.STRING,
    "uuid": ColumnType.STRING,
    "varchar": ColumnType.VARCHAR,
    "varbinary": ColumnType.VARCHAR,
    "tinytext": ColumnType.BLOB,
    "text": ColumnType.BLOB,
    "mediumtext": ColumnType.BLOB,
    "longtext": ColumnType.BLOB,
    "tinyblob": ColumnType.BLOB,
    "blob": ColumnType.BLOB,
    "mediumblob": ColumnType.BLOB,
    "longblob": ColumnType.BLOB,
    "bit": ColumnType.BIT,
    "enum": ColumnType.ENUM,
    "set": ColumnType.SET,
    "json": ColumnType.JSON,
    "vector": ColumnType.VECTOR,
}
_COMPRESSED = {
    ColumnType.VARCHAR: ColumnType.VARCHAR_COMPRESSED,
    ColumnType.BLOB: ColumnType.BLOB_COMPRESSED,
}
_OLD = {
    ColumnType.DATETIME2: ColumnType.DATETIME,
    ColumnType.TIMESTAMP2: ColumnType.TIMESTAMP,
    ColumnType.TIME2: ColumnType.TIME,
}
_WIDTHS = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
# Octets of the types whose length information_schema doesn't give (MariaDB).
_PADDED = {"inet4": 4, "inet6": 16, "uuid": 16}
_BLOB_PREFIX = {"tiny": 1, "medium": 3, "long": 4}
_WIDEST = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3, "ascii": 1}


def codecs(
    table_map: TableMap, schema: TableSchema, charsets: Mapping[str, Charset]
) -> list[ValueCodec]:
    """The table's codecs, in its order; `charsets` as `charsets_of` gives them. Raises
    `SchemaMismatch`."""
    columns = sorted(schema.columns, key=lambda column: column.ordinal)
    table = str(schema.table_id)
    if (table_map.db, table_map.table) != schema.table_id:
        raise SchemaMismatch(table, f"it names {table_map.db}.{table_map.table}")
    if table_map.columns != len(columns):
        raise SchemaMismatch(table, f"{table_map.columns} columns where {len(columns)} are known")
    if not table_map.names:
        raise SchemaMismatch(table, "it has no column names")
    return [
        _Matching(table, column, table_map, index, charsets).codec()
        for index, column in enumerate(columns)
    ]


def type_of(column: Column) -> ColumnType:
    """The type that a TABLE_MAP says of this column."""
    kind = _TYPES.get(column.data_type, ColumnType.GEOMETRY)
    if is_compressed(column.column_type):
        return _COMPRESSED[kind]
    if is_old_temporal(column.column_type):
        return _OLD[kind]
    return kind


class _Matching:
    """One column, as both sides see it."""

    def __init__(
        self,
        table: str,
        column: Column,
        table_map: TableMap,
        index: int,
        charsets: Mapping[str, Charset],
    ) -> None:
        self.table = table
        self.charsets = charsets
        self.column = column
        self.type = table_map.types[index]
        self.meta = table_map.metas[index]
        self.unsigned = table_map.unsigned[index] if table_map.unsigned else None
        self.labels = (table_map.labels[index] if table_map.labels else None) or ()
        collation = table_map.collations[index] if table_map.collations else None
        self.same("name", table_map.names[index], column.name)
        self.same("NULLs allowed", table_map.nullable[index], column.nullable)
        wanted = type_of(column)
        if self.type != wanted:
            self.differ("type", ColumnType(self.type).name, wanted.name)
        if collation is not None and (charset := charset_of(collation)) is not None:
            self.same("character set", charset, column.charset or "binary")

    def differ(self, what: str, found: object, known: object) -> NoReturn:
        name = self.column.name
        raise SchemaMismatch(self.table, f"column {name}: {what} {found}, known as {known}")

    def same(self, what: str, found: object, known: object) -> None:
        if isinstance(known, str) and known == "utf8":
            known = "utf8mb3"
        if found != known:
            self.differ(what, found, known)

    def codec(self) -> ValueCodec:
        column, meta, nullable = self.column, self.meta, self.column.nullable
        match ColumnType(self.type):
            case ColumnType.TINY | ColumnType.SHORT | ColumnType.INT24 | ColumnType.LONG:
                self.same("UNSIGNED", self.unsigned, column.unsigned)
                return IntCodec(nullable, _WIDTHS[column.data_type], column.unsigned)
            case ColumnType.LONGLONG:
                self.same("UNSIGNED", self.unsigned, column.unsigned)
                return UInt64Codec(nullable) if column.unsigned else IntCodec(nullable, 8, False)
            case ColumnType.FLOAT | ColumnType.DOUBLE:
                self.same("width", meta, 4 if column.data_type == "float" else 8)
                return FixedCodec(nullable, meta)
            case ColumnType.NEWDECIMAL:
                self.same("(precision, scale)", (meta & 255, meta >> 8), _precision(column))
                return DecimalCodec(nullable, meta & 255, meta >> 8)
            case ColumnType.YEAR:
                return YearCodec(nullable, False)
            case ColumnType.BIT:
                bits = (meta >> 8) * 8 + (meta & 255)
                self.same("bits", bits, column.precision)
                return BitCodec(nullable, bits)
            case ColumnType.DATE:
                return DateCodec(nullable)
            case ColumnType.DATETIME2 | ColumnType.TIMESTAMP2 | ColumnType.TIME2:
                return self.temporal()
            case ColumnType.DATETIME | ColumnType.TIMESTAMP | ColumnType.TIME:
                return self.old_temporal()
            case ColumnType.ENUM:
                return self.enum()
            case ColumnType.SET:
                return self.set()
            case ColumnType.JSON:
                self.same("length bytes", meta, 4)
                return JsonCodec(nullable, meta)
            case _:
                return self.sized()

    def temporal(self) -> ValueCodec:
        self.same("fraction digits", self.meta, self.column.fsp)
        kind = {"datetime": DatetimeCodec, "timestamp": TimestampCodec, "time": TimeCodec}
        return kind[self.column.data_type](self.column.nullable, self.meta)

    def old_temporal(self) -> ValueCodec:
        """How many digits a fraction has, only the schema says."""
        kind = {
            "datetime": OldDatetimeCodec,
            "timestamp": OldTimestampCodec,
            "time": OldTimeCodec,
        }
        return kind[self.column.data_type](self.column.nullable, self.column.fsp)

    def sized(self) -> ValueCodec:
        """Text and binary strings, short and long."""
        column, meta = self.column, self.meta
        name = column.data_type
        if self.type == ColumnType.STRING:
            # Lengths over 255 take two bits of the type byte, inverted (`Field_string`).
            limit = (meta >> 8) | (meta & 0x30 ^ 0x30) << 4
            self.same("octets", limit, _PADDED.get(name, column.octet_length))
        elif self.type == ColumnType.VARCHAR:
            limit = meta
            self.same("octets", limit, column.octet_length)
        elif self.type == ColumnType.VARCHAR_COMPRESSED:
            # One more says how the value is stored.
            limit = meta - 1
            self.same("octets", limit, column.octet_length)
            prefix = 1 if meta < 256 else 2
            return CompressedCodec(prefix, meta, self.string(PREFIX, limit), limit)
        else:
            head = next((p for p in _BLOB_PREFIX if name.startswith(p)), "")
            geometry = self.type == ColumnType.GEOMETRY or self.type == ColumnType.VECTOR
            self.same("length bytes", meta, 4 if geometry else _BLOB_PREFIX.get(head, 2))
            limit = (1 << (8 * meta)) - 1
            if self.type == ColumnType.BLOB_COMPRESSED:
                return CompressedCodec(meta, limit, self.string(PREFIX, limit), limit)
        if self.type in (ColumnType.STRING, ColumnType.VARCHAR):
            prefix = 1 if limit < 256 else 2
        else:
            prefix = meta
        return self.string(prefix, limit)

    def string(self, prefix: int, limit: int) -> ValueCodec:
        """What is behind its length of `prefix` bytes: text, or bytes."""
        column = self.column
        if column.charset is None or column.charset == "binary":
            padded = self.type == ColumnType.STRING
            return BytesCodec(column.nullable, prefix, limit, limit if padded else 0)
        if column.charset == "latin1":
            return Latin1Codec(column.nullable, prefix, limit)
        if column.charset in _WIDEST:
            return Utf8Codec(column.nullable, prefix, limit, _WIDEST[column.charset])
        charset = self.charsets.get(column.charset)
        if charset is None:
            self.differ("character set", column.charset, "one of those that are replicated")
        return CharsetCodec(column.nullable, prefix, limit, charset)

    def enum(self) -> ValueCodec:
        labels = self.texts()
        self.same("bytes", self.meta >> 8, 1 if len(labels) < 256 else 2)
        return EnumCodec(self.column.nullable, self.meta >> 8, labels)

    def set(self) -> ValueCodec:
        labels = [label or None for label in self.texts()]
        width = (len(labels) + 7) // 8
        self.same("bytes", self.meta >> 8, width if width <= 4 else 8)
        return SetCodec(self.column.nullable, self.meta >> 8, labels)

    def texts(self) -> list[str | None]:
        """The labels; None for those that aren't text, and for all but the first of equal ones."""
        self.same("number of labels", len(self.labels), len(self.column.labels))
        texts: list[str | None] = []
        for found, known in zip(self.labels, self.column.labels, strict=True):
            text = label_text(found, self.column.charset, self.charsets)
            if text is not None:
                self.same("label", text, known)
            texts.append(None if text in texts else text)
        return texts


def label_text(label: bytes, charset: str | None, charsets: Mapping[str, Charset]) -> str | None:
    """A label's text, or None; labels are in their column's character set."""
    name = charset or "binary"
    if name == "latin1":
        return latin1_text(label)
    known = charsets.get(name)
    if known is not None:
        return known.decode(label)
    try:
        return label.decode("ascii" if name in ("ascii", "binary") else "utf-8")
    except UnicodeDecodeError:
        return None


def _precision(column: Column) -> tuple[int | None, int]:
    return column.precision, column.scale or 0
