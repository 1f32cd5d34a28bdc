"""Kills of all who take part in a DDL: each statement has its effect once. `make chaos`.

The target is a server of the test's own and dies in the middle of statements, as do the consumer
that owns the control partition, the one that waits, and the producer; at random moments and at
every crash point that a statement passes. Strict. How often a statement was executed is read from
the target's binary log. One seed alone: `make chaos ARGS="-k ddl_kills --seed 5 --runs 1"`.
"""

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from crashes import BEGINNING, POINTS, is_producers
from ddl_rig import OBJECTS, assert_each_once, control_owner, log_end, under_way
from ddl_rounds import Rounds, Rows
from fix_pipeline import Replica
from fix_seed import seeds
from mysync_lab.kafka import KafkaServer
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.services import Service
from mysync_lab.sql import SqlServer

pytestmark = pytest.mark.chaos

SEEDS = 2
KILLS = 28  # of each seed and kind of server, beside those at named points
LEAST_KILLS = 100
LEAST_OF_MARIADB = 40
CATCH_UP = 300
SECONDS = 120
KINDS = ("mysql", "mariadb")
VICTIMS = ("target", "target", "owner", "owner", "waiting", "producer")

# Points that only a statement or a line passes, of either service.
DDL_POINTS = [
    point
    for point in POINTS
    if point not in BEGINNING
    and (point.startswith(("ddl.", "control.", "line.")) or ".ddl" in point or "schema" in point)
]

# Of all that this process ran.
ran: list[tuple[str, int]] = []
kills: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "run" in metafunc.fixturenames:
        metafunc.parametrize("run", seeds(metafunc.config, SEEDS))


class Chaos:
    """One pipeline with two consumers, its target, and everything that is done to them."""

    def __init__(
        self, folder: Path, lab: Lab, source: SqlServer, kafka: KafkaServer, run: int
    ) -> None:
        self.random = random.Random(run)
        self.kills: Counter[str] = Counter()
        lab.add("ddl-target", source.kind, ["--max-connections=100"])
        self.target = lab.mysql("ddl-target")
        self.target.start()
        self.replica = Replica(
            folder / "pipeline", source, self.target, kafka, apply={"coalesce": run % 2 == 0}
        )
        self.rounds = Rounds(self.replica)
        self.rounds.create()
        self.since = log_end(source), log_end(self.target)
        self.producer = self.replica.pipeline.producer().start().wait_ready()
        self.consumers = [self.replica.pipeline.consumer().start() for _ in range(2)]
        for consumer in self.consumers:
            consumer.wait_ready()
        self.rounds.fill()

    @property
    def services(self) -> list[Service]:
        return [self.producer, *self.consumers]

    def owner(self) -> Service:
        """The consumer that owns the control partition."""
        found: list[Service] = []

        def known() -> bool:
            owner = control_owner(self.replica, self.consumers)
            found[:] = [owner] if owner else []
            return bool(found)

        wait_until(known, "an owner of the control partition", SECONDS)
        return found[0]

    def strike(self, victim: str) -> None:
        """A statement, and a kill while it is on its way or executed on the target."""
        in_it = victim in ("target", "owner") and self.random.random() < 0.7
        if in_it:
            name = self.rounds.long_alter()
            wait_until(lambda: under_way(self.target, name), f"{name} on the target", SECONDS)
        else:
            self.rounds.next()
        time.sleep(self.random.random() * 0.3)  # a random moment is what is meant
        where = " in the middle" if in_it else ""
        if victim == "target":
            self.target.kill()
            self.kills[f"target{where}"] += 1
            self.target.start()
            return
        if victim == "producer":
            service = self.producer
        else:
            owner = self.owner()
            service = (
                owner
                if victim == "owner"
                else next(each for each in self.consumers if each is not owner)
            )
        self.kill(service, f"{victim}{where}")

    def kill(self, service: Service, name: str) -> None:
        assert service.running, service.log_tail()
        service.kill()
        assert service.exit_code == -signal.SIGKILL, service.log_tail()
        self.kills[name] += 1
        service.start()

    def die_at(self, point: str) -> None:
        """The service comes by the point with statements: all of its kind are armed."""
        victims = [self.producer] if is_producers(point) else self.consumers
        for victim in victims:
            victim.kill()
            self.kills["before a point"] += 1
            victim.start(crash=point)
        deadline = time.monotonic() + SECONDS
        while all(victim.running for victim in victims) and time.monotonic() < deadline:
            self.rounds.next()
            time.sleep(0.2)  # the target follows
        dead = [victim for victim in victims if not victim.running]
        assert dead, f"nobody came by {point}:\n{victims[0].log_tail()}"
        for victim in dead:
            assert victim.exit_code == -signal.SIGKILL, victim.log_tail()
            self.kills[point] += 1
        for victim in victims:
            if victim.running:
                victim.kill()
            victim.start()

    def finish(self) -> None:
        """Both sides equal, and every statement executed once."""
        self.replica.catch_up(CATCH_UP, self.services)
        self.replica.assert_equal(OBJECTS)
        count = assert_each_once(self.replica, self.since)
        print(f"\n{self.target.kind}: {self.kills.total()} kills, {count} statements, each once")
        for name, number in sorted(self.kills.items()):
            print(f"  {name}: {number}")


