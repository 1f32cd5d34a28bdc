"""The oracle sees every difference that the servers can store, and none where there is none."""

import os
from collections.abc import Iterator

import pytest

from mysync_lab.compare import Comparison, compare
from mysync_lab.objects import KINDS
from mysync_lab.schema_copy import copy_databases, drop_databases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, TableName, execute

# Each worker of pytest-xdist has its own.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw")
HERE, THERE = f"compare_here_{_WORKER}", f"compare_there_{_WORKER}"
LOOSE = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'"


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def sides(request: pytest.FixtureRequest) -> Iterator[tuple[Session, Session]]:
    """Two sessions of one server; the databases are renamed from one to the other."""
    server: SqlServer = request.getfixturevalue(f"{request.param}_a")
    with server.connect() as here, server.connect() as there:
        for session in (here, there):
            execute(session, LOOSE)
        yield here, there
        drop_databases(here, [HERE, THERE])


def compared(
    sides: tuple[Session, Session], column: str, one: str | None, other: str | None
) -> Comparison:
    """Two tables with this one column and a row each, compared; None is no row."""
    here, there = sides
    drop_databases(here, [HERE, THERE])
    execute(here, f"CREATE DATABASE {HERE}", f"CREATE TABLE {HERE}.t (c {column})")
    copy_databases(here, there, {HERE: THERE})
    for session, db, value in ((here, HERE, one), (there, THERE, other)):
        if value is not None:
            execute(session, f"INSERT IGNORE INTO {db}.t VALUES ({value})")
    return compare(here, there, {HERE: THERE})


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("INT", "1", "2"),
        ("INT", "NULL", "0"),
        ("BIGINT UNSIGNED", "18446744073709551615", "18446744073709551614"),
        ("DECIMAL(65,30)", "0.000000000000000000000000000001", "0"),
        ("FLOAT", "16777215", "16777216"),
        ("FLOAT", "0.1", "0.10000001"),
        ("DOUBLE", "0.1", "0.10000000000000002e0"),
        ("DOUBLE", "1e308", "1.0000000000000002e308"),
        ("DOUBLE", "5e-324", "0"),
        ("DOUBLE", "-3.3339745473042614e-121", "-3.333974547304261e-121"),
        ("FLOAT", "1.1754944e-38", "1.1754945e-38"),
        ("DOUBLE(10,2)", "1.25", "1.26"),
        ("CHAR(5) COLLATE utf8mb4_general_ci", "'a'", "'A'"),
        ("VARCHAR(5) COLLATE utf8mb4_general_ci", "'a'", "'a '"),
        ("VARCHAR(5)", "''", "NULL"),
        ("VARCHAR(5)", "'N'", "NULL"),
        ("TEXT CHARACTER SET latin1", "X'81'", "X'8D'"),
        ("LONGTEXT", "REPEAT('a', 100000)", "CONCAT(REPEAT('a', 99999), 'A')"),
        ("BINARY(3)", "X'610000'", "X'612000'"),
        ("VARBINARY(3)", "X'61'", "X'6100'"),
        ("LONGBLOB", "''", "NULL"),
        ("BIT(64)", "b'1'", "18446744073709551615"),
        ("YEAR", "0", "1901"),
        ("DATE", "'0000-00-00'", "'2000-00-00'"),
        ("DATE", "'2023-02-30'", "'2023-02-28'"),
        ("DATETIME(6)", "'2000-01-01 00:00:00.000001'", "'2000-01-01'"),
        ("TIMESTAMP(6) NULL", "0", "NULL"),
        ("TIME(6)", "'-00:00:00.000001'", "'00:00:00.000001'"),
        ("ENUM('','a')", "1", "0"),
        ("ENUM('a','b')", "'a'", "'b'"),
        ("SET('','a')", "1", "0"),
        ("GEOMETRY", "ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 3)')"),
        ("JSON", "'{\"a\": 1}'", "'{\"a\": 2}'"),
        ("JSON", "'null'", "NULL"),
    ],
)
def test_two_values_that_the_server_tells_apart_are_different(
    sides: tuple[Session, Session], column: str, one: str, other: str
) -> None:
    assert compared(sides, column, one, one).equal
    assert compared(sides, column, other, other).equal
    comparison = compared(sides, column, one, other)
    assert not comparison.equal
    assert len(comparison.tables[0].differences) == 2


