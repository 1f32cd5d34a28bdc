"""What stops the producer: by name, by place, with what to do, and nothing of it published."""

import pytest

from fix_capture import MakePublished
from mysync_lab.sql import SqlServer
from published import assert_in_order

pytestmark = pytest.mark.xdist_group("own servers")

ITEMS = "CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(40), doc JSON)"
FIRST = "INSERT INTO items VALUES (1, 'first', '{\"a\": 1, \"b\": 2}')"

# What the source does; words that the message must have.
MYSQL = {
    "DDL on a replicated table": (
        ["ALTER TABLE items ADD COLUMN c INT"],
        ["DdlInStream", "items", "ALTER TABLE items ADD COLUMN c INT", "begin again"],
    ),
    "a new table that the filters include": (
        ["CREATE TABLE more (id INT PRIMARY KEY)"],
        ["DdlInStream", "more", "begin again"],
    ),
    "TRUNCATE": (["TRUNCATE items"], ["DdlInStream", "items"]),
    "DROP DATABASE": (
        ["DROP DATABASE {db}", "CREATE DATABASE {db}"],
        ["DdlInStream", "database {db}"],
    ),
    "a routine in a replicated database": (
        ["CREATE PROCEDURE p() SELECT 1"],
        ["DdlInStream", "{db}"],
    ),
    "CREATE TABLE AS SELECT": (["CREATE TABLE copy AS SELECT * FROM items"], ["DdlInStream"]),
    "statement format": (
        ["SET SESSION binlog_format = 'STATEMENT'", "UPDATE items SET name = 'x'"],
        ["UnsupportedEvent", "UPDATE items SET name = 'x'", "binlog_format=ROW"],
    ),
    "a minimal row image": (
        ["SET SESSION binlog_row_image = 'MINIMAL'", "UPDATE items SET name = 'x'"],
        ["MinimalImage", "items", "binlog_row_image=FULL"],
    ),
    "a partial JSON update": (
        [
            "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
            "UPDATE items SET doc = JSON_SET(doc, '$.a', 7)",
        ],
        ["UnsupportedEvent", "PARTIAL_UPDATE_ROWS (39)", "binlog_row_value_options"],
    ),
    "a compressed transaction": (
        ["SET SESSION binlog_transaction_compression = ON", "UPDATE items SET name = 'x'"],
        ["UnsupportedEvent", "TRANSACTION_PAYLOAD (40)", "binlog_transaction_compression=OFF"],
    ),
    "an XA transaction": (
        [
            "XA START 'x'",
            "INSERT INTO items (id) VALUES (2)",
            "XA END 'x'",
            "XA PREPARE 'x'",
            "XA COMMIT 'x'",
        ],
        ["UnsupportedEvent", "XA"],
    ),
    "rows without column names": (
        ["SET GLOBAL binlog_row_metadata = 'MINIMAL'", "INSERT INTO items (id) VALUES (2)"],
        ["UnsupportedEvent", "items", "column names", "binlog_row_metadata=FULL"],
    ),
}

MARIADB = {
    "a compressed event": (
        [
            "SET GLOBAL log_bin_compress = ON",
            "SET GLOBAL log_bin_compress_min_len = 10",
            "INSERT INTO items VALUES (2, REPEAT('x', 40), NULL)",
        ],
        ["UnsupportedEvent", "COMPRESSED", "log_bin_compress=OFF"],
    ),
    "an XA transaction": (
        [
            "XA START 'x'",
            "INSERT INTO items (id) VALUES (2)",
            "XA END 'x'",
            "XA PREPARE 'x'",
            "XA COMMIT 'x'",
        ],
        ["UnsupportedEvent", "XA"],
    ),
    "DDL on a replicated table": (
        ["SET STATEMENT max_statement_time=10 FOR ALTER TABLE items ADD COLUMN c INT"],
        ["DdlInStream", "items", "begin again"],
    ),
}


def stops(
    make_published: MakePublished,
    source: SqlServer,
    statements: list[str],
    words: list[str],
    restore: str,
) -> None:
    published = make_published(source=source)
    published.on_source(ITEMS)
    published.start()
    try:
        published.on_source(FIRST, *(s.format(db=published.db) for s in statements))
        said = published.ends_with(4)
    finally:
        published.on_source(restore)
    for word in words:
        assert word.format(db=published.db) in said, said
    assert "Traceback" not in published.producer.log_tail(40)
    topics = published.topics()
    assert_in_order(topics)
    assert [row.value["after"]["id"] for row in topics.rows()] == [1]
    assert not any(state.get("rows_done") for state in topics.states)
    # A restart finds the same in the log, and nothing is doubled.
    published.producer.start()
    published.ends_with(4)
    assert len(published.topics().rows()) == 1


@pytest.mark.parametrize("case", MYSQL)
def test_mysql_stops_at(case: str, make_published: MakePublished, own_mysql: SqlServer) -> None:
    stops(make_published, own_mysql, *MYSQL[case], "SET GLOBAL binlog_row_metadata = 'FULL'")


@pytest.mark.parametrize("case", MARIADB)
def test_mariadb_stops_at(case: str, make_published: MakePublished, own_mariadb: SqlServer) -> None:
    stops(make_published, own_mariadb, *MARIADB[case], "SET GLOBAL log_bin_compress = OFF")
