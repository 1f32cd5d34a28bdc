"""A target that has nothing gets everything, while the source is being written."""

import random

import pytest

from fix_pipeline import MakeReplica
from transfer_rig import FRESH, filled, settle, wait_done


@pytest.mark.parametrize("kind", ["mysql", "mariadb"])
def test_tables_of_every_kind_of_key_are_transferred_under_writes(
    kind: str, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    """With both services killed on the way."""
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    replica = make_replica(
        source=source, target=target, source_link=FRESH, transfer={"chunk_seconds": 0.02}
    )
    tables = filled(replica, 14_000)
    seed = 1
    random_ = random.Random(seed)
    producer, consumer = replica.pipeline.producer(), replica.pipeline.consumer()
    kills = 0

    def kill_now_and_then() -> None:
        nonlocal kills
        if random_.random() < 0.08 and kills < 6:
            service = random_.choice((producer, consumer))
            service.kill()
            service.start()
            kills += 1

    with replica.writers(tables, seed=seed, threads=2, rate=60) as writers:
        producer.start()
        consumer.start()
        wait_done(replica, producer, 150, kill_now_and_then)
        counts = writers.counts
    settle(replica)
    replica.assert_equal()
    print(f"\nseed {seed}: {counts}, {kills} kills: equal")
