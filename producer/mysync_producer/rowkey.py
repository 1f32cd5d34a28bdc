# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""A row's key, from its encoded image: the message key and the canonical key.

The canonical key's layout is that of `mysync_schemas.partition`, which says why; here it is made
from the slices of the image that the identity columns' codecs have noted, without decoding.
"""

import cython

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowimage import ValueCodec
from mysync_schemas.fold import FoldTable
from mysync_schemas.types import Kind

if not cython.compiled:
    from confluent_kafka import murmur2

_STRING = int(Kind.STRING)
_BYTES = int(Kind.BYTES)
_NEGATIVE_ZERO = {int(Kind.FLOAT): b"\0\0\0\x80", int(Kind.DOUBLE): b"\0\0\0\0\0\0\0\x80"}


class KeyPart:
    """One identity column: `prefix` characters of it (0: all)."""

    def __init__(self, codec: ValueCodec, kind: int, prefix: int, fold: FoldTable | None) -> None:
        self.codec = codec
        self.kind = kind
        self.prefix = prefix
        self.fold = fold
        # What the bytes of an image aren't yet: folded, cut, or a zero without a sign.
        self.plain = not (kind == _STRING or kind in _NEGATIVE_ZERO or (kind == _BYTES and prefix))

    def put(self, images: RowBuffer, out: RowBuffer) -> int:
        """Appends the part to a canonical key; `images` holds the codec's last value."""
        codec = self.codec
        start = codec.start
        exceptional = False
        if codec.normal >= 0:
            exceptional = images.byte_at(start) != codec.normal
            start += 1
        out.put_byte(self.kind)
        if self.plain and not exceptional:
            out.put_long(codec.end - start)
            out.put_slice(images, start, codec.end)
            return 0
        data = self.bytes_of(images.take(start, codec.end), exceptional)
        out.put_long(len(data))
        out.put_object(data)
        return 0

    def bytes_of(self, avro: bytes, exceptional: bool) -> bytes:
        """As `mysync_schemas.partition.part_bytes` does."""
        if exceptional:
            return b"\1" if self.kind == _STRING else b"\1" + avro
        if self.kind != _STRING and self.kind != _BYTES:
            return bytes(len(avro)) if avro == _NEGATIVE_ZERO.get(self.kind) else avro
        at = 1
        while avro[at - 1] > 127:
            at += 1
        if self.kind == _STRING:
            assert self.fold is not None
            text = avro[at:].decode()
            folded: bytes = self.fold.fold(text[: self.prefix] if self.prefix else text)
            return folded
        cut = RowBuffer()
        size = min(len(avro) - at, self.prefix)
        cut.put_long(size)
        cut.put_object(avro[at : at + size])
        return cut.take(0, cut.size())


class RowKey:
    """The identity of a table's rows."""

    def __init__(self, table: bytes, frame: bytes, parts: list[KeyPart], hashed: bool) -> None:
        self.table = table
        self.frame = frame
        self.parts = parts
        self.hashed = hashed
        self.buffer = RowBuffer()

    def canonical(self, images: RowBuffer) -> bytes:
        """The canonical key of the last image."""
        out = self.buffer
        out.clear()
        out.put_object(self.table)
        for part in self.parts:
            part.put(images, out)
        return out.take(0, out.size())

    def message_key(self, images: RowBuffer) -> bytes:
        """The record `Key` of the last image, framed: the identity columns as they are."""
        out = self.buffer
        out.clear()
        out.put_object(self.frame)
        for part in self.parts:
            out.put_slice(images, part.codec.start, part.codec.end)
        return out.take(0, out.size())


def partition_of(canonical: bytes, partitions: int) -> int:
    """As `mysync_schemas.hashing.partition_of`: Kafka's own partition of a key."""
    if not cython.compiled:
        return int(murmur2(canonical, partitions))
    return (murmur2_of(canonical, len(canonical)) & 0x7FFFFFFF) % partitions


def murmur2_of(data: bytes, size: int) -> int:
    """Kafka's murmur2 (`org.apache.kafka.common.utils.Utils`), in unsigned 32-bit arithmetic that
    wraps: compiled only."""
    h = 0x9747B28C
    h ^= size
    i = 0
    while i + 4 <= size:
        k = data[i + 3]
        k = k << 8 | data[i + 2]
        k = k << 8 | data[i + 1]
        k = k << 8 | data[i]
        k *= 0x5BD1E995
        k ^= k >> 24
        k *= 0x5BD1E995
        h *= 0x5BD1E995
        h ^= k
        i += 4
    if size - i > 0:
        k = 0
        while size > i:
            size -= 1
            k = k << 8 | data[size]
        h ^= k
        h *= 0x5BD1E995
    h ^= h >> 13
    h *= 0x5BD1E995
    h ^= h >> 15
    return h
