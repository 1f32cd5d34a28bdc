"""Consumers that write by SQL: as strict as the target's own applier, and they say who they are."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from fix_topics import MakeStage, Stage
from mysync_lab.sql import SqlServer

DATA_ERROR, SETUP_ERROR = 4, 3
MIB = 1 << 20
USER = f"mysync_by_sql_{os.getpid()}"  # every worker of the suite has its own
SQL = {"via": "sql", "group_session_timeout_ms": 1500}


@pytest.fixture(params=["mysql_b", "mariadb_b"])
def server(request: pytest.FixtureRequest) -> SqlServer:
    found: SqlServer = request.getfixturevalue(request.param)
    return found


def make(make_stage: MakeStage, server: SqlServer, **apply: Any) -> Stage:
    return make_stage(server, topics={"partitions": 1}, apply=SQL | apply)


@pytest.mark.parametrize(
    ("server", "coalesce"),
    [("mysql_b", True), ("mysql_b", False), ("mariadb_b", True)],
    indirect=["server"],
)
def test_inserts_updates_deletes_and_key_changes_arrive(
    make_stage: MakeStage, server: SqlServer, coalesce: bool
) -> None:
    stage = make_stage(server, apply=SQL | {"coalesce": coalesce}).begin()
    consumer = stage.ready()
    for seed in range(4):
        with stage.writer:
            stage.load(seed, 300)
    stage.wait_applied()
    stage.assert_items()
    status = consumer.status() or {}
    assert status["applies"] == {"via": "sql", "why": "apply.via says so"}


@pytest.mark.parametrize(
    ("table", "change", "code", "first", "last"),
    [
        ("", "DELETE FROM items WHERE id = 5", 1032, 5, 4),
        ("", "DELETE FROM items WHERE id = 15", 1032, 15, 14),
        ("UNIQUE", "INSERT INTO items VALUES (99, 'n25', 1)", 1062, 25, 24),
    ],
    ids=["update", "delete", "other-key"],
)
def test_a_row_that_is_not_as_it_should_be_stops_everything_and_nothing_is_overwritten(
    make_stage: MakeStage,
    mysql_b: SqlServer,
    table: str,
    change: str,
    code: int,
    first: int,
    last: int,
) -> None:
    """`first` is refused; what stands before it, up to `last`, is committed."""
    items = f"CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40) {table}, v BIGINT)"
    stage = make(make_stage, mysql_b).begin(items)
    with stage.writer:
        for id_ in range(20):
            stage.put(id_, id_)
    consumer = stage.ready()
    stage.wait_applied()
    stage.sql(change)
    with stage.writer:
        for id_ in range(2, 10):
            stage.put(id_, 100 + id_, f"new{id_}")
        for id_ in range(10, 19):
            stage.drop(id_)
        for id_ in range(20, 30):
            stage.put(id_, id_)
        stage.writer.heartbeat()
    assert consumer.wait_exit(90) == DATA_ERROR
    found = stage.sql(f"SELECT error_code FROM mysync.errors WHERE pipeline = '{stage.name}'")
    assert found == [(code,)]
    here = dict(stage.sql("SELECT id, v FROM items WHERE id < 90"))
    for id_ in range(2, 30):
        wanted = 100 + id_ if id_ < 10 else None if id_ < 19 else id_
        before = id_ if id_ < 20 else None
        if id_ != first and id_ != 19:
            assert here.get(id_) == (wanted if id_ <= last else before)


def test_cascades_run_exactly_for_the_events_that_relied_on_them(
    make_stage: MakeStage, server: SqlServer
) -> None:
    stage = make(make_stage, server)
    stage.begin(
        "CREATE TABLE mother (id INT PRIMARY KEY)",
        "CREATE TABLE kid (id INT PRIMARY KEY, m INT,"
        " CONSTRAINT k FOREIGN KEY (m) REFERENCES mother (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    )
    mother, kid = f"{stage.db}.mother", f"{stage.db}.kid"
    write = stage.writer
    with write:
        for id_ in range(1, 6):
            write.insert(mother, {"id": id_}, flags=0)
            write.insert(kid, {"id": id_, "m": id_}, flags=0)
        write.insert(kid, {"id": 90, "m": 77}, flags=0x2)
        write.update(mother, {"id": 5}, {"id": 50}, flags=0)
        write.delete(mother, {"id": 2}, flags=0x2)
        write.delete(mother, {"id": 3}, flags=0)
    stage.ready()
    stage.wait_applied()
    assert stage.sql("SELECT id FROM mother ORDER BY id") == [(1,), (4,), (50,)]
    kids = [(1, 1), (2, 2), (4, 4), (5, 50), (90, 77)]
    assert stage.sql("SELECT id, m FROM kid ORDER BY id") == kids


def test_a_mariadb_table_with_only_nullable_unique_keys_goes_by_sql_beside_row_events(
    make_stage: MakeStage, mariadb_b: SqlServer
) -> None:
    stage = make_stage(mariadb_b, topics={"partitions": 1})
    stage.begin(
        "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(9), v BIGINT)",
        "CREATE TABLE loose (a INT, b VARCHAR(9), UNIQUE KEY (a))",
    )
    loose = f"{stage.db}.loose"
    with stage.writer:
        for id_ in range(3):
            stage.put(id_, id_)
            stage.writer.insert(loose, {"a": None, "b": f"n{id_}"})
            stage.writer.insert(loose, {"a": id_, "b": None})
        stage.writer.update(loose, {"a": None, "b": "n1"}, {"a": None, "b": "N1"})
        stage.put(1, 10)
        stage.writer.delete(loose, {"a": 2, "b": None})
    consumer = stage.ready()
    stage.wait_applied()
    stage.assert_items()
    found = stage.sql("SELECT a, b FROM loose ORDER BY a IS NULL, a, b")
    assert found == [(0, None), (1, None), (None, "n0"), (None, "N1"), (None, "n2")]
    assert (consumer.status() or {})["applies"]["via"] == "row_events"
    with stage.writer:
        stage.writer.update(loose, {"a": 1, "b": "other"}, {"a": 1, "b": "new"})
        stage.writer.heartbeat()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "0 of 1 rows were found" in consumer.log_tail(1)


@pytest.mark.parametrize("server", ["mariadb_b"], indirect=True)
def test_rows_larger_than_a_packet_of_the_others_arrive(
    make_stage: MakeStage, server: SqlServer
) -> None:
    stage = make(make_stage, server)
    stage.begin("CREATE TABLE items (id INT PRIMARY KEY, data LONGBLOB, t LONGTEXT)")
    rows = [{"id": i, "data": bytes([i]) * 400_000, "t": "é" * 100_000} for i in range(12)]
    with stage.writer:
        for row in rows:
            stage.writer.insert(stage.items, row)
        for row in rows:
            stage.writer.update(stage.items, row, row | {"t": "ü" * 100_000})
    stage.ready()
    stage.wait_applied()
    found = stage.sql(
        "SELECT id, LENGTH(data), HEX(RIGHT(data, 1)), t = REPEAT('ü', 100000)"
        " FROM items ORDER BY id"
    )
    assert found == [(i, 400_000, f"{i:02X}", 1) for i in range(12)]


# -- who may do what -------------------------------------------------------------------------------


@pytest.fixture
def weak(make_stage: MakeStage, server: SqlServer) -> Iterator[Stage]:
    """A stage whose consumer may write the tables and no row events."""
    stage = make_stage(
        server,
        topics={"partitions": 1},
        target={"user": USER, "password": "weak"},
    ).begin()
    stage.sql(
        f"DROP USER IF EXISTS {USER}",
        f"CREATE USER {USER} IDENTIFIED BY 'weak'",
        f"GRANT ALL ON mysync.* TO {USER}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON {stage.db}.* TO {USER}",
    )
    yield stage
    stage.pipeline.end()
    stage.sql(f"DROP USER {USER}")


def test_auto_writes_by_sql_where_row_events_are_not_granted_and_by_them_where_they_are(
    weak: Stage, server: SqlServer
) -> None:
    privilege = "BINLOG REPLAY" if server.kind == "mariadb" else "REPLICATION_APPLIER"
    consumer = weak.ready()
    with weak.writer:
        weak.load(1, 200)
    weak.wait_applied()
    weak.assert_items()
    why = f"'{USER}'@'%' doesn't have {privilege}"
    assert (consumer.status() or {})["applies"] == {"via": "sql", "why": why}
    assert f'"why": "{why}"' in consumer.log.read_text()
    code, out, _ = weak.pipeline.run("mysync-consumer", "check")
    assert (code, f"Rows are written by SQL: {why}" in out) == (0, True)

    assert consumer.stop() == 0
    weak.sql(f"GRANT {privilege} ON *.* TO {USER}")
    consumer.start()
    consumer.wait_ready()
    with weak.writer:
        weak.load(2, 200)
    weak.wait_applied()
    weak.assert_items()
    assert (consumer.status() or {})["applies"]["via"] == "row_events"


@pytest.mark.parametrize("server", ["mysql_b"], indirect=True)
def test_whoever_may_not_see_a_tables_triggers_is_told_the_grant(weak: Stage) -> None:
    weak.sql(f"REVOKE TRIGGER ON {weak.db}.* FROM {USER}")
    with weak.writer:
        weak.put(1, 1)
    consumer = weak.consumer()
    assert consumer.wait_exit(90) == SETUP_ERROR
    said = consumer.log_tail(1)
    assert "lacks TRIGGER" in said
    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON `{weak.db}`.`items` TO '{USER}'@'%'"
    assert grant in said
    weak.sql(grant)
    consumer.start()
    weak.wait_applied()


@pytest.mark.parametrize(
    ("create", "row", "what"),
    [
        (
            "CREATE TABLE items (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING",
            {"id": 1, "v": 1},
            "system versioned",
        ),
        ("CREATE SEQUENCE items", {}, "sequence"),
    ],
    ids=["versioned", "sequence"],
)
def test_what_only_row_events_can_write_is_refused(
    make_stage: MakeStage, mariadb_b: SqlServer, create: str, row: dict[str, Any], what: str
) -> None:
    stage = make(make_stage, mariadb_b).begin(create)
    held = stage.sql("SELECT * FROM items")
    schema = stage.writer.tables[stage.items]
    filled = {column.avro_name: 1 for column in schema.columns} | row
    with stage.writer:
        stage.writer.insert(stage.items, filled)
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    assert "UnwritableTable" in consumer.log_tail(1)
    assert f"it is a {what} table on the target" in consumer.log_tail(1)
    assert stage.sql("SELECT * FROM items") == held
