# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Row events as they come from Kafka: the header is read, the images only found.

A record's value is the frame (00, schema id) and Avro's binary encoding of `Envelope`. `read_row`
reads the fields that steer applying and says where the two images lie; `decode` makes values of an
image, for reports. What an image's columns look like is in one `Field` each.

Every read is checked against the end of the value, and the last image must end where the value
does: bytes that aren't this table's row event are a CorruptRecord, never another row.

Sources: Avro specification 1.12 ("Binary Encoding"), `mysync_schemas.envelope` for the fields.
"""

import datetime as dt
import json
import struct

from mysync_consumer.rowerrors import CorruptRecord
from mysync_schemas import jsonb
from mysync_schemas.table import Column, TableSchema
from mysync_schemas.types import EXCEPTIONAL, Kind

# How a branch of a union lies in the record: -1 absent, 0 a varint, 1 bytes behind their length,
# 4 and 8 as many bytes.
ABSENT, VARINT, SIZED, FIXED4, FIXED8 = -1, 0, 1, 4, 8

_WIRE = {Kind.FLOAT: FIXED4, Kind.DOUBLE: FIXED8} | dict.fromkeys(
    (Kind.INT32, Kind.INT64, Kind.UINT64, Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP, Kind.TIME),
    VARINT,
)
_VARINT_EXCEPTIONS = (Kind.ENUM, Kind.SET)


class BadBytes(Exception):
    """Raised by the cursor, which doesn't know its table."""


class Cursor:
    """A place in a value, and the end that nothing may be read beyond."""

    def __init__(self, data: bytes, pos: int, end: int) -> None:
        if pos < 0 or end > len(data) or pos > end:
            raise BadBytes(f"bytes {pos} to {end} of {len(data)}")
        self.data = data
        self.buf = data
        self.pos = pos
        self.end = end
        self.odd = False  # whether the union read last took the exceptional branch

    def varint(self) -> int:
        """An Avro int or long: zigzag, 7 bits a byte, the lowest first."""
        pos = self.pos
        end = self.end
        bits = 0
        shift = 0
        while pos < end:
            byte = self.buf[pos]
            pos += 1
            if shift == 63 and byte > 1:
                raise BadBytes(f"a number of more than 64 bits before byte {pos}")
            bits |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.pos = pos
                half = bits >> 1
                return -half - 1 if bits & 1 else half
            shift += 7
        raise BadBytes("the record ends within a number")

    def sized(self) -> int:
        """Moves behind bytes or a string; returns where they begin."""
        size = self.varint()
        if size < 0 or size > self.end - self.pos:
            raise BadBytes(f"{size} bytes are announced before byte {self.pos}, of {self.end}")
        start = self.pos
        self.pos += size
        return start

    def fixed(self, size: int) -> int:
        """Moves behind `size` bytes; returns where they begin."""
        if size > self.end - self.pos:
            raise BadBytes("the record ends within a number")
        start = self.pos
        self.pos += size
        return start

    def index(self, branches: int) -> int:
        """The index of a union's branch."""
        index = self.varint()
        if index < 0 or index >= branches:
            raise BadBytes(f"branch {index} of {branches} before byte {self.pos}")
        return index

    def text(self) -> str:
        start = self.sized()
        try:
            return self.data[start : self.pos].decode()
        except UnicodeDecodeError:
            raise BadBytes(f"a string that isn't UTF-8 before byte {self.pos}") from None


