"""Texts that tell a column's distinct values apart, made by the server that holds them.

Where a type's own text is not enough, an expression is: hex for characters and bytes (their exact
stored bytes, whatever the collation thinks equal), the number beside the label for ENUM and SET
(an error value, an empty label), the bytes of FLOAT and DOUBLE (their own texts are cut), and for
MySQL's JSON the type of every value inside: `1` may be a signed or unsigned integer, a decimal, a
double. The texts of one value are the same on MySQL and MariaDB where both have the type. Sessions
are expected at `time_zone = '+00:00'` on both sides, or at the same zone at least.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mysync_lab.tables import Session, TableName, quote, rows

_TEXT = frozenset({"char", "varchar", "tinytext", "text"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob"})
# Hashed by the server instead of printed: their hex may be larger than a packet.
_LONG = frozenset({"mediumtext", "longtext", "mediumblob", "longblob"})
_SPATIAL = frozenset(
    {
        "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
        "multipolygon", "geomcollection", "geometrycollection", "vector",
    }
)  # fmt: skip
# JSON paths whose types are looked at in one table, and rows read to find them.
_PATHS = 200
_PATH_ROWS = 5_000


@dataclass(frozen=True)
class ExactColumns:
    """One exact expression per column; NULL stays NULL."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    json_columns: tuple[str, ...] = ()
    versioned: bool = False

    @property
    def row_hash(self) -> str:
        """SHA-256 in hex over a row's texts; none of them holds a `|` or is just `N`."""
        return (
            "SHA2(CONCAT_WS('|', " + ", ".join(f"IFNULL({t}, 'N')" for t in self.texts) + "), 256)"
        )

    def all_of(self, table: TableName) -> str:
        """What to select from: of a versioned table all versions of its rows."""
        return table.quoted + (" FOR SYSTEM_TIME ALL" if self.versioned else "")

    def with_json_paths(self, paths: Sequence[tuple[str, str]]) -> "ExactColumns":
        """The same with the types at these (column, path) added to the columns' texts."""
        if not paths:
            return self
        texts = list(self.texts)
        for at, name in enumerate(self.names):
            column = quote(name)
            types = [
                f"IFNULL(JSON_TYPE(JSON_EXTRACT({column}, {_literal(path)})), '-')"
                for of, path in paths
                if of == name
            ]
            if types:
                texts[at] = f"CONCAT({texts[at]}, ' ', CONCAT_WS(',', {', '.join(types)}))"
        return replace(self, texts=tuple(texts))


def columns_of(server: Session, table: TableName) -> ExactColumns:
    """All columns in ordinal order, invisible and generated ones too, and those that say from when
    to when a row of a versioned table held."""
    found = rows(
        server,
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position",
        [table.db, table.table],
    )
    described = [(str(name), str(data_type).lower()) for name, data_type in found]
    ((table_type, named),) = rows(
        server,
        "SELECT table_type, (SELECT COUNT(*) FROM information_schema.columns c"
        " WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name"
        " AND generation_expression = 'ROW END') FROM information_schema.tables t"
        " WHERE table_schema = %s AND table_name = %s",
        [table.db, table.table],
    )
    versioned = table_type == "SYSTEM VERSIONED"
    if versioned and not named:
        described += [("row_start", "timestamp"), ("row_end", "timestamp")]
    return ExactColumns(
        tuple(name for name, _ in described),
        tuple(_exact(quote(name), data_type) for name, data_type in described),
        tuple(name for name, data_type in described if data_type == "json"),
        versioned,
    )


def _exact(column: str, data_type: str) -> str:
    if data_type in _TEXT or data_type in _BYTES or data_type in _SPATIAL:
        return f"HEX({column})"
    if data_type in _LONG:
        return f"CONCAT(LENGTH({column}), ':', SHA2({column}, 256), ':', HEX(LEFT({column}, 32)))"
    if data_type in ("enum", "set"):
        # A sum would be a double, and 64 labels have more bits.
        return f"CONCAT({column} | 0, ':', HEX({column}))"
    if data_type == "bit":
        return f"CONCAT({column} + 0)"
    if data_type in ("float", "double"):
        return _real(column)
    if data_type == "json":
        return f"CONCAT(JSON_TYPE({column}), ':', HEX(CAST({column} AS CHAR)))"
    if data_type in ("inet4", "inet6", "uuid"):
        return f"HEX({column})"
    return f"CONCAT({column})"


def _real(column: str) -> str:
    """A double's eight bytes in hex, of a FLOAT those of the same number: as a point's coordinate,
    behind 9 bytes. The texts of doubles are cut on MySQL, and MariaDB's -0.0 has none."""
    return f"SUBSTRING(HEX(POINT({column}, 0)), 19, 16)"


def json_paths(server: Session, table: TableName, columns: ExactColumns) -> set[tuple[str, str]]:
    """(column, path) of values inside the documents of the first rows; scalars at `$` are in it.

    Bounded: a document may hold any number of values. MariaDB's JSON is text and has none.
    """
    found: set[tuple[str, str]] = set()
    for name in columns.json_columns:
        documents = rows(
            server,
            f"SELECT DISTINCT CAST({quote(name)} AS CHAR) FROM {table.quoted}"
            f" WHERE {quote(name)} IS NOT NULL ORDER BY 1 LIMIT {_PATH_ROWS}",
        )
        for (document,) in documents:
            if len(found) >= _PATHS:
                break
            found.update((name, path) for path in _paths(json.loads(document), "$"))
    return set(sorted(found)[:_PATHS])


def _paths(value: object, path: str) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{json.dumps(key, ensure_ascii=False)}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _paths(inner, f"{path}[{at}]")
    elif path != "$" and not isinstance(value, bool) and value is not None:
        yield path


def _literal(text: str) -> str:
    """A string literal that doesn't depend on the SQL mode."""
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)" if text else "''"
