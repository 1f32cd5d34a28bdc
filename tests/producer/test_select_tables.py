"""Tables of every kind, read by SELECT: hidden columns, versions, sequences, long rows."""

import random

import pytest

from binlog_rows import Source
from mysync_producer.rowerrors import NotReadable
from mysync_producer.selectlist import select_list
from producer.select_rig import assert_same, selected

COMMON = {
    "generated": (
        "(id INT PRIMARY KEY, a INT, v INT AS (a + 1), s CHAR(9) AS (HEX(a)) STORED, t TEXT)",
        "(id, a, t) VALUES (1, 2, 'x'), (2, NULL, NULL), (3, -5, '')",
    ),
    "invisible": ("(id INT PRIMARY KEY, a INT INVISIBLE, b INT)", "(id, a, b) VALUES (1, 2, 3)"),
    "keyless": (
        "(a INT, b TEXT, c DOUBLE)",
        "VALUES (1, 'a', 1.5), (1, 'a', 1.5), (2, NULL, NULL)",
    ),
    "odd names": (
        "(`a``b` INT PRIMARY KEY, `t` INT, `v` TEXT, `n€ä` DATE)",
        "VALUES (1, 2, 'x', 0)",
    ),
    "prefix key": ("(a BLOB, b INT, PRIMARY KEY (a(4)))", "VALUES ('abc', 1), ('bbcdef', 2)"),
    "no columns that are NULL": (
        "(id INT PRIMARY KEY, a INT NOT NULL, b CHAR(3) NOT NULL)",
        "VALUES (1, 1, ''), (2, 2, '  ')",
    ),
    "secondary key routing": (
        "(id INT NOT NULL UNIQUE, a VARCHAR(20) UNIQUE, b INT)",
        "VALUES (1, 'a', 1), (2, NULL, 2)",
    ),
}
MYSQL = {
    "odd names in documents": (
        "(`a``b` INT PRIMARY KEY, `t` JSON, `v` JSON, `n` JSON)",
        """VALUES (1, '{"a": [1, {"v": 2}]}', '[1, [], {"": null}]', NULL)""",
    ),
    "a generated document": (
        "(id INT PRIMARY KEY, a DECIMAL(9,2), v JSON AS (JSON_ARRAY(id, CAST(id AS UNSIGNED))))",
        "(id, a) VALUES (1, 1), (70000, 2)",
    ),
    "keyless documents": (
        "(a INT, j JSON)",
        """VALUES (1, '{"a": [1.5, 9999999999]}'), (2, '[]')""",
    ),
}
NAMED_PERIOD = """(
    id INT, a INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START INVISIBLE,
    e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(s, e), PRIMARY KEY (id, e)
) WITH SYSTEM VERSIONING"""
MARIADB = {
    "versioned": ("(id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING", "VALUES (1, 2), (3, 4)"),
    "versioned by named columns": (NAMED_PERIOD, "(id, a) VALUES (1, 2), (3, 4)"),
    "compressed": (
        "(id INT PRIMARY KEY, a TEXT COMPRESSED, b VARBINARY(9) COMPRESSED)",
        "VALUES (1, REPEAT('x', 65535), 'y'), (2, '', ''), (3, NULL, REPEAT('z', 9))",
    ),
}


@pytest.mark.parametrize("kind", COMMON | MYSQL | MARIADB)
def test_rows_of_a_table(source: Source, kind: str) -> None:
    known = COMMON | (MARIADB if source.mariadb else MYSQL)
    if kind not in known:
        pytest.skip("the other server's")
    columns, rows = known[kind]
    source.sql("SET sql_mode = ''", "DROP TABLE IF EXISTS t", f"CREATE TABLE t {columns}")
    assert_same(source, "t", source.capture(f"INSERT INTO t {rows}"))


def test_a_primary_key_that_the_server_made(mysql_source: Source) -> None:
    source = mysql_source
    source.sql(
        "SET sql_generate_invisible_primary_key = ON",
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (a INT)",
        "SET sql_generate_invisible_primary_key = OFF",
        "SET show_gipk_in_create_table_and_information_schema = ON",
    )
    assert_same(source, "t", source.capture("INSERT INTO t VALUES (5), (NULL)"))


