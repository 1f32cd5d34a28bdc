"""The source lacks what follows: all tables are transferred again, where the settings say so."""

import time
from collections.abc import Callable

import pymysql.err
import pytest

from fix_own_servers import run_sql
from fix_pipeline import MakeReplica, Replica
from mysync_lab.compare import compare
from mysync_lab.errors import LabError
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer
from transfer_rig import wait_done

pytestmark = pytest.mark.xdist_group("own servers")

TRANSFER = {"on_lost_position": "transfer"}


@pytest.fixture(params=["mysql", "mariadb"])
def servers(request: pytest.FixtureRequest) -> tuple[SqlServer, SqlServer]:
    """A source whose log may be lost, and a target."""
    source = "own_mysql" if request.param == "mysql" else "own_mariadb"
    target = "mysql_b" if request.param == "mysql" else "other_mariadb"
    return request.getfixturevalue(source), request.getfixturevalue(target)


def purged(replica: Replica) -> None:
    """What wasn't read yet is deleted. The server keeps a file while it thinks that somebody
    reads it."""
    mysql = replica.source.kind == "mysql"
    status = "SHOW BINARY LOG STATUS" if mysql else "SHOW MASTER STATUS"
    run_sql(replica.source, "FLUSH BINARY LOGS")
    (end, *_) = run_sql(replica.source, status)[0]

    def gone() -> bool:
        run_sql(replica.source, f"PURGE BINARY LOGS TO '{end}'")
        return str(run_sql(replica.source, "SHOW BINARY LOGS")[0][0]) == end

    wait_until(gone, "the files' end", 60)


def reset(replica: Replica) -> None:
    mysql = replica.source.kind == "mysql"
    run_sql(replica.source, "RESET BINARY LOGS AND GTIDS" if mysql else "RESET MASTER")


def restored(replica: Replica) -> None:
    """A backup from before the last changes of `replicated` is there again, with a new log."""
    run_sql(
        replica.source,
        "SET SESSION sql_log_bin = 0",
        "DROP TABLE late",
        "DELETE FROM t WHERE id > 10",
        "UPDATE t SET n = id",
        "CREATE TABLE was_dropped (id INT PRIMARY KEY)",
        "INSERT INTO was_dropped VALUES (1)",
        "ALTER TABLE altered DROP COLUMN later",
        database=replica.db,
    )
    reset(replica)


def replicated(replica: Replica) -> Service:
    """A pipeline that has caught up; its producer is stopped."""
    run_sql(replica.source, f"CREATE DATABASE {replica.db}")
    replica.on_source(
        "CREATE TABLE t (id INT PRIMARY KEY, n INT)",
        "CREATE TABLE altered (id INT PRIMARY KEY)",
        "CREATE TABLE was_dropped (id INT PRIMARY KEY)",
        "CREATE TABLE keyless (n INT)",
        f"INSERT INTO t VALUES {', '.join(f'({n}, {n})' for n in range(10))}",
        "INSERT INTO altered VALUES (1), (2)",
        "INSERT INTO keyless VALUES (1), (1)",
    )
    producer, _ = replica.start()
    wait_done(replica, producer, 90)
    replica.on_source(
        "DROP TABLE was_dropped",
        "CREATE TABLE late (id INT PRIMARY KEY)",
        "INSERT INTO late VALUES (1)",
        "ALTER TABLE altered ADD later INT DEFAULT 5",
        "INSERT INTO t VALUES (11, 11), (12, 12), (13, 13)",
        "UPDATE t SET n = -1 WHERE id = 3",
    )
    replica.catch_up()
    assert producer.stop() == 0
    return producer


def wait_equal(replica: Replica, seconds: float = 90) -> None:
    """The log's places don't tell when the target has everything: they began anew."""
    deadline = time.monotonic() + seconds
    while True:
        with replica.source.connect() as source, replica.target.connect() as target:
            found = compare(source, target, replica.databases)
        if found.equal:
            return
        for service in replica.services:
            if service.exit_code:
                raise LabError(f"{service.name} ended:\n{service.log_tail()}")
        assert time.monotonic() < deadline, found.differences
        time.sleep(0.2)


