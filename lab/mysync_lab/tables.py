"""Names of databases and tables, and the few questions about them that the lab asks a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pymysql.connections import Connection
from pymysql.cursors import Cursor

# An open PyMySQL connection to either server.
Session: TypeAlias = "Connection[Cursor]"


@dataclass(frozen=True, order=True)
class TableName:
    """A table's place; its text is `db.table`, quoted `` `db`.`table` ``."""

    db: str
    table: str

    def __str__(self) -> str:
        return f"{self.db}.{self.table}"

    @property
    def quoted(self) -> str:
        return f"{quote(self.db)}.{quote(self.table)}"


def quote(identifier: str) -> str:
    """An identifier in backticks, as both servers read it whatever the SQL mode."""
    return "`" + identifier.replace("`", "``") + "`"


def rows(server: Session, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """All rows of one query, as tuples."""
    with server.cursor() as cursor:
        cursor.execute(sql, tuple(arguments) or None)
        return list(cursor.fetchall())


def execute(server: Session, *statements: str) -> None:
    """Runs statements one by one; what they return is dropped."""
    with server.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def is_mariadb(server: Session) -> bool:
    return "mariadb" in str(rows(server, "SELECT VERSION()")[0][0]).lower()


def base_tables(server: Session, db: str) -> list[TableName]:
    """The tables of a database (system-versioned ones and sequences too, no views), by name."""
    found = rows(
        server,
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')",
        [db],
    )
    return sorted(TableName(db, str(name)) for (name,) in found)
