"""The chunks of tables that are transferred: asked of the readers, taken from them, and sent when
the stream has come by the place that they are good for.

A chunk that comes to nothing is read again. What doesn't pass makes its table hopeless.
"""

import time
from collections.abc import Callable

from mysync_producer import metrics, points, walk
from mysync_producer.capture import Capture
from mysync_producer.chunkread import ChunkReaders, Job
from mysync_producer.chunksend import ChunkSender
from mysync_producer.disturbance import Disturbance
from mysync_producer.knowledge import Knowledge
from mysync_producer.running import Running, ready
from mysync_producer.selectmap import table_map_of
from mysync_producer.state import Server
from mysync_producer.tables import TOUCHED_MOST, Tables
from mysync_producer.transaction import SourceTransaction
from mysync_producer.transferrecords import TransferRecords
from mysync_producer.transferstate import TransferState
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import DataError, MysyncError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import TransferSettings
from mysync_schemas.charset import charsets_of
from mysync_schemas.gtid import GtidSet
from mysync_schemas.table import TableId

__all__ = ["Chunks"]

log = get_logger("transfers")

_LOCK_AFTER = 3
"""Tries of a table without a key, before it is read under a lock."""

_LOCK_AGAIN_SECONDS = 15.0
"""From a lock that the stream didn't come by in time to the next; twice as long each time, because
writers wait for it, and a stream that is far behind will be too late for the next one too."""

_AGAIN_SECONDS = 0.5
"""From a chunk that failed to the next try; twice as long each time."""

_FAILURES_MOST, _DOUBLINGS_MOST = 20, 6


