"""The head of a record of the rows topic: its place in the order, and on the source.

A row's stands before its images, so it is read without the table's schema. Of a row in parts only
the first part has it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mysync_schemas.avro import read_long, read_string, skip_bytes
from mysync_schemas.control import PipelineInfo
from mysync_schemas.framing import BODY, unframe
from mysync_schemas.markers import Heartbeat, Part, read_order

READ = "r"
"""The `op` of a row that a transfer has read."""


@dataclass(frozen=True, slots=True)
class Markers:
    """Schema ids of the records that aren't rows."""

    line: int
    heartbeat: int
    part: int

    @classmethod
    def of(cls, info: PipelineInfo) -> "Markers":
        ids = info.ids()
        return cls(ids["Line"], ids["Heartbeat"], ids["Part"])

    def is_marker(self, schema_id: int) -> bool:
        return schema_id in (self.line, self.heartbeat, self.part)


class Source(NamedTuple):
    """Where a row's transaction stands on the source. `pos`: the end of the rows event; `ts_us`:
    the commit, microseconds since 1970."""

    file: str
    pos: int
    gtid: str | None
    ts_us: int


class Head(NamedTuple):
    """`source` of rows, and of a row's first part; `beat` of heartbeats; neither of lines."""

    partition: int
    offset: int
    seq: int
    prev: int
    txn_seq: int
    source: Source | None = None
    beat: Heartbeat | None = None
    more: bool = False
    """A further part of the row before it."""
    copied: bool = False
    """A row that a transfer has read: its `source` is the end of the log then, and the time."""


def read_head(partition: int, offset: int, value: bytes, markers: Markers) -> Head:
    """Raises SchemaError."""
    at = partition, offset
    schema_id = unframe(value)[0]
    if schema_id == markers.heartbeat:
        beat = Heartbeat.decode(value)
        return Head(*at, beat.seq, beat.prev, beat.txn_seq, beat=beat)
    if schema_id == markers.line:
        return Head(*at, *read_order(value))
    if schema_id == markers.part:
        part = Part.decode(value)
        if part.index:
            return Head(*at, part.seq, part.prev, part.txn_seq, more=True)
        source, copied = _row(part.data)[1:]
        return Head(*at, part.seq, part.prev, part.txn_seq, source, copied=copied)
    order, source, copied = _row(value)
    return Head(*at, *order, source, copied=copied)


def _row(value: bytes) -> tuple[tuple[int, int, int], Source, bool]:
    op, at = read_string(value, BODY)
    _, at = read_long(value, at)  # ts_ms
    for _ in range(3):
        at = skip_bytes(value, at)  # version, connector, name
    ts_us, at = read_long(value, at)
    at = skip_bytes(value, at)  # db
    at = skip_bytes(value, at)  # table
    _, at = read_long(value, at)  # server_id
    branch, at = read_long(value, at)
    gtid = None
    if branch:
        gtid, at = read_string(value, at)
    file, at = read_string(value, at)
    pos, at = read_long(value, at)
    _, at = read_long(value, at)  # row
    at = skip_bytes(value, at)  # snapshot
    seq, at = read_long(value, at)
    prev, at = read_long(value, at)
    txn_seq, at = read_long(value, at)
    return (seq, prev, txn_seq), Source(file, pos, gtid, ts_us), op == READ
