"""Which generated columns MySQL's applier would compute differently than the source did."""

import itertools

import pytest

from binlog_rows import Source
from mysync_schemas.generated import session_dependence

ZONES = ("+00:00", "+03:00", "-11:00")
# (column, expression, value): computed in different time zones it differs.
DEPENDENT = [
    ("ts TIMESTAMP NULL", "hour(ts)", "FROM_UNIXTIME(1577838000)"),
    ("ts TIMESTAMP NULL", "CAST(ts AS DATE)", "FROM_UNIXTIME(1577838000)"),
    ("ts TIMESTAMP NULL", "ts + 0", "FROM_UNIXTIME(1577838000)"),
    ("n INT", "FROM_UNIXTIME(n)", "1577838000"),
    ("d VARCHAR(60)", "CAST(d AS DATETIME)", "'2020-01-01 00:00:00+05:00'"),
    ("d VARCHAR(60)", "CAST(d AS DATE)", "'2020-01-01 05:00:00+05:00'"),
    ("d VARCHAR(60)", "CAST(d AS TIME)", "'2020-01-01 00:00:00+05:00'"),
    ("d VARCHAR(60)", "day(d)", "'2020-01-01 05:00:00+05:00'"),
    ("d JSON", "CAST(d->>'$.at' AS DATETIME)", """'{"at": "2020-01-01 00:00:00+05:00"}'"""),
]
INDEPENDENT = [
    ("a INT", "a * 2 + 1", "7"),
    ("a VARCHAR(60)", "CONCAT(UPPER(a), ' +05:00 ', `a`)", "'from_unixtime('"),
    ("a VARCHAR(60)", "CONCAT(a, 'day(', '2020-01-01 00:00:00')", "'x'"),
    ("a JSON", "a->>'$.b'", """'{"b": "2020-01-01 00:00:00+05:00"}'"""),
    ("d DATETIME", "CAST(d AS DATE)", "'2020-01-01 00:00:00'"),
    ("d DATE", "YEAR(d) * 100 + MONTH(d)", "'2020-01-01'"),
    ("d DATETIME(6)", "DATE_FORMAT(d, '%Y-%m-%d')", "'2020-01-01 00:00:00'"),
    ("d DATETIME", "d < '2020-01-01 00:00:00'", "'2020-01-01 00:00:00'"),
    ("t TIME", "HOUR(t)", "'11:12:13'"),
]
_numbers = itertools.count()


def computed(source: Source, column: str, expression: str, value: str) -> tuple[bool, set[str]]:
    """Whether the table is refused; what the column holds, by the zone it was computed in."""
    table = f"g{next(_numbers)}"
    source.sql(
        f"CREATE TABLE {table} ({column}, g VARCHAR(60) AS ({expression}) STORED,"
        f" zone INT PRIMARY KEY)"
    )
    name = column.split()[0]
    # What is stored of a TIMESTAMP is one moment, wherever it was written.
    ((same,),) = source.sql("SET time_zone = '+00:00'", f"SELECT {value}")
    for number, zone in enumerate(ZONES):
        source.sql(f"SET time_zone = '{zone}'", f"FLUSH TABLES {table}")
        source.sql(f"INSERT INTO {table} ({name}, zone) VALUES ({value}, {number})")
    source.sql("SET time_zone = '+00:00'")
    found = source.sql(f"SELECT {name}, g FROM {table}")
    assert len({row[0] for row in found}) == 1, (same, found)
    schema = source.describe(table)
    return bool(list(session_dependence(schema.columns, schema.keys))), {row[1] for row in found}


@pytest.mark.parametrize(("column", "expression", "value"), DEPENDENT)
def test_what_depends_on_the_time_zone_is_refused_s13(
    mysql_source: Source, column: str, expression: str, value: str
) -> None:
    refused, values = computed(mysql_source, column, expression, value)
    assert len(values) > 1
    assert refused


@pytest.mark.parametrize(("column", "expression", "value"), INDEPENDENT)
def test_what_does_not_is_replicated(
    mysql_source: Source, column: str, expression: str, value: str
) -> None:
    refused, values = computed(mysql_source, column, expression, value)
    assert len(values) == 1
    assert not refused


def reasons(source: Source, definition: str) -> list[tuple[str, str]]:
    source.sql("DROP TABLE IF EXISTS t", f"CREATE TABLE t ({definition})")
    schema = source.describe("t")
    return list(session_dependence(schema.columns, schema.keys))


def test_a_virtual_column_matters_only_where_an_index_holds_it(mysql_source: Source) -> None:
    virtual = "ts TIMESTAMP NULL, v INT AS (hour(ts)) VIRTUAL"
    assert reasons(mysql_source, virtual) == []
    ((what, why),) = reasons(mysql_source, f"{virtual}, KEY (v)")
    assert what == "column v"
    assert "TIMESTAMP" in why
    ((what, _),) = reasons(mysql_source, f"{virtual}, s INT AS (v + 1) STORED")
    assert what == "column s"
    ((what, _),) = reasons(mysql_source, "ts TIMESTAMP NULL, KEY k ((hour(ts)))")
    assert what == "index k"


@pytest.mark.parametrize("expression", ["dayname(d)", "monthname(d)", "date_format(d, '%M')"])
def test_the_locale_is_that_of_whoever_opened_the_table_so_it_is_refused(
    mysql_source: Source, expression: str
) -> None:
    ((_, why),) = reasons(mysql_source, f"d DATE, g VARCHAR(20) AS ({expression}) STORED")
    assert "lc_time_names" in why


def test_a_time_that_becomes_a_date_is_refused(mysql_source: Source) -> None:
    ((_, why),) = reasons(mysql_source, "t TIME, g DATETIME AS (CAST(t AS DATETIME)) STORED")
    assert "the day on which" in why
