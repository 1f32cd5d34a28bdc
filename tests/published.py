"""What a pipeline's topics hold, read by others' means: a read_committed consumer and fastavro."""

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import fastavro
from confluent_kafka import Consumer, Message, TopicPartition

from mysync_schemas import control
from mysync_schemas.control import ControlRecord, PipelineInfo
from mysync_schemas.framing import unframe
from mysync_schemas.table import TableSchema


@dataclass
class Published:
    """A record of the rows topic. `kind`: Envelope, Line, Heartbeat or Part."""

    partition: int
    offset: int
    kind: str
    key: dict[str, Any] | None
    value: dict[str, Any]

    @property
    def order(self) -> dict[str, int]:
        """Where seq, prev and txn_seq stand."""
        return self.value["source"] if self.kind == "Envelope" else self.value

    @property
    def seq(self) -> int:
        return self.order["seq"]

    @property
    def table(self) -> str:
        return f"{self.value['source']['db']}.{self.value['source']['table']}"


@dataclass
class Topics:
    """Everything committed, in the order of each partition."""

    info: PipelineInfo
    control: list[ControlRecord]
    records: list[Published]
    states: list[dict[str, Any]] = field(default_factory=list)

    def rows(self) -> list[Published]:
        """Row events in source order."""
        return sorted((r for r in self.records if r.kind == "Envelope"), key=lambda r: r.seq)

    def of_kind(self, kind: str) -> list[Published]:
        return [r for r in self.records if r.kind == kind]


def read_topics(bootstrap: str, pipeline: str) -> Topics:
    """Reads the three topics to their read_committed ends."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"published-{pipeline}",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        values = [m.value() or b"" for m in _read(consumer, f"{pipeline}.control", 1)]
        info = control.decode_pipeline_info(values[0])
        schemas = info.schemas_by_id()
        records = [control.decode(value, schemas) for value in values[1:]]
        avro = dict(schemas)
        for record in records:
            if isinstance(record, TableSchema):
                avro[record.value_schema_id] = record.value_schema
                if record.key_schema_id is not None:
                    avro[record.key_schema_id] = record.key_schema or ""
        parsed = {i: fastavro.parse_schema(json.loads(text)) for i, text in avro.items()}
        published = [
            _published(message, parsed)
            for message in _read(consumer, f"{pipeline}.rows", info.partitions)
        ]
        states = [json.loads(m.value() or b"") for m in _read(consumer, f"{pipeline}.state", 1)]
    finally:
        consumer.close()
    return Topics(info, records, published, states)


def _read(consumer: Consumer, topic: str, partitions: int) -> Iterator[Message]:
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    left = partitions
    while left:
        message = consumer.poll(10)
        assert message is not None, f"no answer while reading {topic}"
        if message.error() is None:
            yield message
        else:
            left -= 1


def _published(message: Message, schemas: dict[int, Any]) -> Published:
    def decode(data: bytes) -> tuple[str, dict[str, Any]]:
        schema_id, start = unframe(data)
        schema = schemas[schema_id]
        body = io.BytesIO(data[start:])
        value = fastavro.schemaless_reader(body, schema, None)
        assert not body.read(1), "bytes after a record"
        return schema["name"].rpartition(".")[2], value

    kind, value = decode(message.value() or b"")
    key = message.key()
    return Published(
        message.partition() or 0,
        message.offset() or 0,
        kind,
        None if key is None else decode(key)[1],
        value,
    )


def assert_in_order(topics: Topics) -> None:
    """The invariants of the numbers: per partition `prev` names the record before; over all of them
    no number is missing or doubled, transactions aren't mixed, and the last state agrees."""
    last = [0] * topics.info.partitions
    copies: dict[int, set[int]] = defaultdict(set)
    for record in topics.records:
        order = record.order
        assert order["prev"] == last[record.partition], (record, last[record.partition])
        assert order["seq"] > order["prev"], record
        last[record.partition] = order["seq"]
        copies[order["seq"]].add(record.partition)
    for record in topics.records:
        if record.kind in ("Line", "Heartbeat"):
            assert len(copies[record.seq]) == topics.info.partitions, record
    assert sorted(copies) == list(range(1, max(copies) + 1))
    in_order = sorted(topics.records, key=lambda r: r.seq)
    txn = 0
    for record in in_order:
        txn_seq = record.order["txn_seq"]
        assert txn_seq in (txn, record.seq), (record, txn)
        txn = txn_seq
    # A heartbeat may have come between reading the rows and reading the states.
    state = next(state for state in reversed(topics.states) if state["seq"] <= max(last))
    assert state["seq"] == max(last)
    assert state["last_seqs"] == last


def replayed(topics: Topics, table: str, identity: tuple[str, ...]) -> dict[Any, dict[str, Any]]:
    """The table's rows by identity after all its events; every event must fit strictly."""
    rows: dict[Any, dict[str, Any]] = {}

    def key(image: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(image[name] for name in identity)

    for record in topics.rows():
        if record.table != table:
            continue
        before, after = record.value["before"], record.value["after"]
        if before is not None:
            assert rows.pop(key(before), None) == before, record
        if after is not None:
            assert key(after) not in rows, record
            rows[key(after)] = after
    return rows