class Chunks:
    """See the module."""

    def __init__(
        self,
        settings: TransferSettings,
        records: TransferRecords,
        tables: Tables,
        knowledge: Knowledge,
        disturbance: Disturbance,
        readers: ChunkReaders,
    ) -> None:
        self._settings = settings
        self._records = records
        self._tables = tables
        self._knowledge = knowledge
        self._disturbance = disturbance
        self._readers = readers
        self._sender = ChunkSender(knowledge)
        self._hopeless: dict[TableId, str] = {}

    def close(self) -> None:
        for running in self._records.running.values():
            running.close()
        self._readers.close()
        while not self._readers.found.empty():
            self._readers.found.get().close()

    def take_hopeless(self) -> dict[TableId, str]:
        """Tables whose transfer can't go on, with the reason."""
        hopeless, self._hopeless = self._hopeless, {}
        return hopeless

    # -- out

    def ask(self, server: Server, transaction: SourceTransaction) -> None:
        """Keeps the readers busy: twice as many chunks as there are streams are under way."""
        tables = self._records.running
        room = 2 * self._settings.streams - sum(len(r.jobs) for r in tables.values())
        now = time.monotonic()
        for table, running in list(tables.items()):
            if not running.jobs and not running.planning:
                running.touched.clear()
            if self._records.of[table].phase != "running" or now < running.not_before:
                continue
            if self._disturbance.too_early(table):
                continue
            if not self._prepared(table, running):
                continue
            while room > 0 and (job := self._next(table, running, server, transaction)) is not None:
                running.jobs.append(job)
                self._readers.ask(job)
                room -= 1

    def _prepared(self, table: TableId, running: Running) -> bool:
        """Whether the table's definition is certain, and what is read fits to it."""
        schema = self._knowledge.certain(table)
        if schema is None or table in self._hopeless:
            return False
        if running.plan is not None:
            return True
        running.void()
        if len(self._disturbance.circle(table)) > 1:
            self._give_up(
                table,
                "its foreign keys cascade in a circle by way of other tables, and the source"
                " doesn't log that",
            )
            return False
        record, mariadb = self._records.of[table], self._knowledge.info.connector == "mariadb"
        signature = self._disturbance.signature(schema)
        if signature != record.walk:
            self._records.queue(table, "its key is another one")
            return False
        if not signature and record.open:
            self._records.queue(table, "its transfer was interrupted")
            return False
        charsets = charsets_of(schema, self._tables.charsets)
        try:
            plan = walk.plan_of(schema, charsets, mariadb=mariadb)
            as_logged = table_map_of(schema, mariadb=mariadb, charsets=charsets)
            running.table = self._tables.plan_of(as_logged)
        except DataError as error:
            self._give_up(table, str(error))
            return False
        running.plan = plan
        return True

    def _next(
        self, table: TableId, running: Running, server: Server, transaction: SourceTransaction
    ) -> Job | None:
        record, plan = self._records.of[table], running.plan
        assert plan is not None
        gtids = transaction.gtids if isinstance(transaction.gtids, GtidSet) else None
        seen = None if gtids is None else str(gtids)
        if not record.walk:
            if running.jobs:
                return None
            lock = plan.locked or running.tries >= _LOCK_AFTER
            return Job(plan, server, seen, open=True, stream=True, lock=lock)
        job = Job(
            plan,
            server,
            seen,
            open=seen is not None,
            limit=running.limit,
            most_bytes=self._settings.chunk_bytes,
        )
        if running.again:
            job.chunk = running.again.pop(0)
        elif record.planned or running.planning:
            return None
        elif plan.order is None:
            planned, job.chunk = record.plan(None)
            self._records.save(planned)
        else:
            job.after = record.after
            running.planning = True
        job.stream = plan.order is None or job.chunk in running.large
        job.lock = job.stream and plan.locked
        return job

    # -- in

    def collect(self) -> None:
        """Takes what the readers have found out."""
        found = []
        while not self._readers.found.empty():
            found.append(self._readers.found.get())
        # What was found before this was planned before this.
        while not self._readers.planned.empty():
            job, upto = self._readers.planned.get()
            running = self._under_way(job)
            if running is not None and not job.void:
                running.planning = False
                planned, job.chunk = self._record(job).plan(upto)
                self._records.save(planned)
        for job in found:
            if (running := self._under_way(job)) is None:
                job.close()
            elif job.too_much or job.void or (job.error is not None and job.high is None):
                self._failed(running, job)
            else:  # an error that counts waits for the stream, as rows do
                job.read = True
                running.adapt(job, self._settings)
        for running in self._records.running.values():
            if len(running.touched) > TOUCHED_MOST:
                running.void()
            for job in [job for job in running.jobs if job.read and job.void]:
                self._drop(running, job)

    def _under_way(self, job: Job) -> Running | None:
        running = self._records.running.get(job.plan.schema.table_id)
        return running if running is not None and job in running.jobs else None

    def _record(self, job: Job) -> TransferState:
        return self._records.of[job.plan.schema.table_id]

    def _failed(self, running: Running, job: Job) -> None:
        """The chunk is read again, a little later if something is wrong."""
        self._drop(running, job)
        if job.too_much:
            running.limit = max(1, running.limit // 4)
        elif job.error is not None and not job.void:
            self._again(running, job)

    def _again(self, running: Running, job: Job) -> None:
        assert job.error is not None
        running.failures += 1
        pause = _AGAIN_SECONDS * 2 ** min(running.failures - 1, _DOUBLINGS_MOST)
        running.not_before = max(running.not_before, time.monotonic() + pause)
        table = job.plan.schema.table_id
        log.warning("a chunk can't be read", table=str(table), reason=str(job.error))
        counts = job.high is not None and not job.error.retriable
        if counts and (isinstance(job.error, DataError) or running.failures >= _FAILURES_MOST):
            self._give_up(table, f"it can't be read: {job.error}")

    def _give_up(self, table: TableId, reason: str) -> None:
        log.error("the transfer of a table is given up", table=str(table), reason=reason)
        self._hopeless[table] = reason
        self._records.running[table].void()

    def _drop(self, running: Running, job: Job) -> None:
        job.close()
        running.jobs.remove(job)
        record = self._record(job)
        if job.lock:
            pause = _LOCK_AGAIN_SECONDS * 2 ** min(running.locks, _DOUBLINGS_MOST)
            running.locks += 1
            running.not_before = time.monotonic() + pause
        if not record.walk:
            running.tries += 1
        elif job.chunk is not None and job.chunk in record.open:
            running.again.append(job.chunk)
            if job.too_much:
                running.large.add(job.chunk)
        else:
            running.planning = False
        self._records.save(record.model_copy(update={"redone": record.redone + 1}))
        metrics.TRANSFER_REDONE.labels(*record.table_id).inc()

    # -- on

    def send(self, server: Server, capture: Capture, between: Callable[[], None]) -> bool:
        """Sends what the stream has come by; says whether there was anything. `between` is called
        often meanwhile."""
        sent = False
        for running in list(self._records.running.values()):
            for job in [job for job in running.jobs if ready(job, server, capture.transaction)]:
                if job.void:  # the one before it has ended the transfer
                    continue
                if job.error is not None:
                    self._failed(running, job)
                else:
                    self._emit(running, job, capture, between)
                    sent = True
        return sent

    def _emit(
        self, running: Running, job: Job, capture: Capture, between: Callable[[], None]
    ) -> None:
        """Sends a chunk's rows, and takes note of them."""
        crash_point(points.CHUNK_DUE)
        chunk = job.chunk
        if chunk is None:
            record, chunk = self._record(job).plan(None)
            self._records.save(record)
        job.passed.set()
        assert running.table is not None
        try:
            sent = self._sender.send(running.table, job, capture, between)
        except MysyncError as error:
            of_reader = job.reader is not None and error is job.reader.failed
            if not of_reader and not isinstance(error, DataError):
                raise
            self._broken_off(running, job, error)
            return
        running.jobs.remove(job)
        job.close()
        running.failures = running.locks = 0
        running.large.discard(chunk)
        record = self._record(job).sent(chunk, sent)
        self._records.save(record)
        metrics.TRANSFER_ROWS.labels(*record.table_id).inc(sent)
        crash_point(points.CHUNK_SENT)

    def _broken_off(self, running: Running, job: Job, error: MysyncError) -> None:
        """The rest of the rows can't be had. Those that were sent are right where they stand; of a
        table with a key the others come with the next try, which begins anew for one without."""
        job.error = error
        self._drop(running, job)
        self._again(running, job)
        table = job.plan.schema.table_id
        if table not in self._hopeless and not self._records.of[table].walk:
            self._records.queue(table, f"it was broken off: {error}")
