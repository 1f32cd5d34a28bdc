"""From events to records: follows the source's transactions and transcodes their rows.

`take` is called with every event of the stream, in order. What it makes of rows collects in
`batch`, one list of (key, value) per partition; it hands over after each chunk, so that neither a
huge event nor a huge transaction has to fit in memory. An event type that isn't known and isn't
flagged ignorable, and everything that can't be carried exactly, stops the producer by name and
position.
"""

import time
from collections.abc import Callable, Iterator
from typing import NoReturn, ParamSpec, Protocol, TypeVar

from mysync_producer import points
from mysync_producer.compressed import COMPRESSED, uncompressed
from mysync_producer.events import (
    ARTIFICIAL,
    HEADER_SIZE,
    IGNORABLE,
    Event,
    EventType,
    GtidEvent,
    event_name,
    gtid_of,
    parse_format_description,
    parse_incident,
    parse_rotate,
    parse_rows_header,
)
from mysync_producer.filters import Filters
from mysync_producer.partialrows import full_rows
from mysync_producer.payload import inner_events
from mysync_producer.publisher import Record
from mysync_producer.queries import QueryEvent, context_of, parse_execute_load, parse_query
from mysync_producer.rowbatch import encode_whole
from mysync_producer.rowcodec import (
    EventContext,
    Sequencer,
    columns_present,
    encode_rows,
)
from mysync_producer.statements import Change, Kind, Meaning, classify, dialect_of
from mysync_producer.tables import TOUCHED_MOST, Table, Tables
from mysync_producer.transaction import SourceTransaction
from mysync_producer.xa import Prepared, XaTransactions
from mysync_producer.xid import parse_xa, parse_xa_prepare
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import CorruptEvent, DdlInStream, UnknownEvent, UnsupportedEvent
from mysync_runtime.settings import DdlSettings
from mysync_schemas.control import DdlContext
from mysync_schemas.envelope import CASCADES_LOGGED, NO_FOREIGN_KEY_CHECKS
from mysync_schemas.position import BinlogPosition
from mysync_schemas.sqltokens import Dialect

__all__ = ["COMMIT_FIRST", "Capture"]

COMMIT_FIRST = -1
"""Yielded where what was sent has to be committed before anything more can be taken."""

# Bytes of records after which an event's remaining rows wait for the publisher.
_CHUNK = 1 << 20
_ALL = 1 << 62
_NO_TABLE = 0xFFFFFF  # table id of an empty rows event that only ends a statement

_ROWS: dict[int, tuple[int, int]] = {  # operation, version of the event's header
    EventType.WRITE_ROWS_V1: (ord("c"), 1),
    EventType.UPDATE_ROWS_V1: (ord("u"), 1),
    EventType.DELETE_ROWS_V1: (ord("d"), 1),
    EventType.WRITE_ROWS: (ord("c"), 2),
    EventType.UPDATE_ROWS: (ord("u"), 2),
    EventType.DELETE_ROWS: (ord("d"), 2),
    EventType.PARTIAL_UPDATE_ROWS: (ord("u"), 2),
}
_ROWS |= {kind: _ROWS[plain] for kind, plain in COMPRESSED.items() if plain in _ROWS}
_UPDATE = ord("u")
_DELETE = ord("d")

# Known, and of no consequence: context of statements, comments, lists for replicas.
_PASS = frozenset(
    {
        EventType.INTVAR,
        EventType.RAND,
        EventType.USER_VAR,
        EventType.BEGIN_LOAD_QUERY,
        EventType.IGNORABLE,
        EventType.ROWS_QUERY,
        EventType.PREVIOUS_GTIDS,
        EventType.HEARTBEAT_V2,
        EventType.MARIADB_ANNOTATE_ROWS,
        EventType.MARIADB_BINLOG_CHECKPOINT,
        EventType.MARIADB_GTID_LIST,
        EventType.MARIADB_START_ENCRYPTION,
    }
)


class Statements(Protocol):
    """Where statements go that are carried."""

    def carry(
        self, change: Change, context: DdlContext, transaction: SourceTransaction, server_id: int
    ) -> int:
        """Sends one; returns the seq of its line."""


