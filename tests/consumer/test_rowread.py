"""Reading row events: headers, slices, and bytes that are no row event."""

import random
from typing import Any

import pytest

from image_rig import Hot, Records
from image_tables import ROW, schema_of
from mysync_consumer.rowerrors import CorruptRecord

SCHEMA = schema_of()
RECORDS = Records(SCHEMA)


def encode(op: str = "c", **source: Any) -> bytes:
    before = None if op in "cr" else ROW
    return RECORDS.encode(op, before, None if op == "d" else ROW, **source)


def test_the_header_is_read_as_it_was_written(hot: Hot) -> None:
    value = encode(
        "u",
        seq=(1 << 62) + 1,
        prev=1 << 62,
        txn_seq=12,
        key_hash=-(1 << 63),
        prev_key_hash=(1 << 63) - 1,
        half=True,
        flags=0x12,
        row=3,
        pos=4_000_000_000,
        file="binlog.000042",
        gtid="3e11fa47-71ca-11e1-9e33-c80aa9429562:23",
        snapshot="last",
        time_zone="+02:00",
        deps=[{"partition": 2, "seq": 9}, {"partition": 7, "seq": 1 << 40}],
    )
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), value)
    assert chr(row.op) == "u"
    assert (row.ts_ms, row.ts_us) == (1_700_000_000_123, 1_700_000_000_000_001)
    assert (row.seq, row.prev, row.txn_seq) == ((1 << 62) + 1, 1 << 62, 12)
    assert (row.key_hash, row.has_prev_key, row.prev_key_hash) == (-(1 << 63), True, (1 << 63) - 1)
    assert (row.half, row.flags, row.row, row.server_id) == (True, 0x12, 3, 7)
    assert (row.file(), row.pos) == ("binlog.000042", 4_000_000_000)
    assert row.gtid() == "3e11fa47-71ca-11e1-9e33-c80aa9429562:23"
    assert (row.snapshot(), row.time_zone()) == ("last", "+02:00")
    assert row.deps == ((2, 9), (7, 1 << 40))
    assert row.schema_id == 101
    assert value[row.before_start : row.before_end] == value[row.after_start : row.after_end]
    assert row.after_end == len(value)


def test_what_is_absent_reads_as_absent(hot: Hot) -> None:
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), encode("c"))
    assert (row.before_start, row.before_end) == (-1, -1)
    assert (row.gtid(), row.time_zone(), row.deps) == (None, None, None)
    assert (row.has_prev_key, row.half) == (False, False)
    deleted = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), encode("d"))
    assert (deleted.after_start, deleted.after_end) == (-1, -1)


def test_the_most_negative_count_of_dependencies_is_refused(hot: Hot) -> None:
    value = encode("c", deps=[{"partition": 1, "seq": 2}])
    at = value.index(bytes.fromhex("020202040000 02".replace(" ", "")[:8]))
    lowest = b"\xff" * 9 + b"\x01"  # -2**63, whose negation is no 64-bit number
    wrong = value[: at + 1] + lowest + b"\x04" + value[at + 2 :]
    with pytest.raises(hot.rowread.CorruptRecord, match="dependencies"):
        hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), wrong)


def test_dependencies_in_several_blocks_are_all_read(hot: Hot) -> None:
    value = encode("c", deps=[{"partition": 1, "seq": 2}])
    # [2, p1, s2, 0] behind the union index 2 becomes: block of 1; block of -1 with its size; end
    at = value.index(bytes.fromhex("020202 0400 00 02".replace(" ", "")))
    several = value[: at + 4] + bytes.fromhex("01 04 06 08".replace(" ", "")) + value[at + 4 :]
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), several)
    assert row.deps == ((1, 2), (3, 4))
    assert row.after_end == len(several)


def test_an_image_decodes_to_values_for_a_report(hot: Hot) -> None:
    value = encode("c")
    reader = hot.rowread.TableReader(SCHEMA)
    row = hot.rowread.read_row(reader, value)
    assert hot.rowread.decode(reader, value, row.after_start, row.after_end) == {
        "id": 7,
        "big": -5,
        "huge": (1 << 64) - 1,
        "money": "-1.2345",
        "single": 1.5,
        "twice": -0.0,
        "day": "2022-01-08",
        "moment": "0000-00-00 00:00:00.000000",
        "stamp": "2023-11-14 22:13:20.123000",
        "span": "-00:00:00.010000",
        "name": "Jürgen 😀",
        "west": "naïve",
        "raw": "0x00ff",
        "bits": "0x03ff",
        "state": "old",
        "tags": "a,c",
        "doc": '{"a": [1, 2.5, null]}',
        "year": 2026,
        "tiny": 255,
    }


