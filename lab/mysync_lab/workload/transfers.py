"""Tables to be transferred, one for each kind of key, and random writes to all of them.

A row's key is made of a number, in SQL as here, so tables can be filled by the server itself and
written by anybody: inserts, updates, deletes, keys that change, unique values that rows hand to
each other, rows that parents take with them. Numbers lie with gaps; most of them close together.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mysync_lab.tables import Session, execute, is_mariadb, quote

# A second key column, or none; what a row holds beside its key.
_REST = "n INT NOT NULL, note VARCHAR(40), amount DECIMAL(12,3)"


@dataclass(frozen=True)
class KeyedTable:
    """`columns`: the key's, by name and type. `literal`: its values for a number, as SQL, and
    `expression` the same of a column `i`."""

    name: str
    columns: tuple[tuple[str, str], ...]
    literal: Callable[[int], tuple[str, ...]]
    expression: tuple[str, ...]
    more: str = ""  # further columns and keys

    @property
    def names(self) -> str:
        return ", ".join(name for name, _ in self.columns)

    def create(self) -> str:
        columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in self.columns)
        return (
            f"CREATE TABLE {self.name} ({columns}, {_REST}{self.more}, PRIMARY KEY ({self.names}))"
        )

    def where(self, number: int) -> str:
        values = zip(self.columns, self.literal(number), strict=True)
        return " AND ".join(f"{name} = {value}" for (name, _), value in values)


_BEYOND = 2**63


def _tables(mariadb: bool) -> list[KeyedTable]:
    accents = "utf8mb4_uca1400_ai_ci" if mariadb else "utf8mb4_0900_ai_ci"
    if mariadb:
        accents = "utf8mb4_unicode_ci"
    one: list[KeyedTable] = []

    def keyed(
        name: str, kind: str, literal: Callable[[int], str], expression: str, more: str = ""
    ) -> None:
        one.append(KeyedTable(name, (("k", kind),), lambda i: (literal(i),), (expression,), more))

    keyed("k_int", "INT", lambda i: str(i * 3), "i * 3")
    keyed("k_auto", "INT AUTO_INCREMENT", lambda i: str(i + 1), "i + 1")
    keyed(
        "k_big",
        "BIGINT UNSIGNED",
        lambda i: str(_BEYOND - 5_000 + i),
        f"CAST({_BEYOND} AS UNSIGNED) - 5000 + i",
    )
    for name, collation in (
        ("k_ai", accents),
        ("k_general", "utf8mb4_general_ci"),
        ("k_bin", "utf8mb4_bin"),
    ):
        keyed(
            name,
            f"VARCHAR(30) CHARACTER SET utf8mb4 COLLATE {collation}",
            lambda i: f"'{'Éß'[i % 2]}-{i % 97}-{i:x}'",
            "CONCAT(IF(i % 2, 'ß', 'É'), '-', i % 97, '-', LOWER(HEX(i)))",
        )
    keyed(
        "k_binary",
        "BINARY(16)",
        lambda i: f"UNHEX(LEFT(SHA2({i}, 256), 32))",
        "UNHEX(LEFT(SHA2(i, 256), 32))",
    )
    keyed("k_decimal", "DECIMAL(20,4)", lambda i: f"{i - 700}.{i % 10_000:04d}",
          "CAST(CONCAT(i - 700, '.', LPAD(i % 10000, 4, '0')) AS DECIMAL(20,4))")  # fmt: skip
    keyed(
        "k_moment",
        "DATETIME(6)",
        lambda i: f"TIMESTAMPADD(MICROSECOND, {i} * 700001, '2001-02-03 04:05:06')",
        "TIMESTAMPADD(MICROSECOND, i * 700001, '2001-02-03 04:05:06')",
    )
    keyed("k_kind", "ENUM('a','b','c','d','e','f','g')", lambda i: f"'{'abcdefg'[i % 7]}'",
          "ELT(i % 7 + 1, 'a', 'b', 'c', 'd', 'e', 'f', 'g')")  # fmt: skip
    one.append(
        KeyedTable(
            "k_three",
            (("a", "SMALLINT"), ("b", "VARCHAR(10)"), ("c", "DATE")),
            lambda i: (
                str(i % 3),
                f"'b{i % 11}'",
                f"DATE_ADD('2000-01-01', INTERVAL {i} DAY)",
            ),
            ("i % 3", "CONCAT('b', i % 11)", "DATE_ADD('2000-01-01', INTERVAL i DAY)"),
        )
    )
    keyed(
        "k_unique",
        "INT",
        lambda i: str(i),
        "i",
        ", u VARCHAR(20), v INT, UNIQUE KEY u (u), UNIQUE KEY v (v)",
    )
    return one


class TransferTables:
    """The tables of one database, `rows` in each (fewer where the key has no more values)."""

    def __init__(self, db: str, *, mariadb: bool, rows: int, copies: int = 1) -> None:
        """`copies`: so many tables of each kind."""
        self.db = db
        self.rows = rows
        self.keyed = [
            KeyedTable(
                f"{table.name}_{n}" if n else table.name,
                table.columns,
                table.literal,
                table.expression,
                table.more,
            )
            for table in _tables(mariadb)
            for n in range(copies)
        ]

    @classmethod
    def on(cls, session: Session, db: str, rows: int, *, copies: int = 1) -> "TransferTables":
        """For this server's flavour."""
        return cls(db, mariadb=is_mariadb(session), rows=rows, copies=copies)

    def create(self, session: Session) -> None:
        """The database with its tables, filled."""
        execute(session, f"CREATE DATABASE {quote(self.db)} CHARACTER SET utf8mb4")
        execute(session, f"USE {quote(self.db)}", "SET NAMES utf8mb4")
        execute(session, "CREATE TABLE digits (d INT PRIMARY KEY)")
        execute(session, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        places = max(1, len(str(self.rows - 1)))
        number = " + ".join(f"d{p}.d * {10**p}" for p in range(places))
        digits = ", ".join(f"digits d{p}" for p in range(places))
        for table in self.keyed:
            execute(session, table.create())
            values = ", ".join(table.expression)
            unique = ", CONCAT('u', i), i" if table.more else ""
            names = f"{table.names}, n, note, amount{', u, v' if table.more else ''}"
            execute(
                session,
                f"INSERT IGNORE INTO {table.name} ({names}) SELECT {values}, i % 1000,"
                f" CONCAT('row ', i), i / 8{unique}"
                f" FROM (SELECT {number} AS i FROM {digits}) numbers"
                f" WHERE i < {self.rows} AND i % 50 < 45",
            )
        execute(
            session,
            "CREATE TABLE f_parent (id INT PRIMARY KEY, n INT)",
            "CREATE TABLE f_child (id INT PRIMARY KEY, parent_id INT, n INT, KEY p (parent_id),"
            " CONSTRAINT f_one FOREIGN KEY (parent_id) REFERENCES f_parent (id)"
            " ON DELETE CASCADE ON UPDATE CASCADE)",
            "CREATE TABLE f_leaf (id INT PRIMARY KEY, child_id INT, n INT, KEY c (child_id),"
            " CONSTRAINT f_three FOREIGN KEY (child_id) REFERENCES f_child (id)"
            " ON DELETE CASCADE)",
            "CREATE TABLE f_tree (id INT PRIMARY KEY, above INT, n INT, KEY a (above),"
            " CONSTRAINT f_two FOREIGN KEY (above) REFERENCES f_tree (id) ON DELETE SET NULL)",
            f"INSERT INTO f_parent SELECT i, i FROM (SELECT {number} AS i FROM {digits}) numbers"
            f" WHERE i < {self.rows // 10}",
            f"INSERT INTO f_child SELECT i, i % {max(1, self.rows // 10)}, i"
            f" FROM (SELECT {number} AS i FROM {digits}) numbers WHERE i < {self.rows}",
            f"INSERT INTO f_leaf SELECT i, i, i FROM (SELECT {number} AS i FROM {digits}) numbers"
            f" WHERE i < {self.rows // 5}",
            "SET SESSION foreign_key_checks = 0",
            f"INSERT INTO f_tree SELECT i, IF(i = 0, NULL, i DIV 3), i"
            f" FROM (SELECT {number} AS i FROM {digits}) numbers WHERE i < {self.rows}",
            "SET SESSION foreign_key_checks = 1",
            "CREATE TABLE keyless (a INT, b VARCHAR(20), KEY a (a))",
            f"INSERT INTO keyless SELECT i % 50, CONCAT('b', i % 20)"
            f" FROM (SELECT {number} AS i FROM {digits}) numbers WHERE i < {min(self.rows, 500)}",
            "CREATE TABLE k_empty (id INT PRIMARY KEY, n INT)",
            "DROP TABLE digits",
        )

    # -- writes (a Workload)

    def session(self) -> Sequence[str]:
        return [
            f"USE {quote(self.db)}",
            "SET NAMES utf8mb4",
            "SET SESSION innodb_lock_wait_timeout = 5, sql_mode = 'STRICT_ALL_TABLES'",
        ]

    def transaction(self, random_: random.Random) -> Sequence[str]:
        r = random_
        statements: list[str] = ["BEGIN"]
        for _ in range(r.choice((1, 1, 2, 4, 12))):
            statements += self._change(r)
        return [*statements, r.choices(("COMMIT", "ROLLBACK"), (95, 5))[0]]

    def _number(self, r: random.Random) -> int:
        """Skewed, and sometimes beyond what there was."""
        return int(self.rows * 1.1 * r.random() ** 2)

    def _change(self, r: random.Random) -> list[str]:
        which = r.random()
        if which < 0.12:
            return self._family(r)
        if which < 0.15:
            i = r.randrange(50)
            return [
                r.choice(
                    (
                        f"INSERT INTO keyless VALUES ({i}, 'new'), ({i}, 'new')",
                        f"DELETE FROM keyless WHERE a = {i} LIMIT 1",
                        f"UPDATE keyless SET b = 'b{i}' WHERE a = {i} LIMIT 2",
                    )
                )
            ]
        table = r.choice(self.keyed)
        i, j = self._number(r), self._number(r)
        if table.more and r.random() < 0.5:
            return _swap(table.name, i, j)
        values = ", ".join(table.literal(i))
        note = f"'w{r.randrange(10_000)}'"
        match r.choices(("insert", "update", "delete", "move", "many"), (30, 30, 20, 12, 8))[0]:
            case "insert":
                columns = f"{table.names}, n, note"
                row = f"{values}, {r.randrange(1000)}, {note}"
                otherwise = f"ON DUPLICATE KEY UPDATE note = {note}"
                return [f"INSERT INTO {table.name} ({columns}) VALUES ({row}) {otherwise}"]
            case "update":
                return [f"UPDATE {table.name} SET n = n + 1, note = {note} WHERE {table.where(i)}"]
            case "delete":
                return [f"DELETE FROM {table.name} WHERE {table.where(i)}"]
            case "move":
                pairs = zip(table.columns, table.literal(j), strict=True)
                sets = ", ".join(f"{name} = {value}" for (name, _), value in pairs)
                return [f"UPDATE {table.name} SET {sets} WHERE {table.where(i)}"]
            case _:
                return [f"UPDATE {table.name} SET note = {note} WHERE n = {r.randrange(1000)}"]

    def _family(self, r: random.Random) -> list[str]:
        p, c = r.randrange(max(1, self.rows // 10)), r.randrange(self.rows)
        new = self.rows + r.randrange(self.rows)
        return [
            r.choice(
                (
                    f"DELETE FROM f_parent WHERE id = {p}",
                    f"INSERT INTO f_parent VALUES ({p}, {c})",
                    f"UPDATE f_parent SET id = {new} WHERE id = {p}",
                    f"UPDATE f_parent SET n = n + 1 WHERE id = {p}",
                    f"INSERT INTO f_child VALUES ({c}, {p}, {c})",
                    f"UPDATE f_child SET parent_id = {p} WHERE id = {c}",
                    f"DELETE FROM f_child WHERE id = {c}",
                    f"INSERT INTO f_leaf VALUES ({new}, {c}, 1)",
                    f"UPDATE f_leaf SET child_id = {c} WHERE id = {c // 5}",
                    f"DELETE FROM f_tree WHERE id = {c}",
                    f"UPDATE f_tree SET above = NULL WHERE id = {c}",
                    f"INSERT INTO f_tree VALUES ({new}, {c}, 1)",
                    f"INSERT INTO k_empty VALUES ({new}, {c})",
                    f"DELETE FROM k_empty WHERE id = {new}",
                )
            )
        ]


def _swap(table: str, i: int, j: int) -> list[str]:
    """Two rows hand each other their unique values."""
    return [
        f"UPDATE {table} SET u = NULL, v = NULL WHERE k = {i}",
        f"UPDATE {table} SET u = 'u{i}', v = {i} WHERE k = {j}",
        f"UPDATE {table} SET u = 'u{j}', v = {j} WHERE k = {i}",
    ]
