"""Every column type with its edges, NULL and more than 1,000 generated values, between all pairs of
servers by both appliers: equal, or refused before anything is written. `make soak`.

One seed alone: `make soak ARGS="-k every_type --seed 3 --runs 1"`.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from every_type import crosses, named, old_types, types
from fix_own_servers import run_sql
from fix_pipeline import MakeReplica
from fix_seed import seeds
from mysync_lab.sql import SqlServer
from mysync_lab.tables import rows
from provoked import SECONDS
from refusals import SETUP
from type_tables import TypeTables, by_sql

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("own servers")]

GENERATED = 1_000

# A global variable is set where old temporals are made.
PAIRS = [
    ("mysql_a", "mysql_b"),
    ("own_mariadb", "other_mariadb"),
    ("mysql_a", "mariadb_b"),
    ("mariadb_a", "mysql_b"),
]
VIA = pytest.mark.parametrize("via", ["row_events", "sql"])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", seeds(metafunc.config, 1))


@contextmanager
def old_temporals(*servers: SqlServer) -> Iterator[None]:
    """Tables made meanwhile have them."""
    for server in servers:
        run_sql(server, "SET GLOBAL mysql56_temporal_format = OFF")
    try:
        yield
    finally:
        for server in servers:
            run_sql(server, "SET GLOBAL mysql56_temporal_format = ON")


@VIA
@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
def test_every_type_is_equal_afterwards(
    pair: tuple[str, str],
    via: str,
    seed: int,
    make_replica: MakeReplica,
    request: pytest.FixtureRequest,
) -> None:
    source, target = (request.getfixturevalue(name) for name in pair)
    r = random.Random(seed)
    mariadb, there = (server.kind == "mariadb" for server in (source, target))
    new = types(mariadb=mariadb)
    if mariadb != there:
        new = [each for each in new if crosses(each, mariadb=mariadb)]
    old = old_types() if mariadb and there else []
    found = [by_sql(each, mariadb=there) if via == "sql" else each for each in (*new, *old)]
    tables = TypeTables(named(found), source, target)
    names = list(tables.types)
    replica = make_replica(source, target, apply={"via": via, "coalesce": r.random() < 0.5})
    tables.create_databases(replica)
    tables.create(replica, names[: len(new)])
    if old:
        with old_temporals(source, target):
            tables.create(replica, names[len(new) :])
    producer = replica.pipeline.producer().start().wait_ready(600)
    consumer = replica.pipeline.consumer().start().wait_ready(300)
    tables.write(replica, r, GENERATED)
    replica.catch_up(900, [producer, consumer])
    count = tables.assert_equal(replica)
    print(
        f"\n{source.kind} to {target.kind} by {via}, seed {seed}: {len(found)} types,"
        f" {count} rows at the end: equal"
    )


# Collations are no types; the character sets that only MySQL has are among the types.
LACKING = {
    "mysql": ["VARCHAR(9) COLLATE utf8mb4_0900_ai_ci", "TEXT COLLATE utf8mb4_ja_0900_as_cs"],
    "mariadb": ["VARCHAR(9) COLLATE utf8mb4_uca1400_ai_ci", "TEXT COLLATE latin1_nopad_bin"],
}


@VIA
@pytest.mark.parametrize("pair", [("mysql_a", "mariadb_b"), ("own_mariadb", "mysql_b")])
def test_a_type_that_the_other_server_lacks_is_refused_before_anything_is_written(
    pair: tuple[str, str], via: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(name) for name in pair)
    mariadb = source.kind == "mariadb"
    new = [
        each.sql
        for each in types(mariadb=mariadb)
        if not crosses(each, mariadb=mariadb) and "surrogates" not in each.definition
    ]
    new += LACKING[source.kind]
    old = [each.sql for each in old_types()] if mariadb else []
    replica = make_replica(source, target, apply={"via": via})
    run_sql(source, f"CREATE DATABASE {replica.db}")
    tables = {f"t{number}": each for number, each in enumerate((*new, *old))}
    creates = [f"CREATE TABLE {name} (id INT PRIMARY KEY, v {of})" for name, of in tables.items()]
    replica.on_source(*creates[: len(new)])
    if old:
        with old_temporals(source):
            replica.on_source(*creates[len(new) :])
    replica.on_source(*(f"INSERT INTO {name} VALUES (1, NULL)" for name in tables))
    replica.pipeline.producer().start().wait_ready(SECONDS)
    consumer = replica.pipeline.consumer().start()
    assert consumer.wait_exit(SECONDS) == SETUP
    log = consumer.log.read_text()
    accepted = [f"{name} {of}" for name, of in tables.items() if f"{replica.db}.{name}:" not in log]
    assert not accepted
    with target.connect() as connection:
        assert not rows(connection, f"SHOW DATABASES LIKE '{replica.db}'")
        written = f"SELECT * FROM mysync.checkpoint WHERE pipeline = '{replica.pipeline.name}'"
        assert not rows(connection, written)
    print(f"\n{source.kind} to {target.kind} by {via}: {len(tables)} refused")
