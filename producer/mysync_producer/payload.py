"""TRANSACTION_PAYLOAD (40): a whole transaction's events, compressed into one.

Format: MySQL source documentation, `mysql::binlog::event::codecs::binary::Transaction_payload`:
fields (type, length, value; all length-encoded integers) up to an end mark, then the payload. It
decompresses to events with their headers and without checksums. Their end positions mean nothing:
the place of each is the outer event's.

The payload is decompressed piece by piece as its events are asked for, so that a transaction of any
size takes no more memory than its largest event.
"""

import struct
from collections.abc import Iterator
from typing import Protocol

import zstandard

from mysync_producer.events import HEADER_SIZE, Event, EventType, event_name
from mysync_runtime.errors import CorruptEvent

__all__ = ["inner_events"]

_END, _SIZE, _COMPRESSION, _UNCOMPRESSED_SIZE = 0, 1, 2, 3
_ZSTD, _NONE = 0, 255
_PIECE = 256 * 1024
_HEADER = struct.Struct("<IBIIIH")  # time, type, server id, size, end position, flags

# What can't be inside of a transaction, and what would nest.
_OUTER = frozenset(
    {
        EventType.ROTATE,
        EventType.FORMAT_DESCRIPTION,
        EventType.STOP,
        EventType.HEARTBEAT,
        EventType.GTID,
        EventType.ANONYMOUS_GTID,
        EventType.GTID_TAGGED,
        EventType.TRANSACTION_PAYLOAD,
    }
)


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def inner_events(event: Event) -> Iterator[Event]:
    """The events in the payload, at the place of the payload.

    Raises CorruptEvent, possibly after some of them.
    """
    start, announced, compression = _fields(event.body)
    payload = memoryview(event.body)[start:]
    try:
        yield from _cut(_opened(payload, compression), announced, event.log_pos)
    except zstandard.ZstdError as error:
        raise CorruptEvent(f"a compressed transaction can't be decompressed: {error}") from error


def _fields(body: bytes) -> tuple[int, int, int]:
    """(where the payload begins, its size when decompressed, how it is compressed)."""
    values = {_SIZE: -1, _COMPRESSION: -1, _UNCOMPRESSED_SIZE: -1}
    at = 0
    while True:
        field, at = _integer(body, at)
        if field == _END:
            break
        size, at = _integer(body, at)
        value, end = _integer(body, at)
        if field in values and end == at + size:
            values[field] = value
        elif field in values:
            raise CorruptEvent(f"field {field} of a compressed transaction has another length")
        at += size
    compression = values[_COMPRESSION]
    if compression not in (_ZSTD, _NONE):
        raise CorruptEvent(f"a transaction is compressed by algorithm {compression}")
    if values[_SIZE] != len(body) - at:
        raise CorruptEvent(
            f"a compressed transaction says it has {values[_SIZE]} bytes and has {len(body) - at}"
        )
    announced = values[_SIZE] if compression == _NONE else values[_UNCOMPRESSED_SIZE]
    return at, announced, compression


def _integer(body: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer (client/server protocol) and where it ends."""
    first = body[at] if at < len(body) else 255
    size = {252: 2, 253: 3, 254: 8}.get(first, 0)
    if first in (251, 255) or at + 1 + size > len(body):
        raise CorruptEvent("the head of a compressed transaction is cut short")
    if not size:
        return first, at + 1
    return int.from_bytes(body[at + 1 : at + 1 + size], "little"), at + 1 + size


class _Plain:
    """Reads what isn't compressed."""

    def __init__(self, payload: memoryview) -> None:
        self._payload = payload
        self._at = 0

    def read(self, size: int, /) -> bytes:
        piece = bytes(self._payload[self._at : self._at + size])
        self._at += len(piece)
        return piece


def _opened(payload: memoryview, compression: int) -> _Reader:
    if compression == _NONE:
        return _Plain(payload)
    return zstandard.ZstdDecompressor().stream_reader(payload, read_across_frames=True)


def _cut(reader: _Reader, announced: int, log_pos: int) -> Iterator[Event]:
    data, at, total = b"", 0, 0
    while True:
        if len(data) - at < HEADER_SIZE:
            data, at = _more(reader, data[at:], HEADER_SIZE), 0
            if not data:
                break
        if len(data) - at < HEADER_SIZE:
            raise CorruptEvent("a compressed transaction ends within an event's header")
        timestamp, kind, server_id, size, _, flags = _HEADER.unpack_from(data, at)
        if not HEADER_SIZE <= size <= announced - total or kind in _OUTER:
            raise CorruptEvent(
                f"{event_name(kind)} of {size} bytes within a compressed transaction"
            )
        if len(data) - at < size:
            data, at = _more(reader, data[at:], size), 0
            if len(data) < size:
                raise CorruptEvent("a compressed transaction ends within an event")
        yield Event(kind, timestamp, server_id, log_pos, flags, data[at + HEADER_SIZE : at + size])
        at += size
        total += size
    if total != announced:
        raise CorruptEvent(f"a compressed transaction of {announced} bytes decompresses to {total}")


def _more(reader: _Reader, have: bytes, wanted: int) -> bytes:
    """`have` and what follows: `wanted` bytes at least, unless the payload ends."""
    pieces, size = [have], len(have)
    while size < wanted:
        # No more at once: a size that isn't true would be taken from memory before it shows.
        piece = reader.read(_PIECE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)
