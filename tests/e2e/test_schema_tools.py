"""gh-ost's and pt-online-schema-change's statements under write load end equal on both sides."""

import pytest

from ddl_rig import OBJECTS
from fix_pipeline import MakeReplica
from mysync_lab.layout import wait_until
from schema_tools import CREATE, TABLE, GhOst, Load, PtOsc, fill, is_migrated

ROWS = 4_000


@pytest.mark.parametrize("tables", [("*",), (TABLE,)], ids=["all tables", "that table only"])
@pytest.mark.parametrize("tool", [GhOst, PtOsc])
@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_migration_under_load_ends_equal(
    kind: str,
    tool: type[GhOst] | type[PtOsc],
    tables: tuple[str, ...],
    make_replica: MakeReplica,
    request: pytest.FixtureRequest,
) -> None:
    """With a filter that names the table alone, its shadow tables belong to it."""
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source, target, tables=tables)
    replica.create(CREATE)
    replica.start()
    with source.connect(database=replica.db) as session:
        fill(session, ROWS)
    load = Load(replica.db, ROWS * 2)
    with replica.writers(load, seed=f"{kind} {tool.__name__}", threads=3, rate=120) as writers:
        wait_until(lambda: writers.counts.transactions > 30, "writes", 30)
        before = writers.counts.transactions
        tool(source, replica.db).run()
        during = writers.counts.transactions - before
        enough = writers.counts.transactions + 30
        wait_until(lambda: writers.counts.transactions > enough, "writes", 30)
    replica.catch_up(90)
    with target.connect() as session:
        assert is_migrated(session, replica.db)
    replica.assert_equal(OBJECTS)
    assert during > 5
