# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value codecs of what has a length: binary strings, text, JSON; and of labels, which become text.

Text goes into the `string` branch only when it is exactly that text: UTF-8 is validated strictly
(MariaDB stores surrogates), latin1 is read by MySQL's own table, ascii must be ASCII. Anything else
goes as the bytes it is, in the column's character set, into the exceptional branch. The other
character sets are read by the server's own tables (`mysync_schemas.charset`).
"""

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.rowimage import ValueCodec
from mysync_schemas.charset import Charset
from mysync_schemas.jsonb import JsonError, to_text

if not cython.compiled:
    from mysync_producer.rowbuffer import little
    from mysync_producer.rowimage import short


class SizedCodec(ValueCodec):
    """A value behind its size: `prefix` bytes, little-endian; at most `limit` bytes long."""

    def __init__(self, nullable: bool, exceptional: bool, prefix: int, limit: int) -> None:
        ValueCodec.__init__(self, nullable, exceptional)
        self.prefix = prefix
        self.limit = limit

    def size_at(self, src: bytes, pos: int, end: int) -> int:
        """The size of the value at `pos`, all of which lies before `end`."""
        if end - pos < self.prefix:
            raise short()
        size = src[pos] if self.prefix == 1 else little(src, pos, self.prefix)
        if end - pos - self.prefix < size:
            raise short()
        if size > self.limit:
            raise BadValue(f"{size} bytes in a column of at most {self.limit}")
        return size


class BytesCodec(SizedCodec):
    """VARBINARY, BLOB, GEOMETRY, VECTOR; BINARY, INET and UUID, whose trailing zeros the binlog
    leaves out: they are filled up to `pad` bytes."""

    def __init__(self, nullable: bool, prefix: int, limit: int, pad: int) -> None:
        SizedCodec.__init__(self, nullable, False, prefix, limit)
        self.pad = pad

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        if self.normal >= 0:
            out.put_byte(self.normal)
        if size < self.pad:
            out.put_long(self.pad)
            out.put(src, pos, size)
            out.put_zeros(self.pad - size)
        else:
            out.put_bytes(src, pos, size)
        return pos + size


class Utf8Codec(SizedCodec):
    """utf8mb4 and utf8mb3 (`widest` bytes a character, 4 or 3; ascii: 1)."""

    def __init__(self, nullable: bool, prefix: int, limit: int, widest: int) -> None:
        SizedCodec.__init__(self, nullable, True, prefix, limit)
        self.widest = widest

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        if is_utf8(src, pos, size, self.widest):
            out.put_byte(self.normal)
        else:
            out.put_byte(self.exceptional)
        out.put_bytes(src, pos, size)
        return pos + size


def is_utf8(src: bytes, pos: int, size: int, widest: int) -> bool:
    """Well-formed UTF-8 (RFC 3629: shortest forms, no surrogates, up to U+10FFFF) whose characters
    have at most `widest` bytes."""
    if not cython.compiled:
        chunk = src[pos : pos + size]
        if chunk.isascii():
            return True
        if widest == 1:
            return False
        try:
            text = chunk.decode()
        except UnicodeDecodeError:
            return False
        return widest == 4 or max(text) < "\U00010000"
    end = pos + size
    while pos < end:
        first = src[pos]
        pos += 1
        if first < 0x80:
            continue
        if first < 0xC2:
            return False
        more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
        if more >= widest or more > end - pos or first > 0xF4:
            return False
        second = src[pos]
        if second & 0xC0 != 0x80:
            return False
        if (first == 0xE0 and second < 0xA0) or (first == 0xED and second > 0x9F):
            return False
        if (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F):
            return False
        if more > 1 and src[pos + 1] & 0xC0 != 0x80:
            return False
        if more > 2 and src[pos + 2] & 0xC0 != 0x80:
            return False
        pos += more
    return True


# MySQL's latin1 is cp1252 with the five bytes that cp1252 lacks as the C1 controls they are.
LATIN1 = {
    byte: bytes([byte]).decode("cp1252")
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def latin1_text(value: bytes) -> str:
    """The text of bytes in MySQL's latin1; every byte sequence is one."""
    return value.decode("latin-1").translate(LATIN1)


