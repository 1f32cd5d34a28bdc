# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""The buffer that a row image is built in.

Compiled it is raw memory with a checked capacity (types in `imagebuffer.pxd`), uncompiled a
bytearray; `cython.compiled` separates the two here and nowhere else. Numbers in row images have a
fixed width: little-endian ones (integers, lengths, DATE) and big-endian ones (DECIMAL, temporals).
"""

import cython

if cython.compiled:
    from cython.cimports.cpython.bytearray import PyByteArray_AS_STRING, PyByteArray_Resize
    from cython.cimports.libc.string import memcpy

_START = 1 << 12
_KEPT = 1 << 20


class ImageBuffer:
    """Bytes under construction. `clear` it before each use; memory beyond 1 MiB is given back."""

    def __init__(self) -> None:
        if cython.compiled:
            self.data = bytearray(_START)
            self.capacity = _START
            self.p = self.data
        else:
            self.data = bytearray()
        self.length = 0

    def clear(self) -> None:
        if cython.compiled:
            self.length = 0
            if self.capacity > _KEPT:
                self.data = bytearray(_START)
                self.capacity = _START
                self.p = self.data
        else:
            self.data.clear()

    def size(self) -> int:
        if cython.compiled:
            return self.length
        return len(self.data)

    def grow(self, more: int) -> None:
        """Makes room for `more` bytes behind the written ones (compiled only)."""
        capacity = self.capacity * 2
        while capacity - self.length < more:
            capacity *= 2
        data = bytearray(capacity)
        memcpy(PyByteArray_AS_STRING(data), self.p, self.length)
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

    def put_zeros(self, count: int) -> None:
        while count > 0:
            self.put_byte(0)
            count -= 1

    def put_little(self, value: int, width: int) -> None:
        """The low `width` bytes of a number (two's complement if negative), lowest first."""
        if cython.compiled:
            if self.capacity - self.length < width:
                self.grow(width)
            for i in range(width):
                self.p[self.length + i] = value & 0xFF
                value >>= 8
            self.length += width
        else:
            self.data += (value & (1 << 8 * width) - 1).to_bytes(width, "little")

    def put_big(self, value: int, width: int) -> None:
        """The low `width` bytes of a number, highest first."""
        if cython.compiled:
            if self.capacity - self.length < width:
                self.grow(width)
            i = width
            while i > 0:
                i -= 1
                self.p[self.length + i] = value & 0xFF
                value >>= 8
            self.length += width
        else:
            self.data += (value & (1 << 8 * width) - 1).to_bytes(width, "big")

    def put(self, src: bytes, start: int, end: int) -> None:
        """The source's bytes from `start` to `end`."""
        if cython.compiled:
            if self.capacity - self.length < end - start:
                self.grow(end - start)
            source = cython.cast("const unsigned char *", src)
            memcpy(
                cython.cast("unsigned char *", self.p) + self.length, source + start, end - start
            )
            self.length += end - start
        else:
            self.data += src[start:end]

    def put_object(self, value: bytes) -> None:
        """All of `value`."""
        if cython.compiled:
            self.put(value, 0, len(value))
        else:
            self.data += value

    def set_bit(self, at: int, bit: int) -> None:
        """Sets a bit of the bitmap that begins at `at`."""
        if cython.compiled:
            self.p[at + (bit >> 3)] |= 1 << (bit & 7)
        else:
            self.data[at + (bit >> 3)] |= 1 << (bit & 7)

    def invert(self, start: int, end: int) -> None:
        """Complements every bit from `start` to `end`."""
        while start < end:
            if cython.compiled:
                self.p[start] ^= 0xFF
            else:
                self.data[start] ^= 0xFF
            start += 1

    def flip_sign(self, at: int) -> None:
        """Complements the highest bit of one byte."""
        if cython.compiled:
            self.p[at] ^= 0x80
        else:
            self.data[at] ^= 0x80

    def append_to(self, out: bytearray) -> None:
        """Appends everything to `out`."""
        if cython.compiled:
            before = len(out)
            PyByteArray_Resize(out, before + self.length)
            memcpy(PyByteArray_AS_STRING(out) + before, self.p, self.length)
        else:
            out += self.data