@pytest.mark.parametrize("sides", ["mysql"], indirect=True)  # MariaDB's JSON is text
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("JSON_OBJECT('a', 1)", "JSON_OBJECT('a', CAST(1 AS UNSIGNED))"),
        ("CAST(1 AS JSON)", "CAST(CAST(1 AS UNSIGNED) AS JSON)"),
        ("JSON_ARRAY(1, JSON_OBJECT('k\"ä', 1.5))", "JSON_ARRAY(1, JSON_OBJECT('k\"ä', 1.5e0))"),
        ("JSON_OBJECT('', DATE'2020-01-01')", "JSON_OBJECT('', '2020-01-01')"),
    ],
)
def test_json_of_the_same_text_but_other_types_is_different(
    sides: tuple[Session, Session], one: str, other: str
) -> None:
    assert compared(sides, "JSON", one, one).equal
    assert not compared(sides, "JSON", one, other).equal


@pytest.mark.parametrize("sides", ["mysql"], indirect=True)  # MariaDB's SQL has no -0.0
def test_the_sign_of_zero_is_seen(sides: tuple[Session, Session]) -> None:
    assert not compared(sides, "DOUBLE", "0.0e0", "-0.0e0").equal


def test_a_duplicate_row_is_seen_without_a_key(sides: tuple[Session, Session]) -> None:
    comparison = compared(sides, "INT", "1), (1), (2", "1), (2), (2")
    assert not comparison.equal
    assert [str(d) for d in comparison.tables[0].differences] == [
        "source has 2, target 1: c=1",
        "source has 1, target 2: c=2",
    ]


def test_the_order_of_rows_does_not_matter(sides: tuple[Session, Session]) -> None:
    assert compared(sides, "INT", "1), (2), (3", "3), (1), (2").equal


def test_few_differing_rows_are_found_in_a_large_table(sides: tuple[Session, Session]) -> None:
    here, there = sides
    many = ", ".join(f"({n})" for n in range(20_000))
    compared(sides, "INT", None, None)
    execute(here, f"INSERT INTO {HERE}.t VALUES {many}")
    execute(there, f"INSERT INTO {THERE}.t VALUES {many}")
    assert compare(here, there, {HERE: THERE}).equal
    execute(there, f"UPDATE {THERE}.t SET c = 99999 WHERE c = 777")
    (table,) = compare(here, there, {HERE: THERE}).tables
    assert (table.source_rows, table.target_rows) == (20_000, 20_000)
    assert {row.row["c"] for row in table.differences} == {"777", "99999"}


def test_definitions_are_compared_but_for_the_auto_increment(
    sides: tuple[Session, Session],
) -> None:
    here, there = sides
    compared(sides, "INT AUTO_INCREMENT PRIMARY KEY", None, None)
    execute(here, f"ALTER TABLE {HERE}.t AUTO_INCREMENT = 1000")
    assert compare(here, there, {HERE: THERE}).equal
    execute(there, f"ALTER TABLE {THERE}.t ADD UNIQUE KEY u (c)")
    comparison = compare(here, there, {HERE: THERE})
    assert not comparison.equal
    assert "only on the target: UNIQUE KEY `u` (`c`)" in str(comparison)


def test_tables_missing_on_either_side_are_named(sides: tuple[Session, Session]) -> None:
    here, there = sides
    compared(sides, "INT", "1", "1")
    execute(here, f"CREATE TABLE {HERE}.extra (c INT)", f"INSERT INTO {HERE}.extra VALUES (1)")
    execute(there, f"CREATE TABLE {THERE}.more (c INT)")
    comparison = compare(here, there, {HERE: THERE})
    assert not comparison.equal
    assert f"{HERE}.extra: DIFFERENT, rows 1 / missing" in str(comparison)
    assert f"{HERE}.more: DIFFERENT, rows missing / 0" in str(comparison)


