"""The control topic's records."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mysync_schemas.avroschema import record_schema
from mysync_schemas.control import (
    FIXED_SCHEMAS,
    FORMAT,
    HASH_VERSION,
    OWN_IDS,
    ControlRecord,
    Ddl,
    DdlContext,
    FoldRecord,
    PipelineInfo,
    TopicIds,
    Transfer,
    decode,
    decode_pipeline_info,
    encode,
    fixed_schemas,
)
from mysync_schemas.errors import BadRecord, FramingError, UnknownSchema
from mysync_schemas.framing import BODY, unframe
from mysync_schemas.table import Column, ForeignKey, Key, KeyPart, Routing, TableSchema

MakeColumn = Callable[..., Column]
MakeTable = Callable[..., TableSchema]

INFO = PipelineInfo(
    format=FORMAT,
    pipeline="shop",
    uuid="00000000-0000-0000-0000-000000000001",
    connector="mysql",
    partitions=8,
    topic_ids=TopicIds(rows="r", control="c", state="s"),
    schema_id_mode="own",
    hash_version=HASH_VERSION,
    schemas=fixed_schemas(),
    created_ts=1_700_000_000_000_000,
)
DDL = Ddl(
    id=3,
    seq=12,
    sql="CREATE TABLE ä (a INT)".encode("latin1"),
    context=DdlContext(database="shop", sql_mode=2**40, timestamp_us=5, foreign_key_checks=False),
    tables=("shop.ä",),
    schema_ids=(4,),
    gtid="0-1-2",
    file="binlog.000001",
    pos=99,
)
TRANSFER = Transfer(id=4, seq=13, db="shop", table="orders", phase="end", schema_id=4,
                    file="binlog.000001", pos=120, rows=1000)  # fmt: skip
FOLD = FoldRecord(id=1, collation="utf8mb4_0900_ai_ci", data=b"\0\xff")


@pytest.fixture
def orders(column: MakeColumn, table: MakeTable) -> TableSchema:
    index = Key(
        name="i",
        unique=False,
        columns=(KeyPart(column="note", prefix_length=3), KeyPart(column=None, expression="a+1")),
    )
    foreign = ForeignKey(name="fk", columns=("id",), referenced_db="shop",
                         referenced_table="items", referenced_columns=("id",))  # fmt: skip
    return table(
        [column("id", "bigint unsigned"), column("note", "enum('a','b')", nullable=True)],
        primary=("id",),
        keys=(index,),
        foreign_keys=(foreign,),
        routing=Routing(mode="whole", anchor="shop.items"),
        ddl="CREATE …",
    )


@pytest.mark.parametrize("record", [INFO, DDL, TRANSFER, FOLD], ids=lambda r: type(r).__name__)
def test_records_are_read_back(record: ControlRecord) -> None:
    assert decode(encode(record, INFO.ids()), INFO.schemas_by_id()) == record


def test_a_table_schema_is_read_back(orders: TableSchema) -> None:
    assert decode(encode(orders, OWN_IDS), INFO.schemas_by_id()) == orders


@pytest.mark.parametrize("record", [INFO, DDL, TRANSFER, FOLD], ids=lambda r: type(r).__name__)
def test_an_ordinary_avro_reader_reads_them(record: ControlRecord) -> None:
    value = encode(record, OWN_IDS)
    schema_id, start = unframe(value)
    schema = fastavro.parse_schema(json.loads(INFO.schemas_by_id()[schema_id]))
    assert fastavro.schemaless_reader(io.BytesIO(value[start:]), schema, None) == {
        **record.model_dump(mode="python"),
        **{k: list(v) for k, v in record.model_dump().items() if isinstance(v, tuple)},
    }


def test_the_pipeline_info_is_read_whatever_its_id() -> None:
    ids = {name: 7_000 + own for name, own in OWN_IDS.items()}
    assert decode_pipeline_info(encode(INFO, ids)) == INFO
    assert unframe(encode(INFO, ids))[0] == 7_001


def test_the_pipeline_info_lists_every_fixed_schema_with_its_id() -> None:
    assert INFO.ids() == OWN_IDS
    for schema in INFO.schemas:
        assert json.loads(schema.avro) == FIXED_SCHEMAS[schema.name]
        assert schema.subject == f"mysync.{schema.name}"
        fastavro.parse_schema(json.loads(schema.avro))


def test_a_registrys_ids_take_the_place_of_our_own() -> None:
    seen: list[str] = []

    def register(subject: str, avro: str) -> int:
        seen.append(subject)
        return 100 + len(seen)

    info = INFO.model_copy(
        update={"schemas": fixed_schemas(register), "schema_id_mode": "registry"}
    )
    assert sorted(seen) == sorted(f"mysync.{name}" for name in OWN_IDS)
    assert decode(encode(DDL, info.ids()), info.schemas_by_id()) == DDL


def test_an_unknown_schema_is_worth_waiting_for() -> None:
    with pytest.raises(UnknownSchema, match="id 3") as caught:
        decode(encode(DDL, OWN_IDS), {})
    assert caught.value.retriable


def test_a_record_of_the_rows_topic_isnt_a_control_record() -> None:
    with pytest.raises(BadRecord, match="isn't one of a control record"):
        decode(b"\0\0\0\0\5\2\0\2\0\0", INFO.schemas_by_id())


def test_what_an_older_writer_left_out_takes_its_default() -> None:
    schema = json.loads(INFO.schemas_by_id()[OWN_IDS["Transfer"]])
    schema["fields"] = [f for f in schema["fields"] if f["name"] not in ("rows", "ts_us")]
    out = io.BytesIO()
    fields = TRANSFER.model_dump(exclude={"rows", "ts_us"})
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    value = encode(TRANSFER, OWN_IDS)[:BODY] + out.getvalue()
    expected = TRANSFER.model_copy(update={"rows": None, "ts_us": 0})
    assert decode(value, {OWN_IDS["Transfer"]: json.dumps(schema)}) == expected


@given(st.sampled_from([INFO, DDL, TRANSFER, FOLD]), st.data())
def test_a_record_cut_short_is_refused(record: ControlRecord, data: st.DataObject) -> None:
    value = encode(record, OWN_IDS)
    cut = value[: data.draw(st.integers(0, len(value) - 1))]
    with pytest.raises((BadRecord, FramingError)):
        decode(cut, INFO.schemas_by_id())
    with pytest.raises(BadRecord, match="too many"):
        decode(value + b"\0", INFO.schemas_by_id())


@given(st.sampled_from(sorted(OWN_IDS.values())), st.binary(max_size=100))
def test_garbage_is_refused_and_never_crashes(schema_id: int, data: bytes) -> None:
    try:
        decode(bytes([0, 0, 0, 0, schema_id]) + data, INFO.schemas_by_id())
    except BadRecord:
        return


def test_the_fixed_schemas_of_a_format_never_change() -> None:
    golden = Path(__file__).with_name(f"format_{FORMAT}.json")
    written = json.dumps({"ids": dict(OWN_IDS), "schemas": dict(FIXED_SCHEMAS)}, indent=1) + "\n"
    assert golden.read_text() == written, f"a changed schema needs a new FORMAT ({golden.name})"


def test_a_model_that_avro_cant_hold_is_refused() -> None:
    class Odd(BaseModel):
        value: dict[str, Any]

    with pytest.raises(TypeError, match="no Avro type"):
        record_schema(Odd, "Odd", "mysync")
