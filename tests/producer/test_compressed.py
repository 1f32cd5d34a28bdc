"""MariaDB's compressed events, byte by byte: those that servers write are in the binlog kinds."""

import zlib

import pytest

from mysync_producer.compressed import COMPRESSED, uncompressed
from mysync_producer.events import Event, EventType, parse_rows_header
from mysync_producer.queries import parse_query
from mysync_runtime.errors import CorruptEvent

ROWS = b"the rows" * 100


def squeezed(data: bytes, width: int = 4) -> bytes:
    return bytes((0x80 | width,)) + len(data).to_bytes(width, "big") + zlib.compress(data)


def event(kind: int, body: bytes) -> Event:
    return Event(kind, 1, 2, 3, 0, body)


@pytest.mark.parametrize("kind", [k for k, p in COMPRESSED.items() if p != EventType.QUERY])
@pytest.mark.parametrize("columns", [b"\x09", b"\xfc\x2c\x01"], ids=["9 columns", "300 columns"])
def test_rows_of_either_version_become_ordinary_ones(kind: int, columns: bytes) -> None:
    bits = b"\xff" * (2 if len(columns) == 1 else 38)
    head = bytes([7, 0, 0, 0, 0, 0, 1, 0])
    if kind >= EventType.MARIADB_WRITE_ROWS_COMPRESSED:
        head += b"\x04\x00xx"
    head += columns + bits * (2 if "UPDATE" in EventType(kind).name else 1)
    found = uncompressed(event(kind, head + squeezed(ROWS)))
    assert found == event(COMPRESSED[kind], head + ROWS)
    version = 2 if kind >= EventType.MARIADB_WRITE_ROWS_COMPRESSED else 1
    assert parse_rows_header(found.body, version).table_id == 7


def test_a_statement_becomes_an_ordinary_one() -> None:
    head = bytes(8) + b"\x03" + bytes(2) + b"\x05\x00" + b"\x00aaaa" + b"app\x00"
    found = uncompressed(event(EventType.MARIADB_QUERY_COMPRESSED, head + squeezed(b"SELECT 1", 1)))
    query = parse_query(found.body)
    assert (query.database, query.sql) == ("app", b"SELECT 1")


GOOD = squeezed(ROWS, 2)
HEAD = bytes(8) + b"\x01\xff"


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"\x80",
        b"\x85" + bytes(9),
        b"\x01" + GOOD[1:],
        b"\x92" + GOOD[1:],
        GOOD[:-6],
        GOOD + b"x",
        GOOD[:2] + bytes([GOOD[2] + 1]) + GOOD[3:],
        GOOD[:2] + bytes([GOOD[2] - 1]) + GOOD[3:],
        GOOD[:3] + b"garbage",
    ],
)
def test_what_is_not_compressed_as_it_says_is_corrupt(part: bytes) -> None:
    with pytest.raises(CorruptEvent):
        uncompressed(event(EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1, HEAD + part))
