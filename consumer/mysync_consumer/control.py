"""The control topic, as every consumer process follows it: from its beginning, in no group.

Its first record is the PipelineInfo; then every table schema before its first use in the rows
topic. The two topics are seen at different moments, so a schema that isn't known yet is waited for.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from mysync_consumer.errors import UnknownYet
from mysync_runtime import kafka
from mysync_runtime.errors import CorruptEvent, PipelineMismatch
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_schemas import control as records
from mysync_schemas.charset import Charset, CharsetTable, charsets_of
from mysync_schemas.errors import SchemaError
from mysync_schemas.table import TableId, TableSchema

SCHEMA_PATIENCE = 10.0
"""Seconds that a worker waits for a schema that rows already use, before it claims again."""


class Control:
    """What the control topic says, kept up to date by a thread. Safe to read from any thread.

    `version` grows with every table schema. `caught_up`: all that the topic held at the start is
    known. Not before may a table be bound: it takes all tables to see which of them foreign keys
    join.
    """

    def __init__(
        self, settings: Settings, stop: Stop, fail: Callable[[BaseException], None]
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._fail = fail
        self._changed = threading.Condition()
        self._info: records.PipelineInfo | None = None
        self._schemas: dict[int, str] = {}
        self._by_schema: dict[int, TableSchema] = {}
        self._latest: dict[TableId, TableSchema] = {}
        self._charsets: dict[int, CharsetTable] = {}
        self.version = 0
        self.caught_up = False
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
        deadline = time.monotonic() + SCHEMA_PATIENCE
        while True:
            with self._changed:
                schema = self._by_schema.get(value_schema_id)
                if schema is not None:
                    return schema
                self._changed.wait(0.05)
            tick()
            if time.monotonic() > deadline:
                raise UnknownYet(f"schema {value_schema_id} isn't on the control topic")

    def newest(self, value_schema_id: int) -> TableSchema | None:
        """The newest known table schema with these row events; its routing may be a later one."""
        return self._by_schema.get(value_schema_id)

    def charsets(self, schema: TableSchema) -> dict[str, Charset]:
        """By name those of the table's columns; their tables stand before the schema."""
        return charsets_of(schema, self._charsets)

    def tables(self) -> dict[TableId, TableSchema]:
        """The newest known schema of every table."""
        with self._changed:
            return dict(self._latest)

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
                for message in consumer.consume(500, 0.2):
                    error = message.error()
                    if error is not None:
                        self._heed(error, topic)
                        continue
                    value, offset = message.value(), message.offset()
                    if value is not None and offset is not None:
                        self._take(value, f"{topic}, offset {offset}")
        finally:
            with suppress(RuntimeError):
                consumer.close()

    def _heed(self, error: KafkaError, topic: str) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self.caught_up = self.caught_up or self._info is not None
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
                self._by_schema[record.value_schema_id] = record
                self._latest[record.table_id] = record
                self.version += 1
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
    said = 0.0
    while (info := control.info) is None or not control.caught_up:
        if (error := failed()) is not None:
            raise error
        if time.monotonic() - said > 10:
            get_logger("control").info(
                "waiting for the producer to create the pipeline's topics"
                if info is None
                else "reading the control topic"
            )
            said = time.monotonic()
        tick()
        stop.sleep(0.1)
    return info
