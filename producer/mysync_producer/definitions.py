"""Versions of tables as they stand on the control topic: ids, Avro schemas, folding and routing.

What `information_schema` showed may be ahead of the stream. Until the stream has passed that
moment, tables are routed whole; at the adoption line they get the routing that `routing_of` gives
them. A version is numbered when it is published, and holds from its `seq` on.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mysync_producer.collations import Collations
from mysync_producer.evolution import placeholder, rerouted, unknown_key
from mysync_schemas import control
from mysync_schemas.charset import CharsetTable
from mysync_schemas.charsetbuild import Cell
from mysync_schemas.control import CharsetRecord, FoldRecord, PipelineInfo
from mysync_schemas.envelope import envelope_schema, key_schema
from mysync_schemas.fold import FoldTable
from mysync_schemas.names import namespace
from mysync_schemas.partition import routing_of
from mysync_schemas.table import TableId, TableSchema

__all__ = [
    "FIRST_SEQ",
    "Definitions",
    "OwnIds",
    "SchemaIds",
    "adopted",
    "assume",
    "control_records",
    "define",
    "subjects",
    "with_schemas",
]

FIRST_SEQ = 1
"""Of a pipeline's first line, from which its first definitions hold."""


class SchemaIds(Protocol):
    """Gives an Avro schema its id. `next_id`: the next of our own; a registry has its own."""

    @property
    def next_id(self) -> int: ...

    def id_of(self, subject: str, schema_json: str) -> int:
        """The id under which the schema is known; the same schema always has the same."""


class OwnIds:
    """The producer's own ids, counted on from `next_id`."""

    def __init__(self, next_id: int = control.FIRST_TABLE_SCHEMA_ID) -> None:
        self.next_id = next_id

    def id_of(self, subject: str, schema_json: str) -> int:  # noqa: ARG002
        given = self.next_id
        self.next_id += 1
        return given


@dataclass
class Definitions:
    """All that a pipeline's control topic says of its tables."""

    schemas: dict[TableId, TableSchema] = field(default_factory=dict)  # the latest versions
    versions: list[TableSchema] = field(default_factory=list)  # all, in their order
    fold_records: list[FoldRecord] = field(default_factory=list)
    charset_records: list[CharsetRecord] = field(default_factory=list)
    next_version: int = 1

    def folds(self) -> dict[str, FoldTable]:
        """By collation."""
        return {r.collation: FoldTable.from_bytes(r.data) for r in self.fold_records}

    def charsets(self) -> dict[int, CharsetTable]:
        """By id."""
        return {r.id: CharsetTable.from_bytes(r.data) for r in self.charset_records}

    @property
    def collation_records(self) -> list[FoldRecord | CharsetRecord]:
        """All that table versions refer to."""
        return [*self.fold_records, *self.charset_records]

    def take(self, record: TableSchema | FoldRecord | CharsetRecord) -> None:
        """One more record of the control topic, in its order."""
        if isinstance(record, FoldRecord):
            self.fold_records.append(record)
        elif isinstance(record, CharsetRecord):
            self.charset_records.append(record)
        else:
            if record.state == "dropped":
                self.schemas.pop(record.table_id, None)
            else:
                self.schemas[record.table_id] = record
            self.versions.append(record)
            self.next_version = max(self.next_version, record.id + 1)

    def publish(self, versions: Iterable[TableSchema], seq: int) -> list[TableSchema]:
        """Takes new versions that hold from `seq` on, numbered."""
        numbered = []
        for version in versions:
            numbered.append(version.model_copy(update={"id": self.next_version, "seq": seq}))
            self.take(numbered[-1])
        return numbered


def define(tables: Sequence[TableSchema], pipeline: str, ids: SchemaIds, cell: Cell) -> Definitions:
    """First versions of all tables of a new pipeline, routed whole; `cell` asks the source."""
    definitions = Definitions()
    collations = Collations(cell)
    numbered = [with_schemas(collations.completed(table), pipeline, ids) for table in tables]
    definitions.fold_records = collations.fold_records
    definitions.charset_records = collations.charset_records
    routing = routing_of(numbered, {table.table_id for table in numbered})
    definitions.publish(
        (table.model_copy(update={"routing": routing[table.table_id]}) for table in numbered),
        FIRST_SEQ,
    )
    return definitions


def assume(tables: Sequence[TableSchema], anchor: TableId | None) -> Definitions:
    """First versions where the stream may be long before what `tables` say: without columns. They
    keep the foreign keys, which may be there already; with `anchor` one more joins all of them."""
    joining = () if anchor is None else (unknown_key(anchor),)
    assumed = {
        table.table_id: placeholder(
            table.table_id, table, (*table.foreign_keys, *joining), table.table_type
        )
        for table in tables
    }
    definitions = Definitions()
    definitions.publish(rerouted(assumed, assumed).values(), FIRST_SEQ)
    return definitions


def adopted(definitions: Definitions, seq: int) -> list[TableSchema]:
    """New versions, from `seq` on, of the tables that aren't routed as they should be. Changes
    `definitions`."""
    before = definitions.schemas
    after = rerouted(before, ())
    return definitions.publish((s for t, s in after.items() if before[t] is not s), seq)


def control_records(
    info: PipelineInfo,
    versions: Iterable[TableSchema],
    tables: Iterable[FoldRecord | CharsetRecord] = (),
) -> list[bytes]:
    """Framed: tables of collations and character sets stand before versions that refer to them."""
    ids = info.ids()
    records: list[FoldRecord | CharsetRecord | TableSchema] = [*tables, *versions]
    return [control.encode(record, ids) for record in records]


def subjects(info: PipelineInfo, definitions: Definitions) -> dict[str, dict[int, str]]:
    """Of each subject its versions in their order: Avro JSON by id."""
    found: dict[str, dict[int, str]] = {}
    for fixed in info.schemas:
        found[fixed.subject] = {fixed.id: fixed.avro}
    for schema in definitions.versions:
        if not schema.value_schema_id:
            continue
        space = namespace(info.pipeline, schema.db, schema.table)
        found.setdefault(f"{space}.Envelope", {})[schema.value_schema_id] = schema.value_schema
        if schema.key_schema_id is not None and schema.key_schema is not None:
            found.setdefault(f"{space}.Key", {})[schema.key_schema_id] = schema.key_schema
    return found


def with_schemas(
    table: TableSchema, pipeline: str, ids: SchemaIds, before: TableSchema | None = None
) -> TableSchema:
    """The table with its Avro schemas and their ids: those of the version before, if they are the
    same."""
    space = namespace(pipeline, table.db, table.table)
    key = key_schema(pipeline, table)
    key_json = None if key is None else json.dumps(key, separators=(",", ":"))
    value_json = json.dumps(envelope_schema(pipeline, table), separators=(",", ":"))
    if before is not None and before.value_schema == value_json and before.key_schema == key_json:
        key_id, value_id = before.key_schema_id, before.value_schema_id
    else:
        key_id = None if key_json is None else ids.id_of(f"{space}.Key", key_json)
        value_id = ids.id_of(f"{space}.Envelope", value_json)
    return table.model_copy(
        update={
            "key_schema": key_json,
            "key_schema_id": key_id,
            "value_schema": value_json,
            "value_schema_id": value_id,
        }
    )