class Latin1Codec(SizedCodec):
    """latin1: every byte is a character, so the exceptional branch is never needed."""

    def __init__(self, nullable: bool, prefix: int, limit: int) -> None:
        SizedCodec.__init__(self, nullable, True, prefix, limit)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        out.put_byte(self.normal)
        if is_utf8(src, pos, size, 1):
            out.put_bytes(src, pos, size)
        else:
            put_text(out, latin1_text(src[pos : pos + size]))
        return pos + size


class CharsetCodec(SizedCodec):
    """Any other character set: what its table has is text, the rest stays bytes."""

    def __init__(self, nullable: bool, prefix: int, limit: int, charset: Charset) -> None:
        SizedCodec.__init__(self, nullable, True, prefix, limit)
        self.charset = charset
        self.ascii = charset.ascii

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        if self.ascii and is_utf8(src, pos, size, 1):
            out.put_byte(self.normal)
            out.put_bytes(src, pos, size)
            return pos + size
        text = self.charset.decode(src[pos : pos + size])
        if text is None:
            out.put_byte(self.exceptional)
            out.put_bytes(src, pos, size)
        else:
            out.put_byte(self.normal)
            put_text(out, text)
        return pos + size


def put_text(out: RowBuffer, text: str) -> int:
    """An Avro string."""
    data = text.encode()
    out.put_long(len(data))
    out.put_object(data)
    return 0


class JsonCodec(SizedCodec):
    """JSON: its text where that says everything, else MySQL's binary format."""

    def __init__(self, nullable: bool, prefix: int) -> None:
        SizedCodec.__init__(self, nullable, True, prefix, 0xFFFFFFFF)

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        document = src[pos : pos + size]
        try:
            text, exact = to_text(document)
        except JsonError as error:
            raise BadValue(f"binary JSON that can't be read: {error}") from error
        if exact:
            out.put_byte(self.normal)
            put_text(out, text)
        else:
            out.put_byte(self.exceptional)
            out.put_bytes(src, pos, size)
        return pos + size


def encoded_text(text: str) -> bytes:
    """`text` as an Avro string."""
    out = RowBuffer()
    put_text(out, text)
    return out.take(0, out.size())


class EnumCodec(ValueCodec):
    """ENUM: the label of an index from 1. The index itself for 0 (the error value), for an index
    without a label, and where a label (None) isn't text or isn't the first of its kind."""

    def __init__(self, nullable: bool, width: int, labels: list[str | None]) -> None:
        ValueCodec.__init__(self, nullable, True)
        self.width = width
        self.count = len(labels)
        self.labels = [None if label is None else encoded_text(label) for label in labels]

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        index = little(src, pos, self.width)
        label = self.labels[index - 1] if 0 < index <= self.count else None
        if label is None:
            out.put_byte(self.exceptional)
            out.put_long(index)
        else:
            out.put_byte(self.normal)
            out.put_object(label)
        return pos + self.width


class SetCodec(ValueCodec):
    """SET: the labels of the bits, joined by commas; the bits as a (signed) long where a label
    (None) is empty, isn't text, or isn't the first of its kind, and for bits without a label."""

    def __init__(self, nullable: bool, width: int, labels: list[str | None]) -> None:
        ValueCodec.__init__(self, nullable, True)
        self.width = width
        self.labels = labels
        self.known: dict[int, bytes | None] = {}

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        if end - pos < self.width:
            raise short()
        mask = little(src, pos, self.width)
        text = self.text_of(mask)
        if text is None:
            out.put_byte(self.exceptional)
            out.put_long(mask - (mask >> 63 << 63 << 1))
        else:
            out.put_byte(self.normal)
            out.put_object(text)
        return pos + self.width

    def text_of(self, mask: int) -> bytes | None:
        """The labels as an Avro string, or None."""
        if mask not in self.known:
            if len(self.known) > 4096:
                self.known.clear()
            self.known[mask] = self.join(mask)
        return self.known[mask]

    def join(self, mask: int) -> bytes | None:
        if mask >> len(self.labels):
            return None
        chosen = [label for bit, label in enumerate(self.labels) if mask >> bit & 1]
        texts = [label for label in chosen if label is not None]
        return encoded_text(",".join(texts)) if len(texts) == len(chosen) else None
