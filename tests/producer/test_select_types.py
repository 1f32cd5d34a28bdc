"""Rows read by SELECT become the same records as the rows of the log, whatever their type."""

import random

import pytest

from binlog_rows import Source
from every_type import Type, old_types, types
from mysync_lab.workload import values
from producer.select_rig import logged, selected

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
    rows = [f"({i}, {v}, {w})" for i, (v, w) in enumerate(zip(found, found[1:] + found[:1]))]
    rows.append(f"({len(rows)}, NULL, {found[0]})")
    events = source.capture(f"INSERT IGNORE INTO {table} VALUES {', '.join(rows)}")
    schema = source.describe(table)
    assert selected(source, schema, "ORDER BY id") == logged(source, schema, events), each
    source.sql(f"DROP TABLE {table}")


def test_values_of_every_type(mode: Source) -> None:
    r = random.Random(1)
    failures = []
    for number, each in enumerate(types(mariadb=mode.mariadb)):
        try:
            check(mode, each, r, number)
        except Exception as error:
            failures.append((each.definition, type(error).__name__, str(error)[:300]))
    for f in failures: print(f)
    assert not failures, len(failures)
