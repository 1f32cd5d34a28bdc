"""The records of the control topic, which is kept for ever and read from the beginning.

The first is the `PipelineInfo`: whatever id it is framed with, its schema is fixed by the format
version (`PIPELINE_INFO_SCHEMA`), and it lists the schemas of all fixed records with their ids. A
table's schemas stand in its `TableSchema`. What kind a record is, its schema's name says.

Changing a model here changes the wire: that needs a new `FORMAT`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import fastavro
from fastavro.types import Schema
from pydantic import BaseModel, ConfigDict, ValidationError

from mysync_schemas.avroschema import record_schema
from mysync_schemas.errors import BadRecord, UnknownSchema
from mysync_schemas.framing import frame, unframe
from mysync_schemas.markers import HEARTBEAT_SCHEMA, LINE_SCHEMA, NAMESPACE, PART_SCHEMA
from mysync_schemas.table import TableSchema

__all__ = [
    "FIRST_TABLE_SCHEMA_ID",
    "FIXED_SCHEMAS",
    "FORMAT",
    "HASH_VERSION",
    "OWN_IDS",
    "PIPELINE_INFO_SCHEMA",
    "CharsetRecord",
    "ControlRecord",
    "Ddl",
    "DdlContext",
    "FixedSchema",
    "FoldRecord",
    "PipelineInfo",
    "TopicIds",
    "Transfer",
    "decode",
    "decode_pipeline_info",
    "encode",
    "fixed_schemas",
]

FORMAT: Final = 3  # of everything on the wire
HASH_VERSION: Final = 1  # of canonical keys and what is made of them

# Ids in mode "own"; those of table schemas follow from 101.
OWN_IDS: Final[Mapping[str, int]] = {
    "PipelineInfo": 1,
    "TableSchema": 2,
    "Ddl": 3,
    "Transfer": 4,
    "Line": 5,
    "Heartbeat": 6,
    "Part": 7,
    "FoldTable": 8,
    "CharsetTable": 9,
}
FIRST_TABLE_SCHEMA_ID: Final = 101


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TopicIds(_Record):
    """Kafka's ids (base64 uuids) of the pipeline's topics: a re-created one has another."""

    rows: str
    control: str
    state: str


class FixedSchema(_Record):
    """A schema of the format itself: its id here, its subject, its Avro JSON."""

    id: int
    subject: str
    avro: str

    @property
    def name(self) -> str:
        """The record's name: "Line"."""
        return self.subject.rpartition(".")[2]


class PipelineInfo(_Record):
    """What the pipeline is, for ever."""

    format: int
    pipeline: str
    uuid: str
    connector: Literal["mysql", "mariadb"]  # what the source is
    partitions: int
    topic_ids: TopicIds
    schema_id_mode: Literal["own", "registry"]
    registry_url: str | None = None
    hash_version: int
    schemas: tuple[FixedSchema, ...]
    created_ts: int  # microseconds since 1970, UTC

    def ids(self) -> dict[str, int]:
        """Ids of the fixed records by their name."""
        return {schema.name: schema.id for schema in self.schemas}

    def schemas_by_id(self) -> dict[int, str]:
        """Avro JSON of the fixed records by id."""
        return {schema.id: schema.avro for schema in self.schemas}


class DdlContext(_Record):
    """What a statement's meaning depends on; null where the source's event doesn't say."""

    database: str | None = None
    sql_mode: int | None = None
    client_collation: int | None = None
    connection_collation: int | None = None
    server_collation: int | None = None
    database_collation: int | None = None
    default_collation_for_utf8mb4: int | None = None
    time_zone: str | None = None
    timestamp_us: int | None = None  # microseconds since 1970, UTC
    foreign_key_checks: bool | None = None
    unique_checks: bool | None = None
    auto_increment_increment: int | None = None
    auto_increment_offset: int | None = None
    lc_time_names: int | None = None
    explicit_defaults_for_timestamp: bool | None = None
    sql_require_primary_key: bool | None = None
    generate_invisible_primary_key: bool | None = None
    default_table_encryption: bool | None = None
    error_code: int = 0


class Ddl(_Record):
    """A statement to execute at a line. `sql` is verbatim, in the client's character set; of a
    list of tables those that aren't replicated are cut out. `server_version` is the source's, as
    `sqltokens.Dialect` has it: how its comments were read."""

    id: int
    seq: int  # of its line
    sql: bytes
    context: DdlContext
    tables: tuple[str, ...] = ()  # "db.table" of those it names
    schema_ids: tuple[int, ...] = ()  # TableSchema versions that it makes
    server_id: int = 0
    gtid: str | None = None
    file: str = ""
    pos: int = 0
    verb: str = ""  # statement.Verb, by name
    server_version: int = 0


