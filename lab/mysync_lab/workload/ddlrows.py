"""Changes to the rows of whatever tables there are now, made by looking at the tables first.

A table may be changed, moved or dropped between the look and the statement: the server then refuses
the statement, which is part of the traffic, and the table is looked at again.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pymysql

from mysync_lab.tables import Session, TableName, quote, rows
from mysync_lab.workload.ddlshape import Column, read_columns, table_names
from mysync_lab.workload.ddlstep import AUDIT
from mysync_lab.workload.ddlvalues import literal

# The table isn't as it was looked at: no such database, table, column; another count of columns;
# changed since the transaction began; a view's or trigger's table is missing.
STALE = frozenset({1049, 1054, 1136, 1146, 1356, 1412, 1347, 1442, 1932, 4107, 1615, 1305, 1288})
# What the row is: NULL, too long, out of range, a bad date or text, no default, duplicate, foreign
# keys, CHECK, no partition for it, a generated column's own.
REFUSED = frozenset(
    {1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1526, 1690, 1761, 3105, 3140,
     3819, 3854, 3903, 4025, 1906, 1977, 1411, 1416, 1441, 4078, 1118, 3636}
)  # fmt: skip
# The transaction is gone: lock wait timeout, deadlock, "record has changed", savepoint.
GIVEN_UP = frozenset({1020, 1205, 1213})

_SIZES = (1, 1, 2, 3, 8, 20)


@dataclass
class _Known:
    """A table as it was last looked at."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]


@dataclass
class RowTraffic:
    """Statements for one session. What it knows of tables is given up whenever one is refused."""

    databases: Sequence[str]
    random: random.Random
    tables: list[TableName] = field(default_factory=list)
    known: dict[TableName, _Known] = field(default_factory=dict)
    until_look: int = 0

    def forget(self) -> None:
        self.tables, self.known = [], {}

    def statements(self, session: Session) -> list[str]:
        """Those of the next transaction, BEGIN and COMMIT or ROLLBACK included."""
        r = self.random
        self.until_look -= 1
        if not self.tables or self.until_look < 0:
            self.forget()
            self.tables = [t for t in table_names(session, self.databases) if t.table != AUDIT]
            self.until_look = 40
        if not self.tables:
            return []
        changes: list[str] = []
        for table in r.sample(self.tables, min(len(self.tables), r.choice((1, 1, 2)))):
            for _ in range(r.choice((1, 2, 4))):
                changes += self._change(session, table)
        return ["BEGIN", *changes, r.choices(("COMMIT", "ROLLBACK"), (96, 4))[0]]

    def _change(self, session: Session, table: TableName) -> list[str]:
        r = self.random
        if table not in self.known:
            self.known[table] = self._look(session, table)
        known = self.known[table]
        columns = [column for column in known.columns if not column.generated]
        if not columns:
            return []
        kind = r.choices(
            (self._insert, self._update, self._delete, self._move, self._again),
            (45, 25, 15, 8, 7),
        )[0]
        return kind(table.quoted, columns, known.key)

    def _look(self, session: Session, table: TableName) -> _Known:
        columns = read_columns(session, table)
        key = rows(
            session,
            "SELECT column_name FROM information_schema.statistics WHERE table_schema = %s"
            " AND table_name = %s AND index_name = 'PRIMARY' AND column_name IS NOT NULL"
            " ORDER BY seq_in_index",
            [table.db, table.table],
        )
        return _Known(columns, tuple(str(name) for (name,) in key))

    def _literal(self, column: Column, key: Sequence[str]) -> str:
        return literal(self.random, column, spread=1_000 if column.name in key else 100_000)

    def _insert(self, table: str, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        r = self.random
        chosen = [
            column
            for column in columns
            if column.name in key or not (column.defaulted or column.nullable) or r.random() < 0.8
        ] or list(columns)
        names = ", ".join(quote(column.name) for column in chosen)
        listed = ", ".join(
            "(" + ", ".join(self._literal(column, key) for column in chosen) + ")"
            for _ in range(r.choice(_SIZES))
        )
        verb = r.choices(("INSERT", "REPLACE", "INSERT IGNORE"), (80, 10, 10))[0]
        tail = ""
        if verb == "INSERT" and r.random() < 0.15:
            column = r.choice(columns)
            tail = f" ON DUPLICATE KEY UPDATE {quote(column.name)} = {self._literal(column, key)}"
        return [f"{verb} INTO {table} ({names}) VALUES {listed}{tail}"]

    def _some(self, columns: Sequence[Column], key: Sequence[str], most: int) -> str:
        """Rows from somewhere in the key's order, or any."""
        keys = [column for column in columns if column.name in key]
        limit = f" LIMIT {self.random.randint(1, most)}"
        if not keys or self.random.random() < 0.3:
            return f" ORDER BY RAND(){limit}"
        first = keys[0]
        order = ", ".join(quote(name) for name in key)
        return f" WHERE {quote(first.name)} >= {self._literal(first, key)} ORDER BY {order}{limit}"

    def _update(self, table: str, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        others = [column for column in columns if column.name not in key] or list(columns)
        chosen = self.random.sample(others, min(len(others), self.random.randint(1, 3)))
        sets = ", ".join(f"{quote(c.name)} = {self._literal(c, key)}" for c in chosen)
        return [f"UPDATE {table} SET {sets}{self._some(columns, key, 6)}"]

    def _move(self, table: str, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        """Another key."""
        keys = [column for column in columns if column.name in key] or list(columns)
        column = self.random.choice(keys)
        value = self._literal(column, key)
        return [f"UPDATE {table} SET {quote(column.name)} = {value}{self._some(columns, key, 1)}"]

    def _delete(self, table: str, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        return [f"DELETE FROM {table}{self._some(columns, key, 12)}"]

    def _again(self, table: str, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        """Deleted and inserted, maybe the same key."""
        return self._delete(table, columns, key) + self._insert(table, columns, key)


def number_of(error: pymysql.err.MySQLError) -> int:
    return int(error.args[0]) if error.args and isinstance(error.args[0], int) else 0
