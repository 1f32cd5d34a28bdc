"""Rows of a SELECT, damaged: a clean CorruptResult or a valid image, the same from both builds."""

import random
from types import ModuleType

import pytest

from binlog_rows import Source
from mutator import mutations
from mysync_producer import rowcodec
from mysync_producer import selectimage as imported
from mysync_producer.rowerrors import CorruptResult
from mysync_producer.selectlist import select_list
from mysync_schemas.table import TableSchema
from producer.select_rig import encoded, plan_of, reading, select
from producer.test_rowcodec_fuzz import COLUMNS, VALUES
from pure import is_compiled

ROUNDS = 1_500
DOCUMENT = """{"a": [1, 2.5, "x", null, true, 5000000000], "b": {"c": 18446744073709551615}}"""


def packets(source: Source) -> tuple[TableSchema, list[bytes]]:
    """A table of many types, and the packets in which its rows come."""
    extra, value = "", ""
    if not source.mariadb:
        extra, value = ", u JSON", f", '{DOCUMENT}'"
    source.sql(
        "SET sql_mode = ''",
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t ({COLUMNS}{extra}) CHARACTER SET utf8mb4",
        f"INSERT INTO t VALUES ({VALUES}{value})",
        "INSERT INTO t (id, e, g, t) VALUES (2, 0, 0, ''), (3, -0.5, '2024-00-01', '')",
        "INSERT INTO t (id, e, g, t, c, p) VALUES (4, 1e300, 0, 'x', -5, REPEAT('y', 300))",
    )
    schema = source.describe("t")
    found = []
    with reading(source) as connection:
        connection.query(select(source, schema, "ORDER BY id"), unbuffered=True)
        result = connection._result
        while not (packet := connection._read_packet()).is_eof_packet():
            found.append(bytes(packet._data))
        result.unbuffered_active = False
    return schema, found


def image_of(build: ModuleType, source: Source, schema: TableSchema, packet: bytes) -> bytes | str:
    """The image, or what CorruptResult says. Any other exception fails the test."""
    images = build.RowImages(schema, mariadb=source.mariadb)
    try:
        images.put(packet, 0, len(packet))
    except CorruptResult as error:
        return str(error)
    found: bytes = images.take()
    return found


def check(pure_images: ModuleType, source: Source, schema: TableSchema, packet: bytes) -> bool:
    """Both builds say the same of a packet, and an image is one that the transcoder takes."""
    found = image_of(imported, source, schema, packet)
    assert image_of(pure_images, source, schema, packet) == found
    if isinstance(found, str):
        assert f"{schema.db}.t: row 0 of the rows read by SELECT" in found
        return False
    plan = plan_of(rowcodec, source, schema, None)
    assert len(encoded(rowcodec, plan, found, 0, len(found))) == 1
    return True


@pytest.mark.parametrize("seed", [1])
def test_damaged_rows_are_corrupt_or_valid(
    source: Source, pure_images: ModuleType, seed: int
) -> None:
    assert is_compiled(imported)
    schema, whole = packets(source)
    assert all(check(pure_images, source, schema, packet) for packet in whole)
    passed = sum(check(pure_images, source, schema, p) for p in mutations(whole, seed, ROUNDS))
    assert ROUNDS * 0.02 < passed < ROUNDS * 0.9


@pytest.mark.parametrize("seed", [1])
def test_digits_and_signs_are_changed(source: Source, pure_images: ModuleType, seed: int) -> None:
    """What looks like a value: no number is read as another."""
    r = random.Random(seed)
    schema, whole = packets(source)
    for _ in range(ROUNDS):
        packet = bytearray(r.choice(whole))
        for _ in range(r.choice((1, 1, 2, 3))):
            packet[r.randrange(len(packet))] = r.choice(b"0123456789-+.:eE 79\0")
        check(pure_images, source, schema, bytes(packet))


def test_rows_cut_anywhere_are_corrupt(source: Source, pure_images: ModuleType) -> None:
    schema, whole = packets(source)
    for packet in whole:
        for size in range(len(packet)):
            assert not check(pure_images, source, schema, packet[:size])
        assert not check(pure_images, source, schema, packet + b"\0")


def test_what_is_asked_for_fits_what_is_read(source: Source) -> None:
    schema, _ = packets(source)
    expected = imported.RowImages(schema, mariadb=source.mariadb).fields
    assert len(schema.columns) + (not source.mariadb) == expected
    assert "`d` * 1e0" in select_list(schema, mariadb=source.mariadb)


def framed(whole: list[bytes], first: int) -> bytes:
    """Packets behind their headers."""
    return b"".join(
        len(packet).to_bytes(3, "little") + bytes(((first + i) & 255,)) + packet
        for i, packet in enumerate(whole)
    )


def walked(
    build: ModuleType, source: Source, schema: TableSchema, stream: bytes, first: int, most: int
) -> tuple[bytes, int] | str:
    """What one walk makes of a stream: images, and where it stopped; or what CorruptResult says."""
    images = build.RowImages(schema, mariadb=source.mariadb)
    images.sequence = first
    try:
        pos = images.walk(stream, 0, len(stream), most)
    except CorruptResult as error:
        return str(error)
    return images.take(), pos


@pytest.mark.parametrize("seed", [1])
def test_packets_may_end_anywhere(source: Source, pure_images: ModuleType, seed: int) -> None:
    r = random.Random(seed)
    schema, whole = packets(source)
    whole *= 90
    stream = framed(whole, 250)
    expected = imported.RowImages(schema, mariadb=source.mariadb)
    for packet in whole:
        expected.put(packet, 0, len(packet))
    everything = expected.take()
    for build in (imported, pure_images):
        images = build.RowImages(schema, mariadb=source.mariadb)
        images.sequence = 250
        start, found = 0, b""
        while start < len(stream):
            data = stream[start : start + r.choice((0, 3, 4, 5, 100, 1000, 10_000))]
            start += images.walk(data, 0, len(data), r.choice((1, 500, 1 << 30)))
            found += images.take()
        assert found == everything
        assert images.rows == len(whole)


@pytest.mark.parametrize("seed", [1])
def test_damaged_streams_of_packets(source: Source, pure_images: ModuleType, seed: int) -> None:
    schema, whole = packets(source)
    stream = framed(whole * 3, 7)
    good = imported.RowImages(schema, mariadb=source.mariadb)
    good.sequence = 7
    assert good.walk(stream, 0, len(stream), 1 << 30) == len(stream)
    for damaged in mutations([stream], seed, ROUNDS):
        found = walked(imported, source, schema, damaged, 7, 1 << 30)
        assert walked(pure_images, source, schema, damaged, 7, 1 << 30) == found
