"""Random DDL among DML can be replicated by the servers' own means, and is of every kind."""

from collections import Counter

import pytest

from mysync_lab.catchup import binlog_end
from mysync_lab.compare import compare
from mysync_lab.lab import Lab
from mysync_lab.schema_copy import drop_databases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, rows
from mysync_lab.workload.ddl import SchemaChanges
from mysync_lab.workload.ddlkinds import kinds

OBJECTS = ("database", "view", "trigger")
STEPS = 400
DB = "ddl_workload"


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request: pytest.FixtureRequest, private_lab: Lab) -> tuple[SqlServer, SqlServer]:
    """A source, and a replica of it that applies what the source logs from now on."""
    for name in ("from", "to"):
        private_lab.add(name, request.param, ["--max-connections=50"])
    private_lab.up("from", "to")
    source, replica = private_lab.mysql("from"), private_lab.mysql("to")
    with source.connect() as s, replica.connect() as r:
        _, file, pos = end_of(s)
        word = "MASTER" if request.param == "mariadb" else "SOURCE"
        change = "MASTER" if request.param == "mariadb" else "REPLICATION SOURCE"
        said = {
            "HOST": "'127.0.0.1'", "PORT": source.port, "USER": f"'{source.user}'",
            "PASSWORD": f"'{source.password}'", "LOG_FILE": f"'{file}'", "LOG_POS": pos,
        }  # fmt: skip
        options = ", ".join(f"{word}_{name} = {value}" for name, value in said.items())
        options += ", MASTER_USE_GTID = no" if word == "MASTER" else ", GET_SOURCE_PUBLIC_KEY = 1"
        execute(r, f"CHANGE {change} TO {options}", "START REPLICA")
    return source, replica


def end_of(session: Session) -> tuple[object, str, int]:
    end = binlog_end(session)
    return end, f"binlog.{end.number:06}", end.pos


def wait_for_replica(source: Session, replica: Session, *, mariadb: bool) -> None:
    _, file, pos = end_of(source)
    function = "MASTER_POS_WAIT" if mariadb else "SOURCE_POS_WAIT"
    ((reached,),) = rows(replica, f"SELECT {function}('{file}', {pos}, 120)")
    with replica.cursor() as cursor:
        cursor.execute("SHOW REPLICA STATUS")
        names = [column[0] for column in cursor.description]
        status = dict(zip(names, cursor.fetchone() or (), strict=True))
    assert reached is not None, status["Last_SQL_Error"]
    assert reached >= 0, status["Last_SQL_Error"]


@pytest.mark.parametrize("seed", [1])
def test_the_servers_own_replication_carries_it(
    seed: int, pair: tuple[SqlServer, SqlServer]
) -> None:
    source, replica = pair
    mariadb = source.kind == "mariadb"
    changes = SchemaChanges(source.connect, DB, seed=seed, mariadb=mariadb, steps=STEPS, writes=80)
    with source.connect() as s, replica.connect() as r:
        changes.create(s)
        counts = changes.start().wait(200)
        wait_for_replica(s, r, mariadb=mariadb)
        found = compare(s, r, changes.databases, objects=OBJECTS)
    print(f"\n{source.kind}: {counts}\n{counts.statements}")
    assert found.equal, found.differences
    assert len(found.tables) > 5
    assert found.rows > 100
    assert counts.total >= STEPS * 0.9
    assert counts.refused.total() < 0.1 * STEPS, counts.refusals
    assert counts.stale > 0
    assert counts.on_purpose > 0


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_every_kind_of_statement_occurs_and_few_are_refused(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: SqlServer = request.getfixturevalue(f"{kind}_a")
    seen: Counter[str] = Counter()
    refusals: list[str] = []
    with server.connect() as session:
        for seed in range(4):
            changes = SchemaChanges(
                server.connect, f"{DB}_{seed}", seed=seed, mariadb=kind == "mariadb", steps=500
            )
            drop_databases(session, changes.databases)
            changes.create(session)
            counts = changes.start().wait(200)
            drop_databases(session, changes.databases)
            seen += counts.statements
            refusals += counts.refusals
    assert set(kinds(mariadb=kind == "mariadb")) == set(seen)
    assert len(refusals) < 0.1 * seen.total(), refusals


def test_without_writers_the_statements_depend_on_the_seed_alone(mysql_a: SqlServer) -> None:
    found = []
    with mysql_a.connect() as session:
        for _ in range(2):
            changes = SchemaChanges(
                mysql_a.connect, f"{DB}_same", seed="same", mariadb=False, steps=80, writers=0
            )
            drop_databases(session, changes.databases)
            changes.create(session)
            counts = changes.start().wait(100)
            found.append((counts.statements, definitions(session, changes)))
            drop_databases(session, changes.databases)
    assert found[0] == found[1]


def definitions(session: Session, changes: SchemaChanges) -> list[tuple[object, ...]]:
    return rows(
        session,
        "SELECT table_schema, table_name, column_name, column_type FROM information_schema.columns"
        " WHERE table_schema IN %s ORDER BY 1, 2, ordinal_position",
        [changes.databases],
    )
