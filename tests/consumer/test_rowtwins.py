"""Types and kinds of tables of MariaDB's own, from one server to another."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from binlog_rows import Source
from image_rig import Hot, Target
from mysync_consumer.applier import events
from mysync_consumer.coalesce import INSERT, Step
from mysync_lab.sql import SqlServer
from mysync_schemas.partition import routing_of
from mysync_schemas.table import TableSchema
from producer.type_values import COMPRESSED
from roundtrip import apply, assert_equal, transcoded
from sql_rig import SqlTarget


@pytest.fixture(scope="module", params=[Target, SqlTarget], ids=["row-events", "sql"])
def twins(
    request: pytest.FixtureRequest, mariadb_a: SqlServer, mariadb_b: SqlServer, hot: Hot
) -> Iterator[tuple[Source, Target]]:
    source, target = Source(mariadb_a, "twins"), request.param(mariadb_b, "twins", hot)
    yield source, target
    target.close()
    source.close()


@pytest.mark.parametrize("definition", COMPRESSED)
def test_compressed_columns_arrive_b4(twins: tuple[Source, Target], definition: str) -> None:
    """B4: the target's applier wants types of their own, and what the server would store."""
    source, target = twins
    create = f"CREATE TABLE t (id INT PRIMARY KEY, v {definition} NULL, w {definition} NOT NULL)"
    for server in twins:
        server.sql("DROP TABLE IF EXISTS t", create)
    schema = source.describe("t")
    literals = COMPRESSED[definition]
    rows = ", ".join(f"({i}, {value}, {value})" for i, value in enumerate(literals))
    apply(target, schema, transcoded(source, schema, f"INSERT INTO t VALUES {rows}"))
    assert_equal(source, target, "t")
    shift = f"UPDATE t SET id = id + {len(literals)}, v = NULL, w = {literals[-1]}"
    records = transcoded(source, schema, f"{shift} ORDER BY id DESC", "DELETE FROM t LIMIT 1")
    apply(target, schema, records)
    assert_equal(source, target, "t")


@pytest.mark.parametrize(
    "setting", ["zlib_wrap = ON", "threshold = 0", "zlib_level = 0", "zlib_level = 9"]
)
def test_whatever_the_source_compresses_with_the_values_are_the_same(
    twins: tuple[Source, Target], setting: str
) -> None:
    source, target = twins
    for server in twins:
        server.sql(
            "DROP TABLE IF EXISTS t",
            "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(400) CHARACTER SET utf8mb4 COMPRESSED,"
            " b BLOB COMPRESSED)",
        )
    schema = source.describe("t")
    name = setting.partition(" ")[0]
    source.sql(f"SET column_compression_{setting}")
    values = "(1, 'a', 'a'), (2, REPEAT('ab', 20), REPEAT('ab', 9000)), (3, REPEAT('€', 400), '')"
    try:
        records = transcoded(source, schema, f"INSERT INTO t VALUES {values}")
    finally:
        source.sql(f"SET column_compression_{name} = DEFAULT")
    apply(target, schema, records)
    assert_equal(source, target, "t")


def test_a_keyless_row_with_compressed_columns_is_found(twins: tuple[Source, Target]) -> None:
    """The server compares what is stored, which is as it was when we wrote it."""
    source, target = twins
    for server in twins:
        server.sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (id INT, b TINYBLOB COMPRESSED)")
    schema = source.describe("t")
    statements = (
        "INSERT INTO t VALUES (1, REPEAT('a', 255)), (2, REPEAT('b', 254)), (3, ''), (4, NULL)",
        "UPDATE t SET b = REPEAT('g', 200) WHERE id < 3",
        "DELETE FROM t WHERE id > 1",
    )
    for statement in statements:
        apply(target, schema, transcoded(source, schema, statement))
        assert_equal(source, target, "t")


@pytest.fixture(scope="module")
def row_events(
    mariadb_a: SqlServer, mariadb_b: SqlServer, hot: Hot
) -> Iterator[tuple[Source, Target]]:
    """For what SQL can't write."""
    source, target = Source(mariadb_a, "twin_events"), Target(mariadb_b, "twin_events", hot)
    yield source, target
    target.close()
    source.close()


def created(twins: tuple[Source, Target], *statements: str) -> TableSchema:
    """The table `t`, new on both sides."""
    for server in twins:
        server.sql(*statements)
    return twins[0].describe("t")


