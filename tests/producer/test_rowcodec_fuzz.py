"""Damaged rows: a clean CorruptRow or a valid record, and the same from both builds."""

import random
from types import ModuleType

import pytest

from binlog_rows import PIPELINE, Decoder, RowsEvent, Source
from fix_rowcodec import pure_rowcodec
from mysync_producer import rowcodec as imported
from mysync_producer.rowerrors import CorruptRow
from mysync_schemas.table import TableSchema

COLUMNS = """
    id INT PRIMARY KEY, a TINYINT, b BIGINT UNSIGNED, c DECIMAL(30,9), d FLOAT, e DOUBLE NOT NULL,
    f DATE, g DATETIME(3) NOT NULL, h TIMESTAMP(6) NULL, i TIME(2), j YEAR, k BIT(11), l CHAR(9),
    m VARCHAR(300), n BINARY(6), o MEDIUMTEXT, p TEXT CHARACTER SET latin1, q BLOB,
    r ENUM('a','b'), s SET('x','y','z'), t VARCHAR(9) CHARACTER SET ascii NOT NULL
"""
VALUES = """
    1, 2, 18446744073709551615, -12345678901.5, 1.5, -2.5, '2024-02-29', '2024-02-29 01:02:03.456',
    '2024-02-29 01:02:03.456789', '-01:02:03.45', 2024, 5, 'char', 'väriable', x'0102', 'text€',
    'latiñ', x'00ff', 'b', 'x,z', 'ascii'
"""
ROUNDS = 3000


def captured(
    source: Source, extra: str = "", value: str = ""
) -> tuple[TableSchema, list[RowsEvent]]:
    source.sql(
        "SET sql_mode = ''",
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t ({COLUMNS}{extra}) CHARACTER SET utf8mb4",
    )
    events = source.capture(
        f"INSERT INTO t VALUES ({VALUES}{value})",
        "INSERT INTO t (id, e, g, t) VALUES (2, 0, '0000-00-00', ''), (3, 0, '2024-00-01', '')",
        "UPDATE t SET a = a + 1, m = REPEAT('y', 290)",
        "DELETE FROM t",
    )
    return source.describe("t"), events


def encode(
    rowcodec: ModuleType, schema: TableSchema, event: RowsEvent, buf: bytes
) -> list[list[tuple[bytes | None, bytes]]] | str:
    """The records, or what CorruptRow says. Any other exception fails the test."""
    plan = rowcodec.TablePlan(
        event.table_map,
        schema,
        pipeline=PIPELINE,
        version="1",
        connector="mysql",
        partitions=2,
        folds={},
    )
    ctx = rowcodec.EventContext()
    ctx.file = "binlog.000001"
    out: list[list[tuple[bytes | None, bytes]]] = [[], []]
    try:
        start = rowcodec.columns_present(
            plan, ctx, event.buf, event.start, event.end, event.op == "u"
        )
        start -= event.start
        sequencer = rowcodec.Sequencer(0, [0, 0])
        _, _, pos = rowcodec.encode_rows(
            plan, ctx, sequencer, ord(event.op), buf, start, len(buf), 0, 0, 1 << 40, out
        )
    except CorruptRow as error:
        return str(error)
    assert pos == len(buf)
    return out


def agree(schema: TableSchema, event: RowsEvent, buf: bytes) -> bool:
    """Both builds say the same of `buf`, and what they send can be decoded. True if it was sent."""
    compiled = encode(imported, schema, event, buf)
    assert encode(pure_rowcodec(), schema, event, buf) == compiled
    if isinstance(compiled, str):
        assert f"{schema.db}.t: row " in compiled
        assert "event at binlog.000001:0" in compiled
        return False
    decoder = Decoder(schema)
    for messages in compiled:
        for key, value in messages:
            assert key is not None
            decoder.read_key(key)
            decoder.read(value)
    return True


def rows_of(event: RowsEvent) -> bytes:
    return event.buf[event.start : event.end]


@pytest.mark.parametrize("seed", [1])
def test_changed_bytes_give_corrupt_row_or_a_valid_record(source: Source, seed: int) -> None:
    schema, events = captured(source)
    chance = random.Random(seed)
    sent = 0
    head = 1 + 2 * 3  # column count and bitmaps stay
    for _ in range(ROUNDS):
        event = chance.choice(events)
        damaged = bytearray(rows_of(event))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            at = chance.randrange(head if event.op == "u" else 4, len(damaged))
            damaged[at] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        sent += agree(schema, event, bytes(damaged))
    assert ROUNDS * 0.1 < sent < ROUNDS * 0.9


def test_rows_cut_anywhere_are_corrupt(source: Source) -> None:
    schema, events = captured(source)
    for event in events:
        whole = rows_of(event)
        first = 7 if event.op == "u" else 4
        passed = [size for size in range(first, len(whole)) if agree(schema, event, whole[:size])]
        # A cut between two rows can't be told from fewer rows.
        assert len(passed) <= 3


def test_bytes_after_the_last_row_are_corrupt(source: Source) -> None:
    schema, events = captured(source)
    for event in events:
        for tail in (b"\0", b"\xff", b"\xff\xff\xff", b"\0\0\0\0"):
            assert not agree(schema, event, rows_of(event) + tail)


def test_binary_json_and_long_values_are_damaged_too(mysql_source: Source) -> None:
    schema, events = captured(
        mysql_source,
        ", u JSON",
        """, '{"a":[1,2.5,"x",null,true],"b":{"c":18446744073709551615}}'""",
    )
    chance = random.Random(7)
    sent = 0
    for _ in range(ROUNDS // 3):
        damaged = bytearray(rows_of(events[0]))
        damaged[chance.randrange(len(damaged) - 60, len(damaged))] = chance.randrange(256)
        sent += agree(schema, events[0], bytes(damaged))
    assert sent
