"""Records of the rows topic that aren't rows: lines, heartbeats and parts of large rows.

All three begin with seq, prev and txn_seq, which every record of the topic carries (`Order`).
Their schemas are fixed by the format version. `encode` gives the Avro body, which `framing.frame`
puts behind the schema id; `decode` reads a framed value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from mysync_schemas.avro import (
    read_boolean,
    read_bytes,
    read_long,
    read_string,
    write_boolean,
    write_bytes,
    write_long,
    write_string,
)
from mysync_schemas.errors import BadRecord
from mysync_schemas.framing import BODY

__all__ = [
    "HEARTBEAT_SCHEMA",
    "LINE_SCHEMA",
    "PART_SCHEMA",
    "Heartbeat",
    "Line",
    "Order",
    "Part",
    "read_order",
]

NAMESPACE: Final = "mysync"


def _schema(name: str, *fields: tuple[str, Any]) -> dict[str, Any]:
    order: tuple[tuple[str, Any], ...] = (("seq", "long"), ("prev", "long"), ("txn_seq", "long"))
    return {
        "type": "record",
        "name": name,
        "namespace": NAMESPACE,
        "fields": [{"name": n, "type": t} for n, t in order + fields],
    }


LINE_SCHEMA: Final = _schema("Line", ("id", "long"), ("action", "string"))
HEARTBEAT_SCHEMA: Final = _schema(
    "Heartbeat",
    ("ts", "long"),
    ("file", "string"),
    ("pos", "long"),
    ("gtid_set", ["null", "string"]),
    ("in_transaction", "boolean"),
)
PART_SCHEMA: Final = _schema(
    "Part", ("row_id", "long"), ("index", "int"), ("count", "int"), ("data", "bytes")
)


class Order(NamedTuple):
    """A record's place: its seq, that of the record before it in its partition, its transaction."""

    seq: int
    prev: int
    txn_seq: int


def read_order(value: bytes, start: int = BODY) -> Order:
    """The three numbers at the head of a line, heartbeat or part (not of a row)."""
    return _order(value, start)[0]


def _order(value: bytes, start: int) -> tuple[Order, int]:
    seq, at = read_long(value, start)
    prev, at = read_long(value, at)
    txn_seq, at = read_long(value, at)
    return Order(seq, prev, txn_seq), at


def _begin(seq: int, prev: int, txn_seq: int) -> bytearray:
    out = bytearray()
    write_long(out, seq)
    write_long(out, prev)
    write_long(out, txn_seq)
    return out


def _end(what: str, value: bytes, at: int) -> None:
    if at != len(value):
        raise BadRecord(f"{len(value) - at} bytes too many after a {what}")


@dataclass(frozen=True, slots=True)
class Line:
    """Stops every worker until all partitions have reached it and its action is done.

    Its copies, one in each partition, share `seq`. `id` is that of the control record which says
    more (`Ddl`, `Transfer`; of an adoption the last `TableSchema` that holds from here), 0 if there
    is none. `action` is one of the constants here; a worker
    that doesn't know an action stops.
    """

    DDL: ClassVar[str] = "ddl"  # the control owner executes Ddl `id`
    BEGIN: ClassVar[str] = "begin"  # a table's transfer begins: Transfer `id`
    END: ClassVar[str] = "end"  # a table's transfer ends: Transfer `id`
    ADOPT: ClassVar[str] = "adopt"  # new knowledge of tables holds from here
    CLEAR: ClassVar[str] = "clear"  # the producer's write-set map was cleared: nothing to do

    seq: int
    prev: int
    txn_seq: int
    id: int
    action: str

    def encode(self) -> bytes:
        """The Avro body."""
        out = _begin(self.seq, self.prev, self.txn_seq)
        write_long(out, self.id)
        write_string(out, self.action)
        return bytes(out)

    @classmethod
    def decode(cls, value: bytes, start: int = BODY) -> Line:
        """Reads a framed value. Raises `Truncated`, `BadRecord`."""
        order, at = _order(value, start)
        id_, at = read_long(value, at)
        action, at = read_string(value, at)
        _end("Line", value, at)
        return cls(*order, id_, action)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where the producer stands. `ts` is the source's time in microseconds since 1970 (UTC).

    `file`, `pos` and `gtid_set` are those of the last committed source transaction, or of the open
    one's beginning where `in_transaction`; `gtid_set` is null on a source without GTIDs.
    `in_transaction`: the records before it don't make up what the source was at that place, because
    a transaction is sent in part, or the tables haven't joined the stream yet.
    """

    seq: int
    prev: int
    txn_seq: int
    ts: int
    file: str
    pos: int
    gtid_set: str | None
    in_transaction: bool

    def encode(self) -> bytes:
        """The Avro body."""
        out = _begin(self.seq, self.prev, self.txn_seq)
        write_long(out, self.ts)
        write_string(out, self.file)
        write_long(out, self.pos)
        if self.gtid_set is None:
            write_long(out, 0)
        else:
            write_long(out, 1)
            write_string(out, self.gtid_set)
        write_boolean(out, self.in_transaction)
        return bytes(out)

    @classmethod
    def decode(cls, value: bytes, start: int = BODY) -> Heartbeat:
        """Reads a framed value. Raises `Truncated`, `BadRecord`."""
        order, at = _order(value, start)
        ts, at = read_long(value, at)
        file, at = read_string(value, at)
        pos, at = read_long(value, at)
        branch, at = read_long(value, at)
        gtid_set = None
        if branch == 1:
            gtid_set, at = read_string(value, at)
        elif branch != 0:
            raise BadRecord(f"Heartbeat.gtid_set has no branch {branch}")
        in_transaction, at = read_boolean(value, at)
        _end("Heartbeat", value, at)
        return cls(*order, ts, file, pos, gtid_set, in_transaction)


@dataclass(frozen=True, slots=True)
class Part:
    """One of `count` consecutive pieces (`index` from 0) of a row too large for one message.

    Joined in order, the pieces' `data` are the row's value as it would have been sent, framing
    included. `row_id` is the same in all of them: the seq of the last, which is also the row's.
    """

    seq: int
    prev: int
    txn_seq: int
    row_id: int
    index: int
    count: int
    data: bytes

    def encode(self) -> bytes:
        """The Avro body."""
        out = _begin(self.seq, self.prev, self.txn_seq)
        write_long(out, self.row_id)
        write_long(out, self.index)
        write_long(out, self.count)
        write_bytes(out, self.data)
        return bytes(out)

    @classmethod
    def decode(cls, value: bytes, start: int = BODY) -> Part:
        """Reads a framed value. Raises `Truncated`, `BadRecord`."""
        order, at = _order(value, start)
        row_id, at = read_long(value, at)
        index, at = read_long(value, at)
        count, at = read_long(value, at)
        data, at = read_bytes(value, at)
        _end("Part", value, at)
        if not 0 <= index < count:
            raise BadRecord(f"part {index} of {count} can't be")
        return cls(*order, row_id, index, count, data)
