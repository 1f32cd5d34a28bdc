"""MariaDB's old temporal formats: what a server with `mysql56_temporal_format=OFF` writes, and what
becomes of it on targets with the old and with the new format."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from binlog_rows import Source
from fix_own_servers import run_sql
from image_rig import Hot, Target
from mysync_lab.sql import SqlServer
from producer.test_rowcodec_types import capture, check
from producer.type_values import TEMPORALS
from pure import is_compiled
from roundtrip import apply, assert_equal, transcoded
from sql_rig import SqlTarget

pytestmark = pytest.mark.xdist_group("own servers")

OLD = [name for name in TEMPORALS if "(" in name]


@contextmanager
def old_format(server: SqlServer) -> Iterator[None]:
    run_sql(server, "SET GLOBAL mysql56_temporal_format = OFF")
    try:
        yield
    finally:
        run_sql(server, "SET GLOBAL mysql56_temporal_format = ON")


@pytest.fixture(scope="module")
def source(own_mariadb: SqlServer) -> Iterator[Source]:
    source = Source(own_mariadb, "old_source")
    source.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    yield source
    source.close()


@pytest.fixture(scope="module", params=["old", "new", "old-sql"])
def target(
    own_mariadb: SqlServer, hot: Hot, request: pytest.FixtureRequest
) -> Iterator[tuple[Target, bool]]:
    target = (SqlTarget if "sql" in request.param else Target)(own_mariadb, "old_target", hot)
    target.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    yield target, "old" in request.param
    target.close()


@pytest.mark.parametrize("definition", OLD)
def test_values_are_what_the_server_shows(
    source: Source, rowcodec: object, definition: str
) -> None:
    with old_format(source.server):
        case = capture(source, "t", definition, TEMPORALS[definition])
    assert "mariadb-5.3" in case.schema.column("v").column_type
    check(rowcodec, case)  # type: ignore[arg-type]


@pytest.mark.parametrize("definition", OLD)
def test_both_formats_take_the_values_of_the_old_one_b4(
    source: Source, target: tuple[Target, bool], definition: str
) -> None:
    there, old = target
    create = f"CREATE TABLE t (id INT PRIMARY KEY, v {definition} NULL, w {definition} NOT NULL)"
    with old_format(source.server):
        source.sql("DROP TABLE IF EXISTS t", create)
        there.sql("DROP TABLE IF EXISTS t")
        if old:
            there.sql(create)
    if not old:
        there.sql(create)
    schema = source.describe("t")
    literals = TEMPORALS[definition]
    rows = ", ".join(f"({i}, {value}, {value})" for i, value in enumerate(literals))
    apply(there, schema, transcoded(source, schema, f"INSERT INTO t VALUES {rows}, (99, NULL, 0)"))
    assert_equal(source, there, "t")
    statements = ("UPDATE t SET v = NULL, w = 0 WHERE id % 2", "DELETE FROM t WHERE id % 3 = 0")
    apply(there, schema, transcoded(source, schema, *statements))
    assert_equal(source, there, "t")


def test_rows_without_a_key_are_found_by_old_values(
    source: Source, target: tuple[Target, bool]
) -> None:
    there, old = target
    columns = "a TIMESTAMP(3) NULL, b DATETIME(1), c TIME(6), d DATETIME, e TIME, f TIMESTAMP NULL"
    create = f"CREATE TABLE t ({columns})"
    with old_format(source.server):
        source.sql("DROP TABLE IF EXISTS t", create)
        there.sql("DROP TABLE IF EXISTS t")
        if old:
            there.sql(create)
    if not old:
        there.sql(create)
    schema = source.describe("t")
    moments = [f"'2020-02-03 04:05:0{i}.123456'" for i in range(5)]
    rows = ", ".join(f"({m}, {m}, '-03:04:05.6', {m}, '-03:04:05', {m})" for m in moments)
    statements = (
        f"INSERT INTO t VALUES {rows}, (0, 0, 0, 0, 0, 0)",
        "UPDATE t SET c = '00:00:00.000001' WHERE d = '2020-02-03 04:05:01'",
        "UPDATE t SET a = NULL WHERE a = 0",
        "DELETE FROM t WHERE d = '2020-02-03 04:05:03'",
    )
    for statement in statements:
        apply(there, schema, transcoded(source, schema, statement))
    assert_equal(source, there, "t", order="d")


def test_the_modules_are_compiled_where_the_others_are() -> None:
    from mysync_producer import rowimage, rowoldtemporal

    assert is_compiled(rowimage) == is_compiled(rowoldtemporal)
