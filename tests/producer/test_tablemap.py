"""TABLE_MAP bodies of real servers, whole and damaged."""

import random

import pytest

from binlog_rows import Source
from mysync_producer.rowerrors import CorruptTableMap
from mysync_producer.tablemap import ColumnType, TableMap, parse_table_map

COLUMNS = """
    a TINYINT UNSIGNED NOT NULL, b SMALLINT, c MEDIUMINT UNSIGNED, d INT NOT NULL,
    e BIGINT UNSIGNED, f FLOAT UNSIGNED, g DOUBLE, h DECIMAL(20,5) UNSIGNED, i YEAR, j BIT(13),
    k DATE, l DATETIME(3), m TIMESTAMP(6) NULL, n TIME(1), o CHAR(255),
    p VARCHAR(300) CHARACTER SET latin1,
    q BINARY(7), r TEXT CHARACTER SET latin1 COLLATE latin1_bin, s MEDIUMBLOB,
    t ENUM('ä','b') CHARACTER SET latin1, u SET('x','','z'), v GEOMETRY,
    w POINT NOT NULL, x VARCHAR(10) CHARACTER SET ascii, y LONGTEXT, z ENUM('only')
"""


def one_map(source: Source, table: str, columns: str, values: str) -> tuple[TableMap, bytes]:
    source.sql(
        "SET sql_mode = ''",
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} ({columns}) CHARACTER SET utf8mb4",
    )
    (event,) = source.capture(f"INSERT INTO {table} {values}")
    return event.table_map, event.table_map_body


def wide(source: Source) -> tuple[TableMap, bytes]:
    columns = COLUMNS + ", PRIMARY KEY (d, a), KEY (p(10))"
    return one_map(source, "wide", columns, "(d, w) VALUES (1, POINT(1, 2))")


def test_types_and_metadata_are_those_of_the_columns(source: Source) -> None:
    found, _ = wide(source)
    assert " ".join(ColumnType(code).name for code in found.types) == (
        "TINY SHORT INT24 LONG LONGLONG FLOAT DOUBLE NEWDECIMAL YEAR BIT DATE DATETIME2 TIMESTAMP2 "
        "TIME2 STRING VARCHAR STRING BLOB BLOB ENUM SET GEOMETRY GEOMETRY VARCHAR BLOB ENUM"
    )
    assert (found.db, found.table, found.columns) == (source.db, "wide", 26)
    meta = dict(zip(found.names, found.metas, strict=True))
    assert (meta["f"], meta["g"]) == (4, 8)
    assert (meta["h"] & 255, meta["h"] >> 8) == (20, 5)
    assert (meta["j"] & 255, meta["j"] >> 8) == (5, 1)
    assert (meta["l"], meta["m"], meta["n"]) == (3, 6, 1)
    assert meta["p"] == 300
    assert (meta["r"], meta["s"], meta["y"]) == (2, 3, 4)


def test_names_signs_and_nullability_are_said_for_every_column(source: Source) -> None:
    found, _ = wide(source)
    assert "".join(found.names) == "abcdefghijklmnopqrstuvwxyz"
    unsigned = {name for name, flag in zip(found.names, found.unsigned, strict=True) if flag}
    numeric = {n for n, flag in zip(found.names, found.unsigned, strict=True) if flag is not None}
    assert unsigned == set("acefhi")
    assert numeric == set("abcdefghi")
    not_null = {name for name, flag in zip(found.names, found.nullable, strict=True) if not flag}
    assert not_null == set("adw")


def test_signs_are_not_shifted_by_columns_that_have_none(source: Source) -> None:
    columns = (
        "a BIT(3), b INT UNSIGNED, c DATE, d INT, e YEAR, f INT UNSIGNED, g TIME, h INT, "
        "i DATETIME, j INT UNSIGNED, k TIMESTAMP NULL, l INT, m ENUM('x'), n INT UNSIGNED, "
        "o SET('x'), p INT, q BLOB, r INT UNSIGNED, s VARCHAR(3), t INT, u CHAR(3), "
        "v INT UNSIGNED, w POINT, x INT"
    )
    found, _ = one_map(source, "signs", columns, "() VALUES ()")
    unsigned = {name for name, flag in zip(found.names, found.unsigned, strict=True) if flag}
    assert unsigned == set("befjnrv")


def test_collations_and_labels_belong_to_their_columns(source: Source) -> None:
    found, _ = wide(source)
    ids = dict(zip(found.names, found.collations, strict=True))
    utf8mb4 = 45 if source.mariadb else 255
    assert (ids["o"], ids["u"], ids["y"], ids["z"]) == (utf8mb4, utf8mb4, utf8mb4, utf8mb4)
    assert (ids["p"], ids["r"], ids["t"], ids["x"]) == (8, 47, 8, 11)
    assert (ids["q"], ids["s"]) == (63, 63)
    assert ids["a"] is None
    labels = dict(zip(found.names, found.labels, strict=True))
    assert labels["t"] == (b"\xe4", b"b")
    assert labels["u"] == (b"x", b"", b"z")
    assert labels["z"] == (b"only",)
    assert labels["o"] is None


