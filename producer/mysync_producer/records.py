"""What the pipeline's topics hold: read back at a start, and by `status`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaException,
    TopicPartition,
)

from mysync_producer.definitions import Definitions
from mysync_producer.state import State
from mysync_producer.transferstate import TransferState, table_of
from mysync_runtime import kafka
from mysync_runtime.errors import LogHole, StateLost
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings
from mysync_schemas import control
from mysync_schemas.avro import read_long, skip_bytes
from mysync_schemas.control import CharsetRecord, FoldRecord, PipelineInfo
from mysync_schemas.errors import SchemaError
from mysync_schemas.framing import unframe
from mysync_schemas.markers import read_order
from mysync_schemas.table import TableId, TableSchema

__all__ = ["Committed", "read_control", "read_last", "read_offset", "read_state", "seq_of"]


@dataclass(frozen=True)
class Committed:
    """The position as it stands as an offset."""

    offset: int
    metadata: str


def read_control(
    settings: Settings, stop: Stop, tick: Callable[[], None] = lambda: None
) -> tuple[PipelineInfo, Definitions] | None:
    """The whole control topic; None while it is empty."""
    info: PipelineInfo | None = None
    definitions = Definitions()
    schemas: dict[int, str] = {}
    start = {(settings.control_topic, 0): OFFSET_BEGINNING}
    for message in kafka.read_ends(settings, start, stop, tick):
        value = message.value()
        where = f"{settings.control_topic}/0 offset {message.offset()}"
        if value is None:
            raise LogHole("a record without a value", where=where)
        try:
            if info is None:
                info = control.decode_pipeline_info(value)
                schemas = info.schemas_by_id()
                continue
            record = control.decode(value, schemas)
        except SchemaError as error:
            raise LogHole(f"a control record can't be read: {error}", where=where) from error
        if isinstance(record, (TableSchema, FoldRecord, CharsetRecord)):
            definitions.take(record)
    return None if info is None else (info, definitions)


def read_state(
    settings: Settings, stop: Stop, tick: Callable[[], None] = lambda: None
) -> tuple[State | None, dict[TableId, TransferState]]:
    """The last state record, None when there is none, and that of each table's transfer."""
    key, last = settings.pipeline.encode(), None
    transfers: dict[TableId, TransferState] = {}
    start = {(settings.state_topic, 0): OFFSET_BEGINNING}
    for message in kafka.read_ends(settings, start, stop, tick):
        if message.key() == key:
            last = message
        elif (table := table_of(settings.pipeline, message.key())) is not None:
            where = f"{settings.state_topic}/0 offset {message.offset()}"
            transfers.pop(table, None)
            if (value := message.value()) is not None:
                transfers[table] = TransferState.decode(value, where)
    if last is None:
        return None, transfers
    where = f"{settings.state_topic}/0 offset {last.offset()}"
    value = last.value()
    if value is None:
        raise StateLost("the state record was deleted", where=where)
    return State.decode(value, where), transfers


def read_offset(settings: Settings) -> Committed | None:
    """The offset committed for the position; None when there is none (it may have expired)."""
    consumer = Consumer(kafka.consumer_properties(settings, group_id=settings.position_group))
    try:
        (found,) = consumer.committed([TopicPartition(settings.control_topic, 0)], timeout=10)
    except KafkaException as error:
        raise kafka.error_of(
            error, "read the committed position", settings.position_group
        ) from error
    finally:
        consumer.close()
    return None if found.offset < 0 else Committed(found.offset, found.metadata or "")


def read_last(
    settings: Settings,
    info: PipelineInfo | None,
    offsets: Sequence[int],
    stop: Stop,
    tick: Callable[[], None] = lambda: None,
) -> list[tuple[int, int] | None]:
    """(offset, seq) of the last committed record of each partition, read on from `offsets`.

    None for a partition that holds none from there on.
    """
    topic = settings.rows_topic
    starts = {}
    consumer = kafka.reader(settings)
    try:
        for partition, offset in enumerate(offsets):
            low, high = kafka.watermarks(consumer, topic, partition)
            if low < high:
                starts[topic, partition] = max(low, offset) if offset < high else low
    finally:
        consumer.close()
    last: list[tuple[int, int] | None] = [None] * len(offsets)
    markers = set() if info is None else {info.ids()[n] for n in ("Line", "Heartbeat", "Part")}
    for message in kafka.read_ends(settings, starts, stop, tick):
        partition, offset = message.partition() or 0, message.offset() or 0
        where = f"{topic}/{partition} offset {offset}"
        try:
            last[partition] = (offset, seq_of(message.value() or b"", markers))
        except (SchemaError, IndexError) as error:
            raise LogHole(f"a record that isn't ours: {error}", where=where) from error
    return last


def seq_of(value: bytes, markers: set[int]) -> int:
    """The seq of a record of the rows topic; `markers` are the schema ids of lines, heartbeats and
    parts, everything else is a row's envelope."""
    schema_id, at = unframe(value)
    if schema_id in markers:
        return read_order(value).seq
    at = skip_bytes(value, at)  # op
    _, at = read_long(value, at)  # ts_ms
    for _ in range(3):  # version, connector, name
        at = skip_bytes(value, at)
    _, at = read_long(value, at)  # ts_us
    at = skip_bytes(value, skip_bytes(value, at))  # db, table
    _, at = read_long(value, at)  # server_id
    branch, at = read_long(value, at)  # gtid
    if branch:
        at = skip_bytes(value, at)
    at = skip_bytes(value, at)  # file
    _, at = read_long(value, at)  # pos
    _, at = read_long(value, at)  # row
    at = skip_bytes(value, at)  # snapshot
    return read_long(value, at)[0]
