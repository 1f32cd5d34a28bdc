"""Rows read by SELECT become the same records as the rows of the log, whatever their type."""

import random

import pytest

from binlog_rows import Source
from every_type import Type, old_types, types
from mysync_lab.workload import values
from producer.select_rig import assert_same

GENERATED = 25


@pytest.fixture(scope="module")
def mode(source: Source) -> Source:
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'")
    return source


def check(source: Source, each: Type, r: random.Random, number: int) -> None:
    """A table with the type in a NULL and a NOT NULL column."""
    table = f"t{number}"
    source.sql(
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, v {each.sql} NULL, w {each.sql} NOT NULL)",
    )
    found = [*each.edges, *(each.literal(r) for _ in range(GENERATED))]
    turned = found[1:] + found[:1]
    rows = [f"({i}, {v}, {w})" for i, (v, w) in enumerate(zip(found, turned, strict=True))]
    rows.append(f"({len(rows)}, NULL, {found[0]})")
    events = source.capture(f"INSERT IGNORE INTO {table} VALUES {', '.join(rows)}")
    assert_same(source, table, events, "ORDER BY id")
    source.sql(f"DROP TABLE {table}")


@pytest.mark.parametrize("seed", [1])
def test_values_of_every_type(mode: Source, seed: int) -> None:
    r = random.Random(seed)
    for number, each in enumerate(types(mariadb=mode.mariadb)):
        check(mode, each, r, number)


@pytest.mark.parametrize("seed", [1])
def test_values_in_mariadb_s_old_formats(mariadb_source: Source, seed: int) -> None:
    r = random.Random(seed)
    source = mariadb_source
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'", "SET GLOBAL mysql56_temporal_format = OFF")
    try:
        for number, each in enumerate(old_types()):
            check(source, each, r, number)
    finally:
        source.sql("SET GLOBAL mysql56_temporal_format = ON")
