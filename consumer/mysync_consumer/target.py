"""What the target says of a table that is to be written.

The definition is read inside a transaction that holds the table's metadata lock, together with the
shape check that every apply transaction repeats. Columns and keys are compared by whoever lays out
the images; here it is the engine: what can't roll back can't be exactly once.

The shape check doesn't see an invisible column that is added on the target behind our back; the
definition is read again at every claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import pymysql

from mysync_consumer.errors import TableOwned
from mysync_consumer.rowerrors import UnwritableTable
from mysync_consumer.session import Session
from mysync_consumer.shapes import ShapeCheck, read_labels, read_shape
from mysync_consumer.targettable import TargetTable
from mysync_runtime import mysql
from mysync_runtime.errors import CredentialsError, Drift, MysyncError
from mysync_runtime.mysql import (
    Connection,
    ErrorClass,
    classify,
    code_of,
    error_of,
    message_of,
    quote,
    quote_table,
    rows,
)
from mysync_schemas.longunique import is_hash
from mysync_schemas.table import ForeignKey, TableId, TableType

NO_SUCH_DATABASE, NO_SUCH_TABLE = 1049, 1146


@dataclass(frozen=True, eq=False, slots=True)
class Definition:
    """A table of the target, and the check that it still is the same."""

    name: TableId
    table: TargetTable
    check: ShapeCheck

    @property
    def table_type(self) -> TableType:
        return self.table.table_type


def read(session: Session, name: TableId) -> Definition:
    """The table's definition as it is now.

    Raises Drift when there is no such table, or when it can't roll back; CredentialsError when the
    user may not read it.
    """
    connection = session.connection
    where = quote_table(name.db, name.table)
    connection.begin()
    try:
        read_shape(connection, f"SELECT * FROM {where} LIMIT 0".encode())  # locks the metadata
        columns = _information(session, "columns", name)
        statistics = _information(session, "statistics", name)
        tables = _information(session, "tables", name)
        engine = (_lower(tables[0])["engine"] or "a view") if tables else "gone"
        table = TargetTable.from_rows(
            name.db,
            name.table,
            columns,
            statistics,
            engine=engine,
            flavor=session.identity.flavor.kind,
            table_type=_table_type(tables),
        )
        # Invisible columns, and those of a versioned table, aren't in the star.
        shown = {
            column["column_name"]
            for column in map(_lower, columns)
            if "INVISIBLE" not in column["extra"].upper()
        }
        names = "".join(
            f", {quote(column.name)}"
            for column in table.columns
            if column.name not in shown and not is_hash(column.name, column.expression)
        )
        select = f"SELECT *{names} FROM {where} LIMIT 0".encode()
        shape = read_shape(connection, select)
        labels_select = None
        if any(
            column["data_type"] in ("enum", "set") or column["generation_expression"]
            for column in map(_lower, columns)
        ):
            labels_select = _labels_select(connection, name)
        labels = read_labels(connection, labels_select) if labels_select is not None else ()
    except pymysql.err.Error as error:
        raise _unreadable(name, error) from error
    finally:
        session.roll_back()
    if engine.lower() != "innodb":
        raise Drift(
            f"table {name} on the target is {engine}, which can't roll back with its checkpoint",
            mend=f"ALTER TABLE {where} ENGINE=InnoDB there, then start again.",
        )
    return Definition(name, table, ShapeCheck(select, shape, labels_select, labels))


def _table_type(tables: Sequence[dict[str, object]]) -> TableType:
    found = _lower(tables[0])["table_type"] if tables else ""
    known: tuple[TableType, ...] = get_args(TableType)
    return next((kind for kind in known if kind == found), "BASE TABLE")


SQL_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRIGGER")
"""What writing a table by SQL needs; whoever lacks the last can't see its triggers."""


