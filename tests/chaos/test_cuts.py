"""A hundred cuts under load, while services are killed: each is the source at the position that it
names. `make chaos ARGS="-k cuts"`.

One seed can be run alone: `make chaos ARGS="-k cuts --seed 2 --runs 1"`.
"""

import random

import pytest

from cut_rig import PATIENCE, Banked
from fix_pipeline import MakeReplica
from fix_seed import seeds
from mysync_lab.layout import wait_until

pytestmark = pytest.mark.chaos

CUTS = 110
FLAVOURS = [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("run", seeds(metafunc.config, 2))


def test_cuts_with_kills_around_them_are_the_source_at_their_positions(
    run: int, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = map(request.getfixturevalue, FLAVOURS[run % 2])
    bank = Banked(make_replica(source, target, publish={"max_bytes": 65_536}), huge=0.002)
    replica, chance = bank.replica, random.Random(run)
    producer, first = replica.start()
    services = [producer, first, replica.pipeline.consumer().start().wait_ready()]
    kills = 0
    with bank.writers(f"cuts {run}") as writers:
        found = []
        for _ in range(CUTS):
            victim = chance.choice(services) if chance.random() < 0.4 else None
            if victim is not None and chance.random() < 0.5:
                victim.kill()
                victim.start()
                kills, victim = kills + 1, None
            with bank.cut(seconds=2 * PATIENCE) as reached:
                found.append(bank.check(reached.place.file, reached.place.pos))
                if victim is not None:
                    victim.kill()
                    victim.start().wait_ready()
                    kills += 1
                assert bank.applied() == found[-1], "the target went on"
            enough = writers.counts.transactions + 20
            wait_until(lambda enough=enough: writers.counts.transactions > enough, "load", PATIENCE)
        assert found == sorted(found)
        print(f"seed {run}: {CUTS} cuts, {kills} kills, {found[-1]} transactions at the last")
    replica.catch_up()
    replica.assert_equal()
