"""A plain copy of databases and their tables, without rows, from one server to another.

What `SHOW CREATE` says on the source is executed on the target, verbatim. Views, triggers, routines
and events are not copied. It is what a person would do by hand before the first start.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pymysql

from mysync_lab.tables import Session, TableName, base_tables, execute, quote, rows

# Whatever the source accepted once must be accepted again: zero dates as defaults, row formats,
# parents that don't exist yet, tables without a primary key (and none invented for them).
_PERMISSIVE: Mapping[str, str | int] = {
    "sql_mode": "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES",
    "foreign_key_checks": 0,
    "innodb_strict_mode": 0,
    "sql_generate_invisible_primary_key": 0,
    "sql_require_primary_key": 0,
    "restrict_fk_on_non_standard_key": 0,
}
_UNKNOWN_VARIABLE = 1193


def create_statement(server: Session, table: TableName) -> str:
    """The table's or sequence's definition as the server prints it."""
    if _is_sequence(server, table):
        return str(rows(server, f"SHOW CREATE SEQUENCE {table.quoted}")[0][1])
    return str(rows(server, f"SHOW CREATE TABLE {table.quoted}")[0][1])


def _is_sequence(server: Session, table: TableName) -> bool:
    return bool(
        rows(
            server,
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
            " AND table_type = 'SEQUENCE'",
            [table.db, table.table],
        )
    )


def copy_databases(
    source: Session, target: Session, databases: Sequence[str] | Mapping[str, str]
) -> list[TableName]:
    """Creates each database and all its tables on the target; a mapping also renames databases.

    The databases must not exist on the target. Returns the tables made, by their target names.
    Foreign keys that name a renamed database are not rewritten.
    """
    renamed = databases if isinstance(databases, Mapping) else {db: db for db in databases}
    for db, name in renamed.items():
        created = str(rows(source, f"SHOW CREATE DATABASE {quote(db)}")[0][1])
        execute(target, created.replace(quote(db), quote(name), 1))
    return [
        copied
        for db, name in renamed.items()
        for copied in copy_tables(source, target, base_tables(source, db), into=name)
    ]


def copy_tables(
    source: Session, target: Session, tables: Sequence[TableName], *, into: str | None = None
) -> list[TableName]:
    """Creates the tables in their own database, or in `into`, which must exist on the target.

    The target session's default database is another one afterwards.
    """
    made = []
    with _settings(target, _PERMISSIVE):
        # Defaults may name sequences.
        for table in sorted(tables, key=lambda table: not _is_sequence(source, table)):
            copied = TableName(into or table.db, table.table)
            execute(target, f"USE {quote(copied.db)}", create_statement(source, table))
            made.append(copied)
    return made


def drop_databases(server: Session, databases: Sequence[str]) -> None:
    """Drops those of the databases that exist; foreign keys between them don't matter."""
    with _settings(server, {"foreign_key_checks": 0}):
        execute(server, *(f"DROP DATABASE IF EXISTS {quote(db)}" for db in databases))


@contextmanager
def _settings(server: Session, wanted: Mapping[str, str | int]) -> Iterator[None]:
    """Session variables set and put back; those that this server doesn't know are left out."""
    before: dict[str, str | int] = {}
    with server.cursor() as cursor:
        for name, value in wanted.items():
            try:
                before[name] = rows(server, f"SELECT @@SESSION.{name}")[0][0]
            except pymysql.err.OperationalError as error:
                if error.args[0] != _UNKNOWN_VARIABLE:
                    raise
                continue
            cursor.execute(f"SET SESSION {name} = %s", (value,))
        try:
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"SET SESSION {name} = %s", (value,))
