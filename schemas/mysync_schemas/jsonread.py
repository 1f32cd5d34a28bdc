# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""Binary JSON → text. Hot path: compiled where there is a compiler (types in `jsonread.pxd`).

The format is described in `jsonb`. Nothing is trusted: whatever points outside of its container is
a JsonError. A corrupt document's elements could share their bytes, and a small one then stand for
an endless text; so bytes are counted as they are read, and no more than there are may be.
"""

from json.encoder import encode_basestring
from struct import Struct

import cython

from mysync_schemas.errors import JsonError
from mysync_schemas.jsontext import double_text, opaque_text

_DOUBLE = Struct("<d")
_LITERALS = ("null", "true", "false")


class Reader:
    """Walks one document. `exact` turns false at the first thing that text can't carry."""

    def __init__(self, data: bytes, max_depth: int) -> None:
        self.data = data
        self.buf = data
        self.exact = True
        self.unread = len(data)
        self.max_depth = max_depth
        self.size = 0
        self.one = 1

    def document(self) -> str:
        """The text of the whole (not empty) document."""
        return self.value(self.buf[0], 1, len(self.data), 1)

    def corrupt(self, what: str, pos: int) -> JsonError:
        return JsonError(f"corrupt binary JSON: {what} at byte {pos} of {len(self.data)}")

    def take(self, size: int, pos: int) -> None:
        self.unread -= size
        if self.unread < 0:
            raise self.corrupt("elements share their bytes", pos)

    def little(self, pos: int, width: int) -> int:
        """An unsigned number; the caller has compared its end."""
        if cython.compiled:
            number = 0
            while width > 0:
                width -= 1
                number = number << 8 | self.buf[pos + width]
            return number
        return int.from_bytes(self.data[pos : pos + width], "little")

    def value(self, kind: int, pos: int, end: int, depth: int) -> str:
        """The text of the value at `pos`, which must not reach beyond `end`."""
        if kind == 0x0C:  # string
            pos = self.sized(pos, end)
            return encode_basestring(self.string(pos, self.size))
        if kind <= 0x03:
            return self.container(kind, pos, end, depth)
        if kind == 0x04:  # literal
            if pos >= end or self.buf[pos] > 2:
                raise self.corrupt("no literal", pos)
            return _LITERALS[self.buf[pos]]
        if kind <= 0x0B:
            return self.number(kind, pos, end)
        if kind == 0x0F:  # opaque
            self.exact = False
            if pos >= end:
                raise self.corrupt("an opaque value ends", pos)
            field_type = self.buf[pos]
            pos = self.sized(pos + 1, end)
            return opaque_text(field_type, self.data[pos : pos + self.size])
        raise self.corrupt(f"unknown type 0x{kind:02x}", pos)

    def number(self, kind: int, pos: int, end: int) -> str:
        # 05 int16, 06 uint16, 07 int32, 08 uint32, 09 int64, 0a uint64, 0b double
        width = 2 if kind <= 0x06 else 4 if kind <= 0x08 else 8
        if width > end - pos:
            raise self.corrupt("a number ends", pos)
        if kind == 0x0B:
            return double_text(_DOUBLE.unpack_from(self.data, pos)[0])
        bits = self.little(pos, width)
        unsigned = kind == 0x06 or kind == 0x08 or kind == 0x0A
        negative = not unsigned and bits >> (8 * width - 1) != 0
        # Which integers a text gives back with their type: `jsonb.from_text`.
        if unsigned != (not negative and bits >> 32 != 0):
            self.exact = False
        if negative:
            return f"-{self.magnitude(bits, width)}"
        return f"{bits}"

    def magnitude(self, bits: int, width: int) -> int:
        """What a negative number's two's complement stands for, without its sign."""
        half = self.one << (8 * width - 1)
        return half - (bits - half)

    def sized(self, pos: int, end: int) -> int:
        """A length of 1 to 5 bytes (7 bits each, lowest first) into `size`; the data's start."""
        size = 0
        shift = 0
        while pos < end and shift < 35:
            byte = self.buf[pos]
            pos += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                if size > end - pos:
                    raise self.corrupt(f"{size} bytes are announced, {end - pos} left", pos)
                self.take(size, pos)
                self.size = size
                return pos
            shift += 7
        raise self.corrupt("a length doesn't end", pos)

    def string(self, pos: int, size: int) -> str:
        raw = self.data[pos : pos + size]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.exact = False
            return raw.decode(errors="replace")

    def container(self, kind: int, start: int, end: int, depth: int) -> str:
        if depth > self.max_depth:
            raise self.corrupt(f"nested deeper than {self.max_depth} levels", start)
        width = 4 if kind & 1 else 2
        is_object = kind <= 0x01
        keys = start + 2 * width
        if keys > end:
            raise self.corrupt("a container's header ends", start)
        count = self.little(start, width)
        size = self.little(start + width, width)
        values = keys + count * (width + 2) if is_object else keys
        first = values + count * (width + 1)
        if size > end - start or first > start + size:
            raise self.corrupt(f"{count} elements and {size} bytes don't fit", start)
        self.take(first - start, start)
        end = start + size
        parts = []
        before = b""
        before_size = -1
        for i in range(count):
            text = self.element(values + i * (width + 1), width, start, first, end, depth + 1)
            if is_object:
                entry = keys + i * (width + 2)
                pos = start + self.little(entry, width)
                length = self.little(entry + width, 2)
                if pos < first or pos + length > end:
                    raise self.corrupt("a key lies outside its object", entry)
                self.take(length, pos)
                key = self.data[pos : pos + length]
                if length < before_size or (length == before_size and key <= before):
                    self.exact = False
                before = key
                before_size = length
                text = f"{encode_basestring(self.string(pos, length))}: {text}"
            parts.append(text)
        joined = ", ".join(parts)
        return f"{{{joined}}}" if is_object else f"[{joined}]"

    def element(self, entry: int, width: int, start: int, first: int, end: int, depth: int) -> str:
        """The value of an entry: inside of it, or where its offset points."""
        kind = self.buf[entry]
        if kind >= 0x04 and (kind <= 0x06 or (width == 4 and kind <= 0x08)):
            return self.value(kind, entry + 1, entry + 1 + width, depth)
        pos = start + self.little(entry + 1, width)
        if pos < first or pos >= end:
            raise self.corrupt("an element lies outside its container", entry)
        return self.value(kind, pos, end, depth)
