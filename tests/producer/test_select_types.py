"""Rows read by SELECT become the same records as the rows of the log, whatever their types."""

import random
from collections.abc import Iterator, Sequence
from types import ModuleType

import pytest

from binlog_rows import Source
from every_type import Type, old_types, types
from mysync_lab.workload import values
from producer.select_rig import assert_same, read_images

GENERATED = 12
IN_A_TABLE = 6


@pytest.fixture(scope="module")
def mode(source: Source) -> Source:
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'")
    return source


def columns(listed: Sequence[Type]) -> Iterator[str]:
    for i, each in enumerate(listed):
        yield f"v{i} {each.sql} NULL"
        yield f"w{i} {each.sql} NOT NULL"


def together(listed: Sequence[Type]) -> Iterator[Sequence[Type]]:
    for at in range(0, len(listed), IN_A_TABLE):
        yield listed[at : at + IN_A_TABLE]


def check(source: Source, listed: Sequence[Type], r: random.Random, pure: ModuleType) -> None:
    """A table with the types, each in a NULL and a NOT NULL column."""
    source.sql(
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(columns(listed))})",
    )
    found = [[*each.edges, *(each.literal(r) for _ in range(GENERATED))] for each in listed]
    count = max(map(len, found)) + 1
    rows = []
    for i in range(count):
        row = [str(i)]
        for literals in found:
            row += ["NULL" if i == 0 else literals[(i - 1) % len(literals)]]
            row += [literals[i % len(literals)]]
        rows.append(f"({', '.join(row)})")
    events = source.capture(f"INSERT IGNORE INTO t VALUES {', '.join(rows)}")
    assert_same(source, "t", events, "ORDER BY id")
    schema = source.describe("t")
    assert read_images(source, schema, images=pure.RowImages) == read_images(source, schema)


@pytest.mark.parametrize("seed", [1])
def test_values_of_every_type(mode: Source, pure_images: ModuleType, seed: int) -> None:
    r = random.Random(seed)
    for listed in together(types(mariadb=mode.mariadb)):
        check(mode, listed, r, pure_images)


@pytest.mark.parametrize("seed", [1])
def test_values_in_mariadb_s_old_formats(
    mariadb_source: Source, pure_images: ModuleType, seed: int
) -> None:
    r = random.Random(seed)
    source = mariadb_source
    source.sql(f"SET sql_mode = '{values.SQL_MODE}'", "SET GLOBAL mysql56_temporal_format = OFF")
    try:
        for listed in together(old_types()):
            check(source, listed, r, pure_images)
    finally:
        source.sql("SET GLOBAL mysql56_temporal_format = ON")
