# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Rows events become framed Avro records: the hot path of the producer.

A TablePlan is made once per distinct TABLE_MAP and table version. `encode_rows` walks the row
images of one event: each image is transcoded column by column into one buffer, the row's key is
taken from there, then the envelope is written before it. No value becomes a Python object on the
way, unless it has to be folded or is JSON.

The walk stops exactly where the event ends, or raises CorruptRow; what it had appended to `out` and
taken from the Sequencer by then is void, as is everything else after a DataError.
"""

from collections.abc import Mapping

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue, CorruptRow, MinimalImage, SchemaMismatch
from mysync_producer.rowimage import ValueCodec
from mysync_producer.rowkey import KeyPart, RowKey
from mysync_producer.rowplan import codecs
from mysync_producer.tablemap import TableMap
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.errors import BadFold
from mysync_schemas.fold import FoldTable
from mysync_schemas.framing import frame
from mysync_schemas.hashing import key_hash
from mysync_schemas.partition import anchor_partition, table_prefix
from mysync_schemas.table import TableSchema
from mysync_schemas.types import Kind, kind_of

if not cython.compiled:
    from mysync_producer.rowkey import partition_of

__all__ = ["EventContext", "Sequencer", "TablePlan", "columns_present", "encode_rows"]

# Room in a message for what isn't the row: a Part's own fields, and Kafka's record overhead.
_OVERHEAD = 512
_SMALLEST_PART = 1024
# Where an envelope's op stands: behind the framing and the string's length.
_OP = 6
# Never less than the numbers of one envelope take.
_NUMBERS = 96


class Sequencer:
    """Numbers the records of the rows topic: `seq` is the last number given (0: none yet), `prev`
    the last one in each partition (0: none yet)."""

    def __init__(self, seq: int, prev: list[int]) -> None:
        self.seq = seq
        self.prev = prev

    def take(self, partition: int) -> tuple[int, int]:
        """(seq, prev) of the next record, which goes to `partition`."""
        self.seq += 1
        prev = self.prev[partition]
        self.prev[partition] = self.seq
        return self.seq, prev

    def take_all(self) -> tuple[int, list[int]]:
        """(seq, prev of each partition) of the next record: each partition gets a copy."""
        self.seq += 1
        prev = self.prev
        self.prev = [self.seq] * len(prev)
        return self.seq, prev


class EventContext:
    """What all rows of one rows event share. One is made per stream and set before each event.

    ts_ms: when we read it; ts_us: the source's commit time; file, pos: of the rows event; flags:
    the rows event's own; txn_seq: seq of the source transaction's first record, 0 while it has
    none (the first row encoded sets it).
    """

    def __init__(self) -> None:
        self.ts_ms = 0
        self.ts_us = 0
        self.server_id = 0
        self.gtid: str | None = None
        self.file = ""
        self.pos = 0
        self.flags = 0
        self.txn_seq = 0
        self.time_zone: str | None = None
        self.snapshot = "false"


class TablePlan:
    """How the rows of one table version travel. Raises `SchemaMismatch`."""

    def __init__(
        self,
        table_map: TableMap,
        schema: TableSchema,
        *,
        pipeline: str,
        version: str,
        connector: str,
        partitions: int,
        folds: Mapping[str, FoldTable],
        charsets: Mapping[str, Charset] = UNICODE,
        max_message_bytes: int = 1_000_000,
        part_schema_id: int = 7,
    ) -> None:
        self.table = str(schema.table_id)
        self.columns: list[ValueCodec] = codecs(table_map, schema, charsets)
        for index, codec in enumerate(self.columns):
            codec.null_byte = index >> 3
            codec.null_bit = 1 << (index & 7)
        self.names = [column.name for column in sorted(schema.columns, key=lambda c: c.ordinal)]
        self.count = len(self.columns)
        self.bitmap = (self.count + 7) // 8
        self.partitions = partitions
        self.whole = -1
        if schema.routing.mode == "whole":
            self.whole = anchor_partition(schema.routing.anchor, partitions)
        self.key = self._key(schema, folds)
        if self.whole < 0 and (self.key is None or not self.key.hashed):
            raise SchemaMismatch(self.table, "it is routed by a key that can't be hashed")
        self.frame = frame(schema.value_schema_id, b"")
        self.part_frame = frame(part_schema_id, b"")
        self.max_message_bytes = max_message_bytes
        self.source = _strings(version, connector, pipeline)
        self.place = _strings(schema.db, schema.table)
        self.images = RowBuffer()
        self.lead = RowBuffer()
        self.tail = RowBuffer()
        self.value = RowBuffer()
        self.part = RowBuffer()
        # While rows of the table are transferred: the message keys that the stream's rows had.
        self.touched: set[bytes | None] | None = None
        # How many updates gave their row another key.
        self.keys_changed = 0
        self.at = -1

    def _key(self, schema: TableSchema, folds: Mapping[str, FoldTable]) -> RowKey | None:
        key = schema.identity_key
        if key is None or schema.key_schema_id is None:
            return None
        collations = {ref.column: ref.collation for ref in schema.folds}
        parts = []
        hashed = True
        for part in key.columns:
            assert part.column is not None
            column = schema.column(part.column)
            codec = self.columns[self.names.index(part.column)]
            codec.identity = True
            kind = kind_of(column)
            fold = folds.get(collations.get(part.column, ""))
            if kind is Kind.STRING and fold is None:
                hashed = False
            parts.append(KeyPart(codec, int(kind), part.prefix_length or 0, fold))
        table = table_prefix(schema.db, schema.table)
        return RowKey(table, frame(schema.key_schema_id, b""), parts, hashed)

    def begin(self, ctx: EventContext) -> None:
        """Encodes what all rows of an event share: `lead` stands before a row's own numbers (its
        op, at _OP, is set for each), `tail` behind them."""
        lead = self.lead
        lead.clear()
        lead.put_object(self.frame)
        lead.put_byte(2)
        lead.put_byte(0)
        lead.put_long(ctx.ts_ms)
        lead.put_object(self.source)
        lead.put_long(ctx.ts_us)
        lead.put_object(self.place)
        lead.put_long(ctx.server_id)
        put_optional(lead, ctx.gtid)
        put_string(lead, ctx.file)
        lead.put_long(ctx.pos)
        tail = self.tail
        tail.clear()
        tail.put_long(ctx.flags)
        put_optional(tail, ctx.time_zone)
        tail.put_byte(0)

    def image(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        """Transcodes one row image; returns where the next begins."""
        self.at = -1
        nulls = pos
        if end - pos < self.bitmap:
            raise BadValue("the event ends within the row's NULL bits")
        pos += self.bitmap
        i = 0
        try:
            for i, codec in enumerate(self.columns):  # noqa: B007
                if src[nulls + codec.null_byte] & codec.null_bit:
                    if not codec.nullable:
                        raise BadValue("NULL in a NOT NULL column")
                    out.put_byte(0)
                elif codec.identity:
                    codec.start = out.size()
                    pos = codec.put(src, pos, end, out)
                    codec.end = out.size()
                else:
                    pos = codec.put(src, pos, end, out)
        except BadValue:
            self.at = i
            raise
        return pos

    def corrupt(self, ctx: EventContext, row: int, what: str) -> CorruptRow:
        column = self.names[self.at] if self.at >= 0 else None
        return CorruptRow(self.table, f"{ctx.file}:{ctx.pos}", row, column, what)


def _strings(*texts: str) -> bytes:
    out = RowBuffer()
    for text in texts:
        put_string(out, text)
    return out.take(0, out.size())


def put_string(out: RowBuffer, text: str) -> int:
    data = text.encode()
    out.put_long(len(data))
    out.put_object(data)
    return 0


def put_optional(out: RowBuffer, text: str | None) -> int:
    """A union of null and string."""
    if text is None:
        out.put_byte(0)
    else:
        out.put_byte(2)
        put_string(out, text)
    return 0


def columns_present(
    plan: TablePlan, ctx: EventContext, buf: bytes, start: int, end: int, update: bool
) -> int:
    """Where the rows begin: after the column count at `start` and one columns-present bitmap (two
    in an UPDATE), which have to be full. Raises `MinimalImage`, `CorruptRow`."""
    where = f"{ctx.file}:{ctx.pos}"
    size = 1
    count = -1
    if start < end:
        first = buf[start]
        size = {252: 3, 253: 4, 254: 9}.get(first, 1)
        count = first if first < 251 else int.from_bytes(buf[start + 1 : start + size], "little")
    if count != plan.count:
        raise CorruptRow(plan.table, where, 0, None, f"{count} columns, {plan.count} in TABLE_MAP")
    pos = start + size
    width = (count + 7) // 8
    full = (1 << count) - 1
    for image in ("before", "after") if update else ("row",):
        bits = buf[pos : min(pos + width, end)]
        if len(bits) < width:
            raise CorruptRow(plan.table, where, 0, None, "the event ends within its column bits")
        if int.from_bytes(bits, "little") & full != full:
            raise MinimalImage(plan.table, where, image)
        pos += width
    return pos


def encode_rows(
    plan: TablePlan,
    ctx: EventContext,
    seq: Sequencer,
    op: int,
    buf: bytes,
    start: int,
    end: int,
    row0: int,
    skip: int,
    limit: int,
    out: list[list[tuple[bytes | None, bytes]]],
) -> tuple[int, int, int]:
    """Transcodes rows of one rows event into `out`, a list of (key, value) for each partition.

    buf[start:end] is a whole number of rows (an update has two images), the first of which is row
    number `row0` (from 0) of the event. The first `skip` rows are read and not sent. `op` is the
    ord of c, u, d or r. Stops once `limit` bytes of keys and values were produced. Returns (rows
    passed, skipped ones included; bytes produced; where to go on, `end` when all is done).
    Raises `CorruptRow`.
    """
    pos = start
    rows = 0
    produced = 0
    plan.begin(ctx)
    writer = RowWriter(plan, ctx, seq, out)
    while pos < end and produced < limit:
        try:
            pos = writer.read(op, buf, pos, end)
        except (BadValue, BadFold) as error:
            raise plan.corrupt(ctx, row0 + rows, str(error)) from None
        if rows >= skip:
            produced += writer.send(op, row0 + rows)
        rows += 1
    return rows, produced, pos


class RowWriter:
    """Reads one row at a time into the plan's image buffer and sends it on as one record, as two
    where it moves to another partition, or in parts."""

    def __init__(
        self,
        plan: TablePlan,
        ctx: EventContext,
        seq: Sequencer,
        out: list[list[tuple[bytes | None, bytes]]],
    ) -> None:
        self.plan = plan
        self.ctx = ctx
        self.seq = seq
        self.out = out
        snapshot = RowBuffer()
        put_string(snapshot, ctx.snapshot)
        self.snapshot = snapshot.take(0, snapshot.size())
        self.middle = 0
        self.partition = 0
        self.hash = 0
        self.key: bytes | None = None
        self.old_partition = 0
        self.old_hash = 0
        self.old_key: bytes | None = None

    def read(self, op: int, buf: bytes, pos: int, end: int) -> int:
        """The row at `pos`: images side by side, the first up to `middle`; keys and partitions."""
        plan = self.plan
        images = plan.images
        images.clear()
        pos = plan.image(buf, pos, end, images)
        self.middle = images.size()
        self.identify()
        if op == 117:  # u
            self.old_partition = self.partition
            self.old_hash = self.hash
            self.old_key = self.key
            pos = plan.image(buf, pos, end, images)
            self.identify()
        return pos

    def identify(self) -> int:
        """Key, hash and partition of the image just read."""
        plan = self.plan
        self.partition = plan.whole
        row_key = plan.key
        if row_key is None:
            return 0
        self.key = row_key.message_key(plan.images)
        if row_key.hashed:
            canonical = row_key.canonical(plan.images)
            self.hash = key_hash(canonical)
            if plan.whole < 0:
                self.partition = partition_of(canonical, plan.partitions)
        return 0

    def send(self, op: int, row: int) -> int:
        """Sends the row read; returns the bytes produced. A transferred row isn't sent when the
        stream had its key: what it is now, the stream has said."""
        size = self.plan.images.size()
        middle = self.middle
        touched = self.plan.touched
        if op == 114:  # r
            if touched is not None and self.key in touched:
                return 0
            return self.record(114, row, 0, 0, 0, size, False, False)
        if op == 117 and self.key != self.old_key:
            self.plan.keys_changed += 1
        if touched is not None:
            touched.add(self.key)
            if op == 117:
                touched.add(self.old_key)
        if op == 99:  # c
            return self.record(99, row, 0, 0, 0, size, False, False)
        if op == 100:  # d
            return self.record(100, row, 0, size, 0, 0, False, False)
        if self.partition == self.old_partition:
            moved = self.hash != self.old_hash
            return self.record(117, row, 0, middle, middle, size, moved, False)
        partition, hashed, key = self.partition, self.hash, self.key
        self.partition, self.hash, self.key = self.old_partition, self.old_hash, self.old_key
        produced = self.record(100, row, 0, middle, 0, 0, False, True)
        self.partition, self.hash, self.key = partition, hashed, key
        return produced + self.record(99, row, 0, 0, middle, size, False, True)

    def record(
        self,
        op: int,
        row: int,
        before: int,
        before_end: int,
        after: int,
        after_end: int,
        moved: bool,
        half: bool,
    ) -> int:
        """One envelope: in one message where it fits, else in parts."""
        plan = self.plan
        ctx = self.ctx
        key_size = 0 if self.key is None else len(self.key)
        room = plan.max_message_bytes - _OVERHEAD - key_size
        if room < _SMALLEST_PART:
            room = _SMALLEST_PART
        most = before_end - before + after_end - after
        most += plan.lead.size() + plan.tail.size() + len(self.snapshot) + _NUMBERS
        parts = 1 if most <= room else (most + room - 1) // room
        first = self.seq.seq + 1
        if ctx.txn_seq == 0 or op == 114:  # a transferred row is of no source transaction
            ctx.txn_seq = first
        # The parts before the last take the numbers between: the row's own is the last.
        own = self.seq.seq + parts
        prev = self.seq.prev[self.partition] if parts == 1 else own - 1
        value = plan.value
        value.clear()
        value.put_buffer(plan.lead)
        value.set_byte(_OP, op)
        value.put_long(row)
        value.put_object(self.snapshot)
        value.put_long(own)
        value.put_long(prev)
        value.put_long(ctx.txn_seq)
        value.put_long(self.hash)
        if moved:
            value.put_byte(2)
            value.put_long(self.old_hash)
        else:
            value.put_byte(0)
        value.put_byte(1 if half else 0)
        value.put_buffer(plan.tail)
        self.put_image(value, before, before_end)
        self.put_image(value, after, after_end)
        if parts > 1:
            return self.parts(parts, key_size)
        self.seq.seq = own
        self.seq.prev[self.partition] = own
        message = value.take(0, value.size())
        self.out[self.partition].append((self.key, message))
        return key_size + len(message)

    def put_image(self, value: RowBuffer, start: int, end: int) -> int:
        if start == end:
            value.put_byte(0)
        else:
            value.put_byte(2)
            value.put_slice(self.plan.images, start, end)
        return 0

    def parts(self, count: int, key_size: int) -> int:
        """The value in `count` messages of about the same size."""
        whole = self.plan.value
        size = whole.size()
        chunk = (size + count - 1) // count
        own = self.seq.seq + count
        out = self.plan.part
        produced = 0
        for index in range(count):
            seq, prev = self.seq.take(self.partition)
            start = index * chunk
            end = min(start + chunk, size)
            out.clear()
            out.put_object(self.plan.part_frame)
            out.put_long(seq)
            out.put_long(prev)
            out.put_long(self.ctx.txn_seq)
            out.put_long(own)
            out.put_long(index)
            out.put_long(count)
            out.put_long(end - start)
            out.put_slice(whole, start, end)
            message = out.take(0, out.size())
            self.out[self.partition].append((self.key, message))
            produced += key_size + len(message)
        return produced
