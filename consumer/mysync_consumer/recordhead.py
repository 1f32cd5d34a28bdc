"""The head of a record of the rows topic: its place in the order, and on the source.

A row's stands before its images, so it is read without the table's schema. Of a row in parts only
the first part has it.
"""

from typing import NamedTuple

from mysync_consumer.context import Markers
from mysync_consumer.rowerrors import CorruptRecord
from mysync_consumer.rowread import BadBytes, Cursor
from mysync_schemas.framing import BODY, unframe
from mysync_schemas.markers import Heartbeat, Part, read_order


class Source(NamedTuple):
    """Where a row's transaction stands on the source. `pos`: the end of the rows event; `ts_us`:
    the commit, microseconds since 1970."""

    file: str
    pos: int
    gtid: str | None
    ts_us: int


class Head(NamedTuple):
    """`source` of rows, and of a row's first part; `beat` of heartbeats; neither of lines."""

    seq: int
    prev: int
    txn_seq: int
    source: Source | None = None
    beat: Heartbeat | None = None
    more: bool = False
    """A further part of the row before it."""


def read_head(value: bytes, markers: Markers, where: str) -> Head:
    """Raises SchemaError, CorruptRecord."""
    schema_id = unframe(value)[0]
    if schema_id == markers.heartbeat:
        beat = Heartbeat.decode(value)
        return Head(beat.seq, beat.prev, beat.txn_seq, beat=beat)
    if schema_id == markers.line:
        return Head(*read_order(value))
    if schema_id == markers.part:
        part = Part.decode(value)
        if part.index:
            return Head(part.seq, part.prev, part.txn_seq, more=True)
        return _row(part.data, where)._replace(seq=part.seq, prev=part.prev, txn_seq=part.txn_seq)
    return _row(value, where)


def _row(value: bytes, where: str) -> Head:
    try:
        cursor = Cursor(value, BODY, len(value))
        cursor.sized()  # op
        cursor.varint()  # ts_ms
        for _ in range(3):
            cursor.sized()  # version, connector, name
        ts_us = cursor.varint()
        cursor.sized()  # db
        cursor.sized()  # table
        cursor.varint()  # server_id
        gtid = cursor.text() if cursor.index(2) else None
        file = cursor.text()
        pos = cursor.varint()
        cursor.varint()  # row
        cursor.sized()  # snapshot
        order = cursor.varint(), cursor.varint(), cursor.varint()
    except BadBytes as error:
        raise CorruptRecord(where, str(error)) from None
    return Head(*order, source=Source(file, pos, gtid, ts_us))
