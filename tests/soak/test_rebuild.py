"""Rebuilds to random points of a long history with statements, killed on the way.
`make soak ARGS="-k rebuilds"`."""

import random
import subprocess
import time
from collections.abc import Sequence

import pytest

from fix_pipeline import MakeReplica, Replica
from fix_seed import seeds
from mysync_lab.services import command
from rebuild_rig import History, content_of, differing, wipe

pytestmark = pytest.mark.soak

TRANSACTIONS = 102_000
POINTS = 3
FLAVOURS = [("mysql_a", "mysql_b"), ("mariadb_a", "mariadb_b")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("run", seeds(metafunc.config, 2))


def test_rebuilds_to_three_points_of_a_long_history_are_the_source_there(
    run: int, make_replica: MakeReplica, request: pytest.FixtureRequest
) -> None:
    source, target = map(request.getfixturevalue, FLAVOURS[(run + 1) % 2])
    replica = make_replica(source, target)
    history, chance = History(replica, large=0.002), random.Random(run)
    shares = [chance.randint(1, 3) for _ in range(POINTS)]
    points = [
        history.write(TRANSACTIONS * share // sum(shares), f"{run} {number}", seconds=1200)
        for number, share in enumerate(shares)
    ]
    history.write(200, "behind it")
    for point in points:
        name = chance.choice([point.gtid, point.position])
        began, kills = time.monotonic(), 0
        # Killed sooner than it can be done, then later.
        patience = chance.uniform(2, 6)
        while (code := rebuild(replica, ["--until", name], patience)) is None:
            kills, patience = kills + 1, patience * 2
        assert kills
        assert code == 0, code
        seconds = time.monotonic() - began
        assert differing(content_of(target, replica.db), point.content) == []
        print(f"seed {run}: {name} in {seconds:.0f} s, {kills} kills")
        wipe(target, replica)


def rebuild(replica: Replica, arguments: Sequence[str], seconds: float) -> int | None:
    """The exit code; None if it was killed after so many seconds."""
    config = str(replica.pipeline.config)
    with (replica.pipeline.folder / "rebuild.log").open("ab") as log:
        process = subprocess.Popen(
            [*command("mysync-consumer"), "rebuild", "--config", config, *arguments],
            stdout=log,
            stderr=log,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