_Handler = Callable[[Event], Iterator[int] | None]
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Capture:
    """Reads on from `transaction`'s boundary. Whoever publishes `batch` empties it."""

    def __init__(
        self,
        tables: Tables,
        filters: Filters,
        sequencer: Sequencer,
        transaction: SourceTransaction,
        partitions: int,
        xa: XaTransactions,
        changes: Statements,
        ddl: DdlSettings,
    ) -> None:
        self.tables = tables
        self.xa = xa
        self.changes = changes
        self._ddl = ddl
        self.filters = filters
        self.sequencer = sequencer
        self.transaction = transaction
        self.batch: list[list[Record]] = [[] for _ in range(partitions)]
        self.source_us = 0  # time of the last event that has one, µs
        self._open_tables: dict[int, Table | None] = {}  # by table id, within a statement
        self._context = EventContext()
        self._dialect = Dialect()  # of the server that wrote the file
        self._begun = False  # the open transaction ends by XID or COMMIT, not by its statement
        self._row = 0  # number of the next row at the place of the last event
        self._before = 0  # where the last event begins
        self._place = 0  # of the rows that it holds, when it holds those of many events
        self._handlers: dict[int, _Handler] = {
            EventType.QUERY: self._on_query,
            EventType.EXECUTE_LOAD_QUERY: self._on_query,
            EventType.MARIADB_QUERY_COMPRESSED: self._on_query,
            EventType.XID: self._on_xid,
            EventType.XA_PREPARE: self._on_xa_prepare,
            EventType.TABLE_MAP: self._on_table_map,
            EventType.GTID: self._on_gtid,
            EventType.ANONYMOUS_GTID: self._on_gtid,
            EventType.GTID_TAGGED: self._on_gtid,
            EventType.MARIADB_GTID: self._on_gtid,
            EventType.ROTATE: self._on_rotate,
            EventType.FORMAT_DESCRIPTION: self._on_file_boundary,
            EventType.STOP: self._on_file_boundary,
            EventType.HEARTBEAT: self._on_heartbeat,
            EventType.INCIDENT: self._on_incident,
        }

    @property
    def where(self) -> str:
        return f"{self.transaction.file}:{self.transaction.at(0)}"

    def take(self, event: Event) -> Iterator[int]:
        """Takes one event; yields the size of each chunk that it puts into `batch` or sends by
        itself, 0 now and then while an event that takes long does neither, and COMMIT_FIRST."""
        self._row = 0
        self._place = 0
        self._before = self.transaction.at(0)
        if event.type == EventType.TRANSACTION_PAYLOAD:
            return self._payload(event)
        return self._take(event)

    def _payload(self, event: Event) -> Iterator[int]:
        """Its events share one place, its beginning: at its end nothing may be left to send. The
        rows of all of them are counted on."""
        self._place = self._before
        self.transaction.at(event.log_pos)
        where = self.where
        try:
            for inner in inner_events(event):
                yield from self._take(inner)
                yield 0
        except CorruptEvent as error:
            error.where = error.where or where
            raise

    def _take(self, event: Event) -> Iterator[int]:
        kind = event.type
        if kind in _ROWS:
            return self._rows(event)
        if kind != EventType.ROTATE and not event.flags & ARTIFICIAL:
            self.transaction.at(event.log_pos)
        handler = self._handlers.get(kind)
        if handler is not None:
            return handler(event) or iter(())
        if kind not in _PASS:
            self._refuse(event)
        return iter(())

    # -- transactions

    def _on_gtid(self, event: Event) -> None:
        gtid = gtid_of(event)
        self._begin(gtid, event)
        self._begun = event.type == EventType.MARIADB_GTID and not gtid.standalone
        if gtid.xid is not None:
            self.xa.begin(gtid.xid, None)

    def _begin(self, gtid: GtidEvent, event: Event) -> None:
        self.transaction.begin(gtid, len(event.body) + HEADER_SIZE)
        self.xa.drop()
        self.source_us = gtid.commit_us or event.timestamp * 1_000_000

    def _on_xid(self, _event: Event) -> None:
        self._end()

    def _end(self) -> None:
        self.transaction.end()
        self.xa.drop()
        self._open_tables.clear()

    def _on_query(self, event: Event) -> Iterator[int] | None:
        if event.type in COMPRESSED:
            event = self._whole(uncompressed, event)
        load = event.type == EventType.EXECUTE_LOAD_QUERY
        query = (parse_execute_load if load else parse_query)(event.body)
        if self._begun:
            query = query.worded
        statement = classify(query, self.filters, self._dialect, self._ddl)
        if not self.transaction.open:  # a server that writes no GTID events at all
            self._begin(GtidEvent(None, 0), event)
            self._begun = False
        match statement.kind:
            case Kind.BEGIN:
                self._require_known(query)
                self._begun = True
                self.transaction.time_zone = query.time_zone
            case Kind.COMMIT:
                self._end()
            case Kind.ROLLBACK:
                self.transaction.rollback()
                self.xa.drop()
                self._open_tables.clear()
            case Kind.SAVEPOINT:
                self.transaction.savepoint(statement.name)
            case Kind.ROLLBACK_TO:
                self.transaction.rollback_to(statement.name)
            case Kind.XA:
                return self._on_xa(query, event)
            case Kind.HARMLESS:
                if not self._begun:
                    self._end()
            case Kind.CHANGES:
                return self._change(statement, query, event)
            case Kind.CONCERNS | Kind.WRITES:
                self._stop_at(statement, query)
        return None

    def _require_known(self, query: QueryEvent) -> None:
        """A statement whose context can't be read means who knows what."""
        if query.unknown_variable is not None:
            raise UnknownEvent(
                f"status variable {query.unknown_variable} of a statement is not known",
                where=self.where,
            )

    # -- statements

    def _change(self, meaning: Meaning, query: QueryEvent, event: Event) -> Iterator[int]:
        """A statement counts as a row of its transaction: a restart within that passes it over."""
        transaction, change = self.transaction, meaning.change
        assert change is not None
        self._require_known(query)
        if transaction.left_out(True):
            transaction.leave_out(1)
        elif transaction.skip:
            transaction.took(1, transactional=True)
        else:
            context = context_of(query, event.timestamp, mariadb=self._dialect.mariadb)
            seq = self.changes.carry(change, context, transaction, event.server_id)
            transaction.txn_seq = transaction.txn_seq or seq
            transaction.took(1, transactional=True)
        self._open_tables.clear()
        if not self._begun:
            self._end()
            yield COMMIT_FIRST

    # -- XA transactions

    def _on_xa(self, query: QueryEvent, event: Event) -> Iterator[int] | None:
        verb, name = parse_xa(query.sql) or ("", "")
        match verb:
            case "START":
                self._begun = True
                self.xa.begin(name, query.time_zone)
            case "END":
                pass
            case "COMMIT":
                return self._commit(self.xa.find(name, self.where), event)
            case "ROLLBACK":
                self._end()
                return iter((self.xa.forget(name),))
            case _:
                text = query.sql[:300].decode("utf-8", "replace")
                raise UnknownEvent(f"a statement that isn't known: {text}", where=self.where)
        return None

    def _on_xa_prepare(self, event: Event) -> Iterator[int]:
        """Between the change of the position and that of what is kept, nothing may be committed:
        no `yield`."""
        one_phase, name = parse_xa_prepare(event.body)
        gtid = self.transaction.gtid
        if one_phase:
            closed, size = self.xa.close(name, self.where, gtid)
            yield size
            yield from self._commit(closed, event)
            return
        size = self.xa.prepare(name, self.where, gtid)
        self._end()
        yield size

    def _commit(self, prepared: Prepared, event: Event) -> Iterator[int]:
        """The rows of an XA transaction become those of the open one, and end it."""
        self._place = self._before
        if not self.xa.readable(prepared):
            yield COMMIT_FIRST
        self.transaction.time_zone = prepared.time_zone
        self._open_tables.clear()
        for kept in self.xa.events(prepared, self.where):
            for size in self._take(kept._replace(timestamp=event.timestamp)):
                yield size
                crash_point(points.XA_COMMIT)
            yield 0
        self._end()
        yield self.xa.forget(prepared.name, prepared)

    def _stop_at(self, statement: Meaning, query: QueryEvent) -> NoReturn:
        sql = query.sql[:300].decode("utf-8", "replace")
        text = " ".join(sql.split())
        if statement.kind is Kind.WRITES:
            raise UnsupportedEvent(
                f"a change of rows is logged as a statement, not as rows ({statement.why}): {text}",
                where=self.where,
                mend="Set binlog_format=ROW on the source, in every session, then begin the "
                "pipeline anew under another name: nothing after this place was replicated.",
            )
        raise DdlInStream(
            f"a statement that may change a replicated table ({statement.why}): {text}",
            where=self.where,
            mend="Everything before it was replicated. If the settings under `ddl` may decide on "
            "it, change them and start again. Else, to begin anew: let the consumers catch up, "
            "make the same change on the target, then start a pipeline of another name "
            "(`start: latest`) before anything is written to the source again.",
        )

    # -- places in the log

    def _on_rotate(self, event: Event) -> None:
        file, position = parse_rotate(event.body)
        if not event.flags & ARTIFICIAL:
            self.transaction.at(event.log_pos)
        self.transaction.rotate(file, position)
        self._open_tables.clear()
        if not event.flags & ARTIFICIAL and event.log_pos:
            self.transaction.move(BinlogPosition(file, position))

    def _on_file_boundary(self, event: Event) -> None:
        if event.type == EventType.FORMAT_DESCRIPTION:
            self._dialect = dialect_of(parse_format_description(event.body).server_version)
            self.transaction.describe(event.timestamp)
        if not event.flags & ARTIFICIAL:
            self.transaction.broken_off(event_name(event.type))

    def _on_heartbeat(self, event: Event) -> None:
        """The server has nothing more to send than what stands before this place."""
        file = event.body.decode("utf-8", "replace")
        if event.log_pos and file == self.transaction.file:
            self.transaction.move(BinlogPosition(file, event.log_pos))

    # -- rows

    def _on_table_map(self, event: Event) -> Iterator[int] | None:
        body = event.body
        table = self.tables.table_of(body, self.where)
        self._open_tables[int.from_bytes(body[:6], "little")] = table
        if table is not None and self.xa.reading and table.transactional:
            return iter((self.xa.add(event, table.plan.table),))
        return None

    def _rows(self, event: Event) -> Iterator[int]:
        operation, version = _ROWS[event.type]
        transaction = self.transaction
        position = transaction.at(event.log_pos)
        header = parse_rows_header(event.body, version)
        table = self._table(header.table_id)
        if table is None:
            return
        if not transaction.open:
            raise CorruptEvent("rows outside of a transaction", where=self.where)
        if self.xa.reading and table.transactional:
            if not transaction.left_out(True):
                transaction.held()
                yield self.xa.add(event, table.plan.table)
            return
        if table.mode.held or table.withheld:
            self.tables.left_behind(table)
            return
        if event.type in COMPRESSED:
            event = self._whole(uncompressed, event)
        plan = table.plan
        context = self._context
        context.ts_ms = time.time_ns() // 1_000_000
        context.ts_us = transaction.commit_us or event.timestamp * 1_000_000
        context.server_id = event.server_id
        context.gtid = transaction.gtid
        context.file = transaction.file
        context.pos = self._place or position
        context.flags = header.flags
        context.time_zone = transaction.time_zone
        context.snapshot = table.snapshot
        body = event.body
        at = columns_present(plan, context, body, header.start, len(body), operation == _UPDATE)
        if event.type == EventType.PARTIAL_UPDATE_ROWS:
            body = body[:at] + self._whole(full_rows, body, at, table.table_map)
        end = len(body)
        transaction.tables.add(plan.table)
        if transaction.left_out(table.transactional):
            transaction.leave_out(self._count(table, operation, body, at, end))
            return
        keys_changed = plan.keys_changed
        while at < end:
            context.txn_seq = transaction.txn_seq
            rows, size, at = encode_whole(
                plan, context, self.sequencer, operation, body, at, end, self._row,
                transaction.skip, _CHUNK, self.batch,
            )  # fmt: skip
            skipped = min(rows, transaction.skip)
            self._row += rows
            transaction.took(rows, table.transactional)
            transaction.txn_seq = context.txn_seq
            table.count(operation, rows - skipped)
            touched = table.mode.touched
            if touched is not None and len(touched) > TOUCHED_MOST:
                self.tables.overflow(table.table_id)
            if size:
                yield size
        if table.mode.disturbs and not header.flags & (CASCADES_LOGGED | NO_FOREIGN_KEY_CHECKS):
            by_any_update = operation == _UPDATE and not table.mode.by_key
            if operation == _DELETE or plan.keys_changed != keys_changed or by_any_update:
                self.tables.disturb(table.table_id)

    def _whole(self, unpack: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
        """What `unpack` makes of an event that it can't name the place of."""
        try:
            return unpack(*arguments, **named)
        except CorruptEvent as error:
            error.where = self.where
            raise

    def _count(self, table: Table, operation: int, body: bytes, at: int, end: int) -> int:
        """How many rows the event has, without sending any."""
        nowhere: list[list[Record]] = [[] for _ in self.batch]
        rows, _, _ = encode_rows(
            table.plan,
            self._context,
            self.sequencer,
            operation,
            body,
            at,
            end,
            row0=0,
            skip=_ALL,
            limit=_ALL,
            out=nowhere,
        )
        return rows

    def _table(self, table_id: int) -> Table | None:
        try:
            return self._open_tables[table_id]
        except KeyError:
            if table_id == _NO_TABLE:
                return None
            raise CorruptEvent(
                f"rows of table id {table_id} without its TABLE_MAP", where=self.where
            ) from None

    # -- what stops the producer

    def _on_incident(self, event: Event) -> None:
        raise UnsupportedEvent(
            f"an INCIDENT (26) event: {parse_incident(event.body)}. The source says that its log "
            "has lost changes here",
            where=self.where,
            mend="Copy the tables again, then begin the pipeline anew after this place.",
        )

    def _refuse(self, event: Event) -> None:
        if not event.flags & IGNORABLE:
            raise UnknownEvent(
                f"an event of unknown kind, {event_name(event.type)}", where=self.where
            )
