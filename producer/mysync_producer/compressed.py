"""MariaDB's compressed events (165-171, log_bin_compress): each is an ordinary one whose last part
is compressed.

Format: MariaDB source, sql/log_event.cc, `binlog_buf_uncompress` and `row_log_event_uncompress`: a
byte (0x80, algorithm in bits 4-6: 0 is zlib, the number of length bytes in bits 0-2), the length
when uncompressed (big-endian), a zlib stream. Of a statement its text is compressed, of a rows
event the rows behind the column bitmaps.
"""

import zlib
from collections.abc import Mapping
from typing import Final

from mysync_producer.events import Event, EventType
from mysync_runtime.errors import CorruptEvent

__all__ = ["COMPRESSED", "uncompressed"]

COMPRESSED: Final[Mapping[int, EventType]] = {
    EventType.MARIADB_QUERY_COMPRESSED: EventType.QUERY,
    EventType.MARIADB_WRITE_ROWS_COMPRESSED_V1: EventType.WRITE_ROWS_V1,
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED_V1: EventType.UPDATE_ROWS_V1,
    EventType.MARIADB_DELETE_ROWS_COMPRESSED_V1: EventType.DELETE_ROWS_V1,
    EventType.MARIADB_WRITE_ROWS_COMPRESSED: EventType.WRITE_ROWS,
    EventType.MARIADB_UPDATE_ROWS_COMPRESSED: EventType.UPDATE_ROWS,
    EventType.MARIADB_DELETE_ROWS_COMPRESSED: EventType.DELETE_ROWS,
}
"""The ordinary type of each."""

_V2 = frozenset({EventType.WRITE_ROWS, EventType.UPDATE_ROWS, EventType.DELETE_ROWS})
_TWO_BITMAPS = frozenset({EventType.UPDATE_ROWS_V1, EventType.UPDATE_ROWS})


def uncompressed(event: Event) -> Event:
    """The ordinary event that a compressed one stands for. Raises CorruptEvent."""
    kind, body = COMPRESSED[event.type], event.body
    start = _statement(body) if kind is EventType.QUERY else _rows(kind, body)
    return event._replace(type=kind, body=body[:start] + _inflated(body, start))


def _statement(body: bytes) -> int:
    """Where the text of a QUERY begins: after the status variables, the database and a zero."""
    if len(body) < 13:
        raise CorruptEvent("a compressed statement is too short")
    return 13 + int.from_bytes(body[11:13], "little") + body[8] + 1


def _rows(kind: EventType, body: bytes) -> int:
    """Where the rows begin."""
    at = 8
    if kind in _V2:
        at += int.from_bytes(body[8:10], "little")
    first = body[at] if at < len(body) else 0
    size = {252: 2, 253: 3, 254: 8}.get(first, 0)
    columns = int.from_bytes(body[at + 1 : at + 1 + size], "little") if size else first
    bitmap = (columns + 7) // 8
    return at + 1 + size + bitmap * (2 if kind in _TWO_BITMAPS else 1)


def _inflated(body: bytes, start: int) -> bytes:
    head = body[start] if start < len(body) else 0
    algorithm, width = head >> 4 & 7, head & 7
    if not head & 0x80 or not 1 <= width <= 4 or start + 1 + width > len(body):
        raise CorruptEvent("a compressed event without its compressed part")
    if algorithm != 0:
        raise CorruptEvent(f"an event is compressed by algorithm {algorithm}")
    at = start + 1 + width
    size = int.from_bytes(body[start + 1 : at], "big")
    try:
        stream = zlib.decompressobj()
        # One byte more than announced: a stream that is longer shows, and can't fill the memory.
        data = stream.decompress(memoryview(body)[at:], size + 1)
        if len(data) == size and not stream.eof:
            data += stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise CorruptEvent(f"a compressed event can't be decompressed: {error}") from error
    if len(data) != size or not stream.eof or stream.unused_data:
        raise CorruptEvent(f"a compressed event of {size} bytes decompresses to {len(data)}")
    return data
