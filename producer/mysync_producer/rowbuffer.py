# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""The buffer that rows are transcoded into, and the few loads that read the binlog's numbers.

Here a RowBuffer is memory with a checked capacity, and a source of bytes is any memory: the C types
are in `rowbuffer.pxd`. Uncompiled, the same names come from `purebuffer.py`, where a RowBuffer is a
bytearray.

Reading is never bounds-checked here: who calls has compared `pos + size` with the row's end.
"""

from typing import Any

import cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy

_START = 1 << 16
_KEPT = 1 << 20


class RowBuffer:
    """Bytes under construction, in Avro's binary encoding (Avro specification 1.12)."""

    def __init__(self) -> None:
        self.data = bytearray(_START)
        self.p: Any = self.data
        self.capacity = _START
        self.length = 0

    def size(self) -> int:
        return self.length

    def clear(self) -> None:
        """Empties the buffer; memory beyond 1 MiB is given back."""
        self.length = 0
        if self.capacity > _KEPT:
            self.data = bytearray(_START)
            self.p = self.data
            self.capacity = _START

    def grow(self, more: int) -> None:
        """Makes room for `more` bytes behind the written ones."""
        capacity = self.capacity * 2
        while capacity - self.length < more:
            capacity *= 2
        data = bytearray(capacity)
        data[: self.length] = self.data[: self.length]
        self.data = data
        self.p = data
        self.capacity = capacity

    def put_byte(self, value: int) -> None:
        if self.length == self.capacity:
            self.grow(1)
        self.p[self.length] = value
        self.length += 1

    def put_long(self, value: int) -> None:
        """An Avro int or long: zigzag, then 7 bits a byte, the lowest first."""
        if self.capacity - self.length < 10:
            self.grow(10)
        z = value << 1 if value >= 0 else ~(value << 1)
        n = self.length
        while z > 127:
            self.p[n] = z & 127 | 128
            z >>= 7
            n += 1
        self.p[n] = z
        self.length = n + 1

    def put(self, src: Any, pos: int, size: int) -> None:
        """`size` bytes of the memory `src` as they are."""
        if self.capacity - self.length < size:
            self.grow(size)
        memcpy(self.p + self.length, src + pos, size)
        self.length += size

    def put_bytes(self, src: Any, pos: int, size: int) -> None:
        """An Avro bytes or string: its length, then the bytes."""
        self.put_long(size)
        self.put(src, pos, size)

    def put_object(self, value: bytes) -> None:
        """All of `value`, without a length."""
        self.put(value, 0, len(value))

    def put_zeros(self, size: int) -> None:
        while size > 0:
            self.put_byte(0)
            size -= 1

    def put_slice(self, other: "RowBuffer", start: int, end: int) -> None:
        """The bytes from `start` to `end` of another buffer."""
        self.put(other.p, start, end - start)

    def put_buffer(self, other: "RowBuffer") -> None:
        """All of another buffer."""
        self.put(other.p, 0, other.length)

    def byte_at(self, at: int) -> int:
        byte: int = self.p[at]
        return byte

    def set_byte(self, at: int, value: int) -> None:
        self.p[at] = value

    def take(self, start: int, end: int) -> bytes:
        """A copy of the bytes from `start` to `end`."""
        copy: bytes = self.p[start:end]
        return copy


def little(src: bytes, pos: int, size: int) -> int:
    """An unsigned little-endian number of up to 8 bytes."""
    value = 0
    while size > 0:
        size -= 1
        value = value << 8 | src[pos + size]
    return value


def big(src: bytes, pos: int, size: int) -> int:
    """An unsigned big-endian number of up to 8 bytes."""
    value = 0
    for i in range(size):
        value = value << 8 | src[pos + i]
    return value


if not cython.compiled:
    from mysync_producer.purebuffer import (  # type: ignore[assignment]
        RowBuffer,
        big,  # noqa: F401
        little,  # noqa: F401
    )
