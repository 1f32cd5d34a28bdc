"""The consumer: set up, then poll and let the partitions' workers work, until told to stop."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

import pymysql
from prometheus_client import REGISTRY

from mysync_consumer import (
    checkpoint,
    crossing,
    instructions,
    life,
    limit,
    metrics,
    owner,
    preflight,
    tables,
    via,
)
from mysync_consumer.applier import PlannedApplier
from mysync_consumer.bindings import Bindings
from mysync_consumer.context import Context
from mysync_consumer.control import Control, wait_for_info
from mysync_consumer.frontier import Frontiers
from mysync_consumer.instructions import Obedience
from mysync_consumer.lag import Lag, LagCollector, lag_of
from mysync_consumer.poller import Assigned, Poller
from mysync_consumer.quarantine import Quarantine
from mysync_consumer.recordhead import Markers
from mysync_consumer.topics import Topics
from mysync_consumer.watch import Watch
from mysync_consumer.worker import Worker
from mysync_runtime import backoff, crash, http, kafka, mysql
from mysync_runtime.errors import MysyncError, PartitionCountChanged
from mysync_runtime.lifecycle import Stop, Stopped
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo

T = TypeVar("T")

REVOKE_SECONDS = 5.0
"""What workers may take to finish their batch when their partitions move; half a session timeout
at the default, so that the group doesn't throw the member out."""

WORKERS = crash.declare("consumer.stopping", "a clean stop is asked for, the workers still work")


