"""Writes a pipeline's topics as a producer would, without a binlog: the consumer's tests drive it.

Everything on the wire comes from `mysync_schemas`; rows are encoded by fastavro, which is not what
the product uses. Values are given as Avro's plain ones, a union's exceptional branch as `(branch,
value)`."""

import io
import json
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from mysync_producer.catalog import read_catalog
from mysync_producer.definitions import OwnIds, adopted, define
from mysync_producer.filters import Filters
from mysync_runtime import kafka, mysql
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings
from mysync_schemas import control
from mysync_schemas.framing import frame
from mysync_schemas.hashing import key_hash, partition_of
from mysync_schemas.markers import Heartbeat, Line, Part
from mysync_schemas.partition import CanonicalKey, anchor_partition
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import read_statement
from mysync_schemas.table import TableSchema

IDS = control.OWN_IDS
Row = Mapping[str, Any]


class TopicWriter:
    """The producer's side of one pipeline. Not shared by threads."""

    def __init__(self, settings: Settings, *, part_bytes: int = 0) -> None:
        self.settings = settings
        self.partitions = settings.topics.partitions
        self.part_bytes = part_bytes
        self.seq = 0
        self.prev = [0] * self.partitions
        self.file, self.pos = "binlog.000001", 4
        self.tables: dict[str, TableSchema] = {}
        self.folds: dict[str, Any] = {}
        self._parsed: dict[int, Any] = {}
        self._admin = kafka.connect_at_start(settings.kafka, Stop())
        self._producer = Producer(kafka.producer_properties(settings))
        self._known: set[tuple[str, int]] = set()
        self.transferred: set[str] = set()
        self._ddls = self._transfers = 0
        self._mariadb = False

    # -- the pipeline's beginning -------------------------------------------------------------

    def create_topics(self) -> dict[str, kafka.TopicInfo]:
        return kafka.ensure_topics(self._admin, kafka.topic_specs(self.settings), Stop())

    def start(
        self, server: Any, databases: Iterable[str], *, provisional: bool = False, **info: Any
    ) -> None:
        """Creates topics; writes the PipelineInfo, the tables' schemas and a first line."""
        topics = self.create_topics()
        with server.connect() as connection:
            kind = mysql.flavor(connection).kind
        self._mariadb = kind == "mariadb"
        self._producer.init_transactions(30)
        first = control.PipelineInfo(
            **{
                "format": control.FORMAT,
                "pipeline": self.settings.pipeline,
                "uuid": str(uuid.uuid4()),
                "connector": kind,
                "partitions": self.partitions,
                "topic_ids": control.TopicIds(
                    rows=topics[self.settings.rows_topic].topic_id,
                    control=topics[self.settings.control_topic].topic_id,
                    state=topics[self.settings.state_topic].topic_id,
                ),
                "schema_id_mode": "own",
                "hash_version": control.HASH_VERSION,
                "schemas": control.fixed_schemas(),
                "created_ts": time.time_ns() // 1000,
            }
            | info
        )
        self.begin()
        self.control(first)
        self.add_tables(server, databases, provisional=provisional)
        self.line(Line.ADOPT)
        self.commit()

    def add_tables(
        self, server: Any, databases: Iterable[str], *, provisional: bool = False
    ) -> None:
        """Puts the schemas of the databases' tables on the control topic."""
        with server.connect() as connection:
            filters = Filters([f"{db}.*" for db in databases])
            catalog = read_catalog(connection, mysql.flavor(connection), filters)
            assert not catalog.refused, catalog.refused

            definitions = define(
                catalog.tables,
                self.settings.pipeline,
                OwnIds(),
                lambda sql: mysql.scalar(connection, sql),
            )
        self._definitions = definitions
        if not provisional:
            adopted(definitions, self.seq + 1)
        for record in definitions.collation_records:
            self.control(record)
        self.folds = definitions.folds()
        for schema in definitions.schemas.values():
            self.control(schema)
            self.tables[f"{schema.db}.{schema.table}"] = schema
            self._parsed[schema.value_schema_id] = fastavro.parse_schema(
                json.loads(schema.value_schema), named_schemas={}
            )
            if schema.key_schema is not None:
                self._parsed[schema.key_schema_id or 0] = fastavro.parse_schema(
                    json.loads(schema.key_schema), named_schemas={}
                )

    def adopt(self) -> None:
        """New versions of the tables with their final routing, and the line where it begins."""
        with self:
            for schema in adopted(self._definitions, self.seq + 1):
                self.control(schema)
                self.tables[f"{schema.db}.{schema.table}"] = schema
            self.line(Line.ADOPT)

    # -- transactions -------------------------------------------------------------------------

    def begin(self) -> None:
        self._producer.begin_transaction()

    def commit(self) -> None:
        self._producer.commit_transaction(30)

    def abort(self) -> None:
        """Aborts. Whoever goes on after it puts `seq` and `prev` back."""
        self._producer.flush(10)
        self._producer.abort_transaction(30)

    def __enter__(self) -> "TopicWriter":
        self.begin()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def control(self, record: control.ControlRecord) -> None:
        self.produce(self.settings.control_topic, 0, None, control.encode(record, IDS))

    def produce(self, topic: str, partition: int, key: bytes | None, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition)
                break
            except BufferError:
                self._producer.poll(0.1)
        if (topic, partition) not in self._known:  # as the producer does (its publisher.py)
            self._producer.flush(30)
            self._known.add((topic, partition))

    def take(self, partition: int) -> tuple[int, int]:
        self.seq += 1
        prev, self.prev[partition] = self.prev[partition], self.seq
        return self.seq, prev

    def _take_all(self) -> tuple[int, list[int]]:
        self.seq += 1
        prev, self.prev = self.prev, [self.seq] * self.partitions
        return self.seq, prev

    # -- records ------------------------------------------------------------------------------

    def line(self, action: str = Line.CLEAR, id_: int = 0) -> int:
        seq, prevs = self._take_all()
        for partition, prev in enumerate(prevs):
            value = frame(IDS["Line"], Line(seq, prev, seq, id_, action).encode())
            self.produce(self.settings.rows_topic, partition, None, value)
        return seq

    def statement(self, sql: str, *tables: str, database: str | None = None) -> int:
        """A statement of the source about these tables, and its line; its context has no foreign
        key checks, as a transfer's."""
        self._ddls += 1
        self.pos += 10
        collation = 45 if self._mariadb else 255
        dialect = Dialect(self._mariadb, 0, 0, collation)
        context = control.DdlContext(
            database=database,
            client_collation=collation,
            foreign_key_checks=False,
            timestamp_us=time.time_ns() // 1000,
        )
        record = control.Ddl(
            id=self._ddls,
            seq=self.seq + 1,
            sql=sql.encode(),
            context=context,
            tables=tables,
            verb=read_statement(sql.encode(), dialect).verb.name,
            file=self.file,
            pos=self.pos,
        )
        self.control(record)
        return self.line(Line.DDL, record.id)

    def transfer_begin(self, table: str, *statements: str, empty: bool = True) -> int:
        """The begin of a table's transfer, the statements, and what empties it. From here on its
        events say that it is being transferred."""
        seq = self._transfer(table, "begin", Line.BEGIN)
        for sql in statements:
            self.statement(sql, table)
        if empty:
            self.statement(f"TRUNCATE TABLE {table}", table)
        self.transferred.add(table)
        return seq

    def transfer_end(self, table: str, *, cancelled: bool = False) -> int:
        """The end of a table's transfer."""
        self.transferred.discard(table)
        return self._transfer(table, "cancelled" if cancelled else "end", Line.END)

    def _transfer(self, table: str, phase: Any, action: str) -> int:
        self._transfers += 1
        self.pos += 10
        db, _, name = table.partition(".")
        record = control.Transfer(
            id=self._transfers,
            seq=self.seq + 1,
            db=db,
            table=name,
            phase=phase,
            schema_id=self.tables[table].id,
            file=self.file,
            pos=self.pos,
            ts_us=time.time_ns() // 1000,
        )
        self.control(record)
        return self.line(action, record.id)

    def read(self, table: str, row: Row, **source: Any) -> int:
        """A row that the transfer has read."""
        return self._event(table, "r", None, row, source)

    def heartbeat(self) -> int:
        seq, prevs = self._take_all()
        now = time.time_ns() // 1000
        for partition, prev in enumerate(prevs):
            beat = Heartbeat(seq, prev, seq, now, self.file, self.pos, None, False)
            self.produce(
                self.settings.rows_topic, partition, None, frame(IDS["Heartbeat"], beat.encode())
            )
        return seq

    def insert(self, table: str, row: Row, **source: Any) -> int:
        return self._event(table, "c", None, row, source)

    def delete(self, table: str, row: Row, **source: Any) -> int:
        return self._event(table, "d", row, None, source)

    def update(self, table: str, before: Row, after: Row, **source: Any) -> int:
        """An update; split in halves when it moves to another partition, as the contract says."""
        old, _ = self.place(table, before)
        new, _ = self.place(table, after)
        if old != new:
            self._event(table, "d", before, None, {"half": True} | source)
            return self._event(table, "c", None, after, {"half": True} | source)
        return self._event(table, "u", before, after, source)

    def place(self, table: str, row: Row) -> tuple[int, int]:
        """Partition and key hash of a row."""
        schema = self.tables[table]
        canonical = self._canonical(schema, row)
        hashed = key_hash(canonical) if canonical is not None else 0
        if schema.routing.mode == "whole" or canonical is None:
            return anchor_partition(schema.routing.anchor, self.partitions), hashed
        return partition_of(canonical, self.partitions), hashed

    def _canonical(self, schema: TableSchema, row: Row) -> bytes | None:
        if not schema.identity:
            return None
        values = []
        for name in schema.identity:
            out = io.BytesIO()
            column = schema.column(name)
            field = next(
                f
                for f in json.loads(schema.key_schema or "")["fields"]
                if f["name"] == column.avro_name
            )
            normal = field["type"]
            if isinstance(normal, list):
                normal = next(t for t in normal if t != "null")
            fastavro.schemaless_writer(out, fastavro.parse_schema(normal), row[name])
            values.append((out.getvalue(), False))
        try:
            return CanonicalKey(schema, self.folds).of(values)
        except KeyError:
            return None

    def _event(
        self, table: str, op: str, before: Row | None, after: Row | None, source: Mapping[str, Any]
    ) -> int:
        schema = self.tables[table]
        row = after if before is None else before
        assert row is not None
        partition, hashed = self.place(table, row if op != "u" else after or row)
        prev_hash = None
        if op == "u" and before is not None:
            old = self.place(table, before)[1]
            prev_hash = old if old != hashed else None
        deps = source.get("deps")
        self.pos += 10
        fields = {
            "version": "test",
            "connector": "mysql",
            "name": self.settings.pipeline,
            "ts_us": time.time_ns() // 1000,
            "db": schema.db,
            "table": schema.table,
            "server_id": 1,
            "gtid": None,
            "file": self.file,
            "pos": self.pos,
            "row": 0,
            "snapshot": "true" if table in self.transferred else "false",
            "txn_seq": self.seq + 1,
            "key_hash": hashed,
            "prev_key_hash": prev_hash,
            "half": False,
            "flags": 0x10,
            "time_zone": None,
        } | {k: v for k, v in source.items() if k != "deps"}
        event = {
            "op": op,
            "ts_ms": time.time_ns() // 1_000_000,
            "source": fields,
            "deps": deps,
            "before": self._mangled(schema, before),
            "after": self._mangled(schema, after),
        }
        key = self._key(schema, row)
        size = self.part_bytes
        if size and len(self._value(schema, event, 2**60, 2**60)) > size:
            return self._parts(schema, event, partition, key, size)
        seq, prev = self.take(partition)
        self.produce(
            self.settings.rows_topic, partition, key, self._value(schema, event, seq, prev)
        )
        return seq

    def _value(self, schema: TableSchema, event: dict[str, Any], seq: int, prev: int) -> bytes:
        out = io.BytesIO()
        whole = event | {"source": event["source"] | {"seq": seq, "prev": prev}}
        fastavro.schemaless_writer(out, self._parsed[schema.value_schema_id], whole)
        return frame(schema.value_schema_id, out.getvalue())

    def _parts(
        self, schema: TableSchema, event: dict[str, Any], partition: int, key: Any, size: int
    ) -> int:
        count = -(-len(self._value(schema, event, 2**60, 2**60)) // size)
        last = self.seq + count
        value = self._value(schema, event, last, last - 1 if count > 1 else self.prev[partition])
        pieces = [value[i : i + size] for i in range(0, len(value), size)]
        if len(pieces) != count:
            count = len(pieces)
            last = self.seq + count
            value = self._value(schema, event, last, last - 1)
            pieces = [value[i : i + size] for i in range(0, len(value), size)]
        for index, piece in enumerate(pieces):
            seq, prev = self.take(partition)
            part = Part(seq, prev, event["source"]["txn_seq"], last, index, len(pieces), piece)
            self.produce(
                self.settings.rows_topic, partition, key, frame(IDS["Part"], part.encode())
            )
        return last

    @staticmethod
    def _mangled(schema: TableSchema, row: Row | None) -> Row | None:
        if row is None:
            return None
        return {c.avro_name: row.get(c.name) for c in schema.columns}

    def _key(self, schema: TableSchema, row: Row) -> bytes | None:
        if schema.key_schema_id is None:
            return None
        out = io.BytesIO()
        key = {schema.column(n).avro_name: row[n] for n in schema.identity}
        fastavro.schemaless_writer(out, self._parsed[schema.key_schema_id], key)
        return frame(schema.key_schema_id, out.getvalue())

    def end(self, topics: Sequence[str]) -> None:
        admin: AdminClient = self._admin
        for future in admin.delete_topics(list(topics)).values():
            future.exception()
