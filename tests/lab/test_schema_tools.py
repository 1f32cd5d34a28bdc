"""The schema tools' statements really alter a table under load, losing and inventing nothing."""

import os

import pytest

from mysync_lab.layout import wait_until
from mysync_lab.schema_copy import drop_databases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, rows
from mysync_lab.workload.writers import Writers
from schema_tools import CREATE, TABLE, GhOst, Load, PtOsc, fill, is_migrated

DB = f"schema_tools_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"


@pytest.mark.parametrize("tool", [GhOst, PtOsc])
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_table_is_altered_under_load(
    kind: str, tool: type[GhOst] | type[PtOsc], request: pytest.FixtureRequest
) -> None:
    server: SqlServer = request.getfixturevalue(f"{kind}_a")
    with server.connect() as session:
        drop_databases(session, [DB])
        execute(session, f"CREATE DATABASE {DB}", f"USE {DB}", CREATE)
        fill(session, 30_000)
        migration = tool(server, DB)
        with Writers(server.connect, Load(DB), seed=kind, threads=3, rate=150) as writers:
            wait_until(lambda: writers.counts.transactions > 20, "writes", 20)
            before = writers.counts.transactions
            migration.run()
            during = writers.counts.transactions - before
            after = writers.counts.transactions
            wait_until(lambda: writers.counts.transactions > after + 20, "writes", 20)
        assert is_migrated(session, DB)
        assert during > 10
        if isinstance(migration, GhOst):
            assert migration.applied > 10
        drop_databases(session, [DB])


@pytest.mark.parametrize("tool", [GhOst, PtOsc])
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_the_altered_table_has_the_rows_of_the_original(
    kind: str, tool: type[GhOst] | type[PtOsc], request: pytest.FixtureRequest
) -> None:
    """Two tables are written alike, in one transaction each time; one of them is migrated."""
    server: SqlServer = request.getfixturevalue(f"{kind}_a")
    with server.connect() as session:
        drop_databases(session, [DB])
        twin = CREATE.replace(f"TABLE {TABLE}", "TABLE twin").replace(" AUTO_INCREMENT", "")
        execute(session, f"CREATE DATABASE {DB}", f"USE {DB}", CREATE, twin)
        fill(session, 1_000)
        execute(session, f"INSERT INTO twin SELECT * FROM {TABLE}")
        with Writers(server.connect, Twins(DB, 1_500), seed=kind, rate=120) as writers:
            wait_until(lambda: writers.counts.transactions > 20, "writes", 20)
            tool(server, DB).run()
        assert is_migrated(session, DB)
        assert contents(session, TABLE) == contents(session, "twin")
        drop_databases(session, [DB])


class Twins(Load):
    """Each statement for both tables; none that gives keys away."""

    def transaction(self, random_):  # type: ignore[no-untyped-def]
        begin, *changes, end = super().transaction(random_)
        changes = [change for change in changes if f"{TABLE} (name)" not in change]
        both = [
            (
                change,
                change.replace(f"INTO {TABLE}", "INTO twin")
                .replace(f"UPDATE {TABLE}", "UPDATE twin")
                .replace(f"FROM {TABLE}", "FROM twin"),
            )
            for change in changes
        ]
        return [begin, "SET timestamp = 1700000000", *(s for pair in both for s in pair), end]


def contents(session: Session, table: str) -> list[tuple[object, ...]]:
    return rows(session, f"SELECT id, name, amount, note FROM {table} ORDER BY id")
