"""Tables on their way to the target while the stream goes on (DBLog's watermarks, made exact).

A transfer begins with a line, and with the statements that make the table and empty it. From there
on the table's events are carried as what they are, a snapshot's: they may be about rows that the
target doesn't have yet. Chunks are read aside (`chunkread`); each is sent between two transactions,
once the stream has passed the end of the log that was read after it, without the rows whose keys
the stream had meanwhile. So at every place of the stream the target's rows are some of the
source's, and each is as it is there. When all chunks are sent, a line ends the transfer.

A chunk is read again when a statement changed its table since it was asked for, when the stream
came to another server, when its table's version became another one, or when an ancestor's change
may have cascaded into it without a trace in the log. A table without a key is held back altogether,
and sent as a whole.

What is done is committed with what was sent: a crash leaves chunks that are open, and these alone
are read again.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, get_args

from mysync_producer import ancestry, metrics, points, walk
from mysync_producer.capture import Capture
from mysync_producer.changes import Changes
from mysync_producer.chunkread import ChunkReaders, Job
from mysync_producer.chunksend import ChunkSender
from mysync_producer.knowledge import Knowledge
from mysync_producer.running import Running, comparable, ready
from mysync_producer.schemacopy import create, drop, empty, estimates
from mysync_producer.selectmap import table_map_of
from mysync_producer.source import Source
from mysync_producer.state import Server
from mysync_producer.statements import Change, dialect_of
from mysync_producer.tables import TOUCHED_MOST, Mode, Tables
from mysync_producer.transaction import SourceTransaction
from mysync_producer.transferstate import Phase, TransferState, key_of
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import DataError, MysyncError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.charset import charsets_of
from mysync_schemas.gtid import GtidSet
from mysync_schemas.position import BinlogPosition
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Transfers"]

log = get_logger("transfers")

_LOCK_AFTER = 3
"""Tries of a table without a key, before it is read under a lock."""

_LOCK_AGAIN_SECONDS = 15.0
"""From a lock that the stream didn't come by in time to the next."""

_AGAIN_SECONDS, _FAILURES_MOST = 0.5, 20
_ANEW = re.compile(
    rb"\bEXCHANGE\b|\bCONVERT\s+(PARTITION|TABLE)\b|\bAUTO_INCREMENT\b(?!\s*=)|\bIGNORE\b",
    re.IGNORECASE,
)
"""In an ALTER TABLE: it gives rows to another table, or what it makes of a row may depend on which
others there are."""


