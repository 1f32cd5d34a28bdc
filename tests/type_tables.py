"""Tables of one column type each in three roles: as two columns beside a key, as the key itself,
and in a table without a key, where a row is found by all of its values.

Rows: the type's edges and NULL, then generated ones; a third is updated, some are deleted and
inserted again. What the source makes of the literals is what the target must hold.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from every_type import CHARSETS, Type
from fix_pipeline import Replica
from mysync_lab.compare import compare
from mysync_lab.sql import SqlServer
from mysync_lab.tables import rows
from mysync_lab.workload import values
from type_literals import GEOMETRIES

MODE = f"SET sql_mode = '{values.SQL_MODE}', time_zone = '+00:00'"
AT_ONCE = 250  # rows of an INSERT
GENERAL = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"


def by_sql(each: Type, *, mariadb: bool) -> Type:
    """The type without the values that no strict SQL of that target writes: they are refused."""
    if each.kind == "ENUM":
        labels = each.sql.count("','") + 1
        kept = tuple(edge for edge in each.edges if edge in map(str, range(1, labels + 1)))
        return replace(each, edges=kept)
    if each.kind == "JSON":
        return replace(
            each, edges=tuple(e for e in each.edges if not re.search(r"\(c (BINARY|TINYBLOB)", e))
        )
    if each.kind == "TIME" and not mariadb:
        last = re.compile(r"838:59:59\.|900:")
        return replace(each, edges=tuple(edge for edge in each.edges if not last.search(edge)))
    if each.kind in ("FLOAT", "DOUBLE") and mariadb:
        # MariaDB's SQL makes 0 of -0.0.
        rounded = 0.001 if "(" in each.sql else 0

        def positive(text: str) -> str:
            return text.lstrip("-") if abs(float(text)) <= rounded else text

        literal = each.literal
        edges = tuple(map(positive, each.edges))
        return replace(each, edges=edges, literal=lambda r: positive(literal(r)))
    if not mariadb and any(f"CHARACTER SET {name}" in each.sql for name in CHARSETS):
        # Of deprecated sets, and of bytes that a set lacks, MySQL's SQL can't name a key.
        return replace(each, key="")
    return each


@dataclass(frozen=True)
class TypeTables:
    """The tables of some types by name: each is `<name>`, `<name>_key` and `<name>_bare`."""

    types: Mapping[str, Type]
    source: SqlServer
    target: SqlServer

    @property
    def crosses(self) -> bool:
        return self.source.kind != self.target.kind

    def create_databases(self, replica: Replica) -> None:
        for server in (self.source, self.target):
            with server.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {replica.db} {GENERAL}")

    def create(self, replica: Replica, names: Sequence[str] | None = None) -> None:
        """Creates these tables, or all, on both sides."""
        listed = list(names or self.types)

        def make(server: SqlServer) -> None:
            replica.on(
                server, MODE, *(sql for name in listed for sql in self._tables(name, server))
            )

        with ThreadPoolExecutor() as both:
            list(both.map(make, (self.source, self.target)))

    def _tables(self, name: str, server: SqlServer) -> Iterator[str]:
        each = self.types[name]
        kind = self._definition(each, server)
        yield f"CREATE TABLE {name} (id INT PRIMARY KEY, v {kind} NULL, w {kind} NOT NULL)"
        if each.key:
            yield (
                f"CREATE TABLE {name}_key (v {kind} NOT NULL, id INT, n INT,"
                f" PRIMARY KEY ({each.key}))"
            )
        if each.alone:
            yield f"CREATE TABLE {name}_bare (v {kind} NULL, n INT)"

    def _definition(self, each: Type, server: SqlServer) -> str:
        if not self.crosses:
            return each.sql
        if each.kind == "JSON" and server.kind == "mysql":
            return f"LONGTEXT {GENERAL.replace('general_ci', 'bin')}"
        if server.kind == "mariadb":
            return re.sub(r" SRID \d+", "", each.sql.replace("CHARACTER SET utf8mb4", GENERAL))
        return each.sql.replace("CHARACTER SET utf8mb4", GENERAL)

    def write(self, replica: Replica, r: random.Random, generated: int) -> None:
        """Runs all changes on the source, one transaction for each table and kind of change."""
        with self.source.connect(database=replica.db) as connection, connection.cursor() as cursor:
            cursor.execute(MODE)
            for name, each in self.types.items():
                for transaction in self._changes(name, each, r, generated):
                    cursor.execute("BEGIN")
                    for statement in transaction:
                        cursor.execute(statement)
                    cursor.execute("COMMIT")

    def _changes(
        self, name: str, each: Type, r: random.Random, generated: int
    ) -> Iterator[Iterator[str]]:
        def some(count: int) -> list[str]:
            return [*each.edges, *(each.literal(r) for _ in range(count))]

        found = some(generated)
        turned = found[7:] + found[:7]
        yield inserts(
            name,
            [f"({i}, {v}, {w})" for i, (v, w) in enumerate(zip(found, turned, strict=True))]
            + [f"({-1 - i}, NULL, {w})" for i, w in enumerate(found[:9])],
        )
        yield iter(
            [
                (
                    f"UPDATE IGNORE {name} AS a JOIN {name} AS b ON b.id = a.id + 1"
                    " SET a.v = b.w, a.w = b.w WHERE a.id % 3 = 0"
                ),
                f"UPDATE {name} SET v = NULL WHERE id % 30 = 7",
                *(
                    f"UPDATE IGNORE {name} SET v = {literal} WHERE id = {9 * i + 1}"
                    for i, literal in enumerate(some(0)[:20])
                ),
            ]
        )
        yield iter(
            [
                f"DELETE FROM {name} WHERE id % 10 = 4",
                (
                    f"INSERT INTO {name} SELECT id + 1000003, w, v FROM {name}"
                    " WHERE id % 40 = 5 AND v IS NOT NULL"
                ),
            ]
        )
        if each.key:
            yield from self._key_changes(f"{name}_key", some(generated // 5), some(20))
        if each.alone:
            yield from self._bare_changes(f"{name}_bare", some(generated // 30))

    def _key_changes(
        self, name: str, found: Sequence[str], more: Sequence[str]
    ) -> Iterator[Iterator[str]]:
        yield inserts(name, [f"({value}, {i}, 0)" for i, value in enumerate(found)])
        yield iter(
            [
                f"UPDATE {name} SET n = n + 1 WHERE id % 3 = 0",
                *(
                    f"UPDATE IGNORE {name} SET v = {value} WHERE id = {2 * i}"
                    for i, value in enumerate(more)
                ),
                f"DELETE FROM {name} WHERE id % 7 = 1",
            ]
        )
        yield inserts(name, [f"({value}, {i + 100000}, 5)" for i, value in enumerate(found)])

    def _bare_changes(self, name: str, found: Sequence[str]) -> Iterator[Iterator[str]]:
        yield inserts(
            name, [f"({value}, {i % 5})" for i, value in enumerate([*found, "NULL", *found])]
        )
        yield iter(
            [
                f"UPDATE {name} SET n = n + 10 WHERE n = 1",
                f"UPDATE {name} SET n = 99 WHERE n = 0 LIMIT 3",
                f"UPDATE {name} SET v = NULL WHERE n = 11 LIMIT 2",
                f"DELETE FROM {name} WHERE n = 2",
                f"DELETE FROM {name} WHERE n = 3 LIMIT 2",
            ]
        )

    def assert_equal(self, replica: Replica) -> int:
        """Compares all rows by the servers' SELECT; how many there are."""
        with self.source.connect() as source, self.target.connect() as target:
            found = compare(source, target, [replica.db])
            wrong = [
                str(table)
                for table in found.tables
                if not (replace(table, definition=()) if self.crosses else table).equal
            ]
            assert not wrong, "\n".join(wrong)
            for name, each in self.types.items():
                if shown := self._also_shown(each):
                    query = f"SELECT id, {shown} FROM {replica.db}.{name} ORDER BY id"
                    assert rows(source, query) == rows(target, query), (name, each.definition)
        return found.rows

    def _also_shown(self, each: Type) -> str:
        """What a value's bytes don't tell, or not by themselves."""
        if each.kind == "JSON" and self.target.kind == "mysql" and not self.crosses:
            return "JSON_TYPE(v), JSON_STORAGE_SIZE(v), JSON_TYPE(w), JSON_STORAGE_SIZE(w)"
        if each.kind in ("GEOMETRY", *GEOMETRIES):
            # The axes of 4326 are in another order on the other flavour, in WKB as in texts.
            wkb = "" if self.crosses else ", HEX(ST_AsBinary(v)), HEX(ST_AsBinary(w))"
            return f"ST_SRID(v), ST_SRID(w){wkb}"
        return ""


def inserts(name: str, listed: Sequence[str]) -> Iterator[str]:
    """INSERT IGNORE of these rows."""
    for at in range(0, len(listed), AT_ONCE):
        yield f"INSERT IGNORE INTO {name} VALUES {', '.join(listed[at : at + AT_ONCE])}"
