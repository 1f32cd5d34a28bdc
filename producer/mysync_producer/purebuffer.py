"""What stands in for `rowbuffer` where nothing is compiled: there a RowBuffer is a bytearray.

Most of its methods are bytearray's own under the names that the transcoder uses: a method written
in Python would cost more than what it does.
"""

from typing import Any

_BITS = 14
_LOW = (1 << _BITS) - 1
# The last one or two bytes of a varint, and two that go on, by their 14 bits.
_LAST = [bytes([z]) if z < 128 else bytes([z & 127 | 128, z >> 7]) for z in range(1 << _BITS)]
_MORE = [bytes([z & 127 | 128, z >> 7 | 128]) for z in range(1 << _BITS)]


class RowBuffer(bytearray):
    """Bytes under construction, in Avro's binary encoding (Avro specification 1.12)."""

    size = bytearray.__len__
    byte_at = bytearray.__getitem__
    set_byte = bytearray.__setitem__
    put_byte = bytearray.append
    put_object = bytearray.extend
    put_buffer = bytearray.extend

    def put_long(self, value: int) -> None:
        """An Avro int or long: zigzag, then 7 bits a byte, the lowest first."""
        z = value << 1 if value >= 0 else ~(value << 1)
        while z > _LOW:
            self += _MORE[z & _LOW]
            z >>= _BITS
        self += _LAST[z]

    def put(self, src: Any, pos: int, size: int) -> None:
        """`size` bytes of `src` as they are."""
        self += src[pos : pos + size]

    def put_bytes(self, src: Any, pos: int, size: int) -> None:
        """An Avro bytes or string: its length, then the bytes."""
        if size <= _LOW >> 1:
            self += _LAST[size << 1]
        else:
            self.put_long(size)
        self += src[pos : pos + size]

    def put_zeros(self, size: int) -> None:
        self.extend(bytes(size))

    def put_slice(self, other: bytearray, start: int, end: int) -> None:
        """The bytes from `start` to `end` of another buffer."""
        self += other[start:end]

    def take(self, start: int, end: int) -> bytes:
        """A copy of the bytes from `start` to `end`."""
        return bytes(self[start:end])


def little(src: bytes, pos: int, size: int) -> int:
    """An unsigned little-endian number."""
    return int.from_bytes(src[pos : pos + size], "little")


def big(src: bytes, pos: int, size: int) -> int:
    """An unsigned big-endian number."""
    return int.from_bytes(src[pos : pos + size], "big")
