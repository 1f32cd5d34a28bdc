"""What is known of the replicated tables, and for how certain.

After a statement a table is *uncertain*: its rows are carried by what their TABLE_MAP says, whole
to one partition, until its definition was read and the stream has passed the log's end of that
time. Then the definition is adopted, at a line. New versions go to the control topic in the Kafka
transaction of the first record that they hold for. What is uncertain stands in the state record, so
that a successor reads it again; nothing else here outlives the process.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from mysync_producer import metrics, points
from mysync_producer.collations import Collations
from mysync_producer.definitions import control_records, with_schemas
from mysync_producer.evolution import Evolution, evolve, placeholder, rerouted, unknown_key
from mysync_producer.filters import Filters
from mysync_producer.inferred import inferred, label_charsets
from mysync_producer.reading import Reading, read_definitions
from mysync_producer.rowcodec import Sequencer
from mysync_producer.source import Source
from mysync_producer.start import Started, line_records, schema_ids
from mysync_producer.state import Learning, Server
from mysync_producer.statements import Change
from mysync_producer.tablemap import TableMap
from mysync_producer.tables import Tables
from mysync_producer.transaction import SourceTransaction
from mysync_runtime.crash import crash_point
from mysync_runtime.errors import MysyncError, PreflightError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas.control import CharsetRecord, FoldRecord
from mysync_schemas.markers import Line
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Knowledge"]

log = get_logger("knowledge")

_AGAIN_SECONDS = 1.0
"""Between two tries to read a definition that couldn't be read, or wasn't there."""


class Knowledge:
    """`ask` gives a connection for questions to the source; `tables` are told what holds."""

    def __init__(
        self,
        settings: Settings,
        filters: Filters,
        started: Started,
        tables: Tables,
        sequencer: Sequencer,
        ask: Callable[[], Source],
    ) -> None:
        state = started.state
        self.info = started.info
        self.definitions = started.definitions
        self.publisher = started.publisher
        self.sequencer = sequencer
        self._filters = filters
        self._tables = tables
        self._ids = schema_ids(settings, state.next_schema_id)
        self._ask = ask
        self._collations = Collations(
            lambda sql: ask().scalar(sql), started.definitions.collation_records
        )
        self.transaction: SourceTransaction | None = None  # that is being read
        self._learning = state.learning  # of all first definitions
        self._uncertain = {TableId(*name) for name in state.uncertain}
        self._reading: Reading | None = None
        self._read_at = 0.0
        tables.learn(
            self.definitions.schemas.values(),
            self.definitions.folds(),
            self.definitions.charsets(),
        )
        tables.infer = self.infer
        tables.ahead = self._learning is not None

    @property
    def state_fields(self) -> dict[str, Any]:
        """What of it stands in the state record."""
        return {
            "next_schema_id": self._ids.next_id,
            "next_version_id": self.definitions.next_version,
            "learning": self._learning,
            "uncertain": tuple(sorted(self._uncertain)),
        }

    # -- how certain it is

    @property
    def all_certain(self) -> bool:
        """Whether every table is known as the stream shows it."""
        return self._learning is None and self._reading is None and not self._uncertain

    def certain(self, table: TableId) -> TableSchema | None:
        """The version of the table that holds, if it is known as the stream shows it."""
        schema = self.definitions.schemas.get(table)
        if schema is None or schema.state != "defined" or not schema.value_schema_id:
            return None
        return None if self._learning is not None or table in self._uncertain else schema

    # -- what changes it

    def follow(self, change: Change, seq: int) -> list[TableSchema]:
        """After a statement that is carried at line `seq`: the versions that hold from there, to be
        told."""
        if change.verb is Verb.TRUNCATE_TABLE:
            return []
        effects = change.effects
        if change.verb is Verb.UNKNOWN:
            effects = replace(effects, changed=tuple(self.definitions.schemas))  # any of them
        evolution = evolve(
            self.definitions.schemas,
            self._uncertain,
            effects,
            dropped_database=change.dropped_database,
            table_type=change.table_type,
        )
        if self._reading is not None:
            changed = {schema.table_id for schema in evolution.changed(self.definitions.schemas)}
            self._reading.forget(effects.tables | changed)
        self._uncertain = evolution.uncertain
        if self._learning is not None:
            self._learning = self._learning.renamed(effects.renames)
        return self._numbered(evolution, seq)

    def infer(self, table_map: TableMap) -> TableSchema:
        """The version that a TABLE_MAP describes of a table whose definition isn't known; it is
        published, and its rows may follow."""
        table = TableId(table_map.db, table_map.table)
        known = self.definitions.schemas.get(table)
        before = known
        if known is None:
            known = self._introduce(table)
        elif known.state == "defined":
            known = placeholder(table, before, known.foreign_keys)
        found = inferred(
            table_map,
            known,
            mariadb=self.info.connector == "mariadb",
            charsets={name: self._collations.table(name) for name in label_charsets(table_map)},
        )
        self._uncertain.add(table)
        after = {**self.definitions.schemas, table: self._completed(found, before)}
        self.tell(self._numbered(Evolution(after, self._uncertain), self.sequencer.seq + 1))
        crash_point(points.INFERRED)
        metrics.INFERRED.inc()
        return self.definitions.schemas[table]

    def adopt_when_due(self, server: Server, transaction: SourceTransaction) -> bool:
        """Between two transactions: reads the definitions that have to be read, and sends a line
        with those that are certain now. Says whether it did: that has to be committed."""
        found: dict[TableId, TableSchema] = {}
        learned = self._learning is not None and self._learning.passed(
            server, transaction.boundary, transaction.gtids
        )
        if learned:
            self._learning = None
            self._tables.ahead = False
        self._read_when_due()
        reading = self._reading
        if reading is not None and reading.end.passed(
            server, transaction.boundary, transaction.gtids
        ):
            self._reading = None
            if reading.refused:
                raise PreflightError(
                    "the source has tables that can't be replicated any more",
                    [failure for failures in reading.refused.values() for failure in failures],
                    mend="Or change the table back on the source, then start again: the filters of "
                    "a pipeline that has begun can't be changed.",
                )
            found = reading.tables
            if missing := sorted(reading.asked - found.keys()):
                log.warning("the source has no definition", tables=[str(t) for t in missing])
                self._read_at = time.monotonic() + _AGAIN_SECONDS
        if not (learned or found):
            return False
        self._adopt(found)
        return True

    def begin_again(self, tables: list[TableSchema], end: Learning) -> None:
        """Forgets what the stream has shown: these tables were read, and the stream goes on
        somewhere before `end`. Sends their versions with a line."""
        before = self.definitions.schemas
        after = {t.table_id: self._completed(t, before.get(t.table_id)) for t in tables}
        self._learning, self._uncertain, self._reading = end, set(), None
        seq, prev = self.sequencer.take_all()
        self.tell(self._numbered(Evolution(after, set()), seq))
        self.line(Line(seq, 0, seq, self.definitions.next_version - 1, Line.ADOPT), prev)

    # -- inner

    def _introduce(self, table: TableId) -> TableSchema:
        """A table that nobody knew of: it was there when the pipeline began, and was dropped or
        renamed before the definitions were read. What it may be joined with has to be known at a
        line, before its first row; the line belongs to the row's transaction."""
        anchor = None if self._learning is None else self._learning.anchor
        keys = () if anchor is None else (unknown_key(TableId(*anchor)),)
        seq, prev = self.sequencer.take_all()
        self._uncertain.add(table)
        schemas = {**self.definitions.schemas, table: placeholder(table, None, keys)}
        self.tell(self._numbered(Evolution(schemas, self._uncertain), seq))
        transaction = self.transaction
        assert transaction is not None, "rows come with a transaction"
        transaction.txn_seq = transaction.txn_seq or seq
        number = self.definitions.next_version - 1
        self.line(Line(seq, 0, transaction.txn_seq, number, Line.ADOPT), prev)
        crash_point(points.INTRODUCED)
        return self.definitions.schemas[table]

    def _adopt(self, found: dict[TableId, TableSchema]) -> None:
        schemas = self.definitions.schemas
        completed = {table: self._completed(s, schemas.get(table)) for table, s in found.items()}
        self._uncertain -= completed.keys()
        seq, prev = self.sequencer.take_all()
        versions = self._numbered(Evolution({**schemas, **completed}, self._uncertain), seq)
        self.tell(versions)
        line = Line(seq, 0, seq, self.definitions.next_version - 1, Line.ADOPT)
        self.line(line, prev)
        crash_point(points.ADOPTION)
        log.info("definitions adopted", tables=len(versions), seq=seq)

    def _read_when_due(self) -> None:
        """Reads what is uncertain, one reading at a time."""
        now = time.monotonic()
        if self._reading is not None or not self._uncertain or now < self._read_at:
            return
        self._read_at = now
        try:
            self._reading = read_definitions(self._ask(), self._filters, self._uncertain)
        except MysyncError as error:
            if not error.retriable:
                raise
            self._read_at = time.monotonic() + _AGAIN_SECONDS
            log.warning("definitions can't be read yet", reason=str(error))
        crash_point(points.DEFINITIONS_READ)

    def _completed(self, table: TableSchema, before: TableSchema | None) -> TableSchema:
        """With its Avro schemas, and tables of its collations and character sets; new ones of
        these are published."""
        known = {id(record) for record in self.definitions.collation_records}
        table = self._collations.completed(table)
        new: list[FoldRecord | CharsetRecord] = [
            record for record in self._collations.records if id(record) not in known
        ]
        for record in new:
            self.definitions.take(record)
        if new:
            self.publisher.control(control_records(self.info, (), new))
            folds, charsets = self.definitions.folds(), self.definitions.charsets()
            self._tables.learn((), folds, charsets)
        return with_schemas(table, self.info.pipeline, self._ids, before)

    def tell(self, versions: list[TableSchema]) -> None:
        """Sends numbered versions to the control topic; their tables have them from here on."""
        self.publisher.control(control_records(self.info, versions))
        self._tables.learn(versions)

    def _numbered(self, evolution: Evolution, seq: int) -> list[TableSchema]:
        """What is new, numbered, and routed as it then is."""
        before = self.definitions.schemas
        uncertain = set(evolution.uncertain)
        if self._learning is not None:
            uncertain |= before.keys()
        evolution.schemas = rerouted(evolution.schemas, uncertain)
        return self.definitions.publish(map(self._described, evolution.changed(before)), seq)

    def _described(self, version: TableSchema) -> TableSchema:
        """A table under a new name has Avro schemas of its own."""
        if version.value_schema_id or not version.columns:
            return version
        return with_schemas(version, self.info.pipeline, self._ids)

    def line(self, line: Line, prev: Iterable[int]) -> None:
        """Sends a line's copies."""
        copies = line_records(self.info, line, list(prev))
        self.publisher.send([[copy] for copy in copies], sum(len(value) for _, value in copies))
