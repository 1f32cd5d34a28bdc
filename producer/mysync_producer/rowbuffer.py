# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""The buffer that rows are transcoded into, and the few loads that read the binlog's numbers.

Compiled, a RowBuffer is raw memory with a checked capacity and sources are plain pointers (the
types are in `rowbuffer.pxd`); uncompiled it is a bytearray. `cython.compiled` separates the two
where the fast way differs, and nowhere else: callers are the same in both.

Reading is never bounds-checked here: who calls has compared `pos + size` with the row's end.
"""

from typing import Any

import cython

if cython.compiled:
    from cython.cimports.libc.string import memcpy

_START = 1 << 16


class RowBuffer:
    """Bytes under construction, in Avro's binary encoding (Avro 1.12 specification)."""

    def __init__(self) -> None:
        if cython.compiled:
            self.data = bytearray(_START)
            self.capacity = _START
            self.p: Any = self.data
        else:
            self.data = bytearray()
        self.length = 0

    def size(self) -> int:
        if cython.compiled:
            return self.length
        return len(self.data)

    def clear(self) -> None:
        """Empties the buffer; memory beyond 1 MiB is given back."""
        if cython.compiled:
            self.length = 0
            if self.capacity > 1 << 20:
                self.data = bytearray(_START)
                self.capacity = _START
                self.p = self.data
        else:
            self.data.clear()

    def grow(self, more: int) -> None:
        """Makes room for `more` bytes behind the written ones (compiled only)."""
        capacity = self.capacity * 2
        while capacity - self.length < more:
            capacity *= 2
        data = bytearray(capacity)
        data[: self.length] = self.data[: self.length]
        self.data = data
        self.p = data
        self.capacity = capacity

    def put_byte(self, value: int) -> None:
        if cython.compiled:
            if self.length == self.capacity:
                self.grow(1)
            self.p[self.length] = value
            self.length += 1
        else:
            self.data.append(value)

    def put_long(self, value: int) -> None:
        """An Avro int or long: zigzag, then 7 bits a byte, the lowest first."""
        if cython.compiled:
            if self.capacity - self.length < 10:
                self.grow(10)
            self.length += varint(self.p + self.length, value)
        else:
            data = self.data
            z = value << 1 if value >= 0 else ~(value << 1)
            while z > 127:
                data.append(z & 127 | 128)
                z >>= 7
            data.append(z)

    def put(self, src: Any, pos: int, size: int) -> None:
        """`size` bytes of `src` (bytes; compiled, any memory) as they are."""
        if cython.compiled:
            if self.capacity - self.length < size:
                self.grow(size)
            memcpy(self.p + self.length, src + pos, size)
            self.length += size
        else:
            self.data += src[pos : pos + size]

    def put_bytes(self, src: bytes, pos: int, size: int) -> None:
        """An Avro bytes or string: its length, then the bytes."""
        self.put_long(size)
        self.put(src, pos, size)

    def put_object(self, value: bytes) -> None:
        """All of `value`, without a length."""
        if cython.compiled:
            self.put(value, 0, len(value))
        else:
            self.data += value

    def put_zeros(self, size: int) -> None:
        while size > 0:
            self.put_byte(0)
            size -= 1

    def put_slice(self, other: "RowBuffer", start: int, end: int) -> None:
        """The bytes from `start` to `end` of another buffer."""
        if cython.compiled:
            self.put(other.p, start, end - start)
        else:
            self.data += other.data[start:end]

    def byte_at(self, at: int) -> int:
        if cython.compiled:
            byte: int = self.p[at]
            return byte
        return self.data[at]

    def take(self, start: int, end: int) -> bytes:
        """A copy of the bytes from `start` to `end`."""
        if cython.compiled:
            copy: bytes = self.p[start:end]
            return copy
        return bytes(self.data[start:end])


def varint(p: bytearray, value: int) -> int:
    """Writes an Avro long to raw memory and returns its size (compiled only)."""
    z = value << 1 if value >= 0 else ~(value << 1)
    n = 0
    while z > 127:
        p[n] = z & 127 | 128
        z >>= 7
        n += 1
    p[n] = z
    return n + 1


def little(src: bytes, pos: int, size: int) -> int:
    """An unsigned little-endian number of up to 8 bytes."""
    if cython.compiled:
        value = 0
        while size > 0:
            size -= 1
            value = value << 8 | src[pos + size]
        return value
    return int.from_bytes(src[pos : pos + size], "little")


def big(src: bytes, pos: int, size: int) -> int:
    """An unsigned big-endian number of up to 8 bytes."""
    if cython.compiled:
        value = 0
        for i in range(size):
            value = value << 8 | src[pos + i]
        return value
    return int.from_bytes(src[pos : pos + size], "big")
