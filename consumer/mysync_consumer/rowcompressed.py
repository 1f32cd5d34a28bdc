# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Value writer of MariaDB's COMPRESSED columns: the image holds what the server would store.

Format: `mysync_schemas.columncompression`. The target stores these bytes as they are; they may be
others than the source's, which may compress more or less: the values are the same.

Where a table has no key, the server finds a row by these bytes: there values stay uncompressed if
they fit, so that the bytes don't depend on anybody's zlib. Rows that someone else has put into such
a table are found only if they are stored alike.
"""

from mysync_consumer.imagebuffer import ImageBuffer
from mysync_consumer.rowvalues import ValueWriter
from mysync_schemas.columncompression import compress

# Of the plain value, as its own writer writes it.
PREFIX = 4


class CompressedWriter(ValueWriter):
    """`plain` writes the plain value behind PREFIX bytes of length, and knows what it may be.
    `keyless`: rows are found by what is stored."""

    def __init__(self, plain: ValueWriter, prefix: int, limit: int, keyless: bool) -> None:
        ValueWriter.__init__(self, plain.name, plain.nullable, plain.normal, plain.exceptional)
        self.prefix = prefix
        self.limit = limit
        self.plain = plain
        self.keyless = keyless
        self.scratch = ImageBuffer()

    def put(self, buf: bytes, out: ImageBuffer) -> None:
        plain = self.plain
        plain.odd = self.odd
        plain.start = self.start
        plain.end = self.end
        self.scratch.clear()
        plain.put(buf, self.scratch)
        framed = bytearray()
        self.scratch.append_to(framed)
        value = bytes(framed[PREFIX:])
        if self.keyless and 0 < len(value) < self.limit:
            self.put_object(b"\0" + value, out)
        else:
            self.put_object(compress(value), out)