class Transfer(_Record):
    """Begin or end of a table's transfer, at a line."""

    id: int
    seq: int  # of its line
    db: str
    table: str
    phase: Literal["begin", "end", "cancelled"]
    schema_id: int  # TableSchema version that is transferred
    file: str
    pos: int
    rows: int | None = None  # sent, at the end
    ts_us: int = 0


class FoldRecord(_Record):
    """A fold table (`fold.FoldTable.to_bytes`), by the id that `FoldRef`s name. Avro: FoldTable."""

    id: int
    collation: str
    data: bytes


class CharsetRecord(_Record):
    """A character set's table (`charset.CharsetTable.to_bytes`), by the id that `CharsetRef`s name.
    Avro: CharsetTable."""

    id: int
    charset: str
    data: bytes


ControlRecord = PipelineInfo | TableSchema | Ddl | Transfer | FoldRecord | CharsetRecord

_MODELS: Final[Mapping[str, type[ControlRecord]]] = {
    "PipelineInfo": PipelineInfo,
    "TableSchema": TableSchema,
    "Ddl": Ddl,
    "Transfer": Transfer,
    "FoldTable": FoldRecord,
    "CharsetTable": CharsetRecord,
}
_NAMES: Final[Mapping[type, str]] = {model: name for name, model in _MODELS.items()}
_AVRO: Final[Mapping[str, dict[str, Any]]] = {
    name: record_schema(model, name, NAMESPACE) for name, model in _MODELS.items()
}
PIPELINE_INFO_SCHEMA: Final = _AVRO["PipelineInfo"]

# Avro schemas of all records whose shape doesn't depend on a table, by name.
FIXED_SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    **_AVRO,
    "Line": LINE_SCHEMA,
    "Heartbeat": HEARTBEAT_SCHEMA,
    "Part": PART_SCHEMA,
}
_PARSED: Final[Mapping[str, Schema]] = {
    name: fastavro.parse_schema(schema) for name, schema in _AVRO.items()
}


def fixed_schemas(
    id_of: Callable[[str, str], int] | None = None,
) -> tuple[FixedSchema, ...]:
    """All fixed schemas for a `PipelineInfo`.

    `id_of(subject, avro)` registers one with an external registry; without it the ids are
    `OWN_IDS`. The subject is the record's full name (RecordNameStrategy).
    """
    result = []
    for name, own_id in OWN_IDS.items():
        subject = f"{NAMESPACE}.{name}"
        text = json.dumps(FIXED_SCHEMAS[name], separators=(",", ":"))
        id_ = own_id if id_of is None else id_of(subject, text)
        result.append(FixedSchema(id=id_, subject=subject, avro=text))
    return tuple(result)


def encode(record: ControlRecord, ids: Mapping[str, int]) -> bytes:
    """The framed record; `ids` by name (`PipelineInfo.ids()`, `OWN_IDS`)."""
    name = _NAMES[type(record)]
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _PARSED[name], record.model_dump())
    return frame(ids[name], out.getvalue())


def decode(value: bytes, schemas: Mapping[int, str]) -> ControlRecord:
    """The record; `schemas` gives the writer's Avro JSON by id (`PipelineInfo.schemas_by_id()`).

    Raises `UnknownSchema`, `FramingError`, `BadRecord`.
    """
    schema_id, start = unframe(value)
    text = schemas.get(schema_id)
    if text is None:
        raise UnknownSchema(schema_id)
    schema = json.loads(text)
    name: str = schema.get("name", "") if schema.get("namespace") == NAMESPACE else ""
    if name not in _MODELS:
        raise BadRecord(f"schema id {schema_id} isn't one of a control record")
    known = _PARSED[name] if schema == _AVRO[name] else fastavro.parse_schema(schema)
    return _read(value, start, name, known)


def decode_pipeline_info(value: bytes) -> PipelineInfo:
    """The first record of the control topic. Raises `FramingError`, `BadRecord`."""
    _, start = unframe(value)
    info = _read(value, start, "PipelineInfo", _PARSED["PipelineInfo"])
    assert isinstance(info, PipelineInfo)
    return info


def _read(value: bytes, start: int, name: str, schema: Schema) -> ControlRecord:
    body = io.BytesIO(value[start:])
    try:
        fields = fastavro.schemaless_reader(body, schema, None)
        rest = len(body.read())
        if rest:
            raise BadRecord(f"{rest} bytes too many after a {name}")
        return _MODELS[name].model_validate(fields)
    except (EOFError, ValueError, IndexError, TypeError, OverflowError, MemoryError) as error:
        if isinstance(error, BadRecord):
            raise
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise BadRecord(f"a record that should be a {name} can't be read: {detail}") from error