class Transfers:
    """`records`: of all tables that were ever transferred. `ask` gives a connection for questions
    to the source."""

    def __init__(
        self,
        settings: Settings,
        records: Iterable[TransferState],
        tables: Tables,
        knowledge: Knowledge,
        changes: Changes,
        readers: ChunkReaders,
        ask: Callable[[], Source],
    ) -> None:
        self.records = {record.table_id: record for record in records}
        self._settings = settings.transfer
        self._pipeline = settings.pipeline
        self._tables = tables
        self._knowledge = knowledge
        self._changes = changes
        self._readers = readers
        self._ask_source = ask
        self._unsaved: dict[TableId, TransferState | None] = {}
        self._running: dict[TableId, Running] = {}
        self._ancestors: dict[TableId, frozenset[TableId]] = {}  # tables below, by the one above
        self._server: Server | None = None
        self._boundary: BinlogPosition | None = None
        self._version = knowledge.definitions.next_version
        self._given_up = False
        self._sender = ChunkSender(knowledge)
        tables.disturb = self._disturbed
        tables.overflow = self._overflow
        tables.withhold = self._withheld
        changes.followed = self.followed
        self.end_missing()  # dropped in a part of the log that was lost
        for record in self.records.values():
            if record.incomplete:
                self._running[record.table_id] = running = Running()
                running.again += record.open
        self._set_modes()
        self._count()

    # -- what the session needs

    @property
    def active(self) -> bool:
        """Whether anything is to be done soon."""
        return any(r.phase in ("queued", "running") for r in self.records.values())

    def unsaved(self) -> list[tuple[bytes, bytes | None]]:
        """Records of the state topic that have to be committed with what was sent."""
        records = [
            (key_of(self._pipeline, table), None if record is None else record.encode())
            for table, record in self._unsaved.items()
        ]
        if records:
            self._unsaved.clear()
            self._count()
        return records

    def _count(self) -> None:
        phases = Counter(record.phase for record in self.records.values())
        for phase in get_args(Phase):
            metrics.TRANSFERS.labels(phase).set(phases[phase])

    def close(self) -> None:
        for running in self._running.values():
            for job in running.jobs:
                job.close()
        self._readers.close()

    # -- commands

    def queue(self, table: TableId, reason: str = "") -> None:
        """Transfers the table, from the beginning if it is under way."""
        queued = TransferState(db=table.db, table=table.table, phase="queued", reason=reason)
        record = self.records.get(table)
        if record is not None and record.incomplete:
            kept = {"partial": True, "walk": record.walk, "begun_as": record.begun_as}
            queued = queued.model_copy(update=kept)
        if (running := self._running.get(table)) is not None:
            running.void()
        self._save(queued)

    def pause(self, table: TableId) -> None:
        self._save(self.records[table].model_copy(update={"phase": "paused"}))

    def resume(self, table: TableId) -> None:
        self._save(self.records[table].model_copy(update={"phase": "running"}))

    def cancel(self, table: TableId, boundary: BinlogPosition, reason: str) -> None:
        """Ends the transfer where it is; the target sets the table aside."""
        record = self.records[table]
        if record.incomplete:
            self._rename(record, boundary)
            schema = self._knowledge.definitions.schemas.get(table) or _nameless(table)
            self._changes.transfer(schema, "cancelled", boundary, record.rows)
        self._forget(table)
        self._save(record.ended("cancelled", _now_us()).model_copy(update={"reason": reason}))
        self._set_modes()

    # -- between two transactions

    def advance(self, server: Server, capture: Capture, commit: Callable[[], None]) -> bool:
        """Does what is due at this place; says whether something has to be committed."""
        transaction = capture.transaction
        if self._server is not None and server != self._server:
            for running in self._running.values():
                running.void()
        self._server = server
        self._boundary = transaction.boundary
        sent = self._given_up = False
        if self._version != self._knowledge.definitions.next_version:
            self._version = self._knowledge.definitions.next_version
            self._set_modes()
        for table, running in self._running.items():
            if running.plan is not None and running.plan.schema is not self._knowledge.certain(
                table
            ):
                running.void()
                running.plan = None
            for job in running.jobs:
                if job.high is not None and not comparable(job.high, transaction.boundary):
                    job.void = True
        for record in [r for r in self.records.values() if r.phase == "queued"]:
            sent |= self._begin_when_certain(record)
        self._collect()
        for table, running in list(self._running.items()):
            for job in [job for job in running.jobs if ready(job, server, transaction)]:
                if job.void:  # the one before it has ended the transfer
                    continue
                if job.error is not None:
                    self._failed(running, job)
                else:
                    self._emit(table, running, job, capture, commit)
                    sent = True
        for record in [r for r in self.records.values() if r.active and r.complete]:
            self._end(record)
            sent = True
        self._ask(transaction)
        return sent or self._given_up

    def begin(
        self,
        schema: TableSchema,
        boundary: BinlogPosition,
        server_version: int,
        estimate: int,
        *,
        anew: bool = False,
    ) -> None:
        """The table is made on the target, and empty, from this place on. `anew`: what is there
        may be another table."""
        table = schema.table_id
        if table in self.records:
            self._rename(self.records[table], boundary)
        id_ = self._changes.transfer(schema, "begin", boundary)
        made_empty = [drop(table), *create(schema)] if anew else [*create(schema), *empty(schema)]
        for made in made_empty:
            self._changes.issue(made, boundary, server_version)
        crash_point(points.TRANSFER_BEGUN)
        failures = self._running[table].failures if table in self._running else 0
        self._forget(table)
        self._running[table] = Running()
        self._running[table].failures = failures
        record = self.records.get(table) or TransferState(db=table.db, table=table.table)
        begun = record.begun(id_, self._signature(schema), _now_us())
        self._save(begun.model_copy(update={"estimate": estimate}))
        self._set_modes()

    def _begin_when_certain(self, record: TransferState) -> bool:
        table = record.table_id
        schema = self._knowledge.certain(table)
        if schema is None:
            return False
        assert self._boundary is not None
        source = self._ask_source()
        guess = estimates(source, (table,)).get(table, 0)
        self.begin(schema, self._boundary, dialect_of(source.flavor.text).version, guess)
        return True

    def _end(self, record: TransferState) -> None:
        table = record.table_id
        assert self._boundary is not None
        self._rename(record, self._boundary)
        if record.begun_as in (None, table):
            schema = self._knowledge.definitions.schemas.get(table) or _nameless(table)
            self._changes.transfer(schema, "end", self._boundary, record.rows)
        crash_point(points.TRANSFER_ENDED)
        self._forget(table)
        self._save(record.ended("done", _now_us()))
        self._set_modes()

    def _rename(self, record: TransferState, boundary: BinlogPosition) -> None:
        """A table that was renamed meanwhile: what began under its old name ends there."""
        if record.begun_as not in (None, record.table_id):
            old = _nameless(TableId(*record.begun_as))
            self._changes.transfer(old, "end", boundary, record.rows)

    # -- chunks out

    def _ask(self, transaction: SourceTransaction) -> None:
        """Keeps the readers busy: twice as many chunks as there are streams are under way."""
        room = 2 * self._settings.streams - sum(len(r.jobs) for r in self._running.values())
        now = time.monotonic()
        for table, running in list(self._running.items()):
            record = self.records[table]
            if record.phase != "running" or now < running.not_before or self._too_early(table):
                continue
            if not running.jobs and not running.planning:
                running.touched.clear()
            if not self._prepared(table, running):
                continue
            while room > 0 and (job := self._next(record, running, transaction)) is not None:
                running.jobs.append(job)
                self._readers.ask(job)
                room -= 1

    def _too_early(self, table: TableId) -> bool:
        """Whether tables that it may cascade from are still to be completed: their rows' changes
        reach its rows on the target only from rows that are there. Not where each is above the
        other."""
        return any(
            table in below
            and above in self._running
            and above != table
            and above not in self._ancestors.get(table, frozenset())
            for above, below in self._ancestors.items()
        )

    def _prepared(self, table: TableId, running: Running) -> bool:
        """Whether the table's definition is certain, and what is read fits to it."""
        schema = self._knowledge.certain(table)
        if schema is None:
            return False
        if running.plan is not None:
            return True
        running.void()
        record = self.records[table]
        signature = self._signature(schema)
        if signature != record.walk:
            self.queue(table, "its key is another one")
            return False
        if not signature and record.open:
            self.queue(table, "its transfer was interrupted")
            return False
        charsets = charsets_of(schema, self._tables.charsets)
        try:
            plan = walk.plan_of(schema, charsets, mariadb=self._mariadb)
            running.table = self._tables.plan_of(
                table_map_of(schema, mariadb=self._mariadb, charsets=charsets)
            )
        except DataError as error:
            self._give_up(table, str(error))
            return False
        running.plan = plan
        return True

    def _signature(self, schema: TableSchema) -> str:
        return walk.signature(schema, mariadb=self._mariadb)

    @property
    def _mariadb(self) -> bool:
        return self._knowledge.info.connector == "mariadb"

    def _next(
        self, record: TransferState, running: Running, transaction: SourceTransaction
    ) -> Job | None:
        plan, server = running.plan, self._server
        assert plan is not None
        assert server is not None
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
            self._save(planned)
        else:
            job.after = record.after
            running.planning = True
        job.stream = plan.order is None or job.chunk in running.large
        job.lock = job.stream and plan.locked
        return job

    # -- chunks in

    def _collect(self) -> None:
        """Takes what the readers have found out."""
        found = []
        while not self._readers.found.empty():
            found.append(self._readers.found.get())
        # What was found before this was planned before this.
        while not self._readers.planned.empty():
            job, upto = self._readers.planned.get()
            table = job.plan.schema.table_id
            running = self._running.get(table)
            if running is None or job not in running.jobs or job.void:
                continue
            running.planning = False
            planned, job.chunk = self.records[table].plan(upto)
            self._save(planned)
        for job in found:
            running = self._running.get(job.plan.schema.table_id)
            if running is None or job not in running.jobs:
                job.close()
                continue
            if job.too_much or job.void or (job.error is not None and job.high is None):
                self._failed(running, job)
            else:  # an error that counts waits for the stream, as rows do
                job.read = True
                running.adapt(job, self._settings)
        for running in self._running.values():
            if len(running.touched) > TOUCHED_MOST:
                running.void()
            for job in [job for job in running.jobs if job.read and job.void]:
                self._drop(running, job)

    def _failed(self, running: Running, job: Job) -> None:
        """The chunk is read again, a little later if something is wrong. Gives the transfer up when
        that doesn't pass."""
        self._drop(running, job)
        if job.too_much:
            running.limit = max(1, running.limit // 4)
        elif job.error is not None and not job.void:
            self._again(running, job)

    def _again(self, running: Running, job: Job) -> None:
        assert job.error is not None
        running.failures += 1
        running.not_before = max(running.not_before, time.monotonic() + _AGAIN_SECONDS)
        table = job.plan.schema.table_id
        log.warning("a chunk can't be read", table=str(table), reason=str(job.error))
        counts = job.high is not None and not job.error.retriable
        if counts and (isinstance(job.error, DataError) or running.failures >= _FAILURES_MOST):
            self._give_up(table, f"it can't be read: {job.error}")

    def _give_up(self, table: TableId, reason: str) -> None:
        assert self._boundary is not None
        log.error("the transfer of a table is given up", table=str(table), reason=reason)
        self.cancel(table, self._boundary, reason)
        self._given_up = True

    def _drop(self, running: Running, job: Job) -> None:
        job.close()
        running.jobs.remove(job)
        table = job.plan.schema.table_id
        record = self.records[table]
        if job.lock:
            running.not_before = time.monotonic() + _LOCK_AGAIN_SECONDS
        if not record.walk:
            running.tries += 1
        elif job.chunk is not None and job.chunk in record.open:
            running.again.append(job.chunk)
            if job.too_much:
                running.large.add(job.chunk)
        else:
            running.planning = False
        self._save(record.model_copy(update={"redone": record.redone + 1}))
        metrics.TRANSFER_REDONE.labels(*table).inc()

    def _emit(
        self,
        table: TableId,
        running: Running,
        job: Job,
        capture: Capture,
        commit: Callable[[], None],
    ) -> None:
        """Sends a chunk's rows, and takes note of them."""
        crash_point(points.CHUNK_DUE)
        before = self._knowledge.sequencer.seq
        chunk = job.chunk
        if chunk is None:
            record, chunk = self.records[table].plan(None)
            self._save(record)
        job.passed.set()
        assert running.table is not None
        try:
            self._sender.send(running.table, job, capture, commit)
        except MysyncError as error:
            of_reader = job.reader is not None and error is job.reader.failed
            if not of_reader and not isinstance(error, DataError):
                raise
            self._broken_off(table, running, job, error)
            return
        running.jobs.remove(job)
        job.close()
        running.failures = 0
        running.large.discard(chunk)
        sent = self._knowledge.sequencer.seq - before
        self._save(self.records[table].sent(chunk, sent))
        metrics.TRANSFER_ROWS.labels(*table).inc(sent)
        crash_point(points.CHUNK_SENT)

    def _broken_off(self, table: TableId, running: Running, job: Job, error: MysyncError) -> None:
        """The rest of the rows can't be had. Those that were sent are right where they stand; of a
        table with a key the others come with the next try, which begins anew for one without."""
        job.error = error
        self._drop(running, job)
        self._again(running, job)
        if self.records[table].active and not self.records[table].walk:
            self.queue(table, f"it was broken off: {error}")

    # -- what voids chunks

    def _disturbed(self, table: TableId) -> None:
        """A change of a table that is held back, or that may have changed others below it."""
        disturbed = set(self._ancestors.get(table, ()))
        record = self.records.get(table)
        if record is not None and not record.walk:
            disturbed.add(table)
        for below in disturbed:
            if (running := self._running.get(below)) is not None:
                for job in running.jobs:
                    if self._misses(job, held=not self.records[below].walk):
                        job.void = True
                        job.passed.set()

    def _misses(self, job: Job, *, held: bool) -> bool:
        """Whether a job may not show what the transaction that is being read does. Under a lock a
        table is as it is at the log's end of that time."""
        if not (held and job.lock):
            return job.open
        transaction, server = self._knowledge.transaction, self._server
        assert transaction is not None
        assert server is not None
        high = job.high
        return high is not None and high.passed(server, transaction.boundary, transaction.gtids)

    def _overflow(self, table: TableId) -> None:
        """More keys were touched than are kept."""
        if (running := self._running.get(table)) is not None:
            running.void()

    def _withheld(self, table: TableId) -> None:
        """A change of a table that lost its key: the target will never get it."""
        if self.records[table].phase != "queued":
            self.queue(table, "it lost its key")

    def followed(self, change: Change) -> None:
        """A statement of the source: what it changes is read again; a table's transfer goes on
        under its new name; tables that exchange rows begin anew."""
        effects = change.effects
        for table in effects.tables:
            if (running := self._running.get(table)) is not None:
                running.void()
        for old, new in effects.renames:
            record = self.records.pop(old, None)
            if record is not None and record.phase in ("queued", "running", "paused"):
                self._unsaved[old] = None
                self._forget(old)
                renamed = record.model_copy(
                    update={
                        "db": new.db,
                        "table": new.table,
                        "begun_as": record.begun_as or (old.db, old.table),
                    }
                )
                if record.incomplete:
                    self._running[new] = running = Running()
                    running.again += record.open
                self._save(renamed)
        self.end_missing()
        known = self._knowledge.definitions.schemas
        altered = change.verb is Verb.ALTER_TABLE and _ANEW.search(change.sql)
        if altered and any(t in self._running for t in effects.tables):
            for table in effects.tables & known.keys():
                self._begin_anew(table)
        self._set_modes()

    def end_missing(self) -> None:
        """Ends the transfers of tables that aren't there any more."""
        known = self._knowledge.definitions.schemas
        for table, record in list(self.records.items()):
            if record.phase in ("queued", "running", "paused") and table not in known:
                self._forget(table)
                ended = record.ended("cancelled", _now_us())
                self._save(ended.model_copy(update={"reason": "the table was dropped"}))

    def _begin_anew(self, table: TableId) -> None:
        """After a statement that left the target with other rows, if it hadn't all of them."""
        self.queue(table, "a statement's effect depended on rows that were still to come")
        record = self.records[table]
        if not record.partial:
            # Held back: whether it has a key, nobody knows yet.
            self._running.setdefault(table, Running())
            self._save(record.model_copy(update={"partial": True}))

    # -- bookkeeping

    def _save(self, record: TransferState) -> None:
        self.records[record.table_id] = self._unsaved[record.table_id] = record

    def _forget(self, table: TableId) -> None:
        if (running := self._running.pop(table, None)) is not None:
            for job in running.jobs:
                job.void = True
                job.close()

    def _set_modes(self) -> None:
        """How the tables' rows are carried, as the records say now."""
        schemas = self._knowledge.definitions.schemas
        self._ancestors = ancestry.below(schemas, self._running)
        modes = {}
        for table, running in self._running.items():
            held = not self.records[table].walk
            modes[table] = Mode(
                held=held,
                snapshot=True,
                disturbs=held or table in self._ancestors,
                by_key=ancestry.by_key(schemas, table),
                touched=None if held else running.touched,
            )
        for table in self._ancestors.keys() - modes.keys():
            modes[table] = Mode(disturbs=True, by_key=ancestry.by_key(schemas, table))
        self._tables.carry(modes)
        self._changes.unchecked = bool(self._running)

    def status(self) -> list[dict[str, Any]]:
        """Every table's, for people."""
        return [walk.shown(record) for _, record in sorted(self.records.items())]


def _nameless(table: TableId) -> TableSchema:
    return TableSchema(
        id=0, db=table.db, table=table.table, create_sql="", columns=(), state="dropped"
    )


def _now_us() -> int:
    return time.time_ns() // 1000
