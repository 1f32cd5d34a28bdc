"""A capture at work on a real server's log, without Kafka: from a place to a place, its records as
they would be sent, and the places between transactions where another may begin."""

import os
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from pydantic import SecretStr

from binlog_rows import Decoder, shown
from mysync_lab.sql import SqlServer
from mysync_producer import capture as capture_module
from mysync_producer.capture import Capture
from mysync_producer.catalog import read_catalog
from mysync_producer.connection import DumpFrom, Identity, open_dump
from mysync_producer.definitions import OwnIds, adopted, define
from mysync_producer.errors import RowsTakenBack
from mysync_producer.filters import Filters
from mysync_producer.rowcodec import Sequencer
from mysync_producer.source import Source
from mysync_producer.state import LogEnd
from mysync_producer.statements import Change
from mysync_producer.tables import PlanSettings, Tables
from mysync_producer.transaction import Resume, SourceTransaction, TakenBack
from mysync_producer.xa import XaRecord, XaTransactions, known
from mysync_runtime.settings import DdlSettings, SourceSettings
from mysync_schemas.control import DdlContext
from mysync_schemas.framing import unframe
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import BinlogPosition
from mysync_schemas.table import TableId

PARTITIONS = 4
_IDENTITY = 0x3F000000

Sent = tuple[int, bytes | None, bytes]
"""Partition, key, value."""


@dataclass(frozen=True)
class Place:
    """A place in the log, and what a producer that stands there knows."""

    position: BinlogPosition
    gtids: str | None
    seq: int = 0
    prev: tuple[int, ...] = (0,) * PARTITIONS
    records: int = 0  # that came before
    resume: Resume | None = None
    xa: tuple[XaRecord, ...] = ()


def part_done(transaction: SourceTransaction) -> Resume:
    """What a producer notes when it commits within a transaction."""
    left_out = transaction.left_out_done
    return Resume(transaction.rows, transaction.txn_seq, transaction.gtid, left_out)


class MemoryLog:
    """What the topic of XA transactions holds; everything is committed at once."""

    def __init__(self, records: tuple[XaRecord, ...]) -> None:
        self.records = list(records)
        self.commits = 0

    def write(
        self, key: bytes, value: bytes | None, delivered: Callable[[int], None] | None = None
    ) -> None:
        if delivered is not None:
            delivered(len(self.records))
        self.records.append((len(self.records), key, value))
        self.commits += 1

    def read(self, offset: int) -> list[XaRecord]:
        return self.records[max(offset, 0) :]


@dataclass
class Captured:
    records: list[Sent] = field(default_factory=list)
    boundaries: list[Place] = field(default_factory=list)
    parts: list[Place] = field(default_factory=list)
    """Places within transactions: after each row."""
    types: set[int] = field(default_factory=set)
    """Kinds of the events, but not those within others."""


@dataclass
class Statements:
    """Keeps the statements that would be carried; their lines have their numbers."""

    sequencer: Sequencer
    carried: list[Change]

    def carry(
        self, change: Change, context: DdlContext, transaction: SourceTransaction, server_id: int
    ) -> int:
        self.carried.append(change)
        return self.sequencer.take_all()[0]