def test_nulls_decode_to_none(hot: Hot) -> None:
    nulls = {c.name: None if c.nullable else ROW[c.name] for c in SCHEMA.columns}
    value = RECORDS.encode("c", None, nulls)
    reader = hot.rowread.TableReader(SCHEMA)
    row = hot.rowread.read_row(reader, value)
    decoded = hot.rowread.decode(reader, value, row.after_start, row.after_end)
    assert {name for name, shown in decoded.items() if shown is not None} == {
        c.name for c in SCHEMA.columns if not c.nullable
    }


@pytest.mark.parametrize("op", ["c", "u", "d", "r"])
@pytest.mark.parametrize("snapshot", ["false", "true", "last"])
def test_what_is_written_for_an_event_is_what_it_says(hot: Hot, op: str, snapshot: str) -> None:
    images = {"c": (None, ROW), "r": (None, ROW), "u": (ROW, ROW), "d": (ROW, None)}[op]
    value = RECORDS.encode(op, *images, snapshot=snapshot)
    row = hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), value)
    assert (chr(row.op), chr(row.effect)) == (op, "c" if op == "r" else op)
    assert row.tolerant == (snapshot != "false")


def test_key_bytes_are_the_identity_columns_alone(hot: Hot) -> None:
    schema = schema_of(identity=("id", "name"))
    reader = hot.rowread.TableReader(schema)
    value = encode("c")
    row = hot.rowread.read_row(reader, value)
    key = hot.rowread.key_bytes(reader, value, row.after_start, row.after_end)
    name = ROW["name"].encode()
    assert key == b"\x0e" + b"\x02" + bytes((2 * len(name),)) + name


@pytest.mark.parametrize("op", ["c", "u", "d"])
def test_every_truncation_is_an_error(hot: Hot, op: str) -> None:
    value = encode(op, deps=[{"partition": 1, "seq": 2}], gtid="0-1-5")
    reader = hot.rowread.TableReader(SCHEMA)
    for length in range(len(value)):
        with pytest.raises(CorruptRecord):
            hot.rowread.read_row(reader, value[:length])


def test_a_byte_too_many_is_an_error(hot: Hot) -> None:
    for op in "cud":
        with pytest.raises(CorruptRecord, match="follow the last image"):
            hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), encode(op) + b"\0")


def test_another_schema_or_frame_is_an_error(hot: Hot) -> None:
    value = encode("c")
    reader = hot.rowread.TableReader(SCHEMA)
    for frame in (b"\0\0\0\0\x66", b"\1\0\0\0\x65", b"\0\xff\0\0\x65"):
        with pytest.raises(CorruptRecord, match="schema id"):
            hot.rowread.read_row(reader, frame + value[5:])


@pytest.mark.parametrize(
    ("op", "before", "after"),
    [
        *(("c", ROW, ROW), ("c", ROW, None), ("u", None, ROW), ("u", ROW, None)),
        *(("d", ROW, ROW), ("d", None, None), ("r", ROW, ROW), ("x", None, ROW)),
    ],
)
def test_images_that_do_not_go_with_the_op_are_an_error(
    hot: Hot, op: str, before: Any, after: Any
) -> None:
    with pytest.raises(CorruptRecord, match="op"):
        hot.rowread.read_row(hot.rowread.TableReader(SCHEMA), RECORDS.encode(op, before, after))


def test_garbage_is_an_error_or_reads_within_its_bounds(hot: Hot) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    reader = hot.rowread.TableReader(SCHEMA)
    valid = [encode(op, deps=[{"partition": 1, "seq": 2}]) for op in "cud"]
    for _ in range(3000):
        data = bytearray(rng.choice(valid))
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(5, len(data))] = rng.choice(
                [0, 1, 2, 0x7F, 0x80, 0xFF, rng.randrange(256)]
            )
        if rng.random() < 0.2:
            at = rng.randrange(5, len(data))
            data[at:at] = rng.randbytes(rng.randrange(1, 12))
        value = bytes(data)
        try:
            row = hot.rowread.read_row(reader, value)
            for start, end in (
                (row.before_start, row.before_end),
                (row.after_start, row.after_end),
            ):
                assert -1 <= start <= end <= len(value)
                if start >= 0:
                    hot.rowread.decode(reader, value, start, end)
            row.file(), row.gtid(), row.snapshot(), row.time_zone()
        except CorruptRecord:
            continue


def test_slices_outside_of_the_value_are_an_error(hot: Hot) -> None:
    reader = hot.rowread.TableReader(SCHEMA)
    value = encode("c")
    for start, end in ((-1, 5), (0, len(value) + 1), (9, 8), (-1, -1)):
        with pytest.raises(CorruptRecord):
            hot.rowread.column_slices(reader, value, start, end)
