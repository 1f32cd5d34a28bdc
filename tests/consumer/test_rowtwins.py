"""Types and kinds of tables of MariaDB's own, from one server to another."""

from collections.abc import Iterator

import pytest

from binlog_rows import Source
from image_rig import Hot, Target
from mysync_lab.sql import SqlServer
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
