"""What makes chunks that are under way worthless, so that they are read again: statements, changes
that reach a table without a trace in the log, more changes than are kept, another server."""

import re
from collections.abc import Callable, Collection

from mysync_producer import walk
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
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Disturbance"]

_ANEW = re.compile(
    rb"\bEXCHANGE\b|\bCONVERT\s+(PARTITION|TABLE)\b|\bAUTO_INCREMENT\b(?!\s*=)|\bIGNORE\b",
    re.IGNORECASE,
)
"""In an ALTER TABLE: it gives rows to another table, or what it makes of a row may depend on which
others there are."""


class Disturbance:
    """Told by `tables` of rows, by `changes` of statements. `server` is the one that is read from;
    `ancestry` has the tables that are transferred. `held`: those of which nothing is carried.
    `logged` says whether the source logs what its foreign keys cascade."""

    def __init__(
        self,
        records: TransferRecords,
        tables: Tables,
        knowledge: Knowledge,
        changes: Changes,
        logged: Callable[[], bool],
    ) -> None:
        self.server: Server | None = None
        self.ancestry = Ancestry({}, ())
        self.held: set[TableId] = set()
        self._logged = logged
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
        self._hold()
        while self._begin_held_anew():
            self._hold()
        modes = {}
        for table, transfer in running.items():
            held = table in self.held
            transfer.carried = transfer.carried or not held
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

    def _hold(self) -> None:
        """Nothing is carried of a table that is read as a whole. Nor, where cascades aren't logged,
        of one whose rows may be taken along by way of rows that the target lacks: those of a table
        above it that is held, or that passes on what it gets from others. It stays empty until
        they are complete."""
        running, ancestry = self._records.running, self.ancestry
        whole = {table for table in running if not self._records.of[table].walk}
        self.held = whole.copy()
        above = (whole | ancestry.between) & ancestry.below.keys() & running.keys()
        if above and not self._logged():
            self.held.update(*(ancestry.below[table] - {table} for table in above))

    def _begin_held_anew(self) -> bool:
        """A table must be empty on the target to be held: one that was carried begins anew. Says
        whether there was one, which may hold others."""
        running = self._records.running
        found = [table for table in self.held if running[table].carried]
        for table in found:
            running[table].carried = False
            self._records.queue_partial(table, "a table above it isn't complete", held=True)
        return bool(found)

    def family(self, table: TableId) -> set[TableId]:
        """The table, and those that have to begin with it, for they are held because of it."""
        known, below = self._knowledge.definitions.schemas, self.ancestry.descendants(table)
        if table not in known or not below:
            return {table}
        passes_on = table in self.ancestry.between or not self.signature(known[table])
        return {table, *below} if passes_on and not self._logged() else {table}

    def circle(self, table: TableId) -> frozenset[TableId]:
        """The tables by way of which its rows may take along others of its own, without a trace in
        the log; itself among them."""
        if table not in self.ancestry.between or self._logged():
            return frozenset()
        return self.ancestry.circle(table)

    def signature(self, schema: TableSchema) -> str:
        """Names the table's walk; empty for one that is read as a whole: it has no key, or its rows
        may take along each other."""
        if self.circle(schema.table_id):
            return ""
        return walk.signature(schema, mariadb=self._knowledge.info.connector == "mariadb")

    def too_early(self, table: TableId) -> bool:
        """Whether tables that it may cascade from are still to be completed: their rows' changes
        reach its rows on the target only from rows that are there. Where each is above the other,
        only those without a key come first."""
        if table in self.held and self._records.of[table].walk:
            return True
        below = self.ancestry.below.get(table, frozenset())
        return any(
            above in self._records.running and above != table and above not in below
            for above in self.ancestry.above.get(table, ())
        )

    def _disturbed(self, table: TableId) -> None:
        """A change of a table that is held back, or that may have changed others below it."""
        disturbed = set(self.ancestry.below.get(table, ()))
        if table in self.held:
            disturbed.add(table)
        for each in disturbed:
            if (running := self._records.running.get(each)) is not None:
                for job in running.jobs:
                    if self._misses(job, held=each in self.held):
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
        if self._came_below(effects.tables):
            self.carry()

    def _came_below(self, tables: Collection[TableId]) -> bool:
        """Tables that aren't transferred, and that a statement made such as are held because of
        others, begin anew."""
        records = self._records
        families = [self.family(table) for table in records.running]
        found = set().union(*families).intersection(tables).difference(records.running)
        for table in found:
            records.queue_partial(table, "a table above it isn't complete", held=True)
        return bool(found)
