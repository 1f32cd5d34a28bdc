"""What a new pipeline gives a target that has nothing, or something else."""

import pytest

import whole_schema
from fix_own_servers import run_sql
from fix_pipeline import MakeReplica
from mysync_lab.objects import KINDS
from mysync_lab.sql import SqlServer
from transfer_rig import FRESH, wait_done

ALL = {"routines": "apply", "events": "apply"}


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_a_new_target_gets_everything_that_a_database_can_hold(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """Events are there, and don't run."""
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source=source, target=target, source_link=FRESH, ddl=ALL)
    with source.connect() as session:
        whole_schema.create(session, replica.db, kind)
        producer, consumer = replica.start()
        wait_done(replica, producer, 60)
        whole_schema.change(session)
    replica.catch_up()
    replica.assert_equal(KINDS)
    assert _enabled_events(target, replica.db) == []
    assert consumer.running


def _enabled_events(server: SqlServer, db: str) -> list[tuple[object, ...]]:
    return run_sql(
        server,
        "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'"
        f" AND EVENT_SCHEMA = '{db}'",
    )
