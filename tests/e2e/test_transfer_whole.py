"""Tables that can't be walked by a key, while somebody writes them all the time."""

import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.sql import SqlServer
from mysync_lab.workload.threads import Threads
from transfer_rig import fresh, transfers, wait_done

KEYLESS = "CREATE TABLE keyless (a INT, b VARCHAR(20))"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TABLES = (
    KEYLESS,
    f"CREATE TABLE by_enum (k ENUM({', '.join(repr(c) for c in LETTERS)}) PRIMARY KEY, n INT)",
    "CREATE TABLE by_float (k FLOAT PRIMARY KEY, n INT)",
    "CREATE TABLE by_prefix (k TEXT, n INT, PRIMARY KEY (k(3)))",
    "CREATE TABLE by_two (a INT, k SET('x','y','z'), n INT, PRIMARY KEY (a, k))",
    (
        "CREATE TABLE made (id INT PRIMARY KEY, n INT, twice INT AS (n * 2) STORED,"
        " thrice INT AS (n * 3) VIRTUAL, hidden INT {invisible} DEFAULT 4, KEY (twice))"
    ),
    "CREATE TABLE noted (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(40))",
    (
        "CREATE TRIGGER notes AFTER UPDATE ON made FOR EACH ROW"
        " INSERT INTO noted (note) VALUES (CONCAT('made ', NEW.id))"
    ),
)
WRITES = (
    "INSERT INTO keyless VALUES ({i}, 'new'), ({i}, 'new')",
    "DELETE FROM keyless WHERE a = {i} LIMIT 1",
    "UPDATE keyless SET b = 'b{j}' WHERE a = {i} LIMIT 2",
    "REPLACE INTO by_enum VALUES ({c} , {j})",
    "DELETE FROM by_enum WHERE k = {c}",
    "UPDATE IGNORE by_enum SET k = {d} WHERE k = {c}",
    "REPLACE INTO by_float VALUES ({i} / 3, {j})",
    "DELETE FROM by_float WHERE n = {j}",
    "REPLACE INTO by_prefix VALUES (CONCAT({i}, ' and more ', {j}), {j})",
    "UPDATE by_prefix SET k = CONCAT(LEFT(k, 3), {j}) WHERE n = {j}",
    "REPLACE INTO by_two VALUES ({i} % 3, {i} % 8, {j})",
    "UPDATE IGNORE by_two SET k = k ^ 1 WHERE n = {j}",
    "INSERT INTO made (id, n) VALUES ({i}, {j}) ON DUPLICATE KEY UPDATE n = {j}",
    "DELETE FROM made WHERE id = {i}",
)


@contextmanager
def written(source: SqlServer, db: str, writes: Sequence[str]) -> Iterator[None]:
    """Two sessions write as fast as they can."""
    threads = Threads()

    def write(seed: int) -> None:
        r = random.Random(seed)
        with source.connect(database=db) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION lock_wait_timeout = 20")
            while not threads.stopping.wait(0.002):
                c, d = (f"'{r.choice(LETTERS)}'" for _ in range(2))
                statement = r.choice(writes)
                cursor.execute(statement.format(i=r.randrange(40), j=r.randrange(30), c=c, d=d))

    for seed in range(2):
        threads.add(write, seed)
    threads.start()
    try:
        yield
    finally:
        threads.stop()


