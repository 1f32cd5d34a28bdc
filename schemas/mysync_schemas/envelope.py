"""The row event: record `Envelope` of a table, and its `Key`.

The vocabulary is Debezium's. The fields that steer a reader stand first, so that they are read
without decoding images; `before` and `after` are the table's `Row`, fields in ordinal order.
"""

from __future__ import annotations

from typing import Any, Final

from mysync_schemas.names import namespace
from mysync_schemas.table import Column, TableSchema
from mysync_schemas.types import avro_field

__all__ = ["CASCADES_LOGGED", "NO_FOREIGN_KEY_CHECKS", "envelope_schema", "key_schema"]

# Flags of a rows event (MySQL, Rows_log_event): in `source.flags`.
NO_FOREIGN_KEY_CHECKS: Final = 0x2
CASCADES_LOGGED: Final = 0x10

_NULL_LONG: Final = ["null", "long"]
_NULL_STRING: Final = ["null", "string"]

# What each field says: DESIGN's wire section, in the documentation of the formats.
_SOURCE: Final[tuple[tuple[str, Any], ...]] = (
    ("version", "string"),  # of mysync
    ("connector", "string"),  # "mysql" | "mariadb"
    ("name", "string"),  # the pipeline
    ("ts_us", "long"),  # commit time on the source (else the event's), microseconds
    ("db", "string"),
    ("table", "string"),
    ("server_id", "long"),
    ("gtid", _NULL_STRING),
    ("file", "string"),  # binlog file …
    ("pos", "long"),  # … and position of the rows event
    ("row", "int"),  # 0-based, within the event
    ("snapshot", "string"),  # "false" | "true" | "last"
    ("seq", "long"),  # over all records of the topic, in source order
    ("prev", "long"),  # seq of the record before it in its partition; 0 = none
    ("txn_seq", "long"),  # seq of the first record of its source transaction
    ("key_hash", "long"),  # signed view of xxh3-64 over the canonical key; 0 = keyless
    ("prev_key_hash", _NULL_LONG),  # of the before image, where it differs
    ("half", "boolean"),  # one half of an update that moved to another partition
    ("flags", "int"),  # of the rows event
    ("time_zone", _NULL_STRING),  # of the source's session, where the event says it
)


def envelope_schema(pipeline: str, schema: TableSchema) -> dict[str, Any]:
    """The Avro schema of the table's row events. `schema.columns` went through `types.complete`."""
    space = namespace(pipeline, schema.db, schema.table)
    row = _record("Row", space, [avro_field(column) for column in _ordered(schema)])
    source = _record("Source", space, [{"name": n, "type": t} for n, t in _SOURCE])
    dep = _record(
        "Dep", space, [{"name": "partition", "type": "int"}, {"name": "seq", "type": "long"}]
    )
    fields: list[dict[str, Any]] = [
        {"name": "op", "type": "string"},  # "c" "u" "d" "r"
        {"name": "ts_ms", "type": "long"},  # when mysync read it, milliseconds
        {"name": "source", "type": source},
        {"name": "deps", "type": ["null", {"type": "array", "items": dep}]},
        {"name": "before", "type": ["null", row]},
        {"name": "after", "type": ["null", f"{space}.Row"]},
    ]
    envelope = _record("Envelope", space, fields)
    if space != f"{pipeline}.{schema.table_id}":
        envelope["mysql.name"] = str(schema.table_id)
    return envelope


def key_schema(pipeline: str, schema: TableSchema) -> dict[str, Any] | None:
    """The Avro schema of the table's message keys: its identity columns; None if keyless."""
    if not schema.identity:
        return None
    fields = [avro_field(schema.column(name)) for name in schema.identity]
    return _record("Key", namespace(pipeline, schema.db, schema.table), fields)


def _ordered(schema: TableSchema) -> list[Column]:
    return sorted(schema.columns, key=lambda column: column.ordinal)


def _record(name: str, space: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": space, "fields": fields}
