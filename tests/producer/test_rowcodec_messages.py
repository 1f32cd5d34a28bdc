"""How rows become messages: where a call stops, rows in parts, and tables that can't be read."""

from types import ModuleType
from typing import Any

import pytest

from binlog_rows import Source
from mysync_producer.rowerrors import CorruptRow, MinimalImage, SchemaMismatch
from mysync_schemas.markers import Part
from producer.rig import PARTITIONS, Rig, table


def test_a_call_stops_at_its_limit_and_the_next_goes_on(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v VARCHAR(100)")
    values = ", ".join(f"({i}, REPEAT('x', {i % 90}))" for i in range(200))
    events = source.capture(f"INSERT INTO t VALUES {values}", "UPDATE t SET id = id + 1000")
    whole = Rig(rowcodec, source.describe("t"), events[0]).all(*events)
    rig = Rig(rowcodec, source.describe("t"), events[0])
    found = []
    calls = passed = 0
    for event in events:
        pos, row = rig.start(event), 0
        while pos < event.end:
            messages, rows, size, pos = rig.call(event, pos, row, 0, 3000)
            assert size < 4500
            found += [(partition, rig.decoder.read(value)) for partition, _, value in messages]
            row += rows
            calls += 1
        passed += row
    assert passed == 400
    assert calls > len(events) + 10
    found.sort(key=lambda message: message[1]["source"]["seq"])
    assert found == [(partition, envelope) for partition, _, envelope in whole]


def test_skipped_rows_take_no_number(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, v INT")
    values = ", ".join(f"({i}, {i})" for i in range(10))
    inserted, updated = source.capture(
        f"INSERT INTO t VALUES {values}", "UPDATE t SET id = id + 100"
    )
    rig = Rig(rowcodec, source.describe("t"), inserted)
    messages, rows, _, pos = rig.call(inserted, rig.start(inserted), skip=7)
    assert (rows, pos, rig.sequencer.seq) == (10, inserted.end, 103)
    assert sorted(rig.decoder.read(value)["source"]["row"] for _, _, value in messages) == [7, 8, 9]
    messages, rows, size, pos = rig.call(updated, rig.start(updated), skip=50)
    assert (messages, rows, size, pos, rig.sequencer.seq) == ([], 10, 0, updated.end, 103)


def test_a_row_larger_than_a_message_travels_in_parts(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, v LONGBLOB")
    _, event, other = source.capture(
        "INSERT INTO t VALUES (1, NULL)",
        "INSERT INTO t VALUES (2, REPEAT(x'00ff', 50000))",
        "INSERT INTO t VALUES (3, 'small')",
    )
    rig = Rig(rowcodec, source.describe("t"), event, max_message_bytes=5000, part_schema_id=9)
    messages = rig.call(event, rig.start(event))[0] + rig.call(other, rig.start(other))[0]
    assert all(len(key or b"") + len(value) <= 5000 - 100 for _, key, value in messages)
    framed = b"\0\0\0\0\x09"
    parts = [(p, key, Part.decode(value)) for p, key, value in messages if value[:5] == framed]
    (small,) = [rig.decoder.read(value) for _, _, value in messages if value[:5] != framed]
    assert len(parts) > 20
    assert [part.index for _, _, part in parts] == list(range(len(parts)))
    assert len({(p, key, part.count, part.row_id, part.txn_seq) for p, key, part in parts}) == 1
    assert [part.seq for _, _, part in parts] == list(range(101, 101 + len(parts)))
    partition = parts[0][0]
    assert [part.prev for _, _, part in parts] == [partition, *range(101, 100 + len(parts))]
    row = rig.decoder.read(b"".join(part.data for _, _, part in parts))
    last = parts[-1][2]
    assert (row["source"]["seq"], row["source"]["prev"]) == (last.seq, last.prev)
    assert (last.row_id, row["source"]["txn_seq"]) == (last.seq, 101)
    assert row["after"][1]["v"] == b"\x00\xff" * 50000
    assert small["source"]["seq"] == last.seq + 1


def test_a_large_row_that_moves_travels_as_two_rows_in_parts(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v LONGBLOB")
    events = source.capture(
        "INSERT INTO t VALUES (1, REPEAT('x', 9000))",
        *(f"UPDATE t SET id = {i}" for i in range(2, 6)),
    )
    rig = Rig(rowcodec, source.describe("t"), events[0], max_message_bytes=3000)
    prev = list(range(PARTITIONS))
    rows: list[dict[str, Any]] = []
    for event in events:
        messages, _, _, _ = rig.call(event, rig.start(event))
        parts = sorted(
            ((Part.decode(value).seq, p, Part.decode(value)) for p, _, value in messages)
        )
        data = b""
        for seq, partition, part in parts:
            assert part.prev == prev[partition]
            prev[partition] = seq
            data += part.data
            if part.index == part.count - 1:
                rows.append(rig.decoder.read(data))
                data = b""
    assert {row["op"] for row in rows} >= {"c", "d"}
    assert all(len((row["after"] or row["before"])[1]["v"]) == 9000 for row in rows)


def test_every_size_around_a_message_is_whole(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, v BLOB")
    values = ", ".join(f"({i}, REPEAT('x', {1000 + i}))" for i in range(400))
    events = source.capture(f"INSERT INTO t VALUES {values}")
    rig = Rig(rowcodec, source.describe("t"), events[0], max_message_bytes=2000)
    messages = [message for event in events for message in rig.call(event, rig.start(event))[0]]
    assert all(len(key or b"") + len(value) <= 2000 - 100 for _, key, value in messages)
    single = sum(value[:5] == b"\0\0\0\0\x65" for _, _, value in messages)
    assert 0 < single < 400


@pytest.mark.parametrize(
    ("image", "change"),
    [
        ("MINIMAL", "v = 2"),
        ("NOBLOB", "v = 2"),
        ("MINIMAL", "doc = 'null'"),  # beside the columns that aren't there
    ],
)
def test_an_image_that_leaves_columns_out_is_refused(
    source: Source, rowcodec: ModuleType, image: str, change: str
) -> None:
    table(source, "id INT PRIMARY KEY, v INT, doc JSON, b BLOB")
    source.sql(f"SET SESSION binlog_row_image = {image}")
    try:
        inserted, updated = source.capture(
            "INSERT INTO t VALUES (1, 1, '{}', 'b')", f"UPDATE t SET {change}"
        )
    finally:
        source.sql("SET SESSION binlog_row_image = FULL")
    rig = Rig(rowcodec, source.describe("t"), inserted)
    rig.all(inserted)
    with pytest.raises(MinimalImage, match="binlog_row_image"):
        rig.start(updated)


def test_another_number_of_columns_than_the_table_map_has_is_corrupt(
    source: Source, rowcodec: ModuleType
) -> None:
    table(source, "id INT PRIMARY KEY, v INT, w INT")
    (event,) = source.capture("INSERT INTO t VALUES (1, 1, 1)")
    rig = Rig(rowcodec, source.describe("t"), event)
    buf = bytearray(event.buf)
    buf[event.start] = 4
    with pytest.raises(CorruptRow, match="4 columns, 3 in TABLE_MAP"):
        rowcodec.columns_present(rig.plan, rig.ctx, bytes(buf), event.start, event.end, False)


@pytest.mark.parametrize(
    "change",
    [
        "MODIFY v BIGINT", "MODIFY v INT UNSIGNED", "MODIFY v INT NOT NULL",
        "RENAME COLUMN v TO w",
        "ADD w INT", "DROP v", "MODIFY s VARCHAR(21)",
        "MODIFY s VARCHAR(80) CHARACTER SET ascii",
        "MODIFY d DECIMAL(10,3)", "MODIFY t DATETIME(3)", "MODIFY e ENUM('a','c')",
        "MODIFY e ENUM('a')", "MODIFY e SET('a','b')", "MODIFY s TEXT", "MODIFY b BIT(8)",
        "MODIFY c CHAR(9)", "MODIFY l TEXT",
    ],
)  # fmt: skip
def test_a_table_that_is_not_the_known_one_is_refused(
    source: Source, rowcodec: ModuleType, change: str
) -> None:
    table(
        source,
        "id INT PRIMARY KEY, v INT, s VARCHAR(20), d DECIMAL(10,2), t DATETIME, e ENUM('a','b'), "
        "b BIT(7), c CHAR(8), l LONGTEXT",
    )
    (event,) = source.capture("INSERT INTO t (id) VALUES (1)")
    Rig(rowcodec, source.describe("t"), event)
    source.sql("SET sql_mode = ''", f"ALTER TABLE t {change}")
    with pytest.raises(SchemaMismatch, match=r"t: the binlog's TABLE_MAP and the known schema"):
        Rig(rowcodec, source.describe("t"), event)


def test_tables_of_a_thousand_columns_travel(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, " + ", ".join(f"c{i} INT" for i in range(999)))
    (event,) = source.capture("INSERT INTO t (id, c0, c7, c998) VALUES (1, 2, 3, 4)")
    ((_, _, envelope),) = Rig(rowcodec, source.describe("t"), event).all(event)
    row = envelope["after"][1]
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": 1, "c0": 2, "c7": 3, "c998": 4,
    }  # fmt: skip


def test_invisible_columns_travel(source: Source, rowcodec: ModuleType) -> None:
    table(source, "id INT PRIMARY KEY, v INT DEFAULT 5 INVISIBLE")
    (event,) = source.capture("INSERT INTO t (id) VALUES (1)")
    ((_, _, envelope),) = Rig(rowcodec, source.describe("t"), event).all(event)
    assert envelope["after"][1] == {"id": 1, "v": 5}


def test_a_generated_invisible_primary_key_is_the_key(
    mysql_source: Source, rowcodec: ModuleType
) -> None:
    mysql_source.sql("SET sql_generate_invisible_primary_key = ON")
    table(mysql_source, "v INT")
    mysql_source.sql("SET sql_generate_invisible_primary_key = OFF")
    (event,) = mysql_source.capture("INSERT INTO t VALUES (9)")
    ((_, key, envelope),) = Rig(rowcodec, mysql_source.describe("t"), event).all(event)
    assert key == {"my_row_id": 1}
    assert envelope["after"][1] == {"my_row_id": 1, "v": 9}
