"""What can't be carried from MySQL to MariaDB or back, and why: one list.

Rows are exact where both servers have a column's type and collation, whatever the rest of their
definitions. What only one of them has, or has otherwise, is refused before the first row is
written. Sources: the manuals of both ("Data Types", "JSON Data Type", "System-Versioned Tables",
"CREATE SEQUENCE", "Storage-Engine Independent Column Compression"), and what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from mysync_schemas.table import Column, TableSchema

__all__ = ["Flavor", "refusals"]

Flavor = Literal["mysql", "mariadb"]

_ONLY_THERE: Final[Mapping[Flavor, Mapping[str, str]]] = {
    "mysql": {
        "json": "its binary documents keep types that MariaDB's JSON, which is text, has no words "
        "for",
        "vector": "MariaDB's VECTOR is another type",
    },
    "mariadb": {
        "inet4": "MySQL has no such type",
        "inet6": "MySQL has no such type",
        "uuid": "MySQL has no such type",
    },
}
_KINDS_OF_TABLE: Final[Mapping[str, str]] = {
    "SEQUENCE": "sequences: MySQL has none",
    "SYSTEM VERSIONED": "system versioning: MySQL has none",
}


def refusals(schema: TableSchema, source: Flavor, target: Flavor) -> list[str]:
    """Why a table of one flavour can't be written exactly on the other; [] if it can."""
    if source == target:
        return []
    return [*_of_table(schema, source), *_of_columns(schema, source)]


def _of_table(schema: TableSchema, source: Flavor) -> Iterator[str]:
    kind = _KINDS_OF_TABLE.get(schema.table_type)
    if kind is not None:
        yield kind
    for key in schema.keys:
        if key.unique and source == "mysql" and any(p.expression for p in key.columns):
            yield f"unique key {key.name} is over an expression, which MariaDB's keys can't be"


def _of_columns(schema: TableSchema, source: Flavor) -> Iterator[str]:
    for column in schema.columns:
        why = _ONLY_THERE[source].get(column.data_type) or _of_column(column, source)
        if why is not None:
            yield f"column {column.name} ({column.data_type}): {why}"


def _of_column(column: Column, source: Flavor) -> str | None:
    if column.generated:
        return "the servers' functions and their words for an expression differ"
    if source == "mariadb" and column.data_type == "decimal" and (column.scale or 0) > 30:
        return "MySQL's DECIMAL has at most 30 digits behind the point"
    kind = column.column_type.upper()
    if source == "mariadb" and "COMPRESSED" in kind:
        return "MySQL has no COMPRESSED columns"
    if source == "mariadb" and "MARIADB-5.3" in kind:
        return "MySQL has no temporal columns of the old format: ALTER TABLE … FORCE makes new ones"
    return None