def require_sql(session: Session, definition: Definition) -> None:
    """Demands that SQL does to the table what it says, and nothing else.

    Raises UnwritableTable, and CredentialsError for a missing privilege."""
    name, connection = definition.name, session.connection
    if definition.table_type in ("SEQUENCE", "SYSTEM VERSIONED"):
        raise UnwritableTable(
            str(name),
            f"it is a {definition.table_type.lower()} table on the target, whose rows can only be"
            " written by row events",
        )
    lacking = mysql.lacking(mysql.grants(connection), SQL_PRIVILEGES, name.db, name.table)
    if lacking:
        raise CredentialsError(
            f"table {name} on the target is written by SQL, and the user lacks"
            f" {', '.join(lacking)} on it",
            mend=grant(name, mysql.account(connection)),
        )
    found = triggers(connection, name)
    if found:
        raise UnwritableTable(
            str(name),
            f"trigger {', '.join(found)} on the target would fire again for what the source's"
            " triggers did already: rows are written by SQL here (drop it there)",
        )


def grant(name: TableId, account: str) -> str:
    """The statement that lets rows of a table be written by SQL."""
    table = "*" if name.table == "*" else mysql.quote(name.table)
    return f"GRANT {', '.join(SQL_PRIVILEGES)} ON {mysql.quote(name.db)}.{table} TO {account}"


def triggers(connection: Connection, name: TableId) -> list[str]:
    """Names of the table's triggers, as far as the user may see them."""
    return [
        str(row["name"])
        for row in rows(
            connection,
            "SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS"
            " WHERE EVENT_OBJECT_SCHEMA = %s AND EVENT_OBJECT_TABLE = %s ORDER BY 1",
            (name.db, name.table),
        )
    ]


def _unreadable(name: TableId, error: pymysql.err.Error) -> MysyncError:
    text = f"table {name} can't be read on the target: {message_of(error)}"
    if code_of(error) in (NO_SUCH_TABLE, NO_SUCH_DATABASE):
        return Drift(text, mend="Create it there as it is on the source, then start again.")
    if classify(error) is ErrorClass.CREDENTIALS:
        return CredentialsError(
            text,
            mend=f"GRANT SELECT, INSERT, UPDATE, DELETE ON {quote_table(name.db, name.table)} TO"
            " the target's user there, then start again.",
        )
    return error_of(error, f"read table {name} on the target")


def _labels_select(connection: Connection, name: TableId) -> bytes:
    db, table = connection.escape(name.db), connection.escape(name.table)
    return (
        "SELECT column_name, column_type, generation_expression FROM information_schema.columns"
        f" WHERE table_schema = {db} AND table_name = {table}"
        " AND (data_type IN ('enum', 'set') OR generation_expression <> '')"
        " ORDER BY ordinal_position"
    ).encode()


def _information(session: Session, view: str, name: TableId) -> list[dict[str, object]]:
    return rows(
        session.connection,
        f"SELECT * FROM information_schema.{view} WHERE table_schema = %s AND table_name = %s",
        (name.db, name.table),
    )


def _lower(row: dict[str, object]) -> dict[str, str]:
    return {key.lower(): "" if value is None else str(value) for key, value in row.items()}


def foreign_keys(session: Session, name: TableId) -> list[ForeignKey]:
    """The table's foreign keys as they are now."""
    found = mysql.foreign_keys(session.connection, name.db, name.table)
    return [key for keys in found.values() for key in keys]


def own(session: Session, pipeline: str, name: TableId) -> None:
    """Notes that this pipeline writes the table. Raises TableOwned when another one does."""
    with session.connection.cursor() as cursor:
        cursor.execute(
            "INSERT IGNORE INTO mysync.owned_table (pipeline, db, tbl, since)"
            " VALUES (%s, %s, %s, SYSDATE(6))",
            (pipeline, name.db, name.table),
        )
        cursor.execute(
            "SELECT pipeline FROM mysync.owned_table WHERE db = %s AND tbl = %s",
            (name.db, name.table),
        )
        row = cursor.fetchone()
    if row is not None and row[0] != pipeline:
        raise TableOwned(str(name), str(row[0]))