@pytest.mark.parametrize("lose", [purged, reset, restored])
def test_all_tables_are_transferred_again(
    servers: tuple[SqlServer, SqlServer],
    lose: Callable[[Replica], None],
    make_replica: MakeReplica,
) -> None:
    """Rows and tables that the source doesn't have any more are gone afterwards. A producer that is
    killed on the way goes on."""
    source, target = servers
    replica = make_replica(
        source=source, target=target, source_link={"start": None}, transfer=TRANSFER
    )
    producer = replicated(replica)
    if lose is not restored:
        replica.on_source(
            "DELETE FROM t WHERE id < 3",
            "DROP TABLE late",
            "ALTER TABLE altered ADD more INT",
            "INSERT INTO keyless VALUES (7)",
        )
    lose(replica)
    replica.on_source("INSERT INTO t VALUES (20, 20)", "UPDATE t SET n = n + 1 WHERE id = 5")
    replica.pipeline.configure(transfer={"max_rows_per_second": 5})
    producer.start(crash="producer.chunk_sent:2")
    assert producer.wait_exit(60) == -9
    assert "all tables are transferred again" in producer.log_tail(200)
    replica.on_source("DELETE FROM t WHERE id = 20", "INSERT INTO t VALUES (21, 21)")
    replica.pipeline.configure(transfer={"max_rows_per_second": None})
    producer.start().wait_ready()
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO t VALUES (22, 22)", "UPDATE altered SET id = 9 WHERE id = 1")
    wait_equal(replica)
    (tables,) = run_sql(
        target,
        f"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{replica.db}'",
    )
    assert tables == ((4,) if lose is restored else (3,))


def test_a_table_that_was_set_aside_and_is_gone_meanwhile_is_gone_on_the_target(
    servers: tuple[SqlServer, SqlServer], make_replica: MakeReplica
) -> None:
    """One that is still there is transferred as all others."""
    source, target = servers
    replica = make_replica(
        source=source,
        target=target,
        source_link={"start": None},
        transfer=TRANSFER,
        apply={"on_divergence": "quarantine", "max_failures": 1},
    )
    producer = replicated(replica)
    producer.start().wait_ready()
    replica.on(target, "DELETE FROM late", "DELETE FROM altered")
    replica.on_source("UPDATE late SET id = 2", "UPDATE altered SET later = 6")
    aside = (
        "SELECT tbl FROM mysync.table_state WHERE state = 'quarantined'"
        f" AND pipeline = '{replica.pipeline.name}' ORDER BY tbl"
    )
    wait_until(lambda: run_sql(target, aside) == [("altered",), ("late",)], "the quarantine", 60)
    replica.catch_up()
    assert producer.stop() == 0
    replica.on_source("DROP TABLE late")
    purged(replica)
    producer.start()
    again = "all tables are transferred again"
    wait_until(lambda: again in producer.log_tail(200), again, 60)
    wait_done(replica, producer, 60)
    replica.on_source("INSERT INTO t VALUES (30, 30)")

    def last_is_there() -> bool:
        try:
            return bool(run_sql(target, f"SELECT 1 FROM {replica.db}.t WHERE id = 30"))
        except pymysql.err.ProgrammingError:  # not made anew yet
            return False

    wait_until(last_is_there, "the last row", 60)
    wait_equal(replica)
    assert run_sql(target, aside) == []


def test_without_the_setting_it_stops_and_names_it(
    servers: tuple[SqlServer, SqlServer], make_replica: MakeReplica
) -> None:
    """The target isn't touched."""
    source, target = servers
    replica = make_replica(source=source, target=target, source_link={"start": None})
    producer = replicated(replica)
    replica.on_source("INSERT INTO t VALUES (20, 20)")
    purged(replica)
    producer.start()
    assert producer.wait_exit(60) == 4
    said = producer.log_tail()
    assert "PositionLost" in said
    assert "purged" in said
    assert "transfer.on_lost_position" in said
    assert run_sql(target, f"SELECT COUNT(*) FROM {replica.db}.t") == [(13,)]
