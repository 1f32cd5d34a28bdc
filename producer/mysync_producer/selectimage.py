# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Rows of a SELECT become row images: the hot path of reading a table.

A row's packet of the text protocol holds one length-encoded string for each expression of
`select_list`, 0xFB for NULL (MySQL source documentation, "Text Resultset Row"). It becomes what a
WRITE_ROWS event with all columns would hold: NULL bits, then the values that aren't NULL. Nothing
is read beyond a packet's end, and a packet that isn't exactly such a row is a CorruptResult: what
is held then is void.
"""

from collections.abc import Mapping

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue, CorruptResult
from mysync_producer.selectplan import image_values
from mysync_producer.selectvalues import ImageValue
from mysync_schemas.charset import UNICODE, Charset
from mysync_schemas.table import Column, TableSchema

if not cython.compiled:
    from mysync_producer.rowbuffer import little

__all__ = ["LONGEST", "RowImages"]

LONGEST = 0xFFFFFF
"""A packet of this size goes on in the next one."""


_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext")


def text_charset(column: Column) -> str | None:
    """The character set in which a column's own text comes."""
    if column.data_type not in _TEXTS or column.charset is None:
        return None
    return "utf8mb3" if column.charset == "utf8" else column.charset


class RowImages:
    """Reads the rows of one table version.

    `rows`: how many were read. `sequence`: the number that the next packet must have. `fields`,
    `charsets`: of the SELECT's expressions; None where text isn't in a column's own character set.
    """

    def __init__(
        self, schema: TableSchema, *, mariadb: bool, charsets: Mapping[str, Charset] = UNICODE
    ) -> None:
        """`charsets`: those of the table's plan, for labels."""
        columns = sorted(schema.columns, key=lambda column: column.ordinal)
        self.table = str(schema.table_id)
        self.names = [column.name for column in columns]
        self.columns: list[ImageValue] = image_values(schema, mariadb=mariadb, charsets=charsets)
        for index, column in enumerate(self.columns):
            column.null_byte = index >> 3
            column.null_bit = 1 << (index & 7)
        self.bitmap = (len(columns) + 7) // 8
        self.charsets: list[str | None] = []
        for known, column in zip(columns, self.columns, strict=True):
            self.charsets += [text_charset(known), None] if column.paired else [text_charset(known)]
        self.fields = len(self.charsets)
        self.out = RowBuffer()
        self.rows = 0
        self.sequence = 0
        self.size = 0
        self.at = -1

    def held(self) -> int:
        """Bytes of the images since `take`."""
        return self.out.size()

    def take(self) -> bytes:
        """The images since the last call."""
        images = self.out.take(0, self.out.size())
        self.out.clear()
        return images

    def put(self, packet: bytes, start: int, end: int) -> None:
        """Appends the row in packet[start:end] as an image. Raises CorruptResult."""
        try:
            self.row(packet, start, end, self.out)
        except BadValue as error:
            raise self.corrupt(str(error)) from None
        self.rows += 1

    def walk(self, data: bytes, pos: int, end: int, most: int) -> int:
        """Appends the rows of whole packets in data[pos:end] until `most` bytes are held; returns
        where the first packet begins that isn't passed: an incomplete one, one that goes on in the
        next, or one that isn't a row. Raises CorruptResult."""
        while end - pos >= 4 and self.out.size() < most:
            size = little(data, pos, 3)
            if size >= LONGEST or end - pos - 4 < size or size == 0:
                break
            first = data[pos + 4]
            if first == 255 or (first == 254 and size < 9):
                break
            if data[pos + 3] != self.sequence:
                raise self.corrupt(f"packet {data[pos + 3]} where {self.sequence} should be")
            self.sequence = (self.sequence + 1) & 255
            pos += 4
            self.put(data, pos, pos + size)
            pos += size
        return pos

    def corrupt(self, what: str) -> CorruptResult:
        column = self.names[self.at] if self.at >= 0 else None
        return CorruptResult(self.table, self.rows, column, what)

    def row(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        self.at = -1
        nulls = out.size()
        out.put_zeros(self.bitmap)
        i = 0
        for i, column in enumerate(self.columns):
            self.at = i
            pos = self.length(src, pos, end)
            size = self.size
            if column.paired:
                more = self.length(src, pos if size < 0 else pos + size, end)
                stop = more if self.size < 0 else more + self.size
                if size < 0:
                    self.put_null(column, nulls, out)
                elif self.size < 0:
                    raise BadValue("its second expression is NULL")
                else:
                    column.put_pair(src, pos, pos + size, more, stop, out)
                pos = stop
            elif size < 0:
                self.put_null(column, nulls, out)
            else:
                column.put(src, pos, pos + size, out)
                pos += size
        self.at = -1
        if pos != end:
            raise BadValue(f"{end - pos} bytes behind the last column")
        return 0

    def put_null(self, column: ImageValue, nulls: int, out: RowBuffer) -> int:
        if not column.nullable:
            raise BadValue("NULL in a NOT NULL column")
        at = nulls + column.null_byte
        out.set_byte(at, out.byte_at(at) | column.null_bit)
        return 0

    def length(self, src: bytes, pos: int, end: int) -> int:
        """Where the string whose length stands at `pos` begins; its size in `size`, -1 for NULL."""
        if pos >= end:
            raise BadValue("the row ends before this column")
        first = src[pos]
        pos += 1
        if first < 251:
            self.size = first
        elif first == 251:
            self.size = -1
            return pos
        elif first == 255:
            raise BadValue("a length that begins with 255")
        else:
            width = 2 if first == 252 else 3 if first == 253 else 8
            if end - pos < width or (width == 8 and src[pos + 7] > 127):
                raise BadValue("the row ends within a length")
            self.size = little(src, pos, width)
            pos += width
        if self.size > end - pos:
            raise BadValue(f"{self.size} bytes are announced, {end - pos} left")
        return pos
