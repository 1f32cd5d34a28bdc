# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value codec of MariaDB's COMPRESSED columns: the wire carries the plain value.

Format: `mysync_schemas.columncompression`.
"""

from mysync_producer.rowbuffer import RowBuffer
from mysync_producer.rowerrors import BadValue
from mysync_producer.rowimage import ValueCodec
from mysync_producer.rowtext import SizedCodec
from mysync_schemas.columncompression import decompress
from mysync_schemas.errors import BadCompression

# Of the plain value, as the codec of the plain value reads it.
PREFIX = 4


class CompressedCodec(SizedCodec):
    """At most `limit` bytes are stored, `plain_limit` are in a value; `plain` is the codec of such
    values behind PREFIX bytes of length, and writes the union's branch."""

    def __init__(self, prefix: int, limit: int, plain: ValueCodec, plain_limit: int) -> None:
        SizedCodec.__init__(self, plain.nullable, plain.exceptional >= 0, prefix, limit)
        self.plain = plain
        self.plain_limit = plain_limit

    def put(self, src: bytes, pos: int, end: int, out: RowBuffer) -> int:
        size = self.size_at(src, pos, end)
        pos += self.prefix
        stored = src[pos : pos + size]
        try:
            value = decompress(stored, self.plain_limit)
        except BadCompression as error:
            raise BadValue(str(error)) from None
        value = len(value).to_bytes(PREFIX, "little") + value
        self.plain.put(value, 0, len(value), out)
        return pos + size