def test_all_versions_of_a_row_are_read(mariadb_source: Source) -> None:
    source = mariadb_source
    source.sql(
        "DROP TABLE IF EXISTS t",
        "CREATE TABLE t (id INT PRIMARY KEY, a INT) WITH SYSTEM VERSIONING",
        "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
        "UPDATE t SET a = a + 1 WHERE id < 3",
        "DELETE FROM t WHERE id = 1",
    )
    assert len(selected(source, source.describe("t"))) == 5


def test_a_sequence_is_read(mariadb_source: Source) -> None:
    source = mariadb_source
    options = "START -5 INCREMENT -3 MINVALUE -100 MAXVALUE -1 CYCLE"
    source.sql("DROP SEQUENCE IF EXISTS numbers", f"CREATE SEQUENCE numbers {options}")
    assert_same(source, "numbers", source.capture("SELECT NEXTVAL(numbers)"))


@pytest.mark.parametrize("count", [7, 8, 9, 64, 300])
def test_tables_of_many_columns(source: Source, count: int) -> None:
    r = random.Random(count)
    listed = ", ".join(f"c{i} {r.choice(('INT', 'TEXT', 'DATE'))}" for i in range(count))
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({listed})")
    rows = (
        f"({', '.join(r.choice(('NULL', '20240229')) for _ in range(count))})" for _ in range(9)
    )
    assert_same(source, "t", source.capture(f"INSERT INTO t VALUES {', '.join(rows)}"))


def test_values_of_every_size(source: Source) -> None:
    """Lengths of one, three, four and nine bytes; rows in one packet, and just in two."""
    source.sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (id INT PRIMARY KEY, a LONGBLOB)")
    most = 0xFFFFFF  # of a packet, that has the key's two bytes and a length of four
    sizes = (0, 250, 251, 252, 0xFFFF, 0x10000, most - 7, most - 6, most)
    rows = ", ".join(f"({i}, REPEAT('x', {size}))" for i, size in enumerate(sizes))
    assert_same(source, "t", source.capture(f"INSERT INTO t VALUES {rows}"), "ORDER BY id")


@pytest.mark.parametrize("kind", ["ENUM", "SET"])
def test_labels_that_the_definition_shows_as_a_question_mark(source: Source, kind: str) -> None:
    source.sql("SET sql_mode = ''", "DROP TABLE IF EXISTS t")
    labels = f"{kind}('a', '?', 'b?', X'80') CHARACTER SET utf8mb4"
    source.sql(f"CREATE TABLE t (id INT PRIMARY KEY, a {labels})")
    events = source.capture("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, NULL), (5, 0)")
    assert_same(source, "t", events)
    source.sql("INSERT INTO t VALUES (6, 4)" if kind == "ENUM" else "INSERT INTO t VALUES (6, 9)")
    with pytest.raises(NotReadable, match=r"t, column a: .* label that isn't text"):
        selected(source, source.describe("t"))


def test_the_hash_of_a_long_unique_key_is_refused(mariadb_source: Source) -> None:
    source = mariadb_source
    source.sql("DROP TABLE IF EXISTS t", "CREATE TABLE t (id INT PRIMARY KEY, a TEXT UNIQUE)")
    with pytest.raises(NotReadable, match="DB_ROW_HASH_1"):
        select_list(source.describe("t"), mariadb=True)


DECIMALS = "JSON_ARRAY(CAST('1.50' AS DECIMAL(10, 2)))"


def test_a_document_whose_stored_form_matters_is_refused(mysql_source: Source) -> None:
    source = mysql_source
    source.sql(
        "DROP TABLE IF EXISTS t", "CREATE TABLE t (j JSON)", f"INSERT INTO t VALUES ({DECIMALS})"
    )
    with pytest.raises(NotReadable, match=r"t, column j: .* DECIMAL"):
        selected(source, source.describe("t"))
    source.sql("ALTER TABLE t ADD id INT PRIMARY KEY AUTO_INCREMENT")
    assert len(selected(source, source.describe("t"))) == 1