class Service:
    """One consumer process."""

    def __init__(self, settings: Settings, stop: Stop, *, rebuilds: bool = False) -> None:
        """`rebuilds`: it works for a rebuild only, and does nothing once that is done."""
        self.settings = settings
        self.stop = stop
        self._rebuilds = rebuilds
        self.ticker = http.Ticker()
        self.state = "starting"
        self._failed: BaseException | None = None
        self._failing = threading.Lock()
        self._workers: dict[int, Worker] = {}
        self._owner: owner.ControlOwner | None = None
        self._way: via.Way | None = None
        self._context: Context | None = None
        self._poller: Poller | None = None
        self._log = get_logger("consumer")

    def run(self) -> None:
        """Runs until a stop is requested or something fails. Raises what failed."""
        stop, settings = self.stop, self.settings
        handle = http.serve(
            http.AppSpec(self.ticker, self.readiness, self.status),
            host=settings.http.host,
            port=settings.http.consumer_port,
        )
        collector = LagCollector(self.lag)
        REGISTRY.register(collector)
        control: Control | None = None
        try:
            self._log.info("starting", http=handle.url, group=settings.consumer_group)
            admin = kafka.connect_at_start(settings.kafka, stop)
            first = mysql.connect_at_start(settings.target, stop, what="the target")
            try:
                self._way = preflight.require(first, settings)
            finally:
                _close(first)
            self._log.info("rows are written", via=self._way.via, why=self._way.why)
            self.settings = settings = via.resolved(settings, self._way)
            self._on_target("make the tables mysync.*", self._create_tables)
            control = Control(
                settings,
                stop,
                self.fail,
                lambda: kafka.committed_end(admin, self.settings.control_topic),
            )
            control.start()
            self.state = "waiting for the producer"
            info = wait_for_info(control, stop, self.failure, self.ticker.tick)
            topics = Topics(admin, settings, info)
            topics.check_at_start(stop)
            self._poller = poller = Poller(
                settings,
                Assigned(
                    self._gained,
                    self._lost,
                    self._control_gained,
                    self._control_lost,
                    self._applied,
                ),
            )
            self._on_target(
                "compare the servers",
                lambda sql: crossing.require(sql, info, control.tables().values()),
            )
            self._on_target("read the checkpoint", lambda sql: self._prepare(sql, info, poller))
            quarantine = Quarantine(settings.pipeline, lambda: control.tables().values())
            seen = self._on_target(
                "read the instructions", lambda sql: instructions.newest(sql, settings.pipeline)
            )
            self._on_target("read the tables' states", quarantine.refresh)
            known = self._on_target(
                "read the limit", lambda sql: limit.read(sql, settings.pipeline)
            )
            if self._rebuilds and known is not None and known.done:
                self._log.info("the rebuild is done already")
                return
            goal = limit.Goal(limit.in_force(known))
            statements_uuid = self._on_target(
                "read whose statements it has",
                lambda sql: life.statements_uuid(sql, settings.pipeline, info.uuid),
            )
            self._context = context = Context(
                settings=settings,
                info=info,
                statements_uuid=statements_uuid,
                owner=f"{socket.gethostname()}:{os.getpid()}",
                topics=topics,
                markers=Markers.of(info),
                applier=PlannedApplier(coalesce=settings.apply.coalesce),
                bindings=Bindings(
                    settings.pipeline,
                    control,
                    settings.rename,
                    by_sql=self._way.via == "sql",
                ),
                frontiers=Frontiers(info.partitions),
                obedience=Obedience(settings.pipeline, seen, quarantine.refresh),
                quarantine=quarantine,
                goal=goal,
                fail=self.fail,
            )
            self._loop(context, poller)
        finally:
            if control is not None:
                control.close()
            REGISTRY.unregister(collector)
            handle.stop()

    def _on_target(self, doing: str, call: Callable[[Connection], T]) -> T:
        """Calls with a connection of its own; again while it fails for a passing reason."""

        def attempt() -> T:
            connection = mysql.connect(self.settings.target)
            try:
                return call(connection)
            except (pymysql.err.Error, OSError) as error:
                raise mysql.error_of(error, doing, self.settings.target.address) from error
            finally:
                _close(connection)

        return backoff.retry_forever(attempt, self.stop, doing=doing)

    def _create_tables(self, sql: Connection) -> None:
        tables.create(sql, self.settings.pipeline)

    def _prepare(self, sql: Connection, info: PipelineInfo, poller: Poller) -> None:
        """Makes the checkpoint rows at the first start; checks whose they are at every other."""
        preflight.adopt(sql, self.settings, info)
        known = checkpoint.read_all(sql, self.settings.pipeline)
        if len(known) < info.partitions + 1:
            checkpoint.insert_missing(
                sql,
                self.settings.pipeline,
                poller.low_marks(info.partitions),
                life.unused(sql, info.uuid),
            )

    def _loop(self, context: Context, poller: Poller) -> None:
        watch = Watch(context)
        watch.start()
        poller.subscribe()
        self.state = "running"
        try:
            while not self.stop.requested and self._failed is None:
                if context.goal.is_reached:
                    self._on_target(
                        "note the end", lambda sql: limit.done(sql, self.settings.pipeline)
                    )
                    # No stop is requested: a parent's signal, when another process ended first,
                    # would be the second one.
                    self._log.info("the rebuild is done")
                    break
                self.ticker.tick()
                poller.step()
        finally:
            self.state = "stopping"
            crash.crash_point(WORKERS)
            self._end_workers(list(self._workers), self._deadline())
            self._control_lost()
            watch.close()
            poller.close()
        if self._failed is not None:
            raise self._failed
        self._log.info("stopped", reason=self.stop.reason)

    # -- failures -----------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Ends the process with this error; only the first one counts. Safe in any thread."""
        with self._failing:
            if self._failed is None and not isinstance(error, Stopped):
                self._failed = error
                self._log.error("stopping", error=str(error), kind=type(error).__name__)

    def failure(self) -> BaseException | None:
        return self._failed

    # -- partitions ---------------------------------------------------------------------------

    def _gained(self, partitions: dict[int, int]) -> None:
        context, poller = self._context, self._poller
        assert context is not None
        assert poller is not None
        for partition, assignment in partitions.items():
            if partition >= context.info.partitions:
                self.fail(
                    PartitionCountChanged(
                        f"topic {self.settings.rows_topic} now has a partition {partition};"
                        f" the pipeline has {context.info.partitions} partitions"
                    )
                )
                return
            self._workers[partition] = worker = Worker(context, poller, partition, assignment)
            worker.start()
        metrics.ASSIGNED.set(len(self._workers))
        if partitions:
            self._log.info("assigned", partitions=list(partitions))

    def _lost(self, partitions: list[int]) -> None:
        self._end_workers(partitions, min(REVOKE_SECONDS, self._deadline()))
        metrics.ASSIGNED.set(len(self._workers))
        if partitions:
            self._log.info("given back", partitions=partitions)

    def _end_workers(self, partitions: list[int], seconds: float) -> None:
        """Lets the workers finish, all within `seconds`; then their sessions are cut."""
        ending = [self._workers.pop(p) for p in partitions if p in self._workers]
        for worker in ending:
            worker.end()
        deadline = time.monotonic() + seconds
        for worker in ending:
            worker.join(max(0.0, deadline - time.monotonic()))

    def _deadline(self) -> float:
        """Most of what a clean stop may still take; leaving the group needs the rest."""
        return max(0.5, self.stop.remaining() * 0.6)

    def _applied(self) -> dict[int, int]:
        found = {p: worker.progress for p, worker in list(self._workers.items())}
        return {p: progress.next_offset for p, progress in found.items() if progress is not None}

    def lag(self) -> dict[int, Lag]:
        """How far behind the claimed partitions are."""
        poller, context = self._poller, self._context
        found: dict[int, Lag] = {}
        for partition, worker in list(self._workers.items()):
            progress = worker.progress
            reading = poller.reading(partition) if poller is not None else None
            if progress is not None and reading is not None and context is not None:
                retention = context.topics.retention_ms
                found[partition] = lag_of(progress, reading, retention, time.time())
        return found

    def _control_gained(self) -> None:
        context, poller = self._context, self._poller
        assert context is not None
        assert poller is not None
        self._owner = owner.ControlOwner(context, poller)
        self._owner.start()

    def _control_lost(self) -> None:
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    # -- what others see ----------------------------------------------------------------------

    def readiness(self) -> http.Readiness:
        """Ready when every assigned partition is claimed and read."""
        if self.state != "running":
            return http.Readiness(False, self.state)
        workers = list(self._workers.values())
        if not workers and self._owner is None:
            return http.Readiness(False, "no partition is assigned yet")
        waiting = [w.partition for w in workers if not w.streaming]
        if waiting:
            return http.Readiness(False, f"claiming partitions {waiting}")
        poller = self._poller
        unread = [w.partition for w in workers if not poller or poller.reading(w.partition) is None]
        if unread:
            return http.Readiness(False, f"Kafka doesn't give partitions {unread} yet")
        return http.Readiness(True)

    def status(self) -> dict[str, Any]:
        """What this process does; the pipeline's own status is `mysync-consumer status`."""
        failed = self._failed
        lags = self.lag()
        return {
            "state": self.state,
            "pipeline": self.settings.pipeline,
            "group": self.settings.consumer_group,
            "error": str(failed) if isinstance(failed, MysyncError) else None,
            "control_owner": self._owner is not None,
            "applies": asdict(self._way) if self._way is not None else None,
            "quarantined": self._quarantined(),
            "partitions": {
                str(p): {
                    "streaming": w.streaming,
                    "reading": self._poller is not None and self._poller.reading(p) is not None,
                    **w.standing(),
                    **(asdict(lags[p]) if p in lags else {}),
                }
                for p, w in sorted(self._workers.copy().items())
            },
        }

    def _quarantined(self) -> list[str]:
        context = self._context
        return sorted(map(str, context.quarantine.tables())) if context is not None else []


def _close(connection: Connection) -> None:
    with suppress(pymysql.err.Error, OSError):
        connection.close()
