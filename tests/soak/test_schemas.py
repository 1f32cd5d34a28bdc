"""Random tables of every kind with random rows, hundreds at a start of a pipeline. `make soak`.

One seed alone: `make soak ARGS="-k random_tables --seed 3 --runs 1"`. Half of the seeds run from
MySQL, half from MariaDB.
"""

import random

import pytest

from fix_pipeline import MakeReplica
from fix_seed import seeds
from mysync_lab.tables import execute, rows
from mysync_lab.workload import values
from mysync_lab.workload.schemas import RandomSchema

pytestmark = pytest.mark.soak


TABLES = 250
ROWS = 150  # inserted into each, before changes and duplicates


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, 40))


def test_random_tables_with_random_rows_are_equal(
    run: int, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    names = ("mysql_a", "mysql_b") if run % 2 else ("mariadb_a", "mariadb_b")
    source, target = (request.getfixturevalue(name) for name in names)
    r = random.Random(run)
    replica = make_replica(source, target, apply={"coalesce": r.random() < 0.5})
    with source.connect() as connection:
        execute(connection, f"CREATE DATABASE {replica.db}")
        schema = RandomSchema.on(connection, replica.db, r)
        tables = schema.create(connection, TABLES)
        replica.copy_schema()
        producer = replica.pipeline.producer().start().wait_ready(600)
        consumer = replica.pipeline.consumer().start().wait_ready(300)
        execute(connection, f"SET sql_mode = '{values.SQL_MODE}', time_zone = '+00:00'")
        histories = [table.changes(r, ROWS) for table in tables]
        done = 0
        while histories:
            history = r.choice(histories)
            statement = next(history, None)
            if statement is None:
                histories.remove(history)
                continue
            execute(connection, statement)
            done += 1
        count = sum(
            rows(connection, f"SELECT COUNT(*) FROM {table.name.quoted}")[0][0] for table in tables
        )
    replica.catch_up(600, [producer, consumer])
    replica.assert_equal()
    print(
        f"\nseed {run}: {len(tables)} tables ({len(schema.refused)} refused by the server),"
        f" {done} statements, {count} rows at the end: equal"
    )
