"""Statements and changes of rows while a chunk's window is open and a part of the table is there.

A lock on the source holds the windows open: each table has been sent in part, and a reader waits
for its next chunk. What the lock's owner does then is in the window, before the SELECT; the
definitions that the readers know are older than what they read.
"""

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from mysync_lab.tables import rows
from transfer_rig import FRESH, fresh, settle, transfers, wait_done, waiting

ROWS = 1_200
_PLAIN = "id INT PRIMARY KEY, n INT NOT NULL, v VARCHAR(20)"

# By table: what is done with it while it is locked.
LOCKED: dict[str, tuple[str, ...]] = {
    "added": ("ALTER TABLE added ADD COLUMN a INT NOT NULL DEFAULT 7 AFTER id",
              "UPDATE added SET a = n WHERE id % 3 = 0"),
    "modified": ("ALTER TABLE modified MODIFY n BIGINT UNSIGNED NULL",
                 "UPDATE modified SET n = NULL WHERE id % 3 = 0"),
    "dropped": ("ALTER TABLE dropped DROP COLUMN v",),
    "another": ("ALTER TABLE another DROP COLUMN v",
                "ALTER TABLE another ADD COLUMN v DATETIME(3) DEFAULT '2001-02-03 04:05:06.789'"),
    "emptied": ("TRUNCATE TABLE emptied", "INSERT INTO emptied VALUES (2, 2, 'two'), (900, 1, '')"),
    "rekeyed": ("ALTER TABLE rekeyed DROP PRIMARY KEY, ADD PRIMARY KEY (n, id)",
                "UPDATE rekeyed SET n = n + 1 WHERE id % 5 = 0"),
    "unkeyed": ("ALTER TABLE unkeyed DROP PRIMARY KEY", "DELETE FROM unkeyed WHERE id % 7 = 0"),
    "lost": ("ALTER TABLE lost DROP PRIMARY KEY", "UPDATE lost SET n = n + 1 WHERE id % 7 = 0",
             "ALTER TABLE lost ADD PRIMARY KEY (id)"),
    "moved": ("UPDATE moved SET id = -id WHERE id % 4 = 0",
              "UPDATE moved SET id = id + 1 WHERE id < 0",
              "DELETE FROM moved WHERE id % 6 = 0",
              "UPDATE moved SET id = 7000 + id WHERE id % 10 = 2"),
    "parent": ("DELETE FROM parent WHERE id % 3 = 0",
               "UPDATE parent SET id = id + 5000 WHERE id % 5 = 0"),
}  # fmt: skip
# Afterwards, at once.
THEN = (
    "RENAME TABLE renamed TO renamed_now",
    "UPDATE renamed_now SET n = n + 1 WHERE id % 3 = 0",
    "RENAME TABLE left_one TO passing, right_one TO left_one, passing TO right_one",
    "UPDATE left_one SET n = 5 WHERE id % 3 = 0",
    "ALTER TABLE parted EXCHANGE PARTITION p0 WITH TABLE single",
    "DELETE FROM parted WHERE id % 9 = 0",
    "DELETE FROM single WHERE id % 9 = 0",
    "DROP TABLE remade",
    "CREATE TABLE remade (id VARCHAR(10) PRIMARY KEY, n INT)",
    "INSERT INTO remade VALUES ('a', 1)",
    "DROP TABLE gone",
)
TABLES = (
    *LOCKED,
    "child",
    "renamed",
    "left_one",
    "right_one",
    "parted",
    "single",
    "remade",
    "gone",
)


