"""The table of types: what each column is in Avro."""

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from mysync_lab.sql import SqlServer
from mysync_schemas.errors import UnsupportedColumn
from mysync_schemas.table import Column
from mysync_schemas.types import (
    EXCEPTIONAL,
    Kind,
    avro_field,
    avro_type,
    complete,
    kind_of,
    labels_of,
    normal_index,
    unsupported,
)

MakeColumn = Callable[..., Column]

# Without a time zone, as a DATETIME is.
DATETIMES = [
    dt.datetime.fromisoformat(text) for text in ("0001-01-01", "9999-12-31 23:59:59.999999")
]
# column type, kind, Python values as an ordinary Avro reader gives them (normal, then exceptional)
CASES: list[tuple[str, Kind, list[Any]]] = [
    ("tinyint", Kind.INT32, [-128, 127]),
    ("tinyint(1)", Kind.INT32, [0, 1]),
    ("smallint unsigned", Kind.INT32, [65535]),
    ("mediumint unsigned", Kind.INT32, [16777215]),
    ("int", Kind.INT32, [-(2**31), 2**31 - 1]),
    ("year", Kind.INT32, [0, 1901, 2155]),
    ("int unsigned", Kind.INT64, [2**32 - 1]),
    ("bigint", Kind.INT64, [-(2**63), 2**63 - 1]),
    ("bigint unsigned", Kind.UINT64, [2**63 - 1, Decimal(2**63), Decimal(2**64 - 1)]),
    ("decimal(65,30)", Kind.DECIMAL, [Decimal("-1.5"), Decimal(0)]),
    ("float", Kind.FLOAT, [0.5]),
    ("float unsigned", Kind.FLOAT, [0.5]),
    ("double", Kind.DOUBLE, [0.1]),
    ("date", Kind.DATE, [dt.date(1, 1, 1), dt.date(9999, 12, 31), "0000-00-00", "2020-02-31"]),
    ("datetime(6)", Kind.DATETIME, [*DATETIMES, "0000-01-01 00:00:00.000000"]),
    (
        "timestamp(3)",
        Kind.TIMESTAMP,
        [dt.datetime(2038, 1, 19, 3, 14, 7, 999000, dt.UTC), "0000-00-00 00:00:00.000"],
    ),
    ("time(6)", Kind.TIME, [-838 * 3600 * 10**6, 10**6]),
    ("varchar(20)", Kind.STRING, ["ä", b"\xed\xa0\x80"]),
    ("char(3)", Kind.STRING, [""]),
    ("longtext", Kind.STRING, ["x" * 1000]),
    ("varbinary(20)", Kind.BYTES, [b"\0\xff"]),
    ("blob", Kind.BYTES, [b""]),
    ("bit(12)", Kind.BIT, [b"\x0f\xff"]),
    ("enum('a','b')", Kind.ENUM, ["a", 0]),
    ("set('a','b')", Kind.SET, ["a,b", 3]),
    ("json", Kind.JSON, ['{"a": 1}', b"\x00\x01"]),
    ("point", Kind.BYTES, [b"\0" * 25]),
    ("vector(3)", Kind.BYTES, [b"\0" * 12]),
    ("inet6", Kind.BYTES, [b"\0" * 16]),
]


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize(("column_type", "kind", "values"), CASES, ids=[c[0] for c in CASES])
def test_an_ordinary_reader_gets_ordinary_values(
    column: MakeColumn, column_type: str, kind: Kind, values: list[Any], nullable: bool
) -> None:
    (made,) = complete("db.t", [column("a b", column_type, nullable=nullable)])
    assert (made.kind, made.avro_name) == (kind, "a_b")
    schema = fastavro.parse_schema({"type": "record", "name": "R", "fields": [avro_field(made)]})
    for value in [*values, None] if nullable else values:
        data = io.BytesIO()
        # fastavro would take a str for a date and read it: name the branch
        named = ("string", value) if isinstance(value, str) else value
        fastavro.schemaless_writer(data, schema, {"a_b": named if kind is Kind.DATE else value})
        found = fastavro.schemaless_reader(io.BytesIO(data.getvalue()), schema, None)
        assert found == {"a_b": value}
        assert type(found["a_b"]) is type(value)


@pytest.mark.parametrize("column_type", [case[0] for case in CASES])
def test_null_is_first_and_the_exceptional_branch_last(
    column: MakeColumn, column_type: str
) -> None:
    for nullable in (False, True):
        made = column("a", column_type, nullable=nullable)
        branches = avro_type(made)
        exceptional = EXCEPTIONAL.get(kind_of(made))
        if not nullable and exceptional is None:
            assert not isinstance(branches, list)
            continue
        assert isinstance(branches, list)
        assert (branches[0] == "null") == nullable
        assert len(branches) == nullable + 1 + (exceptional is not None)
        assert branches[normal_index(made) :][1:] == ([exceptional] if exceptional else [])


def test_a_field_tells_mysqls_type_and_name(column: MakeColumn) -> None:
    one, other = complete("db.t", [
        column("total", "decimal(10,2)").model_copy(update={"ordinal": 2}),
        column("naïve", "time(3)").model_copy(update={"ordinal": 1}),
    ])  # fmt: skip
    assert avro_field(one) == {
        "name": "na_ve", "type": "long", "mysql.type": "time(3)", "mysql.name": "naïve"
    }  # fmt: skip
    assert avro_field(other) == {
        "name": "total",
        "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        "mysql.type": "decimal(10,2)",
    }


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"column_type": "time /* 5.5 binary format */", "data_type": "time"}, "of MySQL 5.5"),
        (
            {"expression": "ROW START", "generated": "STORED", "data_type": "bigint"},
            "transaction numbers",
        ),
        ({"charset": "utf9"}, "utf9"),
        ({"data_type": "xmltype"}, "xmltype"),
    ],
)
def test_what_isnt_carried_is_refused_by_name(
    column: MakeColumn, facts: dict[str, str], word: str
) -> None:
    made = column("c", "varchar(9)").model_copy(update=facts)
    with pytest.raises(UnsupportedColumn, match=word) as caught:
        complete("db.t", [made])
    assert (caught.value.table, caught.value.column) == ("db.t", "c")
    assert unsupported(made) == caught.value.reason


LABELS = [
    "a\\b", "it's", "n\nl", "c,d", "\t", "r\r", "z\x1a", "", ")", "\\n", "ä", "%", 'q"', "\0x",
    "`", "''", "\\'", "('",
]  # fmt: skip


@pytest.mark.parametrize("server", ["mysql_a", "mariadb_a"])
def test_labels_are_read_as_both_servers_write_them(
    server: str, request: pytest.FixtureRequest
) -> None:
    lab_server: SqlServer = request.getfixturevalue(server)
    members = [label for label in LABELS if "," not in label]
    with lab_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS contract_types")
        try:
            for kind, labels in (("ENUM", LABELS), ("SET", members)):
                literals = ",".join(f"0x{text.encode().hex()}" if text else "''" for text in labels)
                cursor.execute(
                    f"CREATE TABLE contract_types.t_{kind} (c {kind}({literals})) "
                    "CHARACTER SET utf8mb4"
                )
                cursor.execute(
                    "SELECT column_type FROM information_schema.columns "
                    f"WHERE table_schema = 'contract_types' AND table_name = 't_{kind}'"
                )
                assert list(labels_of(cursor.fetchone()[0])) == labels
        finally:
            cursor.execute("DROP DATABASE contract_types")


def test_other_types_have_no_labels() -> None:
    assert labels_of("varchar(20)") == ()
    assert labels_of("decimal(10,2)") == ()
