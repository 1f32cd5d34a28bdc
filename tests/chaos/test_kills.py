"""Hundreds of SIGKILLs: at every named point, at random moments, of servers too. `make chaos`.

Each seed is a pipeline of its own on servers of its own, under a mixed load, strict; the odd seeds
write every event (`apply.coalesce: false`), because a net effect can hide what strictness would
see. The services die at each point that a beginning passes, then, with rows flowing, at every other
one at a random count, each time after a kill at a random moment. At the end the kills of all seeds
are counted. One seed can be run alone: `make chaos ARGS="-k kills --seed 5 --runs 1"`.
"""

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from crashes import BEGINNING, POINTS, RUNNING, SECONDS, armed, await_death, is_producers
from fix_pipeline import Replica
from fix_seed import seeds
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.workload.writers import Writers

pytestmark = pytest.mark.chaos

CATCH_UP = 300
SEEDS = 6
LEAST_KILLS = 200
LEAST_AT_EACH_POINT = 3

# Of all seeds that this process ran.
ran: list[int] = []
kills: Counter[str] = Counter()


def say(what: str, counts: Counter[str]) -> None:
    print(f"\n{what}")
    for name, count in sorted(counts.items()):
        print(f"  {name}: {count}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, SEEDS))


class Chaos:
    """One pipeline, and everything that is done to it."""

    def __init__(self, folder: Path, lab: Lab, run: int) -> None:
        self.random = random.Random(run)
        self.kills: Counter[str] = Counter()
        for name in ("mysql-s", "mysql-t"):
            lab.add(name, "mysql")
        lab.up("mysql-s", "mysql-t", "kafka")
        self.servers = [lab.mysql("mysql-s"), lab.mysql("mysql-t"), lab.kafka()]
        self.replica = Replica(
            folder / "pipeline",
            lab.mysql("mysql-s"),
            lab.mysql("mysql-t"),
            lab.kafka(),
            topics={"max_message_bytes": 10_000},
            publish={"max_bytes": 65_536},
            apply={"coalesce": run % 2 == 0},
        )
        self.order = self.replica.create_order()
        self.elsewhere = self.replica.create_elsewhere()
        self.replica.create_large()
        self.producer = self.replica.pipeline.producer()
        self.consumer = self.replica.pipeline.consumer()

    def die_while_beginning(self) -> None:
        """At every point that only a beginning passes, one after the other."""
        for point in BEGINNING:
            victim = self.victim_of(point)
            if victim is self.consumer and not self.producer.running:
                self.producer.start().wait_ready()
            victim.start(crash=point)
            assert victim.wait_exit(SECONDS) == -signal.SIGKILL, victim.log_tail()
            self.kills[point] += 1
        self.consumer.start().wait_ready()

    def die_under_load(self, writers: Writers) -> None:
        """At each other point in random order, each time after a kill at a random moment."""
        for point in self.random.sample(RUNNING, len(RUNNING)):
            victim = self.victim_of(point)
            self.some_traffic(writers)
            self.kill(victim)
            if self.random.random() < 0.1:
                server = self.random.choice(self.servers)
                server.kill()
                self.kills[server.name] += 1
                server.start()
            victim.start(crash=armed(point, self.random))
            await_death(self.replica, victim, point)
            self.kills[point] += 1
            victim.start()
            self.end_helpers()

    def some_traffic(self, writers: Writers) -> None:
        enough = writers.counts.transactions + self.random.randint(1, 150)
        wait_until(lambda: writers.counts.transactions > enough, "traffic", SECONDS)

    def kill(self, victim: Service) -> None:
        if victim.running:
            victim.kill()
            assert victim.exit_code == -signal.SIGKILL, victim.log_tail()
            self.kills[f"{victim.program} at random"] += 1

    def end_helpers(self) -> None:
        """Further members of the group are killed as well."""
        for service in self.replica.services:
            if service not in (self.producer, self.consumer):
                self.kill(service)

    def victim_of(self, point: str) -> Service:
        return self.producer if is_producers(point) else self.consumer


def test_kills_everywhere_lose_and_double_nothing(
    run: int, tmp_path: Path, private_lab: Lab
) -> None:
    ran.append(run)
    chaos = Chaos(tmp_path, private_lab, run)
    try:
        with chaos.replica.writers(chaos.elsewhere, seed=f"elsewhere {run}", rate=100):
            chaos.die_while_beginning()
            with chaos.replica.writers(chaos.order, seed=run, threads=3, rate=200) as writers:
                chaos.die_under_load(writers)
        chaos.replica.catch_up(CATCH_UP, [chaos.producer, chaos.consumer])
        chaos.replica.assert_equal()
        assert set(POINTS) <= set(chaos.kills)
        say(f"seed {run}: {chaos.kills.total()} kills, {writers.counts}: equal", chaos.kills)
    finally:
        kills.update(chaos.kills)
        chaos.replica.end(None)


def test_the_seeds_together_killed_often_enough_and_everywhere() -> None:
    """The last: of the whole suite."""
    if len(ran) < SEEDS:
        pytest.skip(f"{len(ran)} seeds were run here, the numbers are those of {SEEDS}")
    say(f"{len(ran)} seeds: {kills.total()} kills", kills)
    assert kills.total() >= LEAST_KILLS
    seldom = {point: kills[point] for point in POINTS if kills[point] < LEAST_AT_EACH_POINT}
    assert not seldom