def test_the_primary_key_keeps_its_order(source: Source) -> None:
    found, _ = wide(source)
    assert found.primary_key == ((3, 0), (0, 0))


def test_a_primary_key_of_prefixes_says_their_lengths(source: Source) -> None:
    columns = "a INT, b VARCHAR(40), c BLOB, PRIMARY KEY (c(5), b(10), a)"
    found, _ = one_map(source, "prefixed", columns, "VALUES (1, 'b', 'c')")
    # In octets of the longest characters, as the server keeps them.
    assert [column for column, _ in found.primary_key] == [2, 1, 0]
    assert found.primary_key[0][1] == 5
    assert found.primary_key[2][1] == 0


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"], ids=["one default", "one each"])
def test_collations_are_not_shifted_by_vectors(mysql_source: Source, charset: str) -> None:
    """MySQL counts a VECTOR among the columns that have a character set."""
    text = "VARCHAR(3) CHARACTER SET"
    columns = f"a VECTOR(1), b {text} latin1, c VECTOR(1), d {text} {charset}, e {text} ascii"
    found, _ = one_map(mysql_source, "vectors", columns, "() VALUES ()")
    assert found.collations == (63, 8, 63, {"latin1": 8, "utf8mb3": 33}[charset], 11)


def test_invisible_columns_and_vectors_are_known_on_mysql(mysql_source: Source) -> None:
    columns = "a INT INVISIBLE, b VECTOR(4), c INT, d VECTOR(7)"
    found, _ = one_map(mysql_source, "hidden", columns, "(c) VALUES (1)")
    assert found.visible == (False, True, True, True)
    assert found.dimensions == (None, 4, None, 7)


def test_a_generated_invisible_primary_key_is_a_column(mysql_source: Source) -> None:
    mysql_source.sql("SET sql_generate_invisible_primary_key = ON")
    found, _ = one_map(mysql_source, "gipk", "c INT", "VALUES (1)")
    mysql_source.sql("SET sql_generate_invisible_primary_key = OFF")
    assert found.names == ("my_row_id", "c")
    assert found.visible == (False, True)


def test_a_thousand_columns_are_read(source: Source) -> None:
    columns = ", ".join(
        f"c{i} {('INT', 'CHAR(1)', 'BLOB', 'TINYINT', 'DATE')[i % 5 if i < 400 else 0]}"
        for i in range(1000)
    )
    found, _ = one_map(source, "thousand", columns, "() VALUES ()")
    assert found.columns == 1000
    assert found.names[999] == "c999"
    assert len(found.collations) == 1000


def test_without_full_metadata_nothing_is_guessed(source: Source) -> None:
    setting = "NO_LOG" if source.mariadb else "MINIMAL"
    source.sql(f"SET GLOBAL binlog_row_metadata = {setting}")
    try:
        found, _ = one_map(source, "bare", "a INT UNSIGNED, b ENUM('x')", "VALUES (1, 'x')")
    finally:
        source.sql("SET GLOBAL binlog_row_metadata = FULL")
    assert found.names == ()
    assert found.labels == ()
    assert found.unsigned == (() if source.mariadb else (True, None))


def test_a_body_cut_anywhere_is_corrupt(source: Source) -> None:
    _, body = wide(source)
    whole = []
    for size in range(len(body)):
        try:
            parse_table_map(body[:size], mariadb=source.mariadb)
        except CorruptTableMap:
            continue
        whole.append(size)
    # A cut between two optional fields can't be told from a server that logs fewer of them.
    assert len(whole) < 12


def test_damaged_bodies_are_read_or_refused(source: Source) -> None:
    _, body = wide(source)
    chance = random.Random(20_240_229)
    for _ in range(3000):
        damaged = bytearray(body)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            found = parse_table_map(bytes(damaged), mariadb=source.mariadb)
        except CorruptTableMap:
            continue
        assert len(found.metas) == len(found.nullable) == found.columns


@pytest.mark.parametrize("code", sorted(set(range(256)) - set(ColumnType)))
def test_an_unknown_column_type_is_refused(code: int) -> None:
    body = bytes(8) + b"\x01d\0\x01t\0\x01" + bytes([code]) + b"\0\0"
    with pytest.raises(CorruptTableMap, match=f"unknown type {code}"):
        parse_table_map(body)


def test_an_unknown_optional_field_is_refused() -> None:
    body = bytes(8) + b"\x01d\0\x01t\0\x01\x03\0\0" + b"\x0e\x01\0"
    with pytest.raises(CorruptTableMap, match="field 14"):
        parse_table_map(body)
