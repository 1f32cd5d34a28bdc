"""The control topic, as every consumer process follows it: from its beginning, in no group.

Its first record is the PipelineInfo; then every table schema before its first use in the rows
topic, every statement with its line. It is read ahead: what it says holds from a seq on. The two
topics are seen at different moments, so a schema or a line's record that isn't known yet is waited
for.
"""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from mysync_consumer.errors import UnknownYet
from mysync_consumer.knowledge import Knowledge
from mysync_consumer.transfers import Transfers
from mysync_runtime import kafka
from mysync_runtime.errors import CorruptEvent, PipelineMismatch, TransientError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas import control as records
from mysync_schemas.charset import Charset, CharsetTable, charsets_of
from mysync_schemas.errors import SchemaError
from mysync_schemas.markers import Line
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId, TableSchema

POLL_SECONDS = 0.2
BATCH = 500

Work = records.Ddl | records.Transfer
"""What the control owner does at a line."""

SCHEMA_PATIENCE = 10.0
"""Seconds that a worker waits for a schema that rows already use, before it claims again."""


class Control:
    """What the control topic says, kept up to date by a thread. Safe to read from any thread.

    `knowledge` is what it says of tables, `statements` the statements by id, `transfers` what it
    says of tables that are being transferred. `end` asks Kafka where
    the topic ends now: a place in the rows may only be worked on when all that the topic held then
    is known, because it takes all tables to see which of them foreign keys join.
    """

    def __init__(
        self,
        settings: Settings,
        stop: Stop,
        fail: Callable[[BaseException], None],
        end: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._fail = fail
        self._end = end
        self._changed = threading.Condition()
        self._info: records.PipelineInfo | None = None
        self._schemas: dict[int, str] = {}
        self._charsets: dict[int, CharsetTable] = {}
        self._position = 0  # offset of the next record
        self._last_version = 0
        self.knowledge = Knowledge()
        self.transfers = Transfers()
        self.statements: dict[int, records.Ddl] = {}
        self._in_order: list[Work] = []
        self._stated: dict[str, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends the thread, if it was started."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    @property
    def info(self) -> records.PipelineInfo | None:
        return self._info

    def schema(self, value_schema_id: int, tick: Callable[[], None]) -> TableSchema:
        """The table schema whose row events have this schema id.

        Waits for it, calling `tick` now and then. Raises UnknownYet after SCHEMA_PATIENCE seconds.
        """
        self._wait(
            lambda: self.knowledge.version(value_schema_id, 0) is not None,
            f"schema {value_schema_id}",
            tick,
        )
        schema = self.knowledge.version(value_schema_id, 0)
        assert schema is not None
        return schema

    def wait_for(self, line: Line, tick: Callable[[], None]) -> None:
        """Waits until all is known that holds from a line on. Raises UnknownYet."""
        if line.action == Line.DDL:
            self._wait(lambda: self._told(line.id), f"statement {line.id}", tick)
        elif line.action in (Line.BEGIN, Line.END):
            self._wait(lambda: self.transfers.knows(line.id), f"transfer {line.id}", tick)
        else:
            self._wait(lambda: self._last_version >= line.id, f"definition {line.id}", tick)

    def _told(self, number: int) -> bool:
        """Whether a statement is known with the versions that it leaves."""
        statement = self.statements.get(number)
        return statement is not None and self._last_version >= max(statement.schema_ids, default=0)

    def catch_up(self, tick: Callable[[], None]) -> None:
        """Waits until all is known that the topic holds now. Raises UnknownYet, and what asking for
        the topic's end raises."""
        end = self._end()
        self._wait(lambda: self._position >= end, f"what stands before offset {end}", tick)

    def _wait(self, known: Callable[[], bool], what: str, tick: Callable[[], None]) -> None:
        deadline = time.monotonic() + SCHEMA_PATIENCE
        while not known():
            with self._changed:
                if not known():
                    self._changed.wait(0.05)
            tick()
            if time.monotonic() > deadline:
                raise UnknownYet(f"{what} isn't on the control topic")

    def charsets(self, schema: TableSchema) -> dict[str, Charset]:
        """By name those of the table's columns; their tables stand before the schema."""
        return charsets_of(schema, self._charsets)

    def tables(self) -> Mapping[TableId, TableSchema]:
        """The newest known version of every table."""
        return self.knowledge.tables(self.knowledge.newest)

    def all_statements(self) -> list[records.Ddl]:
        """Those that are known now, in their order."""
        with self._changed:
            return list(self.statements.values())

    def stated(self, table: TableId, seq: int) -> bool:
        """Whether there was a statement on the table up to a seq: without one, the pipeline didn't
        make the target's. Nor did it when the producer itself has dropped the table since."""
        return self._stated.get(str(table), seq + 1) <= seq

    def next_work(self, frontier: int, seconds: float) -> Work | None:
        """The first statement or transfer record behind a seq; waits for one, for at most so
        long."""
        with self._changed:
            found = self._behind(frontier)
            if found is None:
                self._changed.wait(seconds)
                found = self._behind(frontier)
            return found

    def _behind(self, frontier: int) -> Work | None:
        at = bisect_right(self._in_order, frontier, key=lambda work: work.seq)
        return self._in_order[at] if at < len(self._in_order) else None

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001 (ends the process)
            self._fail(error)

    def _follow(self) -> None:
        topic = self._settings.control_topic
        consumer: Consumer = kafka.reader(self._settings)
        try:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            while not self._ended.is_set() and not self._stop.requested:
                # `consume` with a timeout would wait until that is over or the batch is full.
                first = consumer.poll(POLL_SECONDS)
                for message in [] if first is None else [first, *consumer.consume(BATCH, 0)]:
                    error = message.error()
                    value, offset = message.value(), message.offset()
                    if error is not None:
                        self._heed(error, topic)
                        if offset is not None and error.code() == KafkaError._PARTITION_EOF:
                            self._reached(offset)  # transaction markers are no messages
                    elif value is not None and offset is not None:
                        self._take(value, f"{topic}, offset {offset}")
                        self._reached(offset + 1)
        finally:
            with suppress(RuntimeError):
                consumer.close()

    def _reached(self, position: int) -> None:
        with self._changed:
            self._position = max(self._position, position)
            self._changed.notify_all()

    def _heed(self, error: KafkaError, topic: str) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            return
        found = kafka.error_of(error, "read the control topic", topic)
        if not found.retriable:
            raise found
        get_logger("control").debug("waiting", reason=str(found))

    def _take(self, value: bytes, where: str) -> None:
        charset = None
        try:
            record: records.ControlRecord
            if self._info is None:
                record = records.decode_pipeline_info(value)
            else:
                record = records.decode(value, self._schemas)
            if isinstance(record, records.CharsetRecord):
                charset = CharsetTable.from_bytes(record.data)
        except SchemaError as error:
            if self._info is None:
                raise PipelineMismatch(
                    f"the control topic doesn't begin with a PipelineInfo: {error}", where=where
                ) from error
            raise CorruptEvent(f"a control record can't be read: {error}", where=where) from error
        with self._changed:
            if isinstance(record, records.PipelineInfo):
                self._take_info(record, where)
            elif isinstance(record, TableSchema):
                self.knowledge.take(record)
                self._last_version = record.id
            elif isinstance(record, records.Ddl):
                self.statements[record.id] = record
                self._in_order.append(record)
                assert self._info is not None
                self.transfers.follow(record, mariadb=self._info.connector == "mariadb")
                for table in record.tables:
                    if record.server_id or record.verb != Verb.DROP_TABLE.name:
                        self._stated.setdefault(table, record.seq)
                    else:
                        self._stated.pop(table, None)  # the producer is about to make it anew
            elif isinstance(record, records.Transfer):
                self.transfers.take(record)
                self._in_order.append(record)
            elif isinstance(record, records.CharsetRecord) and charset is not None:
                self._charsets[record.id] = charset
            self._changed.notify_all()

    def _take_info(self, info: records.PipelineInfo, where: str) -> None:
        if self._info is None:
            check_info(info, self._settings.pipeline)
            self._schemas = info.schemas_by_id()
            self._info = info
        else:
            check_same(self._info, info, where)


def check_info(info: records.PipelineInfo, pipeline: str) -> None:
    """Raises PipelineMismatch when the topics were written by something that we don't
    understand."""
    problems = []
    if info.pipeline != pipeline:
        problems.append(f"they belong to pipeline {info.pipeline!r}")
    if info.format != records.FORMAT:
        problems.append(f"their format is {info.format}, known is {records.FORMAT}")
    if info.hash_version != records.HASH_VERSION:
        problems.append(
            f"their hash version is {info.hash_version}, known is {records.HASH_VERSION}"
        )
    if problems:
        raise PipelineMismatch(f"the topics of {pipeline} can't be read: {'; '.join(problems)}")


def check_same(first: records.PipelineInfo, later: records.PipelineInfo, where: str) -> None:
    """Raises PipelineMismatch when a later PipelineInfo contradicts the first."""
    if (first.uuid, first.partitions, first.schema_id_mode) != (
        later.uuid,
        later.partitions,
        later.schema_id_mode,
    ):
        raise PipelineMismatch("the control topic holds two different pipelines", where=where)


def wait_for_info(
    control: Control,
    stop: Stop,
    failed: Callable[[], BaseException | None],
    tick: Callable[[], None],
) -> records.PipelineInfo:
    """Waits for the producer's first commit, and for all that the control topic holds.

    Raises Stopped, or what the follower failed with."""

    def wait() -> None:
        if (error := failed()) is not None:
            raise error
        tick()
        stop.sleep(0.1)

    said = 0.0
    while (info := control.info) is None:
        if time.monotonic() - said > 10:
            get_logger("control").info("waiting for the producer to create the pipeline's topics")
            said = time.monotonic()
        wait()
    while True:
        try:
            control.catch_up(wait)
        except TransientError as error:
            get_logger("control").info("reading the control topic", waiting_for=error.what)
            wait()
        else:
            return info
