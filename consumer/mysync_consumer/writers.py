"""Which writer a column of the target has."""

from collections.abc import Mapping

from mysync_consumer import rowvalues as values
from mysync_consumer.rowcompressed import PREFIX, CompressedWriter
from mysync_consumer.rowerrors import UnwritableTable
from mysync_consumer.rowoldtemporal import OldDatetimeWriter, OldTimestampWriter, OldTimeWriter
from mysync_consumer.rowtemporal import DatetimeWriter, DateWriter, TimestampWriter, TimeWriter
from mysync_consumer.rowvalues import ValueWriter
from mysync_consumer.targetcolumn import GEOMETRIES, MARIADB_FIXED, TargetColumn
from mysync_schemas.charset import Charset

WIDTHS = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
TEXTS = ("tinytext", "text", "mediumtext", "longtext")
BLOBS = ("tinyblob", "blob", "mediumblob", "longblob", "binary", "varbinary", "vector")


def writer_for(
    table: str, column: TargetColumn, charsets: Mapping[str, Charset], *, keyless: bool = False
) -> ValueWriter:
    """The column's writer; `charsets` as `charsets_of` gives them; `keyless`: rows of its table are
    found by all of their columns.

    Raises UnwritableTable for what row events can't carry exactly.
    """
    writer = (
        number_writer(column) or temporal_writer(column) or sized_writer(column, charsets, keyless)
    )
    if writer is None:
        what = f"column {column.name} of type {column.column_type}, character set {column.charset}"
        raise UnwritableTable(table, f"{what}: not known here")
    return writer


def number_writer(column: TargetColumn) -> ValueWriter | None:
    name, nullable, kind = column.name, column.nullable, column.data_type
    match kind:
        case "bigint" if column.unsigned:
            return values.UInt64Writer(name, nullable)
        case "tinyint" | "smallint" | "mediumint" | "int" | "bigint":
            return values.IntWriter(name, nullable, WIDTHS[kind], column.unsigned)
        case "year":
            return values.YearWriter(name, nullable)
        case "decimal":
            return values.DecimalWriter(name, nullable, column.precision or 0, column.scale or 0)
        case "float" | "double":
            return values.FixedWriter(name, nullable, 4 if kind == "float" else 8)
        case "bit":
            return values.BitWriter(name, nullable, column.precision or 1)
        case "enum":
            return values.EnumWriter(name, nullable, column.labels)
        case "set":
            return values.SetWriter(name, nullable, column.labels)
    return None


TEMPORALS = {
    ("datetime", False): DatetimeWriter,
    ("timestamp", False): TimestampWriter,
    ("time", False): TimeWriter,
    ("datetime", True): OldDatetimeWriter,
    ("timestamp", True): OldTimestampWriter,
    ("time", True): OldTimeWriter,
}


def temporal_writer(column: TargetColumn) -> ValueWriter | None:
    if column.data_type == "date":
        return DateWriter(column.name, column.nullable)
    kind = TEMPORALS.get((column.data_type, column.old_temporal))
    return None if kind is None else kind(column.name, column.nullable, column.fsp)


def sized_writer(
    column: TargetColumn, charsets: Mapping[str, Charset], keyless: bool
) -> ValueWriter | None:
    if not column.compressed:
        return string_writer(column, charsets, column.prefix)
    plain = string_writer(column, charsets, PREFIX)
    return None if plain is None else CompressedWriter(plain, column.prefix, column.stored, keyless)


def string_writer(
    column: TargetColumn, charsets: Mapping[str, Charset], prefix: int
) -> ValueWriter | None:
    """What is behind its length of `prefix` bytes."""
    name, nullable, kind = column.name, column.nullable, column.data_type
    if kind == "json":
        return values.JsonWriter(name, nullable)
    if kind in BLOBS or kind in GEOMETRIES or kind in MARIADB_FIXED:
        return values.BytesWriter(name, nullable, prefix, column.octets)
    if kind not in ("char", "varchar", *TEXTS):
        return None
    # MariaDB counts the bytes alone of a COMPRESSED column, which may hold more characters.
    chars = -1 if kind in TEXTS or column.compressed else column.char_length or 0
    known = values.CHARSETS.get(column.charset or "")
    if known is not None:
        return values.TextWriter(name, nullable, known, prefix, column.octets, chars)
    charset = charsets.get(column.charset or "")
    if charset is None:
        return None
    return values.CharsetWriter(name, nullable, charset, prefix, column.octets, chars)