def fill(replica: Replica, writes: Sequence[str]) -> None:
    r = random.Random(0)
    for _ in range(300):
        c, d = (f"'{r.choice(LETTERS)}'" for _ in range(2))
        replica.on_source(r.choice(writes).format(i=r.randrange(40), j=r.randrange(30), c=c, d=d))


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_tables_without_a_key_to_walk_by_end_equal(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    replica = fresh(make_replica, kind, request)
    writes = list(WRITES)
    invisible = "INVISIBLE"
    replica.on_source(*(table.format(invisible=invisible) for table in TABLES))
    if kind == "mariadb":
        replica.on_source("CREATE SEQUENCE numbers START WITH 5 INCREMENT BY 3 CACHE 2")
        replica.on_source(
            "CREATE TABLE versioned (id INT PRIMARY KEY, n INT) WITH SYSTEM VERSIONING"
        )
        writes += [
            "DO NEXTVAL(numbers)",
            "REPLACE INTO versioned VALUES ({i}, {j})",
            "UPDATE versioned SET n = n + 1 WHERE id = {i}",
            "DELETE FROM versioned WHERE id = {i}",
        ]
    else:
        replica.on_source(
            "SET SESSION sql_generate_invisible_primary_key = ON",
            "CREATE TABLE without (a INT, b INT)",
        )
        writes += [
            "INSERT INTO without VALUES ({i}, {j})",
            "DELETE FROM without WHERE a = {i} LIMIT 1",
            "UPDATE without SET b = {j} WHERE a = {i}",
        ]
    fill(replica, writes)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    with written(replica.source, replica.db, writes):
        producer.start()
        consumer.start()
        wait_done(replica, producer, 100)
    replica.on_source("INSERT INTO keyless VALUES (-1, 'last')")
    replica.catch_up()
    replica.assert_equal()


KEY = "({i} * 200 + {j})"
FAMILIES = (
    # What a table that is held back takes along: its deletes aren't carried meanwhile.
    "CREATE TABLE keyless (a INT, b VARCHAR(20), KEY (a))",
    (
        "CREATE TABLE child (id INT PRIMARY KEY, a INT, b INT, KEY (b), CONSTRAINT up FOREIGN KEY"
        " (a) REFERENCES keyless (a) ON DELETE CASCADE ON UPDATE CASCADE)"
    ),
    (
        "CREATE TABLE grandchild (id INT PRIMARY KEY, b INT, CONSTRAINT up_again FOREIGN KEY (b)"
        " REFERENCES child (id) ON DELETE CASCADE)"
    ),
    # By way of rows that aren't there yet.
    "CREATE TABLE root (id INT PRIMARY KEY, n INT)",
    (
        "CREATE TABLE stem (id INT PRIMARY KEY, up INT, CONSTRAINT from_stem FOREIGN KEY (up)"
        " REFERENCES root (id) ON DELETE CASCADE)"
    ),
    (
        "CREATE TABLE leaf (id INT PRIMARY KEY, up INT, CONSTRAINT from_leaf FOREIGN KEY (up)"
        " REFERENCES stem (id) ON DELETE CASCADE)"
    ),
    (
        "CREATE TABLE tree (id INT PRIMARY KEY, up INT, CONSTRAINT from_node FOREIGN KEY (up)"
        " REFERENCES tree (id) ON DELETE CASCADE)"
    ),
    "INSERT INTO child (id, b) SELECT seq, seq FROM seq_100_to_9000",
    "INSERT INTO root SELECT seq, seq FROM seq_1_to_9000",
    "INSERT INTO stem SELECT seq, seq FROM seq_1_to_9000",
    "INSERT INTO leaf SELECT seq, seq FROM seq_1_to_9000",
    "INSERT INTO tree SELECT seq, IF(seq > 4000, seq - 4000, NULL) FROM seq_1_to_9000",
)
FAMILY_WRITES = (
    *["INSERT INTO keyless VALUES ({i}, 'new')"] * 2,
    "DELETE FROM keyless WHERE a = {i}",
    "UPDATE IGNORE keyless SET a = {j} WHERE a = {i}",
    *["INSERT IGNORE INTO child VALUES ({i}, {j}, {i}), ({i} + 40, {i}, {j})"] * 2,
    "DELETE FROM child WHERE id = {i}",
    *["INSERT IGNORE INTO grandchild VALUES ({j}, {i}), ({i} + 100, {i})"] * 2,
    f"DELETE FROM root WHERE id = {KEY}",
    f"REPLACE INTO root VALUES ({KEY} + 1, {{j}})",
    f"DELETE FROM stem WHERE id = {KEY}",
    *[f"INSERT IGNORE INTO stem VALUES ({KEY}, {KEY} + 2)"] * 2,
    *[f"INSERT IGNORE INTO leaf VALUES ({{j}} * 300 + {{i}}, {KEY})"] * 2,
    f"DELETE FROM tree WHERE id = {KEY}",
    *[f"INSERT IGNORE INTO tree VALUES ({{j}} * 300 + {{i}}, {KEY})"] * 2,
)


def test_rows_that_go_without_a_trace_in_the_log_are_gone(
    make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """MariaDB's log doesn't say what foreign keys cascade. First all tables are transferred, then
    the middle ones again."""
    replica = fresh(make_replica, "mariadb", request)
    replica.on_source(*FAMILIES)
    fill(replica, FAMILY_WRITES)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    with written(replica.source, replica.db, FAMILY_WRITES):
        producer.start()
        consumer.start()
        wait_done(replica, producer, 100)
        again = [f"{replica.db}.{table}" for table in ("keyless", "stem")]
        code, _, error = replica.pipeline.run("mysync-producer", "transfer", "start", *again)
        assert code == 0, error
        wait_done(replica, producer, 100)
    replica.on_source("INSERT INTO keyless VALUES (-1, 'last')")
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_lock_on_a_table_goes_with_the_producer(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """It is killed when it has the lock, and all rows still to be sent."""
    replica = fresh(make_replica, kind, request)
    replica.on_source(KEYLESS)
    writes = [write for write in WRITES if " keyless " in write]
    fill(replica, writes)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    with written(replica.source, replica.db, writes):
        producer.start(crash="producer.chunk_due")
        consumer.start()
        assert producer.wait_exit(100) == -signal.SIGKILL, producer.log_tail()
        replica.on_source(
            "SET SESSION lock_wait_timeout = 2", "INSERT INTO keyless VALUES (1, 'free')"
        )
        producer.start()
        wait_done(replica, producer, 100)
    (transfer,) = transfers(producer)
    assert transfer["chunks_read_again"] >= 3, "it was never locked"
    replica.on_source("INSERT INTO keyless VALUES (-1, 'last')")
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_tables_that_can_not_roll_back_end_with_the_same_rows(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """The target has tables of these names that can: others aren't written there."""
    replica = fresh(make_replica, kind, request)
    other = "MyISAM" if kind == "mysql" else "Aria"
    tables = {
        "rows_by_key": "(id INT PRIMARY KEY, n INT)",
        "rows_by_enum": f"(id ENUM({', '.join(repr(c) for c in LETTERS)}) PRIMARY KEY, n INT)",
        "rows_without": "(id INT, n INT)",
    }
    writes = (
        "REPLACE INTO rows_by_key VALUES ({i}, {j})",
        "DELETE FROM rows_by_key WHERE id = {i}",
        "UPDATE IGNORE rows_by_key SET id = {j} WHERE id = {i}",
        "REPLACE INTO rows_by_enum VALUES ({c}, {j})",
        "DELETE FROM rows_by_enum WHERE id = {c}",
        "INSERT INTO rows_without VALUES ({i}, {j})",
        "DELETE FROM rows_without WHERE id = {i} LIMIT 1",
    )
    with replica.target.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {replica.db}")
    for name, columns in tables.items():
        replica.on_source(f"CREATE TABLE {name} {columns} ENGINE={other}")
        replica.on(replica.target, f"CREATE TABLE {name} {columns}")
    fill(replica, writes)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    with written(replica.source, replica.db, writes):
        producer.start()
        consumer.start()
        wait_done(replica, producer, 100)
    replica.on_source("INSERT INTO rows_without VALUES (-1, -1)")
    replica.catch_up()
    for name in tables:
        on_source, on_target = (
            run_sql(server, f"SELECT * FROM {name} ORDER BY id, n", database=replica.db)
            for server in (replica.source, replica.target)
        )
        assert on_target == on_source, name
