"""MariaDB's COMPRESSED columns: what is stored in place of a value.

Empty is the empty value. Else the first byte is 0 and the value follows as it is, or it is

    0x80   the method: zlib
    0x08   the data is raw deflate, without zlib's header and checksum
    0x07   how many bytes the length of the value has (1 to 4)

and then come this length, big-endian, and the compressed data.

Source: MariaDB, `sql/field.cc` (`compress_zlib`, `uncompress_zlib`), `Field_longstr::compress`.
"""

from __future__ import annotations

import zlib
from typing import Final

from mysync_schemas.errors import BadCompression

__all__ = ["COMPRESSED", "compress", "decompress", "is_compressed"]

COMPRESSED: Final = "/*M!100301 COMPRESSED*/"
"""What the COLUMN_TYPE of a COMPRESSED column ends with."""

_ZLIB: Final = 0x80
_RAW: Final = 0x08
_LENGTH: Final = 0x07
# MariaDB's default of column_compression_threshold: what is shorter stays as it is.
_THRESHOLD: Final = 100


def is_compressed(column_type: str) -> bool:
    """Whether this COLUMN_TYPE is one of a COMPRESSED column."""
    return column_type.endswith(COMPRESSED)


def compress(value: bytes) -> bytes:
    """The shorter of both forms, as a server with its default settings stores it."""
    size = len(value)
    if size == 0:
        return b""
    if size >= _THRESHOLD:
        width = (size.bit_length() + 7) // 8
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = deflate.compress(value) + deflate.flush()
        if width + len(data) < size:
            return bytes((_ZLIB | _RAW | width,)) + size.to_bytes(width, "big") + data
    return b"\0" + value


def decompress(stored: bytes, limit: int) -> bytes:
    """The value, of at most `limit` bytes: no more memory is ever taken. Raises BadCompression."""
    if not stored:
        return b""
    method = stored[0]
    if method == 0:
        return stored[1:]
    width = method & _LENGTH
    if method & 0xF0 != _ZLIB or not 1 <= width <= 4 or len(stored) < 1 + width:
        raise BadCompression(f"a compressed value that begins with {stored[:6].hex()}")
    size = int.from_bytes(stored[1 : 1 + width], "big")
    if size > limit:
        raise BadCompression(f"a compressed value of {size} bytes in a column of at most {limit}")
    inflate = zlib.decompressobj(-zlib.MAX_WBITS if method & _RAW else zlib.MAX_WBITS)
    try:
        value = inflate.decompress(stored[1 + width :], size + 1)
    except zlib.error as error:
        raise BadCompression(f"a compressed value that can't be read: {error}") from error
    if len(value) != size or not inflate.eof or inflate.unused_data:
        raise BadCompression(f"a compressed value that isn't the {size} bytes it says")
    return value
