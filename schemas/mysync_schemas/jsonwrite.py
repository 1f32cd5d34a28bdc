# cython: annotation_typing=False, cdivision=True, boundscheck=False, wraparound=False
"""JSON values → binary JSON. Hot path: compiled where there is a compiler (see `jsonwrite.pxd`).

Makes what the server would have written (the format is described in `jsonb`): keys ordered by
length, then bytes; the small format wherever it fits; small numbers and literals inside of their
entries. A value is (type byte, body); `append` puts both behind one another.
"""

from struct import Struct

import cython

from mysync_schemas.errors import JsonError

_I16, _I32, _I64, _U64 = Struct("<h"), Struct("<i"), Struct("<q"), Struct("<Q")
_DOUBLE = Struct("<d")
_NULL, _TRUE, _FALSE = (4, b"\x00"), (4, b"\x01"), (4, b"\x02")
_INFINITY = float("inf")


def encode(value: object, depth: int, max_depth: int) -> tuple[int, bytes]:
    """Type byte and body of a value that `json` made of a text."""
    kind = type(value)
    if kind is str:
        return 0x0C, sized(value.encode())  # type: ignore[attr-defined]
    if kind is int:
        return integer(value)  # type: ignore[arg-type]
    if value is None:
        return _NULL
    if kind is bool:
        return _TRUE if value else _FALSE
    if kind is float:
        if value - value != 0:  # type: ignore[operator]
            raise JsonError("JSON text holds a number beyond DOUBLE")
        return 0x0B, _DOUBLE.pack(value)
    if depth > max_depth:
        raise JsonError(f"JSON text is nested deeper than {max_depth} levels")
    elements = []
    if kind is list:
        items = [encode(item, depth + 1, max_depth) for item in value]  # type: ignore[attr-defined]
        return container(0x02, [], items)
    encoded = [(key.encode(), inner) for key, inner in value.items()]  # type: ignore[attr-defined]
    encoded.sort(key=by_name)
    names = []
    for name, inner in encoded:
        if len(name) > 0xFFFF:
            raise JsonError(f"JSON text holds a key of {len(name)} bytes, over 65,535")
        names.append(name)
        elements.append(encode(inner, depth + 1, max_depth))
    return container(0x00, names, elements)


def by_name(pair: tuple[bytes, object]) -> tuple[int, bytes]:
    return len(pair[0]), pair[0]


def integer(value: int) -> tuple[int, bytes]:
    """The narrowest signed type; from 2³² on unsigned, as the server reads it from a text."""
    if -0x8000 <= value <= 0x7FFF:
        return 0x05, _I16.pack(value)
    if -0x8000_0000 <= value <= 0x7FFF_FFFF:
        return 0x07, _I32.pack(value)
    if value < 1 << 32:
        return 0x09, _I64.pack(value)
    return 0x0A, _U64.pack(value)


def sized(data: bytes) -> bytes:
    """Bytes behind their length: 7 bits a byte, lowest first."""
    size = len(data)
    if size < 0x80:
        return bytes((size,)) + data
    head = bytearray()
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def container(
    kind: int, names: list[bytes], elements: list[tuple[int, bytes]]
) -> tuple[int, bytes]:
    """An object (names in their order) or array, small if all of it fits into 65,535 bytes.

    The children's own formats don't depend on this one's: a child too big for the small format
    makes its parent too big for it as well.
    """
    small = packed(2, kind, names, elements)
    if small is not None:
        return kind, small
    large = packed(4, kind, names, elements)
    if large is None:
        raise JsonError("a JSON document over 4 GiB")
    return kind + 1, large


def packed(
    width: int, kind: int, names: list[bytes], elements: list[tuple[int, bytes]]
) -> bytes | None:
    """The container with counts and offsets of `width` bytes; None if that can't hold its size."""
    offset = 2 * width + len(elements) * (width + 1)
    if kind == 0x00:
        offset += len(names) * (width + 2)
    size = offset
    for name in names:
        size += len(name)
    for element, body in elements:
        if not inlined(element, width):
            size += len(body)
    if size >> 8 * width:
        return None
    # The entries are written into place, keys and values follow.
    head = bytearray(offset)
    poke(head, 0, len(elements), width)
    poke(head, width, size, width)
    at = 2 * width
    for name in names:
        poke(head, at, offset, width)
        poke(head, at + width, len(name), 2)
        at += width + 2
        offset += len(name)
    parts = list(names)
    for element, body in elements:
        head[at] = element
        if inlined(element, width):
            inline(head, at + 1, body, width, element)
        else:
            poke(head, at + 1, offset, width)
            offset += len(body)
            parts.append(body)
        at += width + 1
    return bytes(head) + b"".join(parts)


def inlined(kind: int, width: int) -> bool:
    """Literals and 16-bit numbers stand in their entries, 32-bit ones in the wide entries too."""
    return kind >= 0x04 and (kind <= 0x06 or (width == 4 and kind <= 0x08))


def inline(head: bytearray, at: int, body: bytes, width: int, kind: int) -> None:
    """A value in its entry: an int16 is widened with its sign, all else with zeros."""
    size = len(body)
    fill = 0xFF if kind == 0x05 and body[1] >= 0x80 else 0
    for i in range(width):
        head[at + i] = body[i] if i < size else fill


def poke(head: bytearray, at: int, value: int, width: int) -> None:
    """Writes a little-endian number."""
    if cython.compiled:
        while width > 0:
            head[at] = value & 0xFF
            value >>= 8
            at += 1
            width -= 1
    else:
        head[at : at + width] = value.to_bytes(width, "little")
