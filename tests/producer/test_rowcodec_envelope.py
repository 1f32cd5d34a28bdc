"""What stands around the images: order, keys, hashes, partitions, and the halves of an update."""

import io
import json
from types import ModuleType
from typing import Any

import fastavro
import pytest

from binlog_rows import PIPELINE, RowsEvent, Source, plain
from mysync_producer.rowerrors import SchemaMismatch
from mysync_schemas.hashing import key_hash, partition_of
from mysync_schemas.partition import CanonicalKey, anchor_partition
from producer.rig import PARTITIONS, AnyFold, Rig, table


def test_the_envelope_says_what_the_event_was(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    (event,) = source.capture("INSERT INTO t VALUES (7, 8)")
    rig = Rig(rowcodec, source.describe("t"), event, connector="mariadb")
    ctx = rig.ctx
    ctx.ts_ms, ctx.ts_us, ctx.server_id, ctx.gtid = (
        1_700_000_000_123,
        1_700_000_000_123_456,
        2**32 - 1,
        "0-1-2",
    )
    ctx.pos, ctx.flags, ctx.time_zone = 2**32 - 1, 0x13, "+02:00"
    ((_, key, envelope),) = rig.all(event)
    assert key == {"id": 7}
    assert envelope["op"] == "c"
    assert envelope["ts_ms"] == 1_700_000_000_123
    assert envelope["source"] == {
        "version": "0.1.0", "connector": "mariadb", "name": PIPELINE,
        "ts_us": 1_700_000_000_123_456,
        "db": source.db, "table": "t", "server_id": 2**32 - 1, "gtid": "0-1-2",
        "file": "binlog.000007", "pos": 2**32 - 1, "row": 0, "snapshot": "false", "seq": 101,
        "prev": rig.sequencer.prev.index(101), "txn_seq": 101,
        "key_hash": envelope["source"]["key_hash"], "prev_key_hash": None, "half": False,
        "flags": 0x13, "time_zone": "+02:00",
    }  # fmt: skip
    assert envelope["deps"] is None
    assert envelope["before"] is None
    assert envelope["after"][1] == {"id": 7, "v": 8}


def test_keys_and_partitions_are_those_of_the_contract(
    source: Source, rowcodec: ModuleType
) -> None:
    keys = {
        "a INT": ["1", "-5"],
        "a BIGINT UNSIGNED": ["1", "18446744073709551615", "9223372036854775808"],
        "a DECIMAL(30,10)": ["-1.5", "0"],
        "a FLOAT": ["1.5", "-0e0"],
        "a DOUBLE": ["0", "-1e300"],
        "a DATE": ["'2024-02-29'", "'0000-00-00'"],
        "a DATETIME(3)": ["'2024-02-29 01:02:03.456'", "'2024-00-00 00:00:00'"],
        "a TIMESTAMP(1)": ["'2024-02-29 01:02:03.4'"],
        "a TIME": ["'-01:02:03'"],
        "a VARCHAR(20)": ["'Straße '", "'ABC'", "''"],
        "a CHAR(20) CHARACTER SET latin1": ["'Ünïcödé'"],
        "a VARBINARY(20)": ["x'00ff00'", "''"],
        "a BINARY(3)": ["x'010000'"],
        "a BIT(12)": ["5"],
        "a ENUM('x','y')": ["'y'", "0"],
        "a SET('x','','z')": ["'z'", "2"],
    }
    source.sql("SET sql_mode = 'ALLOW_INVALID_DATES'")
    for definition, values in keys.items():
        table(source, f"n INT, {definition}, b INT, PRIMARY KEY (b, a)")
        rows = ", ".join(f"(NULL, {value}, {i})" for i, value in enumerate(values))
        (event,) = source.capture(f"INSERT INTO t VALUES {rows}")
        agree(Rig(rowcodec, source.describe("t"), event), event)


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ("a VARCHAR(200)", "'äöüÄÖÜxyz'"),
        ("a TEXT", "REPEAT('É', 100)"),
        ("a BLOB", "x'0102030405'"),
        ("a VARBINARY(9)", "x'01'"),
    ],
)
def test_a_key_of_a_prefix_hashes_the_prefix(
    source: Source, rowcodec: ModuleType, definition: str, value: str
) -> None:
    table(source, f"{definition} NOT NULL, v INT, PRIMARY KEY (a(3))")
    (event,) = source.capture(f"INSERT INTO t VALUES ({value}, 1)")
    agree(Rig(rowcodec, source.describe("t"), event), event)


