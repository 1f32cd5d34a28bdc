"""The demo's story: servers, a shop that is there already, both services, traffic, kills, and what
is left in the end. The target begins with nothing.

Everything it makes bears the run's own name, so runs don't meet each other's rows, and everything
is removed at the end: databases, topics, checkpoints, processes. It stops the servers it started.
"""

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer

from mysync_lab.catchup import wait_caught_up
from mysync_lab.cleanup import forget_pipeline
from mysync_lab.compare import Comparison, compare
from mysync_lab.demo.measure import Meter
from mysync_lab.demo.view import View
from mysync_lab.errors import ServerFailed
from mysync_lab.lab import Lab
from mysync_lab.layout import wait_until
from mysync_lab.schema_copy import drop_databases
from mysync_lab.server import Server
from mysync_lab.services import Pipeline, Service, settings
from mysync_lab.sql import SqlServer
from mysync_lab.workload import shop
from mysync_lab.workload.writers import Writers

PARTITIONS = 8
THREADS = 4
# Transactions a second that the writers try to reach.
RATE = 150.0
# The shop has so many when the pipeline begins.
ORDERS = 10_000
# A killed service stays dead this long.
DEAD_SECONDS = 1.0
_TICK = 0.1
_CATCH_UP_SECONDS = 120.0


@dataclass(frozen=True)
class Story:
    """What is to happen; the seed fixes the writers' choices, not the servers' interleaving."""

    source: str = "mysql"
    seconds: float = 60.0
    seed: int = 1
    logs: Path | None = None

    @property
    def servers(self) -> tuple[str, str, str]:
        return f"{self.source}-a", f"{self.source}-b", "kafka"

    def kills(self) -> list[tuple[float, int]]:
        """(second, which service): both in turn, each at least once, none near the end."""
        count = max(2, round(self.seconds / 9))
        first, last = self.seconds * 0.12, self.seconds * 0.85
        return [(first + n * (last - first) / (count - 1), (n + 1) % 2) for n in range(count)]


def play(story: Story, view: View, lab: Lab) -> bool:
    """Runs the demo to its end; says whether everything was equal."""
    with running_servers(lab, story, view) as (source, target, kafka):
        name = f"demo_{secrets.token_hex(4)}"
        view.say(f"pipeline {name}: {source.name} → Kafka → {target.name}")
        with (
            tempfile.TemporaryDirectory(prefix="mysync-demo-") as temporary,
            shop_on(name, source, target, kafka),
        ):
            pipeline = Pipeline(
                story.logs or Path(temporary),
                settings(
                    name,
                    source,
                    target,
                    kafka,
                    source={"start": None},
                    topics={"partitions": PARTITIONS},
                    filters={"include": [f"{name}.*"]},
                ),
            )
            try:
                return _perform(story, view, pipeline, source, target, kafka)
            finally:
                pipeline.end()


@contextlib.contextmanager
def running_servers(
    lab: Lab, story: Story, view: View
) -> Iterator[tuple[SqlServer, SqlServer, Server]]:
    """The lab's servers; those that weren't running are stopped again."""
    names = story.servers
    idle = [name for name in names if not lab[name].running]
    began = time.monotonic()
    try:
        if idle:
            view.say(f"starting {', '.join(idle)}")
        lab.up(*names)
        if idle:
            view.say(f"servers ready in {time.monotonic() - began:.1f} s")
        yield lab.mysql(names[0]), lab.mysql(names[1]), lab[names[2]]
    finally:
        if idle:
            lab.down(*idle)


@contextlib.contextmanager
def shop_on(db: str, source: SqlServer, target: SqlServer, kafka: Server) -> Iterator[None]:
    """The shop on the source; gone afterwards, with all that bears its name."""
    try:
        with source.connect() as here:
            shop.create(here, db)
            shop.fill(here, db, ORDERS)
        yield
    finally:
        with source.connect() as here, target.connect() as there:
            forget_pipeline(db, bootstrap=kafka.bootstrap, target=there)
            drop_databases(here, [db])
            drop_databases(there, [db])