class Field:
    """A column in the Avro record. After `scan`: what the record holds.

    `null`, `odd` (the exceptional branch), then `number` or the payload from `start` to `end`.
    """

    def __init__(self, name: str, nullable: bool, normal: int, exceptional: int) -> None:
        self.name = name
        self.nullable = nullable
        self.normal = normal
        self.exceptional = exceptional
        self.branches = 1 + nullable + (exceptional != ABSENT)
        self.null = False
        self.odd = False
        self.number = 0
        self.start = 0
        self.end = 0

    def scan(self, cursor: Cursor) -> None:
        """Reads the column's value and moves behind it."""
        wire = self.branch(cursor)
        self.null = wire < 0
        self.odd = cursor.odd
        if wire == 0:
            self.number = cursor.varint()
        elif wire == 1:
            self.start = cursor.sized()
            self.end = cursor.pos
        elif wire > 1:
            self.start = cursor.fixed(wire)
            self.end = cursor.pos

    def skip(self, cursor: Cursor) -> None:
        """Moves behind the column's value; the field stays as it is."""
        wire = self.branch(cursor)
        if wire == 0:
            cursor.varint()
        elif wire == 1:
            cursor.sized()
        elif wire > 1:
            cursor.fixed(wire)

    def branch(self, cursor: Cursor) -> int:
        """Reads the union's index, if there is a union: how the value lies behind it, -1: null."""
        index = 1
        if self.branches > 1:
            index = cursor.index(self.branches)
            if not self.nullable:
                index += 1
        cursor.odd = index == 2
        if index == 0:
            return -1
        return self.exceptional if cursor.odd else self.normal


def wires(column: Column) -> tuple[int, int]:
    """How the normal and the exceptional branch of a column lie in the record."""
    kind = Kind(column.kind)
    exceptional = ABSENT
    if kind in EXCEPTIONAL:
        exceptional = VARINT if kind in _VARINT_EXCEPTIONS else SIZED
    return _WIRE.get(kind, SIZED), exceptional


class TableReader:
    """Reads the row events of one version of a table. Keeps nothing between calls."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.schema_id = schema.value_schema_id
        self.name = f"{schema.db}.{schema.table}"
        self.columns = sorted(schema.columns, key=lambda column: column.ordinal)
        self.fields = [Field(c.name, c.nullable, *wires(c)) for c in self.columns]
        names = set(schema.identity)
        self.identity = [c.name in names for c in self.columns]


class Row:
    """A row event. Images are slices of `value`: -1 and -1 where there is none.

    `op` is `ord` of `c`, `u`, `d` or `r`; `effect` is what has to be written for it (`c`, `u`, `d`,
    or 0: nothing), which is the same, and for `r` an insert, unless `tolerant` (its table is being
    transferred) let somebody say otherwise; times are µs (`ts_us`, of the source) and ms (`ts_ms`);
    `flags` are the rows event's; `deps` pairs of (partition, seq); `first_offset` and `offset` are
    those of its first and of its last record, set by its reader's user.
    """

    def __init__(self, reader: TableReader, value: bytes) -> None:
        self.reader = reader
        self.schema_id = reader.schema_id
        self.value = value
        self.op = 0
        self.effect = 0
        self.tolerant = False
        self.ts_ms = 0
        self.ts_us = 0
        self.server_id = 0
        self.pos = 0
        self.row = 0
        self.seq = 0
        self.prev = 0
        self.txn_seq = 0
        self.key_hash = 0
        self.prev_key_hash = 0
        self.has_prev_key = False
        self.half = False
        self.flags = 0
        self.deps: tuple[tuple[int, int], ...] | None = None
        self.before_start = -1
        self.before_end = -1
        self.after_start = -1
        self.after_end = -1
        self.gtid_at = 0
        self.file_at = 0
        self.snapshot_at = 0
        self.zone_at = 0
        self.first_offset = 0
        self.offset = 0

    def gtid(self) -> str | None:
        """The source transaction's GTID, where the source has them."""
        return self.optional(self.gtid_at)

    def file(self) -> str:
        """The source's binlog file."""
        return self.text(self.file_at)

    def snapshot(self) -> str:
        """ "false", "true" or "last": whether the table is being transferred."""
        return self.text(self.snapshot_at)

    def time_zone(self) -> str | None:
        """The zone of the source's session, where the event says it."""
        return self.optional(self.zone_at)

    def text(self, at: int) -> str:
        try:
            return Cursor(self.value, at, len(self.value)).text()
        except BadBytes as error:
            raise CorruptRecord(self.reader.name, str(error)) from None

    def optional(self, at: int) -> str | None:
        # `at` is behind a union's index that was read before: 0 is null.
        return None if self.value[at] == 0 else self.text(at + 1)