def agree(rig: Rig, event: RowsEvent) -> None:
    """Message keys hold the identity; hashes and partitions are the canonical key's."""
    canonical = CanonicalKey(rig.schema, AnyFold())
    for partition, key, envelope in rig.all(event):
        row = envelope["after"][1]
        assert key == {name: row[name] for name in rig.schema.identity}
        values = [avro_value(rig, name, row[name]) for name in rig.schema.identity]
        expected = canonical.of(values)
        assert envelope["source"]["key_hash"] == key_hash(expected)
        assert partition == partition_of(expected, PARTITIONS)


def avro_value(rig: Rig, name: str, value: Any) -> tuple[bytes, bool]:
    """(Avro bytes without the union's index, exceptional?), encoded by fastavro."""
    schema = json.loads(rig.schema.value_schema)
    fields = schema["fields"][4]["type"][1]["fields"]
    kind = plain(next(f["type"] for f in fields if f["name"] == name))
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(kind), value)
    data = stream.getvalue()
    if not isinstance(kind, list):
        return data, False
    return data[1:], data[0] == 2


def test_equal_keys_hash_equal(source: Source, rowcodec: ModuleType) -> None:
    table(source, "a VARCHAR(20), b DOUBLE, v INT, PRIMARY KEY (a, b)")
    events = source.capture(
        "INSERT INTO t VALUES ('Abc', 0, 1)",
        "DELETE FROM t",
        "INSERT INTO t VALUES ('aBC', -0e0, 2)",
    )
    found = Rig(rowcodec, source.describe("t"), events[0]).all(*events)
    assert len({envelope["source"]["key_hash"] for _, _, envelope in found}) == 1
    assert len({partition for partition, _, _ in found}) == 1


