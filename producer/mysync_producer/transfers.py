"""Tables on their way to the target while the stream goes on (DBLog's watermarks, made exact).

A transfer begins with a line, and with the statements that make the table and empty it. From there
on the table's events are carried as what they are, a snapshot's: they may be about rows that the
target doesn't have yet. Chunks are read aside (`chunkread`); each is sent between two transactions,
once the stream has passed the end of the log that was read after it, without the rows whose keys
the stream had meanwhile. So at every place of the stream the target's rows are some of the
source's, and each is as it is there. When all chunks are sent, a line ends the transfer.

A chunk is read again when a statement changed its table since it was asked for, when the stream
came to another server, when its table's version became another one, or when an ancestor's change
may have cascaded into it without a trace in the log (`disturbance`). A table without a key is held
back altogether, and sent as a whole.

What is done is committed with what was sent: a crash leaves chunks that are open, and these alone
are read again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mysync_producer import points, walk
from mysync_producer.beginning import logs_cascades
from mysync_producer.capture import Capture
from mysync_producer.changes import Changes
from mysync_producer.chunkread import ChunkReaders
from mysync_producer.chunks import Chunks
from mysync_producer.disturbance import Disturbance
from mysync_producer.knowledge import Knowledge
from mysync_producer.schemacopy import create, drop, empty, estimates
from mysync_producer.source import Source
from mysync_producer.state import Server
from mysync_producer.statements import Change, dialect_of
from mysync_producer.tables import Tables
from mysync_producer.transferrecords import TransferRecords
from mysync_producer.transferstate import Ended, TransferState
from mysync_runtime.crash import crash_point
from mysync_runtime.settings import Settings
from mysync_schemas.position import BinlogPosition
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Transfers"]


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
        self._records = TransferRecords(settings.pipeline, records)
        self._knowledge = knowledge
        self._changes = changes
        self._ask_source = ask
        # Asked beforehand: what follows a statement that is half sent must not fail.
        self._logs_cascades = self._ask_logged()
        self._disturbance = Disturbance(
            self._records, tables, knowledge, changes, lambda: self._logs_cascades
        )
        self._chunks = Chunks(
            settings.transfer, self._records, tables, knowledge, self._disturbance, readers
        )
        self._known: tuple[Server | None, int] = (None, knowledge.definitions.next_version)
        self.carry()

    # -- what the session needs

    @property
    def records(self) -> Mapping[TableId, TransferState]:
        return self._records.of

    @property
    def active(self) -> bool:
        """Whether anything is to be done soon."""
        return bool(self._records.in_phase("queued") or self._records.in_phase("running"))

    def unsaved(self) -> list[tuple[bytes, bytes | None]]:
        """Records of the state topic that have to be committed with what was sent."""
        return self._records.take_unsaved()

    def followed(self, change: Change) -> None:
        """A statement of the source was sent."""
        self._disturbance.followed(change)

    def status(self) -> list[dict[str, Any]]:
        """Every table's, for people."""
        return [walk.shown(record) for _, record in sorted(self._records.of.items())]

    def close(self) -> None:
        self._chunks.close()

    # -- commands

    def queue(self, table: TableId) -> None:
        """Transfers the table, from the beginning if it is under way."""
        self._records.queue(table)

    def pause(self, table: TableId) -> None:
        self._records.save(self.records[table].model_copy(update={"phase": "paused"}))

    def resume(self, table: TableId) -> None:
        self._records.save(self.records[table].model_copy(update={"phase": "running"}))

    def cancel(self, table: TableId, boundary: BinlogPosition, reason: str) -> None:
        """Ends the transfer where it is; the target sets the table aside."""
        self._cancel(table, boundary, reason)
        self.carry()

    def _cancel(self, table: TableId, boundary: BinlogPosition, reason: str) -> None:
        record = self.records[table]
        if record.incomplete:
            self._end_old_name(record, boundary)
            self._changes.transfer(self._schema(table), "cancelled", boundary, record.rows)
        self._records.end(table, "cancelled", reason)

    # -- between two transactions

    def advance(self, server: Server, capture: Capture, between: Callable[[], None]) -> bool:
        """Does what is due at this place; says whether something has to be committed. `between` is
        called often, and may commit what was done so far."""
        definitions, boundary = self._knowledge.definitions, capture.transaction.boundary
        self._disturbance.at(server, boundary)
        begun = False
        if self._known != (known := (server, definitions.next_version)):
            if self._known[0] not in (None, server):
                self._logs_cascades = self._ask_logged()
            self._known = known
            self.carry()
        for table in self._records.unfinished - definitions.schemas.keys():
            self._end(self.records[table], boundary, "cancelled", "the table was dropped")
            begun = True
        begun |= self._begin_certain(boundary, between)
        if begun:
            self.carry()
        self._chunks.collect()
        sent = self._chunks.send(server, capture, between)
        ended = self._records.complete()
        for record in ended:
            self._end(record, boundary, "done")
        self._chunks.ask(server, capture.transaction)
        hopeless = self._chunks.take_hopeless()
        for table, reason in hopeless.items():
            self._cancel(table, boundary, reason)
        if ended or hopeless:
            self.carry()
        return bool(begun or sent or ended or hopeless)

    def carry(self) -> None:
        """After transfers have begun or ended, before the next row: the tables' rows are carried as
        those of tables that the target has in part, or has."""
        self._disturbance.carry()

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
        may be another table. `carry` has to follow."""
        table = schema.table_id
        if table in self.records:
            self._end_old_name(self.records[table], boundary)
        id_ = self._changes.transfer(schema, "begin", boundary)
        made_empty = [drop(table), *create(schema)] if anew else [*create(schema), *empty(schema)]
        for made in made_empty:
            self._changes.issue(made, boundary, server_version)
        crash_point(points.TRANSFER_BEGUN)
        self._records.begin(table, id_, self._disturbance.signature(schema), estimate)

    def _begin_certain(self, boundary: BinlogPosition, between: Callable[[], None]) -> bool:
        """Begins those that wait and are known as they are; says whether there were any."""
        families = self._queued_families()
        if not families:
            return False
        source = self._ask_source()
        version = dialect_of(source.flavor.text).version
        guesses = estimates(source, [s.table_id for family in families for s in family])
        for family in families:
            for schema in family:
                self.begin(schema, boundary, version, guesses.get(schema.table_id, 0))
            between()
        return True

    def _queued_families(self) -> list[list[TableSchema]]:
        """Tables that begin at one place, each with those that are held because of it. Only where
        all are known as they are."""
        queued = [record.table_id for record in self._records.in_phase("queued")]
        if not queued:
            return []
        families: list[list[TableSchema]] = []
        taken: set[TableId] = set()
        for family in sorted(map(self._disturbance.family, queued), key=len, reverse=True):
            members = family - taken
            certain = [s for s in map(self._knowledge.certain, sorted(members)) if s is not None]
            if certain and len(certain) == len(members):
                families.append(certain)
                taken |= members
        return families

    def _ask_logged(self) -> bool:
        source = self._ask_source()
        return logs_cascades(source, source.flavor.text)

    def _end(
        self, record: TransferState, boundary: BinlogPosition, phase: Ended, reason: str = ""
    ) -> None:
        """The target has all of the table that there is."""
        table = record.table_id
        if record.incomplete:
            self._end_old_name(record, boundary)
            if record.begun_as in (None, table):
                self._changes.transfer(self._schema(table), "end", boundary, record.rows)
            crash_point(points.TRANSFER_ENDED)
        self._records.end(table, phase, reason)

    def _end_old_name(self, record: TransferState, boundary: BinlogPosition) -> None:
        """A table that was renamed meanwhile: what began under its old name ends there."""
        if record.begun_as not in (None, record.table_id):
            old = _nameless(TableId(*record.begun_as))
            self._changes.transfer(old, "end", boundary, record.rows)

    def _schema(self, table: TableId) -> TableSchema:
        return self._knowledge.definitions.schemas.get(table) or _nameless(table)


def _nameless(table: TableId) -> TableSchema:
    return TableSchema(
        id=0, db=table.db, table=table.table, create_sql="", columns=(), state="dropped"
    )
