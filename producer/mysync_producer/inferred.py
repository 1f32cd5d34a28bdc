"""What a TABLE_MAP tells of its table: enough to carry rows exactly while nobody knows more.

Between a statement that changes a table and the moment when its definition is certain, rows are
carried by a version that is made from their own TABLE_MAP (binlog_row_metadata=FULL). Its values
are the bytes that the real definition would give. What it can't know:

- MariaDB's UUID, INET4 and INET6 are BINARY of their width here: that is what the server stores;
- which columns are generated, and what hidden ones are for (the hashes of MariaDB's long unique
  keys, the period of a versioned table): the map names them all, they are carried like any column;
- other keys than one: both servers log the first unique key without NULLs and prefixes as the
  primary key where there is none (observed), so `PRIMARY` here says only that it identifies rows;
- display widths, ZEROFILL, FLOAT's digits, the SRID of a geometry: no value depends on them;
- the fraction's digits of MariaDB's old temporal formats, on which the size of a value depends. A
  definition from before may tell them; nothing else does.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from mysync_producer.rowerrors import NotInferable
from mysync_producer.rowplan import label_text
from mysync_producer.tablemap import ColumnType, TableMap
from mysync_schemas.charset import MAX_BYTES, TABLED, UNICODE, Charset
from mysync_schemas.collationnames import collation_name
from mysync_schemas.collations import charset_of
from mysync_schemas.columncompression import COMPRESSED
from mysync_schemas.partition import identity_of
from mysync_schemas.table import Column, Key, KeyPart, TableSchema
from mysync_schemas.types import UNREADABLE, complete, is_old_temporal, labelled_type

__all__ = ["inferred", "label_charsets"]

_INTEGERS: Final = {
    ColumnType.TINY: "tinyint",
    ColumnType.SHORT: "smallint",
    ColumnType.INT24: "mediumint",
    ColumnType.LONG: "int",
    ColumnType.LONGLONG: "bigint",
}
_PLAIN: Final = {ColumnType.DATE: "date", ColumnType.YEAR: "year", ColumnType.JSON: "json"}
_TEMPORALS: Final = {
    ColumnType.DATETIME2: "datetime",
    ColumnType.TIMESTAMP2: "timestamp",
    ColumnType.TIME2: "time",
}
_OLD_TEMPORALS: Final = {
    ColumnType.DATETIME: "datetime",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.TIME: "time",
}
_SIZES: Final = ("", "tiny", "", "medium", "long")  # by the bytes of a BLOB's length
# Well-known binary's numbers of the types (OGC 06-103r4, "WKB Geometry Types").
_GEOMETRIES: Final = (
    *("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"),
    "multipolygon",
)


def label_charsets(table_map: TableMap) -> frozenset[str]:
    """The character sets whose tables `inferred` needs to read labels of ENUM and SET."""
    listed = zip(table_map.collations, table_map.labels, strict=False)
    names = {charset_of(number) for number, labels in listed if labels and number is not None}
    return frozenset(name for name in names if name in TABLED)


def inferred(
    table_map: TableMap,
    known: TableSchema,
    *,
    mariadb: bool,
    charsets: Mapping[str, Charset] = UNICODE,
    before: TableSchema | None = None,
) -> TableSchema:
    """`known` (the table's name, kind, joins and routing) with the columns and the key of the map.

    `charsets`: the tables that `label_charsets` names. `before`: a definition with columns whose
    old temporals hold for this map too, if they have the same name and type. It has no Avro
    schemas and no references to tables yet (`Collations.completed`).

    Raises NotInferable for what neither tells.
    """
    table = str(known.table_id)
    if not table_map.names:
        raise NotInferable(table, None, "the log has no column names")
    earlier = {} if before is None else {column.name: column for column in before.columns}
    columns = complete(
        table,
        [
            _Column(table, table_map, i, mariadb, charsets, earlier.get(name)).column()
            for i, name in enumerate(table_map.names)
        ],
    )
    parts = tuple(
        KeyPart(column=table_map.names[i], prefix_length=prefix or None)
        for i, prefix in table_map.primary_key
    )
    keys = (Key(name="PRIMARY", unique=True, columns=parts),) if parts else ()
    identity = table_map.primary_key if identity_of(columns, keys) else ()
    return known.model_copy(
        update={
            "columns": columns,
            "keys": keys,
            "identity": tuple(table_map.names[i] for i, _ in identity),
            "state": "inferred",
        }
    )


class _Column:
    """One column of the map."""

    def __init__(
        self,
        table: str,
        table_map: TableMap,
        index: int,
        mariadb: bool,
        charsets: Mapping[str, Charset],
        before: Column | None,
    ) -> None:
        self.table = table
        self.name = table_map.names[index]
        self.ordinal = index + 1
        self.type = ColumnType(table_map.types[index])
        self.meta = table_map.metas[index]
        self.nullable = table_map.nullable[index]
        self.hidden = bool(table_map.visible) and not table_map.visible[index]
        self.unsigned = bool(table_map.unsigned and table_map.unsigned[index])
        self.collation = table_map.collations[index] if table_map.collations else None
        self.labels = (table_map.labels[index] if table_map.labels else None) or ()
        self.geometry = table_map.geometry_types[index] if table_map.geometry_types else None
        self.dimensions = table_map.dimensions[index] if table_map.dimensions else None
        self.mariadb = mariadb
        self.charsets = charsets
        self.before = before

    def column(self) -> Column:
        known = self.described()
        return Column(
            name=self.name,
            ordinal=self.ordinal,
            nullable=self.nullable,
            invisible=self.hidden,
            **{"column_type": known["data_type"], **known},
        )

    def described(self) -> dict[str, Any]:
        """`data_type`, and what else of a `Column` follows from the type."""
        kind, meta = self.type, self.meta
        if kind in _INTEGERS:
            return self.signed(_INTEGERS[kind])
        if kind in _PLAIN:
            return {"data_type": _PLAIN[kind]}
        if kind in _TEMPORALS:
            return temporal(_TEMPORALS[kind], meta)
        if kind in _OLD_TEMPORALS:
            return self.old_temporal(_OLD_TEMPORALS[kind])
        match kind:
            case ColumnType.FLOAT | ColumnType.DOUBLE:
                return self.signed("float" if kind is ColumnType.FLOAT else "double")
            case ColumnType.NEWDECIMAL:
                digits = {"precision": meta & 255, "scale": meta >> 8}
                return self.signed("decimal", f"({meta & 255},{meta >> 8})") | digits
            case ColumnType.BIT:
                bits = (meta >> 8) * 8 + (meta & 255)
                return {"data_type": "bit", "column_type": f"bit({bits})", "precision": bits}
            case ColumnType.ENUM | ColumnType.SET:
                return self.labelled("enum" if kind is ColumnType.ENUM else "set")
            case _:
                return self.sized()

    def sized(self) -> dict[str, Any]:
        """What has a length of its own."""
        meta = self.meta
        match self.type:
            case ColumnType.STRING:
                # Lengths over 255 take two bits of the type byte, inverted (`Field_string`).
                return self.string("char", "binary", (meta >> 8) | (meta & 0x30 ^ 0x30) << 4)
            case ColumnType.VARCHAR:
                return self.string("varchar", "varbinary", meta)
            case ColumnType.VARCHAR_COMPRESSED:
                # One more says how the value is stored.
                return compressed(self.string("varchar", "varbinary", meta - 1))
            case ColumnType.BLOB:
                return self.blob()
            case ColumnType.BLOB_COMPRESSED:
                return compressed(self.blob())
            case ColumnType.GEOMETRY:
                return {"data_type": self.geometry_type()}
            case ColumnType.VECTOR:
                return {"data_type": "vector", "column_type": f"vector({self.dimensions})"}
            case _:
                return self.untold(f"columns of type {self.type.name} aren't known")

    def untold(self, what: str) -> NoReturn:
        raise NotInferable(self.table, self.name, what)

    def signed(self, name: str, digits: str = "") -> dict[str, Any]:
        sign = " unsigned" if self.unsigned else ""
        return {
            "data_type": name,
            "column_type": name + digits + sign,
            "unsigned": self.unsigned,
        }

    def old_temporal(self, name: str) -> dict[str, Any]:
        before = self.before
        if before is None or before.data_type != name or not is_old_temporal(before.column_type):
            self.untold(
                f"the log doesn't say how many digits the seconds of a {name.upper()} in MariaDB's "
                "old format have"
            )
        found = temporal(name, before.fsp)
        return {**found, "column_type": before.column_type}

    def charset(self) -> tuple[str | None, str | None]:
        """Character set and collation; None for bytes."""
        number = self.collation
        charset = None if number is None else charset_of(number)
        if number is None or charset is None:
            self.untold(f"its collation has the id {number}, which isn't known")
        if charset == "binary":
            return None, None
        return charset, collation_name(number, mariadb=self.mariadb)

    def string(self, text: str, binary: str, octets: int) -> dict[str, Any]:
        charset, collation = self.charset()
        length = octets // MAX_BYTES.get(charset or "", 1)
        name = binary if charset is None else text
        return {
            "data_type": name,
            "column_type": f"{name}({length})",
            "char_length": length,
            "octet_length": octets,
            "charset": charset,
            "collation": collation,
        }

    def blob(self) -> dict[str, Any]:
        charset, collation = self.charset()
        octets = (1 << 8 * self.meta) - 1
        return {
            "data_type": _SIZES[self.meta] + ("blob" if charset is None else "text"),
            "char_length": octets,
            "octet_length": octets,
            "charset": charset,
            "collation": collation,
        }

    def labelled(self, name: str) -> dict[str, Any]:
        charset, collation = self.charset()
        if charset in TABLED and charset not in self.charsets:
            raise ValueError(f"{self.table}: the table of character set {charset} isn't given")
        read = [label_text(label, charset, self.charsets) for label in self.labels]
        texts = tuple(UNREADABLE if text is None else text for text in read)
        return {
            "data_type": name,
            "column_type": labelled_type(name, texts),
            "labels": texts,
            "charset": charset,
            "collation": collation,
        }

    def geometry_type(self) -> str:
        number = self.geometry or 0
        if number < len(_GEOMETRIES):
            return _GEOMETRIES[number]
        return "geometrycollection" if self.mariadb else "geomcollection"


def temporal(name: str, digits: int) -> dict[str, Any]:
    fraction = f"({digits})" if digits else ""
    return {"data_type": name, "column_type": name + fraction, "fsp": digits}


def compressed(known: dict[str, Any]) -> dict[str, Any]:
    plain = known.get("column_type", known["data_type"])
    return {**known, "column_type": f"{plain} {COMPRESSED}"}
