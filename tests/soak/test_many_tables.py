"""A source with many small tables reaches an empty target, while some are written.
`make soak ARGS="tests/soak/test_many_tables.py -s"`."""

import time

import pytest

from fix_pipeline import MakeReplica
from mysync_lab.tables import execute
from transfer_rig import fresh, transfers, wait_done

pytestmark = pytest.mark.soak

TABLES = 1_500
PATIENCE = 1_800


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_many_tables_are_transferred(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """Every tenth has a child, whose rows go with the parent's."""
    replica = fresh(make_replica, kind, request)
    with replica.source.connect(database=replica.db) as session:
        for number in range(TABLES):
            child = number % 10 == 9
            more = f", FOREIGN KEY (n) REFERENCES t{number - 1} (id) ON DELETE CASCADE"
            execute(
                session,
                f"CREATE TABLE t{number} (id INT PRIMARY KEY, n INT{more if child else ''})",
                f"INSERT INTO t{number} VALUES (1, 1), (2, 2), (3, NULL)",
            )
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    writes, began = 0, time.monotonic()
    joined: float | None = None

    def write() -> None:
        nonlocal writes, joined
        if joined is None and transfers(producer):
            joined = time.monotonic() - began
        number = writes * 7 % TABLES
        replica.on_source(
            f"DELETE FROM t{number} WHERE id = {writes % 4}",
            f"INSERT INTO t{number} VALUES ({writes + 10}, {writes % 4 if number % 10 != 9 else 3})"
            " ON DUPLICATE KEY UPDATE n = NULL",
        )
        writes += 1

    producer.start()
    consumer.start()
    wait_done(replica, producer, PATIENCE, write)
    replica.catch_up(PATIENCE)
    assert "starting over" not in producer.log_tail(1_000_000)
    replica.assert_equal()
    print(
        f"\n{kind}: {TABLES} tables joined after {joined or 0:.0f} s, had everything after"
        f" {time.monotonic() - began:.0f} s, {2 * writes} writes meanwhile"
    )
