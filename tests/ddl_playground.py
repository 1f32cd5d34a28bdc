"""Databases in which statements of `ddl_statements` are run, to see what they change."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pymysql

from ddl_statements import BASE, MARIADB_BASE, OTHER, ROWS
from mysync_lab.tables import Session, execute, rows
from mysync_schemas.rewrite import renamed
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import read_statement
from mysync_schemas.table import TableId

Key = tuple[str, str]
"""Kind and "database.name"."""
Snapshot = dict[Key, str]
"""The definition of each object, and a table's rows."""

DATABASES = ("st", OTHER, "st_new")
_COLLATION = 45  # utf8mb4's
_LOCK_WAIT_TIMEOUT = 1205
_LISTS = {
    "trigger": "SELECT trigger_schema, trigger_name, action_statement, event_manipulation"
    " FROM information_schema.triggers WHERE trigger_schema IN %s",
    "routine": "SELECT routine_schema, routine_name, routine_definition, routine_comment,"
    " security_type, routine_type"
    " FROM information_schema.routines WHERE routine_schema IN %s",
    "event": "SELECT event_schema, event_name, interval_value, event_comment, definer,"
    " event_definition FROM information_schema.events WHERE event_schema IN %s",
}


@dataclass(frozen=True)
class Names:
    """What the databases and tables are called where the statements are run. What is called
    otherwise has `zz_` before its name, what is in another database too `zz_m_`."""

    table: Callable[[TableId], TableId] = lambda table: table
    db: Callable[[str], str] = lambda db: db

    def back(self, text: str) -> str:
        """With the names of the original."""
        text = re.sub(r"`\w+`\.`zz_m_", "`", text)
        return re.sub(r"^\w+\.zz_m_", "st.", text).replace("zz_m_", "").replace("zz_", "")


ORIGINAL = Names()


@dataclass(frozen=True)
class Ran:
    """What a statement has changed, with what it is now, and the statements logged for it."""

    changed: dict[Key, str | None]
    logged: list[str]


class Playground:
    """The databases that statements are run in, put back as they were after each."""

    def __init__(self, connection: Session, mariadb: bool, names: Names = ORIGINAL) -> None:
        self.connection = connection
        self.mariadb = mariadb
        self.names = names
        self.dialect = Dialect(mariadb, 101118 if mariadb else 90704, collation=_COLLATION)
        self.databases = tuple(names.db(db) for db in DATABASES)
        base = BASE | (MARIADB_BASE if mariadb else {})
        self.base = {self._called(name): self.called(sql) for name, sql in base.items()}
        self.rows = {
            self._called(name): f"INSERT INTO {_quoted(self._called(name))} {sql.split(' ', 3)[3]}"
            for name, sql in ROWS.items()
        }
        self.build()
        self.before = self.snapshot()

    def _called(self, name: str) -> TableId:
        db = OTHER if name.startswith(f"{OTHER}.") else "st"
        return self.names.table(TableId(db, name.removeprefix(f"{OTHER}.")))

    def called(self, sql: str) -> str:
        """The statement as it is right here. What holds a query or a program stays: those of the
        base name only what is called as in the original. Raises `rewrite.Unrewritable`."""
        statement = read_statement(sql.encode(), self.dialect)
        if statement.opaque and sql in BASE.values():
            return sql
        names = self.names
        return renamed(sql.encode(), statement, self.dialect, "st", names.table, names.db).decode()

    def build(self) -> None:
        sql = [f"DROP DATABASE IF EXISTS {db}" for db in self.databases]
        sql += [f"CREATE DATABASE {db} CHARACTER SET utf8mb4" for db in self.databases[:2]]
        sql += [f"USE {self.databases[0]}", "SET foreign_key_checks = 1", "SET timestamp = 1e9"]
        execute(self.connection, *sql, *self.base.values(), *self.rows.values())

    def drop(self) -> None:
        execute(self.connection, *(f"DROP DATABASE IF EXISTS {db}" for db in self.databases))

    def rebuild(self, changed: Sequence[Key]) -> None:
        """Tables are put back by themselves; after anything else, all."""
        tables = [TableId(*name.split(".", 1)) for kind, name in changed if kind == "table"]
        apart = {self._called(name) for name in ("v", "s", "w")}
        if len(tables) < len(changed) or apart & set(tables):
            self.build()
            return
        execute(self.connection, "SET foreign_key_checks = 0")
        for table in tables:
            for kind in ("VIEW", "SEQUENCE", "TABLE") if self.mariadb else ("VIEW", "TABLE"):
                with suppress(pymysql.err.Error):  # it may be another kind of thing
                    execute(self.connection, f"DROP {kind} IF EXISTS {_quoted(table)}")
        again = [sql for table, sql in self.base.items() if table in tables]
        again += [sql for table, sql in self.rows.items() if table in tables]
        execute(self.connection, *again, "SET foreign_key_checks = 1")

    def run(self, sql: str) -> Ran:
        """Raises the server's error."""
        status = "SHOW MASTER STATUS" if self.mariadb else "SHOW BINARY LOG STATUS"
        file, position = rows(self.connection, status)[0][:2]
        self._execute(sql)
        after = self.snapshot()
        keys = self.before.keys() | after.keys()
        found = {key: after.get(key) for key in keys if self.before.get(key) != after.get(key)}
        events = rows(self.connection, f"SHOW BINLOG EVENTS IN '{file}' FROM {position}")
        logged = [info for _, _, kind, *_, info in events if kind == "Query"]
        if found:
            self.rebuild(list(found))
        return Ran(found, logged)

    def _execute(self, sql: str) -> None:
        """MariaDB's purge may hold a table for a while that NOWAIT doesn't wait for."""
        deadline = time.monotonic() + 20
        while True:
            try:
                execute(self.connection, sql)
            except pymysql.err.OperationalError as error:
                if error.args[0] != _LOCK_WAIT_TIMEOUT or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def snapshot(self) -> Snapshot:
        found: Snapshot = {}
        within = str(self.databases)
        for db, collation in rows(
            self.connection,
            "SELECT schema_name, default_collation_name FROM information_schema.schemata"
            f" WHERE schema_name IN {within}",
        ):
            found["database", f"{db}."] = str(collation)
        for kind, sql in _LISTS.items():
            for db, name, *rest in rows(self.connection, sql % within):
                found[kind, f"{db}.{name}"] = str(rest)
        for db, name, kind in rows(
            self.connection,
            "SELECT table_schema, table_name, table_type FROM information_schema.tables"
            f" WHERE table_schema IN {within}",
        ):
            quoted = _quoted(TableId(db, name))
            definition = rows(self.connection, f"SHOW CREATE TABLE {quoted}")[0][1]
            held = [] if kind == "VIEW" else rows(self.connection, f"SELECT * FROM {quoted}")
            found["table", f"{db}.{name}"] = f"{definition} {held}"
        return found


def _quoted(table: TableId) -> str:
    return ".".join("`" + part.replace("`", "``") + "`" for part in table)