def create(replica: Replica) -> None:
    with replica.source.connect(database=replica.db) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE digits (d INT PRIMARY KEY)")
        cursor.execute("INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        for table in TABLES:
            if table == "parted":
                more = " PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (500),"
                more += " PARTITION p1 VALUES LESS THAN MAXVALUE)"
                cursor.execute(f"CREATE TABLE parted ({_PLAIN}){more}")
            elif table == "child":
                cursor.execute(
                    "CREATE TABLE child (id INT PRIMARY KEY, n INT, v VARCHAR(20), CONSTRAINT c"
                    " FOREIGN KEY (n) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)"
                )
            else:
                cursor.execute(f"CREATE TABLE {table} ({_PLAIN})")
            limit = 240 if table == "single" else ROWS
            value = "i * 2" if table in ("parent", "child") else "i % 100"
            cursor.execute(
                f"INSERT INTO {table} SELECT i * 2, {value}, CONCAT('row ', i) FROM"
                " (SELECT a.d + b.d * 10 + c.d * 100 + e.d * 1000 AS i FROM digits a, digits b,"
                f" digits c, digits e) numbers WHERE i < {limit}"
            )
        cursor.execute("CREATE TABLE k_empty (id INT PRIMARY KEY, n INT)")
        cursor.execute("DROP TABLE digits")


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_what_statements_do_within_a_window_ends_equal(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    replica = fresh(
        make_replica,
        kind,
        request,
        # A thread for each table, and two seconds between two chunks.
        transfer={"streams": len(TABLES) + 1, "max_rows_per_second": 3_000, "max_load": 1.0},
    )
    create(replica)
    producer, _ = replica.pipeline.producer().start(), replica.pipeline.consumer().start()
    with replica.source.connect(database=replica.db) as lock, lock.cursor() as cursor:
        begun(producer)
        cursor.execute(f"LOCK TABLES {', '.join(f'{table} WRITE' for table in TABLES)}")
        sent = {each["table"]: each["rows"] for each in transfers(producer)}
        assert sum(rows > 0 for rows in sent.values()) > 3, sent
        wait_until(lambda: waiting(replica) > 3, "readers that wait for the lock", 30)
        for statements in LOCKED.values():
            for statement in statements:
                cursor.execute(statement)
        cursor.execute("UNLOCK TABLES")
        for statement in THEN:
            cursor.execute(statement)
    wait_over(replica, producer)
    settle(replica)
    replica.assert_equal()
    reasons = {each["table"].partition(".")[2]: each for each in transfers(producer)}
    assert reasons["gone"]["phase"] in ("cancelled", "done")
    with replica.target.connect() as session:
        states = rows(session, "SELECT * FROM mysync.table_state WHERE db = %s", (replica.db,))
        assert list(states) == [], "no table is under way any more, the dropped one neither"


def begun(producer: Service) -> None:
    """Waits until some chunks were sent, and not all."""
    wait_until(
        lambda: sum(each["rows"] > 0 for each in transfers(producer)) > 3, "the first chunks", 60
    )


def wait_over(replica: Replica, producer: Service) -> None:
    """Waits until no transfer is under way any more; one of a dropped table is cancelled."""

    def over() -> bool:
        for service in replica.services:
            assert service.running, service.log_tail()
        found = transfers(producer)
        return bool(found) and all(each["phase"] in ("done", "cancelled") for each in found)

    wait_until(over, "the transfers", 120)
    lost = [each for each in transfers(producer) if each["phase"] == "cancelled"]
    assert all(each["reason"] == "the table was dropped" for each in lost), lost


def test_a_parent_that_is_renamed_on_its_way_is_still_incomplete(
    make_replica: MakeReplica, mariadb_a: SqlServer, mariadb_b: SqlServer
) -> None:
    """Where cascades aren't logged the target checks foreign keys, but not of rows whose parents
    are still to come."""
    replica = make_replica(
        source=mariadb_a,
        target=mariadb_b,
        source_link=FRESH,
    )
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE p (id INT PRIMARY KEY)",
        "CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT c FOREIGN KEY (p) REFERENCES p (id)"
        " ON DELETE CASCADE ON UPDATE CASCADE)",
        "INSERT INTO p SELECT seq FROM seq_1_to_3000",
    )
    producer, _ = replica.start()
    wait_done(replica, producer, 60)

    def again(rows_per_second: int | None) -> None:
        assert producer.stop() == 0
        replica.pipeline.configure(transfer={"max_rows_per_second": rows_per_second})
        producer.start().wait_ready()

    def command(verb: str, table: str) -> None:
        name = f"{replica.db}.{table}"
        code, out, err = replica.pipeline.run("mysync-producer", "transfer", verb, name)
        assert code == 0, out + err

    again(100)
    command("start", "p")
    wait_until(
        lambda: 0 < sum(each["rows"] for each in transfers(producer)) < 3000, "the first rows", 60
    )
    command("pause", "p")
    replica.on_source(
        "RENAME TABLE p TO p2",
        "INSERT INTO c VALUES (1, 3000), (2, 2999)",
        "UPDATE c SET p = 2998 WHERE id = 2",
        "UPDATE p2 SET id = -id WHERE id = 2998",
    )
    replica.catch_up()
    assert run_sql(mariadb_b, "SELECT * FROM c ORDER BY id", database=replica.db) == [
        (1, 3000),
        (2, -2998),
    ]
    again(None)
    command("resume", "p2")
    wait_done(replica, producer, 60)
    replica.on_source("DELETE FROM p2 WHERE id > 2990")
    replica.catch_up()
    replica.assert_equal()