def _perform(
    story: Story,
    view: View,
    pipeline: Pipeline,
    source: SqlServer,
    target: SqlServer,
    kafka: Server,
) -> bool:
    producer, consumer = pipeline.producer(), pipeline.consumer()
    writers = Writers(
        source.connect,
        shop.Shop(pipeline.name),
        seed=story.seed,
        threads=THREADS,
        rate=RATE,
    )
    watcher = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"{pipeline.name}-watch"})
    with source.connect() as here, target.connect() as there, contextlib.closing(watcher), writers:
        view.say(f"{source.name} is being written, {target.name} has nothing")
        for service in (producer, consumer):
            service.start().wait_ready()
            view.say(f"{service.name} is ready: pid {service.pid}, {service.url}/status")
        meter = Meter(
            pipeline.name, PARTITIONS, there, watcher, writers, [producer, consumer], story.seconds
        )
        with view:
            _traffic(story, view, meter, [producer, consumer])
            writers.stop()
            meter.phase = "the source is quiet, the target catches up"
            meter.note("the writers have stopped")
            wait_until(
                lambda: _transferred(producer) or _ended([producer, consumer]),
                "the transfer's end",
                _CATCH_UP_SECONDS,
            )
            # A row that was read bears the place that it is good for, which may be the last one.
            shop.touch(here, pipeline.name)
            with target.connect() as asking:
                wait_caught_up(
                    here,
                    asking,
                    pipeline.name,
                    PARTITIONS,
                    seconds=_CATCH_UP_SECONDS,
                    services=[producer, consumer],
                    between=lambda: view.show(meter.snapshot()),
                )
            meter.phase = "caught up"
            view.show(meter.snapshot())
        counts = writers.counts
        comparison = compare(here, there, [pipeline.name])
    _stop(view, [consumer, producer])
    view.result(comparison)
    view.say(
        f"{counts.transactions} transactions, {counts.rows} row changes;"
        f" SIGKILLs: producer {producer.kills}, consumer {consumer.kills}"
    )
    _say_word(view, comparison)
    return comparison.equal


def _traffic(story: Story, view: View, meter: Meter, services: list[Service]) -> None:
    """Until the time is over: kill what is due, start again what has been dead long enough.

    On a slow machine a service may still be starting when its next kill is due: that one waits
    until the service is at work again, or there would be nothing to see.
    """
    kills = story.kills()
    revivals: list[tuple[float, Service]] = []
    transferred = False
    while meter.elapsed < story.seconds:
        if kills and meter.elapsed >= kills[0][0] and services[kills[0][1]].ready:
            victim = services[kills.pop(0)[1]]
            victim.kill()
            meter.note(f"{victim.name} killed (SIGKILL)")
            revivals.append((meter.elapsed + DEAD_SECONDS, victim))
        if revivals and meter.elapsed >= revivals[0][0]:
            service = revivals.pop(0)[1].start()
            meter.note(f"{service.name} started again, pid {service.pid}")
        dead = [service for _, service in revivals]
        for service in services:
            if not service.running and service not in dead:
                how = f"{service.name} ended by itself with {service.exit_code}"
                raise ServerFailed(f"{how}:\n{service.log_tail()}")
        if not transferred and _transferred(services[0]):
            transferred = True
            meter.note("all rows that were there before are read")
        if not meter.writers.running:
            meter.writers.stop()
        view.show(meter.snapshot())
        time.sleep(_TICK)
    for _, service in revivals:
        service.start()
        meter.note(f"{service.name} started again, pid {service.pid}")


def _transferred(producer: Service) -> bool:
    """Whether the producer says that every table is transferred."""
    status = producer.status() or {}
    found = status.get("transfers") or []
    return bool(found) and all(each["phase"] == "done" for each in found)


def _ended(services: list[Service]) -> bool:
    return any(not service.running for service in services)


def _stop(view: View, services: list[Service]) -> None:
    """In good order: a clean stop must be clean, too."""
    for service in services:
        if code := service.stop():
            view.say(f"{service.name} ended with {code}:\n{service.log_tail()}")


def _say_word(view: View, comparison: Comparison) -> None:
    view.say("equal" if comparison.equal else "DIFFERENT")
