"""What makes chunks that are under way worthless, so that they are read again: statements, changes
that reach a table without a trace in the log, more changes than are kept, another server."""

import re

from mysync_producer.ancestry import Ancestry
from mysync_producer.changes import Changes
from mysync_producer.chunkread import Job
from mysync_producer.knowledge import Knowledge
from mysync_producer.running import comparable
from mysync_producer.state import Server
from mysync_producer.statements import Change
from mysync_producer.tables import Mode, Tables
from mysync_producer.transferrecords import TransferRecords
from mysync_schemas.position import BinlogPosition
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

__all__ = ["Disturbance"]

_ANEW = re.compile(
    rb"\bEXCHANGE\b|\bCONVERT\s+(PARTITION|TABLE)\b|\bAUTO_INCREMENT\b(?!\s*=)|\bIGNORE\b",
    re.IGNORECASE,
)
"""In an ALTER TABLE: it gives rows to another table, or what it makes of a row may depend on which
others there are."""


class Disturbance:
    """Told by `tables` of rows, by `changes` of statements. `server` is the one that is read from;
    `ancestry` has the tables that are transferred."""

    def __init__(
        self, records: TransferRecords, tables: Tables, knowledge: Knowledge, changes: Changes
    ) -> None:
        self.server: Server | None = None
        self.ancestry = Ancestry({}, ())
        self._records = records
        self._tables = tables
        self._knowledge = knowledge
        self._changes = changes
        tables.disturb = self._disturbed
        tables.overflow = self._overflow
        tables.withhold = self._withheld
        changes.followed = self.followed

    def at(self, server: Server, boundary: BinlogPosition) -> None:
        """The stream stands between two transactions there: what was read for another server, for
        another version of its table or in a log of another name is no good."""
        other = self.server is not None and server != self.server
        self.server = server
        for table, running in self._records.running.items():
            version = self._knowledge.certain(table)
            if other:
                running.void()
            if running.plan is not None and running.plan.schema is not version:
                running.void()
                running.plan = None
            for job in running.jobs:
                if job.high is not None and not comparable(job.high, boundary):
                    job.void = True

    def carry(self) -> None:
        """The tables' rows are carried as the records say now."""
        running = self._records.running
        self.ancestry = ancestry = Ancestry(self._knowledge.definitions.schemas, running)
        modes = {}
        for table, transfer in running.items():
            held = not self._records.of[table].walk
            modes[table] = Mode(
                held=held,
                snapshot=True,
                disturbs=held or table in ancestry.below,
                by_key=ancestry.by_key(table),
                touched=None if held else transfer.touched,
            )
        for table in ancestry.below.keys() - modes.keys():
            modes[table] = Mode(disturbs=True, by_key=ancestry.by_key(table))
        self._tables.carry(modes)
        self._changes.unchecked = bool(running)

    def too_early(self, table: TableId) -> bool:
        """Whether tables that it may cascade from are still to be completed: their rows' changes
        reach its rows on the target only from rows that are there. Not where each is above the
        other."""
        below = self.ancestry.below.get(table, frozenset())
        return any(
            above in self._records.running and above != table and above not in below
            for above in self.ancestry.above.get(table, ())
        )

    def _disturbed(self, table: TableId) -> None:
        """A change of a table that is held back, or that may have changed others below it."""
        disturbed = set(self.ancestry.below.get(table, ()))
        record = self._records.of.get(table)
        if record is not None and not record.walk:
            disturbed.add(table)
        for each in disturbed:
            if (running := self._records.running.get(each)) is not None:
                for job in running.jobs:
                    if self._misses(job, held=not self._records.of[each].walk):
                        job.void = True
                        job.passed.set()

    def _misses(self, job: Job, *, held: bool) -> bool:
        """Whether a job may not show what the transaction that is being read does. Under a lock a
        table is as it is at the log's end of that time."""
        if not (held and job.lock):
            return job.open
        transaction, server = self._knowledge.transaction, self.server
        assert transaction is not None
        assert server is not None
        high = job.high
        return high is not None and high.passed(server, transaction.boundary, transaction.gtids)

    def _overflow(self, table: TableId) -> None:
        """More keys were touched than are kept."""
        if (running := self._records.running.get(table)) is not None:
            running.void()

    def _withheld(self, table: TableId) -> None:
        """A change of a table that lost its key: the target will never get it."""
        if self._records.of[table].phase != "queued":
            self._records.queue(table, "it lost its key")

    def followed(self, change: Change) -> None:
        """A statement of the source: what it changes is read again; a table's transfer goes on
        under its new name; tables that exchange rows begin anew."""
        effects = change.effects
        for table in effects.tables:
            if (running := self._records.running.get(table)) is not None:
                running.void()
        for old, new in effects.renames:
            self._records.rename(old, new)
        altered = change.verb is Verb.ALTER_TABLE and _ANEW.search(change.sql)
        if altered and any(t in self._records.running for t in effects.tables):
            for table in effects.tables & self._knowledge.definitions.schemas.keys():
                reason = "a statement's effect depended on rows that were still to come"
                self._records.queue_partial(table, reason)
        self.carry()