class CaptureRig:
    """One database of a server, as its tables are at construction."""

    def __init__(self, server: SqlServer, db: str) -> None:
        self.server = server
        self.db = db
        self.settings = SourceSettings(
            port=server.port,
            user=server.user,
            password=SecretStr(server.password),
            heartbeat_seconds=0.2,
        )
        self.filters = Filters([f"{db}.*"])
        with closing(Source.connect(self.settings)) as source:
            self.mariadb = source.flavor.is_mariadb
            catalog = read_catalog(source.connection, source.flavor, self.filters)
            assert not catalog.refused, catalog.refused
            self.definitions = define(catalog.tables, "rig", OwnIds(), source.scalar)
        adopted(self.definitions, 1)
        self.carried: list[Change] = []
        self.decoders = {s.value_schema_id: Decoder(s) for s in self.definitions.schemas.values()}

    def end(self) -> LogEnd:
        with closing(Source.connect(self.settings)) as source:
            return source.end()

    def here(self) -> Place:
        end = self.end()
        return Place(end.position, None if end.gtids is None else str(end.gtids))

    def capture(self, start: Place, end: LogEnd, taken_back: TakenBack | None = None) -> Captured:
        """Everything from `start` to `end`; begins anew where rows were taken back, as a producer
        does."""
        taken_back = taken_back or TakenBack()
        while True:
            try:
                # A chunk is a row; the time of reading would be the records' only difference.
                with (
                    mock.patch.object(capture_module, "time", mock.Mock(time_ns=lambda: 0)),
                    mock.patch.object(capture_module, "_CHUNK", 1),
                ):
                    return self._capture(start, end.position, taken_back)
            except RowsTakenBack:
                continue

    def _capture(self, start: Place, end: BinlogPosition, taken_back: TakenBack) -> Captured:
        kind = MariadbGtidSet if self.mariadb else GtidSet
        gtids: Any = [None if start.gtids is None else kind.parse(start.gtids) for _ in range(2)]
        process = os.getpid() % 0xFFFF
        identity = Identity(_IDENTITY + process, f"{uuid.UUID(int=process)}", "rig")
        transaction = SourceTransaction(start.position, gtids[0], taken_back, start.resume)
        sequencer = Sequencer(start.seq, list(start.prev))
        flavor = "mariadb" if self.mariadb else "mysql"
        settings = PlanSettings("rig", "0", flavor, PARTITIONS, 1_000_000, 7)
        tables = Tables(self.filters, settings)
        known_of = self.definitions
        tables.learn(known_of.schemas.values(), known_of.folds(), known_of.charsets())
        topic = MemoryLog(start.xa)
        # Small messages, so that rows of a few hundred bytes make several pieces.
        xa = XaTransactions(topic, known(topic.records, "rig"), 2_000)
        statements = Statements(sequencer, self.carried)
        capture = Capture(
            tables, self.filters, sequencer, transaction, PARTITIONS, xa, statements, DdlSettings()
        )
        found = Captured()

        def place(resume: Resume | None = None) -> Place:
            return Place(
                transaction.boundary,
                None if transaction.gtids is None else str(transaction.gtids),
                sequencer.seq,
                tuple(sequencer.prev),
                len(found.records),
                resume,
                tuple(topic.records),
            )

        last = start.position
        dump = DumpFrom(start.position, gtids[1])
        with closing(open_dump(self.settings, dump, identity)) as stream:
            while transaction.boundary < end:
                event = stream.read()
                found.types.add(event.type)
                for size in capture.take(event):
                    for partition, records in enumerate(capture.batch):
                        found.records += [(partition, key, value) for key, value in records]
                        records.clear()
                    if size > 0 and transaction.open and transaction.rows:
                        found.parts.append(place(part_done(transaction)))
                if transaction.between and transaction.boundary != last:
                    last = transaction.boundary
                    found.boundaries.append(place())
        return found

    def decoded(self, records: list[Sent]) -> list[dict[str, Any]]:
        """The envelopes in the order of their numbers."""
        found = [self.decoders[unframe(value)[0]].read(value) for _, _, value in records]
        return sorted(found, key=lambda envelope: envelope["source"]["seq"])

    def replayed(self, records: list[Sent]) -> dict[str, dict[Any, dict[str, Any]]]:
        """The tables' rows by primary key after all records; every one must fit strictly."""
        tables: dict[str, dict[Any, dict[str, Any]]] = {}
        for envelope in self.decoded(records):
            name = envelope["source"]["table"]
            schema = self.definitions.schemas[TableId(self.db, name)]
            rows = tables.setdefault(name, {})
            for side in ("before", "after"):
                if envelope[side] is None:
                    continue
                _, image = envelope[side]
                key = tuple(image[schema.column(c).avro_name] for c in schema.identity)
                if side == "before":
                    assert rows.pop(key, None) == image, envelope
                else:
                    assert key not in rows, envelope
                    rows[key] = image
        return tables

    def assert_shown(self, records: list[Sent], cursor: Any) -> None:
        """After all records the tables are as the server shows them."""

        def ask(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        replayed = self.replayed(records)
        for table, schema in self.definitions.schemas.items():
            order = ", ".join(schema.identity)
            rows = [row for _, row in sorted(replayed.get(table.table, {}).items())]
            there = shown(ask, schema, order)
            assert len(rows) == len(there), table
            for row, values in zip(rows, there, strict=True):
                self.decoders[schema.value_schema_id].assert_shows(row, values)
