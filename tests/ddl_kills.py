"""A target that is killed in the middle of statements, each of which shows a repeat."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mysync_consumer.ddlonce import Outcome
from mysync_consumer.errors import DdlUndecided
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer
from mysync_runtime.errors import TransientError
from mysync_schemas.control import Ddl
from statement_rig import Target

ROWS = 3_000
FILL = (
    "INSERT INTO {} (id, x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < {}) SELECT i, {} FROM n"
)


def fill(table: str, rows: int, x: str = "i") -> tuple[str, str]:
    return "SET SESSION cte_max_recursion_depth = 1000000", FILL.format(table, rows, x)


@dataclass(frozen=True)
class Kind:
    """`before` makes what `sql` works on; `asked` must answer `then` after it took effect once.
    `mark`, run after it, would be undone by a repeat."""

    sql: str
    before: tuple[str, ...]
    asked: str
    then: tuple[tuple[Any, ...], ...]
    mark: tuple[str, ...] = ()
    only: str = ""  # the flavour that knows it
    undecided: str = ""  # the flavour that may leave it half done


TABLE = "CREATE TABLE {} (id INT PRIMARY KEY, x INT, KEY (x))"
HASHED = f"{TABLE} PARTITION BY HASH (id) PARTITIONS 4"
RANGED = (
    "CREATE TABLE {} (id INT PRIMARY KEY, x INT) PARTITION BY RANGE (id)"
    " (PARTITION p0 VALUES LESS THAN (1000), PARTITION p1 VALUES LESS THAN MAXVALUE)"
)
COLUMNS = (
    "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = '{}'"
)
KEYS = (
    "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() AND table_name = '{}'"
)
PARTITIONS = (
    "SELECT COUNT(*) FROM information_schema.partitions"
    " WHERE table_schema = DATABASE() AND table_name = '{}'"
)
TABLES = (
    "SELECT COALESCE(GROUP_CONCAT(table_name ORDER BY table_name), '')"
    " FROM information_schema.tables WHERE table_schema = DATABASE()"
)
SUMS = "SELECT (SELECT SUM(x) FROM a), (SELECT SUM(x) FROM b)"

KINDS: Mapping[str, Kind] = {
    "truncate": Kind(
        "TRUNCATE TABLE a",
        (TABLE.format("a"), *fill("a", ROWS)),
        "SELECT id, x FROM a",
        ((7, 7),),
        ("INSERT INTO a VALUES (7, 7)",),
    ),
    "truncate with partitions": Kind(
        "TRUNCATE a",
        (HASHED.format("a"), *fill("a", ROWS)),
        "SELECT id, x FROM a",
        ((7, 7),),
        ("INSERT INTO a VALUES (7, 7)",),
    ),
    "rename swap": Kind(
        "RENAME TABLE a TO tmp, b TO a, tmp TO b",
        (TABLE.format("a"), TABLE.format("b"), *fill("a", 5, "1"), *fill("b", 5, "2")),
        SUMS,
        ((10, 5),),
    ),
    "rename swap of four": Kind(
        "RENAME TABLE a TO tmp, b TO a, tmp TO b, c TO tmp, d TO c, tmp TO d",
        (
            *(TABLE.format(name) for name in "abcd"),
            *(line for name in "abcd" for line in fill(name, 5, str(ord(name)))),
        ),
        f"{SUMS}, (SELECT SUM(x) FROM c), (SELECT SUM(x) FROM d)",
        ((5 * 98, 5 * 97, 5 * 100, 5 * 99),),
    ),
    "rename swap with partitions": Kind(
        "RENAME TABLE a TO tmp, b TO a, tmp TO b",
        (HASHED.format("a"), HASHED.format("b"), *fill("a", 5, "1"), *fill("b", 5, "2")),
        SUMS,
        ((10, 5),),
        undecided="mariadb",
    ),
    "rename chain": Kind(
        "RENAME TABLE b TO c, a TO b",
        (TABLE.format("a"), TABLE.format("b"), *fill("a", 5, "1"), *fill("b", 5, "2")),
        "SELECT (SELECT SUM(x) FROM b), (SELECT SUM(x) FROM c)",
        ((5, 10),),
    ),
    "exchange partition": Kind(
        "ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE a",
        (
            RANGED.format("p"),
            "CREATE TABLE a (id INT PRIMARY KEY, x INT)",
            *fill("p", 900, "1"),
            *fill("a", 900, "2"),
        ),
        "SELECT (SELECT SUM(x) FROM p), (SELECT SUM(x) FROM a)",
        ((1800, 900),),
    ),
    "add column by copy": Kind(
        "ALTER TABLE a ADD COLUMN y INT DEFAULT 3, ALGORITHM = COPY",
        (TABLE.format("a"), *fill("a", 10 * ROWS)),
        f"SELECT ({COLUMNS.format('a')}), (SELECT SUM(y) FROM a)",
        (("id,x,y", 30 * ROWS),),
    ),
    "add column at once": Kind(
        "ALTER TABLE a ADD COLUMN y INT NOT NULL DEFAULT 3",
        (TABLE.format("a"), *fill("a", ROWS)),
        f"SELECT ({COLUMNS.format('a')}), (SELECT SUM(y) FROM a)",
        (("id,x,y", 3 * ROWS),),
    ),
    "rename columns into each other": Kind(
        "ALTER TABLE a CHANGE x y INT, CHANGE y x INT",
        ("CREATE TABLE a (id INT PRIMARY KEY, x INT, y INT)", "INSERT INTO a VALUES (1, 2, 3)"),
        "SELECT x, y FROM a",
        ((3, 2),),
    ),
    "rebuild": Kind(
        "ALTER TABLE a FORCE, RENAME TO b",
        (TABLE.format("a"), *fill("a", ROWS)),
        f"SELECT ({TABLES}), (SELECT COUNT(*) FROM b)",
        (("b", ROWS),),
    ),
    "drop of two": Kind(
        "DROP TABLE a, b",
        (TABLE.format("a"), HASHED.format("b"), TABLE.format("c"), *fill("a", ROWS)),
        TABLES,
        (("a,c",),),
        (TABLE.format("a"),),
    ),
    "drop of four if they exist": Kind(
        "DROP TABLE IF EXISTS a, missing, b, d",
        (*(TABLE.format(name) for name in "abcd"), *fill("d", ROWS)),
        TABLES,
        (("b,c",),),
        (TABLE.format("b"),),
    ),
    "create": Kind(
        HASHED.format("a"),
        (),
        f"SELECT ({TABLES}), ({COLUMNS.format('a')})",
        (("a", "id,x"),),
    ),
    "create like": Kind("CREATE TABLE b LIKE a", (HASHED.format("a"),), TABLES, (("a,b",),)),
    "create or replace": Kind(
        f"CREATE OR REPLACE {TABLE.format('a').removeprefix('CREATE ')}",
        (TABLE.format("a"), *fill("a", ROWS)),
        "SELECT id, x FROM a",
        ((7, 7),),
        ("INSERT INTO a VALUES (7, 7)",),
        only="mariadb",
    ),
    "add index without a name": Kind(
        "ALTER TABLE a ADD INDEX (x)",
        (TABLE.format("a"), *fill("a", 3 * ROWS)),
        KEYS.format("a"),
        ((3,),),
    ),
    "create index": Kind(
        "CREATE UNIQUE INDEX more ON a (x, id)",
        (TABLE.format("a"), *fill("a", 3 * ROWS)),
        KEYS.format("a"),
        ((3,),),
    ),
    "add partitions": Kind(
        "ALTER TABLE a ADD PARTITION PARTITIONS 2",
        (HASHED.format("a"), *fill("a", ROWS)),
        f"SELECT ({PARTITIONS.format('a')}), (SELECT COUNT(*) FROM a)",
        ((6, ROWS),),
        undecided="mariadb",
    ),
    "coalesce partitions": Kind(
        "ALTER TABLE a COALESCE PARTITION 1",
        (HASHED.format("a"), *fill("a", ROWS)),
        f"SELECT ({PARTITIONS.format('a')}), (SELECT COUNT(*) FROM a)",
        ((3, ROWS),),
        undecided="mariadb",
    ),
    "reorganize partition": Kind(
        "ALTER TABLE p REORGANIZE PARTITION p0 INTO (PARTITION n0 VALUES LESS THAN (500),"
        " PARTITION n1 VALUES LESS THAN (1000))",
        (RANGED.format("p"), *fill("p", ROWS)),
        f"SELECT ({PARTITIONS.format('p')}), (SELECT COUNT(*) FROM p)",
        ((3, ROWS),),
        undecided="mariadb",
    ),
    "truncate partition": Kind(
        "ALTER TABLE p TRUNCATE PARTITION p1",
        (RANGED.format("p"), *fill("p", ROWS)),
        "SELECT COUNT(*) FROM p",
        ((1_000,),),
        ("INSERT INTO p VALUES (5000, 1)",),
    ),
    "drop partition": Kind(
        "ALTER TABLE p DROP PARTITION p0",
        (RANGED.format("p"), *fill("p", ROWS)),
        f"SELECT ({PARTITIONS.format('p')}), (SELECT COUNT(*) FROM p)",
        ((1, ROWS - 999),),
        undecided="mariadb",
    ),
    "trigger": Kind(
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.x = 9",
        (TABLE.format("a"),),
        "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()",
        ((1,),),
    ),
    "view": Kind(
        "CREATE VIEW v AS SELECT id FROM a", (TABLE.format("a"),), TABLES, (("a,v",),)
    ),
}  # fmt: skip


@dataclass
class Kills:
    """Kills of one target. `seen`: what the next attempt found, by the statement's kind."""

    target: Target
    seed: int
    seen: Counter[str] = field(default_factory=Counter)
    took: dict[str, float] = field(default_factory=dict)
    kills: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def kinds(self) -> list[str]:
        return [name for name, kind in KINDS.items() if kind.only in ("", self.server.kind)]

    @property
    def server(self) -> SqlServer:
        return self.target.server

    def begin(self, name: str) -> Ddl:
        self.target.new_database()
        self.target.sql(*self._known(KINDS[name].before))
        return self.target.ddl(KINDS[name].sql)

    def _known(self, statements: tuple[str, ...]) -> list[str]:
        """MariaDB has another name for the limit of a recursion, and a greater one."""
        mariadb = self.server.kind == "mariadb"
        limit = "max_recursive_iterations" if mariadb else "cte_max_recursion_depth"
        return [s.replace("cte_max_recursion_depth", limit) for s in statements]

    def measure(self, name: str) -> None:
        """How long the statement takes when nobody disturbs it."""
        took = []
        for _ in range(3):
            ddl = self.begin(name)
            with Executing(self.target, ddl) as executing:
                executing.sent.wait()
                began = time.monotonic()
                executing.ran.wait()
                took.append(time.monotonic() - began)
            assert executing.answer == Outcome.EXECUTED
            self.end(name, ddl)
        self.took[name] = sorted(took)[1]

    def end(self, name: str, ddl: Ddl) -> None:
        """A repeat changes nothing; the effect is there once."""
        kind = KINDS[name]
        self.target.sql(*kind.mark)
        assert self.target.execute(ddl) is Outcome.DONE_BEFORE
        found = tuple(self.target.sql(kind.asked))
        assert found == kind.then, (name, self.seed, self.kills, found)

    def kill(self, name: str) -> None:
        """SIGKILLs the server at a random moment of the statement; starts it again, executes again
        until it is done."""
        if name not in self.took:
            self.measure(name)
        ddl = self.begin(name)
        with Executing(self.target, ddl) as executing:
            executing.sent.wait()
            self._kill_within(1.1 * self.took[name])
        self._go_on(name, ddl, executing, name)

    def lose_the_client(self, name: str, *, kill: bool) -> None:
        """The client's connection breaks within the statement, which goes on in the server; a
        successor waits for it. With `kill` the server is killed while it waits."""
        if name not in self.took:
            self.measure(name)
        ddl = self.begin(name)
        with Executing(self.target, ddl) as lost:
            self._wait_running(ddl)
            lost.session.abort()
        assert isinstance(lost.answer, TransientError)
        if not kill:
            self._go_on(name, ddl, lost, f"{name}, its client lost")
            return
        with Executing(self.target, ddl) as successor:
            self._kill_within(self.took[name])
        self._go_on(name, ddl, successor, f"{name}, its client lost, then the server")

    def _kill_within(self, seconds: float) -> None:
        pid = self.server.pid
        assert pid is not None
        time.sleep(self.random.uniform(0, seconds))  # a moment of it
        os.kill(pid, signal.SIGKILL)
        self.server.kill()
        self.kills += 1

    def _go_on(self, name: str, ddl: Ddl, before: "Executing", words: str) -> None:
        self.server.start()
        try:
            outcome = self.target.execute(ddl)
        except DdlUndecided:
            if KINDS[name].undecided != self.server.kind:
                raise
            self.seen[f"{words}: left half done by the server, which is said"] += 1
            return
        if isinstance(before.answer, Outcome):
            found = "answered"
        else:
            found = "done" if outcome is Outcome.DONE_BEFORE else "not done"
        self.seen[f"{words}: {found}"] += 1
        self.end(name, ddl)

    def _wait_running(self, ddl: Ddl) -> None:
        with self.server.connect() as connection, connection.cursor() as cursor:

            def runs() -> bool:
                cursor.execute(
                    "SELECT 1 FROM information_schema.processlist WHERE info = %s",
                    (ddl.sql.decode(),),
                )
                return bool(cursor.fetchall())

            wait_until(runs, "the statement to run", 30)


class Executing:
    """Executes in a thread, in a session of its own. `sent` is set when the statement goes out,
    `ran` when it ended; `answer` is the outcome, or the error if that was a passing one."""

    def __init__(self, target: Target, ddl: Ddl) -> None:
        self._target, self._ddl = target, ddl
        self.session = target.session()
        self.sent, self.ran = threading.Event(), threading.Event()
        self.answer: Outcome | TransientError | None = None
        self._run_statement = self.session.run
        self.session.run = self._run  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._execute)

    def __enter__(self) -> "Executing":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self.session.close()

    def _run(self, sql: bytes) -> None:
        self.sent.set()
        self._run_statement(sql)
        self.ran.set()

    def _execute(self) -> None:
        try:
            self.answer = self._target.execute(self._ddl, self.session)
        except TransientError as error:
            self.answer = error
        finally:
            self.sent.set()
            self.ran.set()
