"""Avro's primitive encodings. Hot path: compiled where there is a compiler.

Writers append to a `bytearray`; readers take a buffer and a position and give the value and the
position behind it. Nothing is read past the end of the buffer: `Truncated` instead.
Source: Avro specification 1.12, "Binary Encoding".
"""

from __future__ import annotations

import cython

from mysync_schemas.errors import BadRecord, Truncated

__all__ = [
    "encode_long",
    "read_boolean",
    "read_bytes",
    "read_long",
    "read_string",
    "skip_bytes",
    "write_boolean",
    "write_bytes",
    "write_long",
    "write_string",
]

_MIN = -(1 << 63)
_MAX = (1 << 63) - 1


@cython.locals(v=cython.longlong, z=cython.ulonglong)
def write_long(out: bytearray, value: int) -> None:
    """An int or long: zigzag, then 7 bits a byte. Raises `OverflowError` outside of 64 bits."""
    # Compiled, the next assignment checks this.
    if not cython.compiled and not _MIN <= value <= _MAX:
        raise OverflowError(f"{value} doesn't fit an Avro long")
    v = value
    if v >= 0:
        z = v
        z = z << 1
    else:
        z = -(v + 1)
        z = z << 1 | 1
    while z > 0x7F:
        out.append((z & 0x7F) | 0x80)
        z >>= 7
    out.append(z)


def encode_long(value: int) -> bytes:
    """The bytes that `write_long` appends."""
    out = bytearray()
    write_long(out, value)
    return bytes(out)


def write_bytes(out: bytearray, data: bytes) -> None:
    """Bytes (or a string's UTF-8): length, then the bytes."""
    write_long(out, len(data))
    out += data


def write_string(out: bytearray, text: str) -> None:
    """A string. Raises `UnicodeEncodeError` for lone surrogates."""
    write_bytes(out, text.encode("utf-8"))


def write_boolean(out: bytearray, value: bool) -> None:
    """One byte, 0 or 1."""
    out.append(1 if value else 0)


@cython.locals(
    z=cython.ulonglong,
    b=cython.ulonglong,
    shift=cython.int,
    at=cython.Py_ssize_t,
    end=cython.Py_ssize_t,
    v=cython.longlong,
)
def read_long(buf: bytes, pos: int) -> tuple[int, int]:
    """(an int or long, the position behind it)."""
    at = pos
    end = len(buf)
    z = 0
    shift = 0
    while True:
        if at < 0 or at >= end:
            raise Truncated(f"an Avro long begins at byte {pos} and runs past the end, byte {end}")
        b = buf[at]
        at += 1
        if shift == 63 and b > 1:
            raise Truncated(f"the Avro long at byte {pos} is longer than 64 bits")
        z |= (b & 0x7F) << shift
        if b < 0x80:
            break
        shift += 7
    v = z >> 1
    if z & 1:
        v = -v - 1
    return v, at


def _length(buf: bytes, pos: int) -> tuple[int, int]:
    length, at = read_long(buf, pos)
    if length < 0 or length > len(buf) - at:
        raise Truncated(
            f"length {length} at byte {pos} is impossible: {len(buf) - at} bytes are left"
        )
    return length, at


def read_bytes(buf: bytes, pos: int) -> tuple[bytes, int]:
    """(bytes, the position behind them)."""
    length, at = _length(buf, pos)
    return bytes(buf[at : at + length]), at + length


def skip_bytes(buf: bytes, pos: int) -> int:
    """The position behind bytes or a string."""
    length, at = _length(buf, pos)
    return at + length


def read_string(buf: bytes, pos: int) -> tuple[str, int]:
    """(a string, the position behind it)."""
    data, at = read_bytes(buf, pos)
    try:
        return data.decode("utf-8"), at
    except UnicodeDecodeError as error:
        raise BadRecord(f"the Avro string at byte {pos} isn't UTF-8") from error


def read_boolean(buf: bytes, pos: int) -> tuple[bool, int]:
    """(a boolean, the position behind it)."""
    if not 0 <= pos < len(buf):
        raise Truncated(f"an Avro boolean at byte {pos} is past the end, byte {len(buf)}")
    if buf[pos] > 1:
        raise BadRecord(f"byte {pos} is 0x{buf[pos]:02x}, not an Avro boolean")
    return buf[pos] == 1, pos + 1
