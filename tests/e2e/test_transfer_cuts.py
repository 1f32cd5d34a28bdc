"""Connections that break, and a source that dies, while chunks of tables are on their way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.layout import wait_until
from mysync_lab.proxy import FaultProxy
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from transfer_rig import FRESH, transfers, wait_done, waiting

ROWS = 1_500
IMPATIENT = {"read_timeout": 5, "write_timeout": 5, "connect_timeout": 5}


def create(replica: Replica) -> None:
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    numbers = "WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 1500)"
    statements = ["CREATE TABLE parent (id INT PRIMARY KEY, n INT)"]
    if replica.source.kind == "mysql":
        statements.append("SET SESSION cte_max_recursion_depth = 10000")
    else:
        statements.append("SET SESSION max_recursive_iterations = 10000")
    statements += [
        (
            "CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT c FOREIGN KEY (p)"
            " REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE)"
        ),
        "CREATE TABLE other (id VARCHAR(20) PRIMARY KEY, n INT)",
        f"INSERT INTO parent {numbers} SELECT i, i FROM i",
        # So many that they are still on their way when the parent is complete.
        *(f"INSERT INTO child {numbers} SELECT i + {n} * 1500, i FROM i" for n in range(6)),
        *(
            f"INSERT INTO other {numbers} SELECT CONCAT('{c}', i), i + {n} * 1500 FROM i"
            for n, c in enumerate("kmoqsu")
        ),
    ]
    replica.on_source(*statements)


@contextmanager
def window(replica: Replica, producer: Service) -> Iterator[Any]:
    """The parent is complete, and so its child has begun; readers of the next chunks wait for a
    lock, whose owner this is."""
    with replica.source.connect(database=replica.db) as lock, lock.cursor() as cursor:
        wait_until(lambda: sum(each["rows"] > 0 for each in transfers(producer)) == 3, "chunks", 60)
        cursor.execute("LOCK TABLES parent WRITE, child WRITE, other WRITE")
        wait_until(lambda: waiting(replica) >= 1, "readers that wait for the lock", 30)
        cursor.execute("DELETE FROM parent WHERE id % 3 = 0")
        cursor.execute("UPDATE parent SET id = -id WHERE id % 5 = 0")
        cursor.execute("UPDATE other SET id = CONCAT('new', n) WHERE n % 4 = 0")
        cursor.execute("DELETE FROM other WHERE n % 7 = 0")
        yield cursor


def settings_for_chunks() -> dict[str, Any]:
    """A thread for each table, and a pause between two chunks."""
    return {"streams": 4, "max_rows_per_second": 1_500, "max_load": 1.0}


def finish(replica: Replica, producer: Service) -> None:
    wait_done(replica, producer, 100)
    replica.on_source("INSERT INTO other VALUES ('last', 0)")
    replica.catch_up()
    replica.assert_equal()


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_window_whose_connections_are_cut_is_asked_for_again(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    with FaultProxy(source.host, source.port) as proxy:
        link = {**FRESH, **IMPATIENT, "port": proxy.port}
        replica = make_replica(
            source=source, target=target, source_link=link, transfer=settings_for_chunks()
        )
        create(replica)
        producer, _ = replica.pipeline.producer().start(), replica.pipeline.consumer().start()
        with window(replica, producer) as cursor:
            proxy.cut()
            cursor.execute("DELETE FROM other WHERE n % 11 = 0")
            cursor.execute("UNLOCK TABLES")
            proxy.resume()
        finish(replica, producer)


@pytest.mark.xdist_group("own servers")
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_window_over_the_death_of_the_source_is_asked_for_again(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source: SqlServer = request.getfixturevalue(f"own_{kind}")
    target = request.getfixturevalue(f"{kind}_b")
    replica = make_replica(
        source=source,
        target=target,
        source_link={**FRESH, **IMPATIENT},
        transfer=settings_for_chunks(),
    )
    create(replica)
    producer, _ = replica.pipeline.producer().start(), replica.pipeline.consumer().start()
    with window(replica, producer):
        source.kill()
    source.start()
    finish(replica, producer)


def test_a_table_without_a_key_that_is_cut_off_half_way_begins_anew(
    mysql_a: SqlServer, mysql_b: SqlServer, make_replica: MakeReplica
) -> None:
    with FaultProxy(mysql_a.host, mysql_a.port) as proxy:
        replica = make_replica(
            source=mysql_a,
            target=mysql_b,
            source_link={**FRESH, **IMPATIENT, "port": proxy.port},
            publish={"max_bytes": 1 << 20},
        )
        run_sql(mysql_a, f"CREATE DATABASE {replica.db}")
        replica.on_source(
            "CREATE TABLE keyless (a INT, b MEDIUMTEXT)",
            "CREATE TABLE other (id VARCHAR(20) PRIMARY KEY, n INT)",
            "INSERT INTO keyless WITH RECURSIVE i (i) AS"
            " (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 300)"
            " SELECT i % 50, REPEAT('a row ', 10000) FROM i",
        )
        proxy.slow(4 << 20)
        producer, _ = replica.pipeline.producer().start(), replica.pipeline.consumer().start()
        wait_until(lambda: half_way(producer), "the table on its way", 60)
        proxy.cut()
        wait_until(lambda: not half_way(producer), "the end of that", 60)
        proxy.resume()
        finish(replica, producer)
        found = {each["table"].partition(".")[2]: each for each in transfers(producer)}
        assert found["keyless"]["chunks_read_again"] or found["keyless"]["reason"]


def half_way(producer: Service) -> bool:
    return any(
        each["chunks_open"] and each["table"].endswith(".keyless") for each in transfers(producer)
    )
