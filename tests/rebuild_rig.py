"""A history with statements between its rows, and what the source held at some of its points."""

import random
import re
from dataclasses import dataclass
from typing import Any

from bank import Bank, end_of_log
from fix_pipeline import Replica
from mysync_lab.layout import wait_until
from mysync_lab.sql import SqlServer

PATIENCE = 120
Content = dict[str, tuple[str, list[tuple[Any, ...]]]]

STATEMENTS = (
    "ALTER TABLE savings ADD COLUMN note{0} VARCHAR(20) DEFAULT 'n{0}', ADD KEY k{0} (balance)",
    "CREATE TABLE made{0} (id INT PRIMARY KEY, what TEXT) AS SELECT id, what FROM journal",
    "CREATE TABLE empty{0} LIKE checking",
    "INSERT INTO empty{0} SELECT * FROM checking",
    "RENAME TABLE empty{0} TO full{0}",
    "UPDATE savings SET note{0} = id WHERE id % 7 = 0",
    "TRUNCATE TABLE journal",
    "CREATE TABLE short{0} (id INT PRIMARY KEY)",
    "DROP TABLE short{0}",
    "ALTER TABLE full{0} DROP COLUMN balance",
)


@dataclass(frozen=True)
class Point:
    """The end of the source's log while nobody wrote, by each of its names."""

    position: str
    gtid: str
    time: str
    content: Content


class History:
    """Of a pipeline that began before its database was there."""

    def __init__(self, replica: Replica, large: float = 0.01) -> None:
        self.replica = replica
        self.bank = Bank(replica.db, large=large)
        self.producer = replica.pipeline.producer().start().wait_ready()
        with replica.source.connect() as sql, sql.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {replica.db}")
        replica.on_source(*self.bank.tables())
        self._phases = 0

    def write(self, transactions: int, seed: str, seconds: float = PATIENCE) -> Point:
        """So many transactions, statements among them; then everybody stops."""
        self._phases += 1
        chance = random.Random(seed)
        writers = self.replica.writers(self.bank, seed=seed, threads=3, transactions=transactions)
        with writers:
            for statement in STATEMENTS:
                enough = writers.counts.transactions + chance.randint(1, transactions // 15)
                wait_until(
                    lambda enough=enough: (
                        writers.counts.transactions >= enough or not writers.running
                    ),
                    "traffic",
                    seconds,
                )
                self.replica.on_source(statement.format(self._phases))
            writers.wait(seconds)
        return self.point()

    def point(self) -> Point:
        return point_of(self.replica)


def point_of(replica: Replica) -> Point:
    """Where the source stands, while nobody writes."""
    file, pos = end_of_log(replica.source)
    with replica.source.connect() as sql, sql.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        mariadb = "Maria" in str(cursor.fetchall())
        cursor.execute("SELECT @@gtid_binlog_pos" if mariadb else "SELECT @@GLOBAL.gtid_executed")
        gtid = str((cursor.fetchone() or ("",))[0]).replace("\n", "")
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute("SELECT DATE_FORMAT(SYSDATE(6), '%Y-%m-%dT%H:%i:%s.%fZ')")
        time = str((cursor.fetchone() or ("",))[0])
    content = content_of(replica.source, replica.db)
    return Point(f"position:{file}:{pos}", f"gtid:{gtid}", f"time:{time}", content)


def content_of(server: SqlServer, db: str) -> Content:
    """Every table's definition, its counter masked, and its rows."""
    found: Content = {}
    with server.connect(database=db) as sql, sql.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SHOW CREATE TABLE {table}")
            made = re.sub(r" AUTO_INCREMENT=\d+", "", str((cursor.fetchone() or ("", ""))[1]))
            cursor.execute(f"SELECT * FROM {table}")
            found[str(table)] = made, sorted(cursor.fetchall(), key=repr)
    return found


def differing(found: Content, wanted: Content) -> list[str]:
    """The tables that aren't the same."""
    return [t for t in sorted(found.keys() | wanted.keys()) if found.get(t) != wanted.get(t)]


def wipe(server: SqlServer, replica: Replica) -> None:
    """What an operator does before another rebuild."""
    with server.connect() as sql, sql.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {replica.db}")
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'mysync'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"DELETE FROM mysync.{table} WHERE pipeline = %s", (replica.pipeline.name,)
            )