@pytest.mark.parametrize(
    "options", ["NOCACHE", "CACHE 7", "INCREMENT BY -3 NOCACHE", "MAXVALUE 6 CYCLE NOCACHE"]
)
def test_sequences_go_on_where_the_source_is_d15(
    row_events: tuple[Source, Target], options: str
) -> None:
    """D15: each change is an "insert" that replaces the only row."""
    source, target = row_events
    schema = created(
        row_events, "DROP SEQUENCE IF EXISTS t", "DROP TABLE IF EXISTS t",
        f"CREATE SEQUENCE t {options}",
    )  # fmt: skip
    assert (schema.table_type, schema.identity, schema.row_by_row) == ("SEQUENCE", (), True)
    statements = ["SELECT NEXTVAL(t)"] * 9
    apply(target, schema, transcoded(source, schema, *statements))
    shown = "SELECT * FROM t"
    assert source.sql(shown) == target.sql(shown)
    if options != "CACHE 7":
        assert source.sql("SELECT NEXTVAL(t)") == target.sql("SELECT NEXTVAL(t)")
    else:
        # What the source keeps in memory, the target leaves out: it never gives a number twice.
        assert target.sql("SELECT NEXTVAL(t)") == [(15,)]
    records = transcoded(source, schema, "SELECT SETVAL(t, 3)", *statements)
    apply(target, schema, records)
    assert source.sql(shown) == target.sql(shown)
    source.sql("DROP SEQUENCE t")
    target.sql("DROP SEQUENCE t")


PERIOD = "PERIOD FOR SYSTEM_TIME (f, t)"
STARTS, ENDS = (f"TIMESTAMP(6) GENERATED ALWAYS AS ROW {word}" for word in ("START", "END"))
VERSIONED = {
    "implicit": ("id INT PRIMARY KEY, a INT", "row_end"),
    "explicit": (f"id INT PRIMARY KEY, f {STARTS}, a INT, t {ENDS}, {PERIOD}", "t"),
    "unique": ("id INT NOT NULL UNIQUE, a INT", "row_end"),
    "keyless": ("id INT, a INT", "row_end"),
}


@pytest.mark.parametrize("kind", VERSIONED)
def test_versioned_rows_keep_their_history_d16(
    row_events: tuple[Source, Target], kind: str
) -> None:
    """D16: an update is an update and an insert, a deletion an update of the key."""
    source, target = row_events
    definition, end = VERSIONED[kind]
    schema = created(
        row_events,
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t ({definition}) WITH SYSTEM VERSIONING",
    )
    assert schema.identity == (() if kind == "keyless" else ("id", end))
    assert routing_of([schema])[schema.table_id].mode == "whole"
    statements = (
        "INSERT INTO t (id, a) VALUES (1, 1), (2, 2), (3, 3)",
        "UPDATE t SET a = a + 10 WHERE id < 3",
        "UPDATE t SET id = 20 WHERE id = 2",
        "DELETE FROM t WHERE id = 1",
        "INSERT INTO t (id, a) VALUES (1, 100)",
        "REPLACE INTO t (id, a) VALUES (3, 30)",
        "DELETE FROM t WHERE id = 1",
    )
    apply(target, schema, transcoded(source, schema, *statements))
    assert_equal(source, target, "t", order=f"id, a, {end}")
    versions = "SELECT COUNT(*) FROM t FOR SYSTEM_TIME ALL"
    assert target.sql(versions)[0][0] > target.sql("SELECT COUNT(*) FROM t")[0][0]
    history = transcoded(source, schema, "DELETE HISTORY FROM t", "UPDATE t SET a = 0")
    apply(target, schema, history)
    assert_equal(source, target, "t", order=f"id, a, {end}")


def test_rows_of_versioned_tables_are_events_of_their_own(
    row_events: tuple[Source, Target],
) -> None:
    source, target = row_events
    schema = created(
        row_events,
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
    )
    writer, plan = target.writer(), target.plan(schema, "t")
    insert = "INSERT INTO t (id) VALUES (1), (2), (3)"
    target.add(writer, plan, transcoded(source, schema, insert))
    assert [len(group.rows) for group in writer.groups] == [3]
    step = Step(SimpleNamespace(plan=plan), INSERT, 0, None, None)
    assert list(events([step, step])) == [[step], [step]]
