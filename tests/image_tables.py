"""Table definitions for the offline tests of reading and writing rows: no server is asked."""

import json
from typing import Any

from mysync_consumer.targettable import TargetColumn, TargetTable
from mysync_schemas.envelope import envelope_schema
from mysync_schemas.table import Column, Key, KeyPart, TableSchema
from mysync_schemas.types import complete

TEXT = {"charset": "utf8mb4", "collation": "utf8mb4_0900_ai_ci"}
LATIN1 = {"charset": "latin1", "collation": "latin1_swedish_ci"}


def column(name: str, column_type: str, nullable: bool = True, **known: Any) -> dict[str, Any]:
    """What a column has in both of its descriptions; the ordinal comes with its place."""
    data_type = column_type.partition("(")[0].partition(" ")[0]
    return {
        "name": name,
        "column_type": column_type,
        "data_type": data_type,
        "nullable": nullable,
        "unsigned": "unsigned" in column_type,
        **known,
    }


def varchar(name: str, length: int, nullable: bool = True, **known: Any) -> dict[str, Any]:
    known = {**TEXT, **known}
    octets = length * {"utf8mb4": 4, "utf8mb3": 3}.get(known["charset"], 1)
    lengths = {"char_length": length, "octet_length": octets}
    return column(name, f"varchar({length})", nullable, **lengths, **known)


EVERY_KIND = [
    column("id", "int", nullable=False),
    column("big", "bigint"),
    column("huge", "bigint unsigned"),
    column("money", "decimal(20,4)", precision=20, scale=4),
    column("single", "float"),
    column("twice", "double", nullable=False),
    column("day", "date"),
    column("moment", "datetime(6)", fsp=6),
    column("stamp", "timestamp(3)", fsp=3, nullable=False),
    column("span", "time(2)", fsp=2),
    varchar("name", 30),
    varchar("west", 30, **LATIN1),
    column("raw", "varbinary(20)", octet_length=20, char_length=20),
    column("bits", "bit(10)", precision=10),
    column("state", "enum('new','old')", labels=("new", "old"), **TEXT),
    column("tags", "set('a','b','c')", labels=("a", "b", "c"), nullable=False, **TEXT),
    column("doc", "json"),
    column("year", "year"),
    column("tiny", "tinyint unsigned"),
]

ROW: dict[str, Any] = {
    "id": 7,
    "big": -5,
    "huge": ((1 << 64) - 1).to_bytes(9, "big"),
    "money": (-12345).to_bytes(3, "big", signed=True),
    "single": 1.5,
    "twice": -0.0,
    "day": 19000,
    "moment": "0000-00-00 00:00:00.000000",
    "stamp": 1_700_000_000_123_000,
    "span": -10_000,
    "name": "Jürgen 😀",
    "west": "naïve",
    "raw": b"\x00\xff",
    "bits": b"\x03\xff",
    "state": "old",
    "tags": "a,c",
    "doc": '{"a": [1, 2.5, null]}',
    "year": 2026,
    "tiny": 255,
}

PRIMARY = Key(name="PRIMARY", unique=True, columns=(KeyPart(column="id"),))


def schema_of(
    columns: list[dict[str, Any]] = EVERY_KIND,
    keys: tuple[Key, ...] = (PRIMARY,),
    identity: tuple[str, ...] = ("id",),
) -> TableSchema:
    listed = [Column(ordinal=i, **c) for i, c in enumerate(columns, 1)]
    schema = TableSchema(
        id=1,
        db="shop",
        table="orders",
        create_sql="",
        columns=complete("shop.orders", listed),
        keys=keys,
        identity=identity,
        value_schema_id=101,
    )
    return schema.model_copy(update={"value_schema": json.dumps(envelope_schema("p", schema))})


def target_of(
    columns: list[dict[str, Any]] = EVERY_KIND,
    keys: tuple[Key, ...] = (PRIMARY,),
    flavor: Any = "mysql",
) -> TargetTable:
    listed = tuple(TargetColumn(ordinal=i, **c) for i, c in enumerate(columns, 1))
    return TargetTable("shop", "orders", flavor, listed, keys)