def read_row(reader: TableReader, value: bytes) -> Row:
    """The row event of a framed value.

    Raises:
        CorruptRecord: another schema id than the reader's, or not such a record.
    """
    row = Row(reader, value)
    try:
        read(reader, row, Cursor(value, 0, len(value)))
    except BadBytes as error:
        raise CorruptRecord(reader.name, str(error)) from None
    return row


def read(reader: TableReader, row: Row, cursor: Cursor) -> None:
    buf = cursor.buf
    start = cursor.fixed(5)
    schema_id = 0
    for i in range(1, 5):
        schema_id = schema_id << 8 | buf[i]
    if buf[start] != 0 or schema_id != reader.schema_id:
        raise BadBytes(f"frame byte {buf[start]} and schema id {schema_id}, not {reader.schema_id}")
    start = cursor.sized()
    if cursor.pos - start != 1:
        raise BadBytes("an op that isn't one letter")
    row.op = buf[start]
    row.effect = 99 if row.op == 114 else row.op  # r is written as c
    row.ts_ms = cursor.varint()
    cursor.sized()  # version
    cursor.sized()  # connector
    cursor.sized()  # name
    row.ts_us = cursor.varint()
    cursor.sized()  # db
    cursor.sized()  # table
    row.server_id = cursor.varint()
    row.gtid_at = cursor.pos
    if cursor.index(2):
        cursor.sized()
    row.file_at = cursor.pos
    cursor.sized()
    row.pos = cursor.varint()
    row.row = cursor.varint()
    row.snapshot_at = cursor.pos
    start = cursor.sized()
    row.tolerant = cursor.pos - start != 5  # anything but "false"
    row.seq = cursor.varint()
    row.prev = cursor.varint()
    row.txn_seq = cursor.varint()
    row.key_hash = cursor.varint()
    if cursor.index(2):
        row.has_prev_key = True
        row.prev_key_hash = cursor.varint()
    start = cursor.fixed(1)
    if buf[start] > 1:
        raise BadBytes(f"byte {start} is no boolean")
    row.half = buf[start] == 1
    row.flags = cursor.varint()
    row.zone_at = cursor.pos
    if cursor.index(2):
        cursor.sized()
    if cursor.index(2):
        row.deps = read_deps(cursor)
    read_images(reader, row, cursor)


def read_images(reader: TableReader, row: Row, cursor: Cursor) -> None:
    op = row.op
    if cursor.index(2):
        row.before_start = cursor.pos
        skip_image(reader, cursor)
        row.before_end = cursor.pos
    if cursor.index(2):
        row.after_start = cursor.pos
        skip_image(reader, cursor)
        row.after_end = cursor.pos
    if cursor.pos != cursor.end:
        raise BadBytes(f"{cursor.end - cursor.pos} bytes follow the last image")
    before = row.before_start >= 0
    after = row.after_start >= 0
    if op == 117:  # u
        right = before and after
    elif op == 100:  # d
        right = before and not after
    else:  # c, r
        right = (op == 99 or op == 114) and after and not before
    if not right:
        raise BadBytes(f"op {chr(op)!r} with before: {bool(before)}, after: {bool(after)}")


def read_deps(cursor: Cursor) -> tuple[tuple[int, int], ...]:
    deps = []
    count = cursor.varint()
    while count:
        if count < 0:
            cursor.varint()  # the block's size
            count = -count
        # An item has at least two bytes.
        if count < 0 or count > cursor.end - cursor.pos:
            raise BadBytes(f"{count} dependencies before byte {cursor.pos}")
        for _ in range(count):
            partition = cursor.varint()
            deps.append((partition, cursor.varint()))
        count = cursor.varint()
    return tuple(deps)


