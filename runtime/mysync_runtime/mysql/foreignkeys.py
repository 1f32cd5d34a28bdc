"""The foreign keys of a server's tables, as information_schema has them now."""

from mysync_runtime.mysql.connection import Connection, rows
from mysync_schemas.table import ForeignKey

_PARTS = """
SELECT k.TABLE_NAME AS table_name, k.CONSTRAINT_NAME AS name, k.COLUMN_NAME AS column_name,
       k.REFERENCED_TABLE_SCHEMA AS referenced_db, k.REFERENCED_TABLE_NAME AS referenced_table,
       k.REFERENCED_COLUMN_NAME AS referenced_column,
       r.DELETE_RULE AS on_delete, r.UPDATE_RULE AS on_update
FROM information_schema.KEY_COLUMN_USAGE k
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
 AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = %s AND k.REFERENCED_TABLE_NAME IS NOT NULL{one_table}
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION
"""


def foreign_keys(
    connection: Connection, db: str, table: str | None = None
) -> dict[str, list[ForeignKey]]:
    """Those of a database's tables, or of one table, by the table's name."""
    parts: dict[tuple[str, str], list[dict[str, str]]] = {}
    if table is None:
        found = rows(connection, _PARTS.format(one_table=""), (db,))
    else:
        one_table = " AND k.TABLE_NAME = %s"
        found = rows(connection, _PARTS.format(one_table=one_table), (db, table))
    for part in found:
        parts.setdefault((part["table_name"], part["name"]), []).append(part)
    keys: dict[str, list[ForeignKey]] = {}
    for (name, key), columns in parts.items():
        first = columns[0]
        keys.setdefault(name, []).append(
            ForeignKey(
                name=key,
                columns=tuple(part["column_name"] for part in columns),
                referenced_db=first["referenced_db"],
                referenced_table=first["referenced_table"],
                referenced_columns=tuple(part["referenced_column"] for part in columns),
                on_delete=first["on_delete"],
                on_update=first["on_update"],
            )
        )
    return keys
