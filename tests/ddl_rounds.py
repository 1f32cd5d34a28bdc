"""Statements whose repetition or loss shows, in rounds, with rows written around each of them.

A repeated TRUNCATE takes rows that came after it; a repeated swap or exchange undoes the first one;
two tables that change places hold different rows; the long ALTER copies a table for a while.
"""

import random
from collections.abc import Callable, Sequence

from fix_pipeline import Replica
from mysync_lab.tables import execute, quote
from mysync_lab.workload.ddl import marked

BIG_ROWS = 40_000
BOUND = 1_000

_COLUMNS = "(id INT NOT NULL PRIMARY KEY, n INT NULL, note VARCHAR(40) NULL)"
TABLES = (
    f"CREATE TABLE big {_COLUMNS}",
    f"CREATE TABLE one {_COLUMNS}",
    f"CREATE TABLE two {_COLUMNS}",
    f"CREATE TABLE emptied {_COLUMNS}",
    f"CREATE TABLE apart {_COLUMNS}",
    (
        f"CREATE TABLE parted {_COLUMNS} PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN"
        f" ({BOUND}), PARTITION high VALUES LESS THAN MAXVALUE)"
    ),
)


class Rows:
    """Changes to all of the tables whose columns stay (a `Workload`)."""

    def __init__(self, db: str) -> None:
        self.db = db

    def session(self) -> Sequence[str]:
        return [f"USE {quote(self.db)}", "SET SESSION innodb_lock_wait_timeout = 20"]

    def transaction(self, random_: random.Random) -> Sequence[str]:
        r = random_
        changes = []
        for _ in range(r.choice((1, 2, 6))):
            table = r.choice(("one", "two", "emptied", "apart", "parted", "big"))
            key = r.randrange(BOUND if table == "apart" else BOUND * 2)
            changes.append(
                r.choice(
                    (
                        f"REPLACE INTO {table} (id, n, note) VALUES ({key}, {key % 7}, '{table}')",
                        f"INSERT IGNORE INTO {table} (id, n) VALUES ({key}, 1), ({key // 2}, 2)",
                        f"UPDATE {table} SET n = n + 1 WHERE id = {key}",
                        f"DELETE FROM {table} WHERE id = {key}",
                    )
                )
            )
        return ["BEGIN", *changes, "COMMIT"]


class Rounds:
    """The statements, one after the other; each bears its number and is the same in no two."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.number = 0
        self._column = 0
        self._key = ""
        self._makers: tuple[Callable[[], str], ...] = (
            self._long_alter,
            lambda: "TRUNCATE TABLE emptied",
            lambda: "RENAME TABLE one TO spare, two TO one, spare TO two",
            lambda: "ALTER TABLE parted EXCHANGE PARTITION low WITH TABLE apart",
            self._create_like,
            lambda: "ALTER TABLE parted TRUNCATE PARTITION high",
            self._alter_in_place,
        )

    def create(self) -> None:
        """All tables on both sides, and the rows of the big one on the source."""
        self.replica.create(*TABLES)

    def fill(self) -> None:
        """To be called when the pipeline runs."""
        with self.replica.source.connect(database=self.replica.db) as session:
            for start in range(5_000, 5_000 + BIG_ROWS, 2_000):
                listed = ", ".join(
                    f"({key}, {key % 9}, 'big')" for key in range(start, start + 2_000)
                )
                execute(session, f"INSERT INTO big VALUES {listed}")

    def next(self, at: int | None = None) -> str:
        """Runs the next statement on the source (or that of this place in the round); returns what
        names it in a process list."""
        self.number += 1
        make = self._makers[(self.number if at is None else at) % len(self._makers)]
        statement = marked(self.replica.db, self.number, make())
        with self.replica.source.connect(database=self.replica.db) as session:
            execute(session, "SET SESSION lock_wait_timeout = 60", statement)
        return f"{self.replica.db} ddl {self.number} "

    def long_alter(self) -> str:
        return self.next(0)

    def _long_alter(self) -> str:
        """A copy; the column goes with the next but one."""
        self._column += 1
        gone = f", DROP COLUMN c{self._column - 1}" if self._column > 1 else ""
        return (
            f"ALTER TABLE big ADD COLUMN c{self._column} INT NOT NULL DEFAULT {self._column}{gone},"
            " ALGORITHM=COPY"
        )

    def _create_like(self) -> str:
        return f"CREATE TABLE made_{self.number} LIKE two"

    def _alter_in_place(self) -> str:
        """A key in place of the one before it."""
        gone, self._key = self._key, f"k{self.number}"
        drop = f"DROP KEY {gone}, " if gone else ""
        return f"ALTER TABLE big {drop}ADD KEY {self._key} (n, note)"