def skip_image(reader: TableReader, cursor: Cursor) -> None:
    for field in reader.fields:
        field.skip(cursor)


def column_slices(reader: TableReader, value: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where each column lies in an image, union index included; in the schema's order."""
    try:
        cursor = Cursor(value, start, end)
        slices = []
        for field in reader.fields:
            begin = cursor.pos
            field.skip(cursor)
            slices.append((begin, cursor.pos))
        if cursor.pos != end:
            raise BadBytes(f"{end - cursor.pos} bytes follow the image")
    except BadBytes as error:
        raise CorruptRecord(reader.name, str(error)) from None
    return slices


def key_bytes(reader: TableReader, value: bytes, start: int, end: int) -> bytes:
    """The image's identity columns as they lie there; all columns of a keyless table."""
    slices = column_slices(reader, value, start, end)
    if not any(reader.identity):
        return value[start:end]
    parts = [value[a:b] for (a, b), mine in zip(slices, reader.identity, strict=True) if mine]
    return b"".join(parts)


# For reports: the cold path.

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 (both kinds of timestamps are shown as they are)


def decode(reader: TableReader, value: bytes, start: int, end: int) -> dict[str, object]:
    """An image's values by column name, as JSON can hold them.

    Integers and floats as they are, DECIMAL and temporals as text, bytes as `0x…`.
    """
    values: dict[str, object] = {}
    slices = column_slices(reader, value, start, end)
    for column, (begin, behind) in zip(reader.columns, slices, strict=True):
        values[column.name] = shown(column, value[begin:behind])
    return values


def shown(column: Column, raw: bytes) -> object:
    """One column's Avro bytes, union index included, as a value for a report."""
    cursor = Cursor(raw, 0, len(raw))
    kind = Kind(column.kind)
    normal, exceptional = wires(column)
    index = 0
    if column.nullable or exceptional != ABSENT:
        index = cursor.index(3) - column.nullable
    if index < 0:
        return None
    wire = exceptional if index else normal
    if wire == VARINT:
        return shown_number(kind, cursor.varint()) if not index else cursor.varint()
    if wire == FIXED4:
        return struct.unpack("<f", raw[cursor.fixed(4) :])[0]
    if wire == FIXED8:
        return struct.unpack("<d", raw[cursor.fixed(8) :])[0]
    data = raw[cursor.sized() :]
    return shown_bytes(column, kind, data, exceptional=index == 1)


def shown_bytes(column: Column, kind: Kind, data: bytes, *, exceptional: bool) -> object:
    if kind is Kind.DECIMAL:
        return decimal_text(int.from_bytes(data, "big", signed=True), column.scale or 0)
    if kind is Kind.UINT64:
        return int.from_bytes(data, "big", signed=True)
    if kind is Kind.JSON and exceptional:
        try:
            return json.loads(jsonb.to_text(data)[0])
        except ValueError:
            return "0x" + data.hex()
    if kind in (Kind.BYTES, Kind.BIT) or (kind is Kind.STRING and exceptional):
        return "0x" + data.hex()
    return data.decode(errors="backslashreplace")


def shown_number(kind: Kind, number: int) -> object:
    try:
        if kind is Kind.DATE:
            return (_EPOCH + dt.timedelta(days=number)).date().isoformat()
        if kind in (Kind.DATETIME, Kind.TIMESTAMP):
            return (_EPOCH + dt.timedelta(microseconds=number)).isoformat(" ")
    except OverflowError:
        return number
    if kind is Kind.TIME:
        sign = "-" if number < 0 else ""
        second, micros = divmod(abs(number), 1_000_000)
        text = f"{sign}{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        return text + (f".{micros:06}" if micros else "")
    return number


def decimal_text(unscaled: int, scale: int) -> str:
    digits = str(abs(unscaled)).zfill(scale + 1)
    point = len(digits) - scale
    text = digits[:point] + ("." + digits[point:] if scale else "")
    return f"-{text}" if unscaled < 0 else text