def test_an_update_that_stays_is_one_record_that_knows_the_old_key(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    inserted, *updated = source.capture(
        "INSERT INTO t VALUES (0, 0)", *(f"UPDATE t SET id = {i}, v = v + 1" for i in range(1, 60))
    )
    found = Rig(rowcodec, source.describe("t"), inserted).all(inserted, *updated)
    stayed = [envelope for _, _, envelope in found if envelope["op"] == "u"]
    assert stayed
    for envelope in stayed:
        assert envelope["source"]["prev_key_hash"] not in (None, envelope["source"]["key_hash"])
        assert not envelope["source"]["half"]
        assert envelope["before"][1]["id"] + 1 == envelope["after"][1]["id"]


def test_an_update_that_keeps_its_key_has_no_old_hash(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id VARCHAR(9) PRIMARY KEY, v INT")
    events = source.capture("INSERT INTO t VALUES ('k', 1)", "UPDATE t SET id = 'K', v = 2")
    _, (_, key, envelope) = Rig(rowcodec, source.describe("t"), events[0]).all(*events)
    assert (envelope["op"], envelope["source"]["prev_key_hash"]) == ("u", None)
    assert key == {"id": "K"}


def test_an_update_that_moves_is_a_delete_and_then_an_insert(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    events = source.capture(
        "INSERT INTO t VALUES (0, 0)", *(f"UPDATE t SET id = {i}, v = v + 1" for i in range(1, 30))
    )
    rig = Rig(rowcodec, source.describe("t"), events[0])
    found = rig.all(*events)
    where: dict[int, int] = {}
    for partition, key, envelope in found:
        assert key is not None
        at = envelope["source"]
        if envelope["op"] == "d":
            assert (at["half"], envelope["after"]) == (True, None)
            assert where.pop(key["id"]) == partition
            assert envelope["before"][1]["id"] == key["id"]
        elif envelope["op"] == "u":
            assert where.pop(envelope["before"][1]["id"]) == partition
            where[key["id"]] = partition
        else:
            assert envelope["before"] is None
            assert where == {}
            where[key["id"]] = partition
        assert at["row"] == 0
        assert at["prev_key_hash"] is None or envelope["op"] == "u"
    assert sum(envelope["op"] == "d" for _, _, envelope in found) > 10


def test_seq_counts_all_records_and_prev_those_of_the_partition(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    values = ", ".join(f"({i}, {i})" for i in range(300))
    events = source.capture(
        f"INSERT INTO t VALUES {values}", "UPDATE t SET id = id + 1000", "DELETE FROM t"
    )
    rig = Rig(rowcodec, source.describe("t"), events[0])
    found = rig.all(*events)
    prev = list(range(PARTITIONS))
    for seq, (partition, _, envelope) in enumerate(found, 101):
        assert envelope["source"]["seq"] == seq
        assert envelope["source"]["prev"] == prev[partition]
        assert envelope["source"]["txn_seq"] == 101
        prev[partition] = seq
    assert rig.sequencer.prev == prev
    assert rig.sequencer.seq == 100 + len(found)
    assert rig.sequencer.take_all() == (101 + len(found), prev)
    assert rig.sequencer.take(3) == (102 + len(found), 101 + len(found))


def test_a_keyless_table_goes_whole_without_keys(source: Source, rowcodec: ModuleType) -> None:
    table(source, "a INT, b VARCHAR(9)")
    events = source.capture(
        "INSERT INTO t VALUES (1, 'x'), (1, 'x')", "UPDATE t SET b = 'y' LIMIT 1", "DELETE FROM t"
    )
    found = Rig(rowcodec, source.describe("t"), events[0]).all(*events)
    assert {partition for partition, _, _ in found} == {
        anchor_partition(f"{source.db}.t", PARTITIONS)
    }
    assert {envelope["source"]["key_hash"] for _, _, envelope in found} == {0}
    assert [(key, envelope["op"]) for _, key, envelope in found] == [(None, op) for op in "ccudd"]


def test_a_table_routed_whole_keeps_keys_hashes_and_key_changes(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    events = source.capture(
        "INSERT INTO t VALUES (1, 1)", "UPDATE t SET id = 2", "UPDATE t SET id = 77"
    )
    schema = source.describe("t", by_key=False)
    found = Rig(rowcodec, schema, events[0]).all(*events)
    assert {partition for partition, _, _ in found} == {
        anchor_partition(f"{source.db}.t", PARTITIONS)
    }
    assert [key for _, key, _ in found] == [{"id": 1}, {"id": 2}, {"id": 77}]
    hashes = [envelope["source"]["key_hash"] for _, _, envelope in found]
    assert len(set(hashes)) == 3
    assert [envelope["source"]["prev_key_hash"] for _, _, envelope in found] == [None, *hashes[:2]]


def test_a_key_that_cannot_be_folded_is_not_hashed(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id VARCHAR(9) PRIMARY KEY")
    (event,) = source.capture("INSERT INTO t VALUES ('a')")
    schema = source.describe("t").model_copy(update={"folds": ()})
    with pytest.raises(SchemaMismatch, match="can't be hashed"):
        Rig(rowcodec, schema, event)
    whole = source.describe("t", by_key=False).model_copy(update={"folds": ()})
    ((_, key, envelope),) = Rig(rowcodec, whole, event).all(event)
    assert (key, envelope["source"]["key_hash"]) == ({"id": "a"}, 0)