def test_the_schema_copy_makes_the_same_definitions(sides: tuple[Session, Session]) -> None:
    here, there = sides
    drop_databases(here, [HERE, THERE])
    execute(
        here,
        f"CREATE DATABASE {HERE} COLLATE latin1_swedish_ci",
        f"CREATE TABLE {HERE}.parent (id INT PRIMARY KEY, d DATE NOT NULL"
        " DEFAULT '0000-00-00', CHECK (id > 0))",
        f"CREATE TABLE {HERE}.`a child` (id INT PRIMARY KEY, parent INT NOT NULL,"
        f" FOREIGN KEY (parent) REFERENCES {HERE}.parent (id) ON DELETE CASCADE)",
        f"CREATE TABLE {HERE}.parts (id INT NOT NULL, c INT INVISIBLE, PRIMARY KEY (id))"
        " PARTITION BY HASH (id) PARTITIONS 3",
        f"CREATE TABLE {HERE}.`key``less` (c INT)",
    )
    execute(there, "SET SESSION sql_mode = DEFAULT")
    made = copy_databases(here, there, {HERE: THERE})
    assert [table.table for table in made] == ["a child", "key`less", "parent", "parts"]
    assert compare(here, there, {HERE: THERE}).equal


@pytest.mark.parametrize(
    ("kind", "create", "other"),
    [
        ("database", "ALTER DATABASE {db} CHARACTER SET ascii", "DO 0"),
        ("view", "CREATE VIEW {db}.v AS SELECT c FROM {db}.t", "DO 0"),
        (
            "view",
            "CREATE VIEW {db}.v AS SELECT c FROM {db}.t",
            "CREATE SQL SECURITY INVOKER VIEW {db}.v AS SELECT c FROM {db}.t",
        ),
        (
            "trigger",
            "CREATE TRIGGER {db}.tr BEFORE INSERT ON {db}.t FOR EACH ROW SET NEW.c = 1",
            "CREATE TRIGGER {db}.tr BEFORE INSERT ON {db}.t FOR EACH ROW SET NEW.c = 2",
        ),
        (
            "trigger",
            "CREATE DEFINER='one'@'%' TRIGGER {db}.tr BEFORE INSERT ON {db}.t FOR EACH ROW DO 1",
            "CREATE TRIGGER {db}.tr BEFORE INSERT ON {db}.t FOR EACH ROW DO 1",
        ),
        (
            "procedure",
            "CREATE PROCEDURE {db}.p() SELECT 1",
            "CREATE PROCEDURE {db}.p() SELECT 2",
        ),
        (
            "function",
            "CREATE FUNCTION {db}.f() RETURNS INT DETERMINISTIC RETURN 1",
            "CREATE FUNCTION {db}.f() RETURNS BIGINT DETERMINISTIC RETURN 1",
        ),
    ],
)
def test_other_objects_are_compared_when_asked_for(
    sides: tuple[Session, Session], kind: str, create: str, other: str
) -> None:
    here, there = sides
    names = {HERE: THERE}
    for one, same in ((create, create), (create, other)):
        compared(sides, "INT", None, None)
        execute(here, LOOSE, one.format(db=HERE))
        execute(there, LOOSE, same.format(db=THERE))
        comparison = compare(here, there, names, objects=KINDS)
        assert comparison.equal is (one == same), comparison.differences
        assert compare(here, there, names).equal
    (found,) = [each for each in comparison.objects if not each.equal]
    assert found.kind == kind
    assert f"{kind} {HERE}" in comparison.differences


def test_a_table_may_have_another_name_on_the_target(sides: tuple[Session, Session]) -> None:
    here, there = sides
    compared(sides, "INT PRIMARY KEY", "1", "1")
    child = "CREATE TABLE {}.child (p INT, FOREIGN KEY (p) REFERENCES {} (c))"
    execute(here, child.format(HERE, f"{HERE}.t"))
    execute(there, f"RENAME TABLE {THERE}.t TO {THERE}.u", child.format(THERE, f"{THERE}.u"))
    assert not compare(here, there, {HERE: THERE}).equal
    names = {TableName(HERE, "t"): TableName(THERE, "u")}
    comparison = compare(here, there, {HERE: THERE}, tables=names)
    assert comparison.equal, comparison.differences
    assert [str(table.table) for table in comparison.tables] == [f"{HERE}.child", f"{HERE}.t"]


def test_columns_of_other_collations_are_different(sides: tuple[Session, Session]) -> None:
    here, there = sides
    assert compared(sides, "VARCHAR(9) COLLATE utf8mb4_bin", "'a'", "'a'").equal
    execute(there, f"ALTER TABLE {THERE}.t MODIFY c VARCHAR(9) COLLATE utf8mb4_general_ci")
    comparison = compare(here, there, {HERE: THERE})
    assert not comparison.equal
    assert "only on the source: `c` has utf8mb4_bin" in str(comparison)
