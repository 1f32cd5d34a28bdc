"""Random DDL among random DML ends equal on both sides: the short version of the soak suite's."""

import pytest

from ddl_rig import OBJECTS, SECOND, schema_changes
from fix_pipeline import MakeReplica

STEPS = 80
RATE = 8


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_random_ddl_among_dml_ends_equal(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source, target, also=[SECOND])
    changes = schema_changes(replica, seed=f"short {kind}", steps=STEPS, rate=RATE, writes=40)
    replica.start()
    counts = changes.start().wait(60)
    replica.catch_up(60)
    replica.assert_equal(OBJECTS)
    assert counts.total >= 60
    print(f"\n{kind}: {counts}: equal")
