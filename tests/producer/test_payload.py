"""Compressed transactions: what is in them, however it is cut, and what can't be one."""

import struct
import tracemalloc

import pytest
import zstandard

from mysync_producer.events import Event, EventType
from mysync_producer.payload import inner_events
from mysync_runtime.errors import CorruptEvent

_HEADER = struct.Struct("<IBIIIH")


def lenenc(value: int) -> bytes:
    return b"\xfe" + value.to_bytes(8, "little")


def inner(body: bytes, kind: int = EventType.WRITE_ROWS) -> bytes:
    return _HEADER.pack(7, kind, 3, _HEADER.size + len(body), 12345, 0) + body


def payload(plain: bytes, packed: bytes, compression: int = 0) -> Event:
    fields = ((2, compression), (3, len(plain)), (1, len(packed)))
    head = b"".join(bytes((f, 9)) + lenenc(value) for f, value in fields)
    return Event(EventType.TRANSACTION_PAYLOAD, 1, 2, 99, 0, head + b"\0" + packed)


def test_every_event_comes_at_the_place_of_the_payload() -> None:
    plain = inner(b"BEGIN", EventType.QUERY) + inner(b"x" * 600_000) + inner(b"", EventType.XID)
    for event in (payload(plain, zstandard.compress(plain)), payload(plain, plain, 255)):
        assert list(inner_events(event)) == [
            Event(EventType.QUERY, 7, 3, 99, 0, b"BEGIN"),
            Event(EventType.WRITE_ROWS, 7, 3, 99, 0, b"x" * 600_000),
            Event(EventType.XID, 7, 3, 99, 0, b""),
        ]


def test_a_transaction_of_any_size_takes_the_memory_of_its_largest_event() -> None:
    compressor = zstandard.ZstdCompressor().compressobj()
    one, many = inner(b"y" * 100_000), 2_000
    packed = b"".join(compressor.compress(one) for _ in range(many)) + compressor.flush()
    event = payload(b"", packed)
    event = event._replace(
        body=event.body.replace(b"\x03\x09" + lenenc(0), b"\x03\x09" + lenenc(len(one) * many))
    )
    tracemalloc.start()
    try:
        assert sum(1 for _ in inner_events(event)) == many
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_a_size_that_is_not_true_takes_no_memory() -> None:
    claims = _HEADER.pack(7, EventType.WRITE_ROWS, 3, 0xFFFFFFF0, 0, 0)
    event = payload(b"", zstandard.compress(claims))
    event = event._replace(
        body=event.body.replace(b"\x03\x09" + lenenc(0), b"\x03\x09" + lenenc(1 << 60))
    )
    tracemalloc.start()
    try:
        with pytest.raises(CorruptEvent, match="ends within"):
            list(inner_events(event))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


PLAIN = inner(b"rows") * 3
PACKED = zstandard.compress(PLAIN)


@pytest.mark.parametrize(
    "event",
    [
        payload(PLAIN, PACKED[:-5]),
        payload(PLAIN, b"garbage"),
        payload(PLAIN, PACKED, compression=1),
        payload(PLAIN + b"x", PACKED),
        payload(PLAIN[:-1], PACKED),
        payload(PLAIN, PLAIN[:-1], 255),
        payload(inner(b"", EventType.GTID), inner(b"", EventType.GTID), 255),
        payload(PLAIN, PACKED)._replace(body=payload(PLAIN, PACKED).body[:20]),
        payload(PLAIN, PACKED)._replace(body=payload(PLAIN, PACKED).body + b"x"),
        payload(PLAIN, PACKED)._replace(body=b""),
    ],
)
def test_what_is_no_payload_is_said_to_be_corrupt(event: Event) -> None:
    with pytest.raises(CorruptEvent):
        list(inner_events(event))