def start(
    kind: str, run: int, folder: Path, lab: Lab, kafka: KafkaServer, request: pytest.FixtureRequest
) -> Chaos:
    return Chaos(folder, lab, request.getfixturevalue(f"{kind}_a"), kafka, run)


@pytest.mark.parametrize("kind", KINDS)
def test_kills_around_statements_lose_and_repeat_none(
    run: int,
    kind: str,
    tmp_path: Path,
    private_lab: Lab,
    kafka: KafkaServer,
    request: pytest.FixtureRequest,
) -> None:
    chaos = start(kind, run, tmp_path, private_lab, kafka, request)
    ran.append((kind, run))
    try:
        with chaos.replica.writers(Rows(chaos.replica.db), seed=run, threads=2, rate=60):
            for _ in range(KILLS):
                chaos.strike(chaos.random.choice(VICTIMS))
        chaos.finish()
    finally:
        kills[kind] += chaos.kills
        chaos.replica.end(kafka)


@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_each_point_of_a_statement_lose_and_repeat_none(
    kind: str,
    tmp_path: Path,
    private_lab: Lab,
    kafka: KafkaServer,
    request: pytest.FixtureRequest,
) -> None:
    assert DDL_POINTS
    chaos = start(kind, 0, tmp_path, private_lab, kafka, request)
    try:
        with chaos.replica.writers(Rows(chaos.replica.db), seed="points", threads=2, rate=40):
            for point in chaos.random.sample(DDL_POINTS, len(DDL_POINTS)):
                chaos.die_at(point)
        chaos.finish()
        assert set(DDL_POINTS) <= set(chaos.kills)
    finally:
        kills[kind] += chaos.kills
        chaos.replica.end(kafka)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_owner_that_is_thawed_repeats_nothing(
    kind: str,
    tmp_path: Path,
    private_lab: Lab,
    kafka: KafkaServer,
    request: pytest.FixtureRequest,
) -> None:
    """Frozen while the target executes its statement, or just before; another takes over, more
    statements follow, then it goes on where it stood."""
    chaos = start(kind, 1, tmp_path, private_lab, kafka, request)
    try:
        with chaos.replica.writers(Rows(chaos.replica.db), seed="frozen", threads=2, rate=40):
            for number in range(4):
                zombie = chaos.owner()
                if number % 2:
                    chaos.rounds.next()
                else:
                    name = chaos.rounds.long_alter()
                    wait_until(
                        lambda name=name: under_way(chaos.target, name), f"{name} there", SECONDS
                    )
                zombie.freeze()
                others = [each for each in chaos.consumers if each is not zombie]
                wait_until(
                    lambda others=others: control_owner(chaos.replica, others) is not None,
                    "another owner",
                    SECONDS,
                )
                for _ in range(4):
                    chaos.rounds.next()
                chaos.replica.catch_up(CATCH_UP, [chaos.producer, *others])
                zombie.thaw()
                chaos.rounds.next()
                chaos.replica.catch_up(CATCH_UP, [chaos.producer, *others])
                if not zombie.running:
                    zombie.start()
        chaos.finish()
    finally:
        chaos.replica.end(kafka)


def test_the_seeds_together_killed_often_enough() -> None:
    """The last: of the whole suite."""
    if len(ran) < SEEDS * len(KINDS):
        pytest.skip(f"{len(ran)} runs were made here, the numbers are those of all")
    for kind, counted in kills.items():
        print(f"\n{kind}: {counted.total()} kills")
        for name, number in sorted(counted.items()):
            print(f"  {name}: {number}")
    assert sum(counted.total() for counted in kills.values()) >= LEAST_KILLS
    assert kills["mariadb"].total() >= LEAST_OF_MARIADB
