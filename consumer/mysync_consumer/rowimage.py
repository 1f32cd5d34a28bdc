# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Row images for the target's replication applier, made from Avro images without row objects.

An `ImagePlan` is compiled for one version of a source table and the target's definition of it. It
refuses definitions that differ. An image is the null bitmap of its columns and their values, in the
target's order:

- an *after image* has every column, the generated ones too: MariaDB takes their values from the
  image (without them it corrupts indexes), MySQL computes them whatever the image says, but warns
  of a NOT NULL one that the image lacks;
- a *before image* has the identity columns only; where the table has no key all columns, but
  those that MySQL computes. The identity of an inferred version is the target's.

A plan keeps what it scans in its writers: it belongs to one thread.

Format: MySQL source documentation, `mysql::binlog::event::Rows_event`.
"""

from collections.abc import Mapping

from mysync_consumer.imagebuffer import ImageBuffer
from mysync_consumer.rowerrors import (
    BadValue,
    CorruptRecord,
    TableDrift,
    UnwritableValue,
)
from mysync_consumer.rowread import BadBytes, Cursor
from mysync_consumer.rowvalues import ValueWriter
from mysync_consumer.targettable import TargetTable, differences, identity_in, lenenc
from mysync_consumer.writers import writer_for
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.table import TableSchema


class ImagePlan:
    """How rows of a source table become images of the target's.

    Raises:
        TableDrift: the definitions differ; every difference is named.
        UnwritableTable: row events would do something else than the source did.
    """

    def __init__(
        self,
        schema: TableSchema,
        target: TargetTable,
        charsets: Mapping[str, Charset] = UNICODE,
        *,
        by_sql: bool = False,
    ) -> None:
        self.schema = schema
        self.target = target
        self.name = f"{schema.db}.{schema.table}"
        # The log doesn't tell which tables' rows only mean something in their order.
        told = schema.state != "inferred"
        self.singly = schema.row_by_row if told else target.flavor == "mariadb"
        self.identity_columns = identity_in(schema, target)
        self.keyless = not self.identity_columns
        target_name = f"{target.db}.{target.table}"
        found = differences(schema, target)
        if found:
            raise TableDrift(self.name, target_name, found)
        # Both raise UnwritableTable for types that row events can't carry.
        self.table_map = target.table_map(0)
        self.column_count = lenenc(len(target.columns))
        writers = {
            c.name: writer_for(target_name, c, charsets, keyless=self.keyless)
            for c in target.columns
        }
        ordered = sorted(schema.columns, key=lambda column: column.ordinal)
        self.sources = [writers[column.name] for column in ordered]
        self.is_key = [column.name in self.identity_columns for column in ordered]
        self.keys = sum(self.is_key)
        self.sent = [writers[c.name] for c in target.columns]
        # What MySQL computes it may compute otherwise than the source did (a virtual column depends
        # on the session, who knows); the columns that it is made of tell rows apart.
        named = {c.name for c in target.columns if target.flavor == "mariadb" or not c.generated}
        if self.identity_columns and (by_sql or not self.key_unknown()):
            named = set(self.identity_columns)
        self.identified = [writers[c.name] for c in target.columns if c.name in named]
        self.keyed = [writers[c.name] for c in target.columns if c.name in self.identity_columns]
        self.after_columns = bitmap(len(writers), set(range(len(writers))))
        self.before_columns = bitmap(
            len(writers), {i for i, c in enumerate(target.columns) if c.name in named}
        )
        self.buffer = ImageBuffer()
        self.busy = False

    def key_unknown(self) -> bool:
        """Whether the target's applier may look for rows by another key than the identity: of
        several unique ones MariaDB takes the first in an order of its own, whatever the before
        image holds of it."""
        return self.target.flavor == "mariadb" and not any(
            key.name == "PRIMARY" for key in self.target.unique_keys
        )

    def after(self, value: bytes, start: int, end: int, out: bytearray) -> None:
        """Appends the after image of the Avro image in `value` from `start` to `end`.

        Raises:
            CorruptRecord: the bytes aren't an image of this table.
            UnwritableValue: a value that the column can't hold exactly; nothing was appended.
        """
        self.append(self.sent, value, start, end, out)

    def identity(self, value: bytes, start: int, end: int, out: bytearray) -> None:
        """Appends the before image: what the target finds the row by. Raises like `after`."""
        self.append(self.identified, value, start, end, out)

    def key(self, value: bytes, start: int, end: int, out: bytearray) -> None:
        """Appends an image of the identity columns alone. Raises like `after`."""
        self.append(self.keyed, value, start, end, out)

    def append(
        self, writers: list[ValueWriter], value: bytes, start: int, end: int, out: bytearray
    ) -> None:
        if self.busy:
            raise RuntimeError(f"{self.name}: an ImagePlan belongs to one thread")
        self.busy = True
        try:
            self.scan(Cursor(value, start, end))
            self.buffer.clear()
            self.write(writers, value)
            self.buffer.append_to(out)
        except BadBytes as error:
            raise CorruptRecord(self.name, str(error)) from None
        finally:
            self.busy = False

    def scan(self, cursor: Cursor) -> None:
        for writer in self.sources:
            writer.scan(cursor)
        if cursor.pos != cursor.end:
            raise BadBytes(f"{cursor.end - cursor.pos} bytes follow the image")

    def write(self, writers: list[ValueWriter], value: bytes) -> None:
        out = self.buffer
        out.put_zeros((len(writers) + 7) >> 3)
        for position, writer in enumerate(writers):
            if writer.null:
                out.set_bit(0, position)
            else:
                try:
                    writer.put(value, out)
                except BadValue as error:
                    raise UnwritableValue(self.name, writer.name, str(error)) from None

    def key_bytes(self, value: bytes, start: int, end: int) -> bytes:
        """The identity columns of an Avro image as they lie there; all of a keyless table's.

        Equal bytes are the same key. Raises CorruptRecord.
        """
        if self.keys == 0:
            return value[start:end]
        parts = []
        left = self.keys
        position = 0
        try:
            cursor = Cursor(value, start, end)
            while True:
                begin = cursor.pos
                writer = self.sources[position]
                writer.skip(cursor)
                if self.is_key[position]:
                    left -= 1
                    if left == 0:
                        break
                    parts.append(value[begin : cursor.pos])
                position += 1
        except BadBytes as error:
            raise CorruptRecord(self.name, str(error)) from None
        last = value[begin : cursor.pos]
        if not parts:
            return last
        parts.append(last)
        return b"".join(parts)

    def measure(self, images: bytearray, before: bool, after: bool) -> int:
        """How many rows a rows event's images hold, each with a before and/or an after image.

        Walks them by the column widths alone, so it doesn't share the writers' mistakes: a byte too
        many would be one more row to the target. Raises ValueError unless they end exactly.
        """
        pos = 0
        rows = 0
        end = len(images)
        if not before and not after:
            raise ValueError("a rows event without images")
        while pos < end:
            if before:
                pos = self.walk(self.identified, images, pos, end)
            if after:
                pos = self.walk(self.sent, images, pos, end)
            rows += 1
        return rows

    def walk(self, writers: list[ValueWriter], images: bytearray, pos: int, end: int) -> int:
        buf = images
        nulls = pos
        size = (len(writers) + 7) >> 3
        if size > end - pos:
            raise ValueError(f"{self.name}: an image ends within its null bitmap")
        pos += size
        for position, writer in enumerate(writers):
            if buf[nulls + (position >> 3)] >> (position & 7) & 1:
                if not writer.nullable:
                    raise ValueError(f"{self.name}: NULL in column {writer.name}")
                size = 0
            elif writer.width >= 0:
                size = writer.width
            else:
                size = length_at(buf, pos, end, writer.prefix)
                if size > writer.limit + writer.prefix:
                    raise ValueError(f"{self.name}: {size} bytes in column {writer.name}")
            if size < 0 or size > end - pos:
                raise ValueError(f"{self.name}: an image ends within column {writer.name}")
            pos += size
        return pos


def length_at(buf: bytearray, pos: int, end: int, prefix: int) -> int:
    """Size of a value with its length before it; -1 if the length doesn't fit."""
    if prefix > end - pos:
        return -1
    size = 0
    i = prefix
    while i > 0:
        i -= 1
        size = size << 8 | buf[pos + i]
    return size + prefix


def bitmap(count: int, positions: set[int]) -> bytes:
    """The bitmap of the columns that images hold."""
    bits = 0
    for position in positions:
        bits |= 1 << position
    return bits.to_bytes((count + 7) // 8, "little")
