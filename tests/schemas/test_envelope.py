"""The row event's schema."""

import datetime as dt
import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from mysync_schemas.avro import read_long, read_string
from mysync_schemas.envelope import envelope_schema, key_schema
from mysync_schemas.table import Column, TableSchema

MakeColumn = Callable[..., Column]
MakeTable = Callable[..., TableSchema]

SOURCE = {
    "version": "1", "connector": "mysql", "name": "p", "ts_us": 5, "db": "shop", "table": "orders",
    "server_id": 1, "gtid": None, "file": "binlog.000001", "pos": 4, "row": 0, "snapshot": "false",
    "seq": 7, "prev": 6, "txn_seq": 7, "key_hash": -1, "prev_key_hash": None, "half": False,
    "flags": 2, "time_zone": None,
}  # fmt: skip


@pytest.fixture
def orders(column: MakeColumn, table: MakeTable) -> TableSchema:
    return table(
        [
            column("note", "varchar(20)", nullable=True),
            column("id", "bigint unsigned"),
            column("day", "date"),
        ],
        primary=("id", "day"),
    )


def test_the_fields_stand_in_the_order_of_the_format(orders: TableSchema) -> None:
    schema = envelope_schema("p", orders)
    assert [f["name"] for f in schema["fields"]] == [
        "op", "ts_ms", "source", "deps", "before", "after",
    ]  # fmt: skip
    source = schema["fields"][2]["type"]
    assert [f["name"] for f in source["fields"]] == [
        "version", "connector", "name", "ts_us", "db", "table", "server_id", "gtid", "file", "pos",
        "row", "snapshot", "seq", "prev", "txn_seq", "key_hash", "prev_key_hash", "half", "flags",
        "time_zone",
    ]  # fmt: skip
    row = schema["fields"][4]["type"][1]
    assert [f["name"] for f in row["fields"]] == ["note", "id", "day"]


def test_fastavro_writes_and_reads_an_event(orders: TableSchema) -> None:
    schema = fastavro.parse_schema(json.loads(json.dumps(envelope_schema("p", orders))))
    before = {"note": "ä", "id": 3, "day": dt.date(2026, 1, 2)}
    after = {"note": None, "id": 3, "day": "0000-00-00"}
    event: dict[str, Any] = {
        "op": "u", "ts_ms": 1, "source": SOURCE, "deps": [{"partition": 2, "seq": 5}],
        "before": before, "after": after,
    }  # fmt: skip
    out = io.BytesIO()
    named = {**event, "after": {**after, "day": ("string", "0000-00-00")}}
    fastavro.schemaless_writer(out, schema, named)
    assert fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema, None) == event
    op, at = read_string(out.getvalue(), 0)
    assert (op, read_long(out.getvalue(), at)[0]) == ("u", 1)


def test_the_key_has_the_identity_in_the_keys_order(orders: TableSchema) -> None:
    schema = key_schema("p", orders)
    assert schema is not None
    assert (schema["namespace"], schema["name"]) == ("p.shop.orders", "Key")
    assert [f["name"] for f in schema["fields"]] == ["id", "day"]
    fastavro.parse_schema(schema)


def test_a_table_without_a_key_has_no_key_schema(column: MakeColumn, table: MakeTable) -> None:
    assert key_schema("p", table([column("a", "int")])) is None


def test_names_that_avro_cant_hold_keep_their_original_beside(
    column: MakeColumn, table: MakeTable
) -> None:
    schema = envelope_schema("p", table([column("a b", "int")], db="my-db", name="größe"))
    assert (schema["namespace"], schema["mysql.name"]) == ("p.my_db.gr__e", "my-db.größe")
    assert schema["fields"][4]["type"][1]["fields"][0]["mysql.name"] == "a b"
    fastavro.parse_schema(schema)
