"""Random DDL among random DML over many tables, from MySQL and from MariaDB. `make soak`.

Half of the seeds run from MySQL, half from MariaDB; 1, 4 or 8 partitions, one or two consumers; in
half of the seeds producer and consumers are killed (SIGKILL) at random moments and started again.
One seed alone: `make soak ARGS="-k random_ddl --seed 3 --runs 1"`.
"""

import random
import signal
from collections import Counter

import pytest

from ddl_rig import OBJECTS, SECOND, assert_each_once, log_end, schema_changes
from fix_pipeline import MakeReplica
from fix_seed import seeds
from mysync_lab.layout import wait_until

pytestmark = pytest.mark.soak

SEEDS = 8
STEPS = 300
LEAST_STATEMENTS = 2_000
RATE = 6  # statements a second, so that the target keeps up
PATIENCE = 600
PARTITIONS = (1, 4, 8)

# Of all seeds that this process ran.
ran: list[int] = []
statements: Counter[str] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, SEEDS))


def test_random_ddl_among_dml_ends_equal(
    run: int, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    ran.append(run)
    random_ = random.Random(run)
    kind = "mysql" if run % 2 else "mariadb"
    kills = run % 4 >= 2
    source, target = (request.getfixturevalue(f"{kind}_{side}") for side in "ab")
    partitions = PARTITIONS[run % len(PARTITIONS)]
    replica = make_replica(
        source,
        target,
        also=[SECOND],
        topics={"partitions": partitions},
        apply={"coalesce": random_.random() < 0.5},
    )
    changes = schema_changes(replica, seed=run, steps=STEPS, rate=RATE, writes=60, marked=kills)
    since = log_end(source), log_end(target)
    producer = replica.pipeline.producer().start().wait_ready()
    consumers = [replica.pipeline.consumer().start() for _ in range(1 + run % 2)]
    services = [producer, *consumers]
    killed = 0
    with changes:
        while kills and changes.running:
            enough = changes.counts.total + random_.randint(4, 20)
            wait_until(
                lambda enough=enough: changes.counts.total >= enough or not changes.running,
                "statements",
                PATIENCE,
            )
            victim = random_.choice(services)
            assert victim.running, victim.log_tail()
            victim.kill()
            assert victim.exit_code == -signal.SIGKILL, victim.log_tail()
            killed += 1
            victim.start()
        counts = changes.wait(PATIENCE)
    statements.update(counts.statements)
    replica.catch_up(PATIENCE, services)
    replica.assert_equal(OBJECTS)
    if kills:
        assert_each_once(replica, since)
    assert counts.refused.total() < 0.1 * STEPS, counts.refusals
    print(
        f"\nseed {run}, {kind}, {partitions} partitions, {killed} kills: {counts}: equal"
        f"\n  {dict(counts.statements.most_common())}"
    )


def test_the_seeds_together_ran_enough_statements() -> None:
    """The last: of the whole suite."""
    if len(ran) < SEEDS:
        pytest.skip(f"{len(ran)} seeds were run here, the numbers are those of {SEEDS}")
    print(f"\n{len(ran)} seeds: {statements.total()} statements of {len(statements)} kinds")
    assert statements.total() >= LEAST_STATEMENTS
