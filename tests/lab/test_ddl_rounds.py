"""The statements of the kill tests run under load; they are seen in the log and while they run."""

import threading

import pytest

from ddl_rig import executed, log_end, under_way
from ddl_rounds import Rounds, Rows
from fix_pipeline import MakeReplica
from mysync_lab.layout import wait_until


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_rounds_under_load_are_logged_once_each(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(source, target)
    rounds = Rounds(replica)
    rounds.create()
    rounds.fill()
    since = log_end(source)
    with replica.writers(Rows(replica.db), seed=kind, threads=2, rate=60) as writers:
        for _ in range(15):
            rounds.next()
        wait_until(lambda: writers.counts.transactions > 20, "writes", 20)
        seen = []
        alter = threading.Thread(target=lambda: seen.append(rounds.long_alter()))
        alter.start()
        wait_until(lambda: under_way(source, f"{replica.db} ddl 16 "), "the long ALTER", 20)
        alter.join()
    assert seen == [f"{replica.db} ddl 16 "]
    found = executed(source, replica.db, since)
    assert found == dict.fromkeys(range(1, 17), 1)
