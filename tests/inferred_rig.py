"""Inferred versions of tables that a server really has, for the tests of both services."""

import json
from collections.abc import Sequence

from binlog_rows import PIPELINE, RowsEvent, Source
from mysync_producer.inferred import inferred, label_charsets
from mysync_producer.tablemap import TableMap
from mysync_schemas.charset import Charset
from mysync_schemas.charsetbuild import build
from mysync_schemas.envelope import envelope_schema, key_schema
from mysync_schemas.table import ForeignKey, Routing, TableSchema

_tables: dict[tuple[bool, str], Charset] = {}


def placeholder(db: str, table: str, foreign_keys: Sequence[ForeignKey] = ()) -> TableSchema:
    """What is known of a table after a statement and before its first row."""
    return TableSchema(
        id=0,
        db=db,
        table=table,
        create_sql="",
        columns=(),
        foreign_keys=tuple(foreign_keys),
        routing=Routing(mode="whole", anchor=f"{db}.{table}"),
        state="inferred",
    )


def inferred_of(
    source: Source, table_map: TableMap, before: TableSchema | None = None
) -> TableSchema:
    """The map's version, with the ids that `Source.describe` gives."""
    schema = inferred(
        table_map,
        placeholder(table_map.db, table_map.table),
        mariadb=source.mariadb,
        charsets={name: _charset(source, name) for name in label_charsets(table_map)},
        before=before,
    )
    key = key_schema(PIPELINE, schema)
    return schema.model_copy(
        update={
            "id": 1,
            "key_schema_id": None if key is None else 102,
            "value_schema_id": 101,
            "key_schema": None if key is None else json.dumps(key),
            "value_schema": json.dumps(envelope_schema(PIPELINE, schema)),
        }
    )


def inferred_from(source: Source, events: Sequence[RowsEvent]) -> TableSchema:
    """The version of the one table that these events are of."""
    (body,) = {event.table_map_body[8:] for event in events}
    found = [event.table_map for event in events if event.table_map_body[8:] == body]
    return inferred_of(source, found[0])


def _charset(source: Source, name: str) -> Charset:
    known = (source.mariadb, name)
    if known not in _tables:
        _tables[known] = build(name, lambda sql: source.sql(sql)[0][0])
    return _tables[known]
