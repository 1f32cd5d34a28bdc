"""A binary JSON document after a partial update (binlog_row_value_options=PARTIAL_JSON).

The log holds an update of a document as a list of differences, to be applied one after another:
an operation (0 replace, 1 insert, 2 remove), a path without wildcards, and, but for a removal, a
binary document. Lengths are length-encoded integers (client/server protocol). Source of the format
and of what each operation demands: MySQL source documentation, `Json_diff_vector`,
`enum_json_diff_operation`. Binary JSON itself is described in `jsonb`.

Only the containers on a path are taken apart and written anew; all others are copied as they are,
holes of earlier partial updates included.
"""

import json
import re
from collections.abc import Sequence

from mysync_schemas.errors import JsonError
from mysync_schemas.jsonwrite import container, inlined

__all__ = ["apply_diffs"]

_REPLACE, _INSERT, _REMOVE = range(3)
_OBJECT, _ARRAY = 0x00, 0x02
_MAX_LEGS = 100  # as deep as a document may be (JSON_DOCUMENT_MAX_DEPTH)

# One leg: .name, ."quoted name", [7], [last], [last-7]
_LEG = re.compile(
    r'\s*(?:\.\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^\s."\[\]*]+))'
    r"|\[\s*(?:(?P<cell>\d{1,10})|last(?:\s*-\s*(?P<back>\d{1,10}))?)\s*\])"
)
# Bytes of the values that have no length of their own; small ones stand in their entries.
_FIXED = {0x04: 1, 0x05: 2, 0x06: 2, 0x07: 4, 0x08: 4, 0x09: 8, 0x0A: 8, 0x0B: 8}

Leg = bytes | tuple[bool, int]
"""A member's name, or a cell: whether it is counted from the last one, and its number."""


class _Packed:
    """A value as it stands in the document."""

    def __init__(self, kind: int, body: bytes) -> None:
        self.kind = kind
        self.body = body

    def packed(self) -> tuple[int, bytes]:
        return self.kind, self.body


class _Object:
    def __init__(self, members: dict[bytes, "_Node"]) -> None:
        self.members = members

    def packed(self) -> tuple[int, bytes]:
        names = sorted(self.members, key=lambda name: (len(name), name))
        return container(_OBJECT, names, [self.members[name].packed() for name in names])


class _Array:
    def __init__(self, cells: list["_Node"]) -> None:
        self.cells = cells

    def packed(self) -> tuple[int, bytes]:
        return container(_ARRAY, [], [cell.packed() for cell in self.cells])


_Node = _Packed | _Object | _Array


def apply_diffs(document: bytes, diffs: bytes) -> bytes:
    """The document after all differences, in their order.

    Raises:
        JsonError: bytes that aren't a document or differences, or a difference that doesn't fit the
            document.
    """
    if not diffs:
        return document
    # An empty document reads as null.
    root = _opened(_Packed(document[0], document[1:]) if document else _Packed(4, b"\0"))
    at = 0
    while at < len(diffs):
        operation = diffs[at]
        if operation > _REMOVE:
            raise JsonError(f"unknown operation {operation} in a partial JSON update")
        path, at = _sized(diffs, at + 1)
        value: _Node | None = None
        if operation != _REMOVE:
            data, at = _sized(diffs, at)
            value = _Packed(data[0], data[1:]) if data else _Packed(4, b"\0")
        try:
            _apply(root, operation, _legs(path), value)
        except (KeyError, IndexError):
            raise JsonError(
                f"a partial JSON update names {path.decode('utf-8', 'replace')}, where the "
                "document has no such place"
            ) from None
    kind, body = root.packed()
    return bytes((kind,)) + body


def _apply(root: _Node, operation: int, legs: Sequence[Leg], value: _Node | None) -> None:
    """Raises KeyError and IndexError where the document has no such place."""
    if not legs:
        raise IndexError
    parent = root
    for leg in legs[:-1]:
        parent = _child(parent, leg)
    leg = legs[-1]
    if isinstance(parent, _Object) and isinstance(leg, bytes):
        if (leg in parent.members) == (operation == _INSERT):
            raise KeyError
        if value is None:
            del parent.members[leg]
        else:
            parent.members[leg] = value
    elif isinstance(parent, _Array) and isinstance(leg, tuple):
        index = _index(leg, len(parent.cells))
        if operation == _INSERT and value is not None:
            parent.cells.insert(max(index, 0), value)
        elif not 0 <= index < len(parent.cells):
            raise IndexError
        elif value is None:
            del parent.cells[index]
        else:
            parent.cells[index] = value
    else:
        raise KeyError


def _child(parent: _Node, leg: Leg) -> _Node:
    """The container at a leg, taken apart in its place."""
    if isinstance(parent, _Object) and isinstance(leg, bytes):
        child = parent.members[leg] = _opened(parent.members[leg])
        return child
    if isinstance(parent, _Array) and isinstance(leg, tuple):
        index = _index(leg, len(parent.cells))
        if index < 0:
            raise IndexError
        child = parent.cells[index] = _opened(parent.cells[index])
        return child
    raise KeyError


def _index(leg: tuple[bool, int], size: int) -> int:
    from_last, number = leg
    return size - 1 - number if from_last else number


def _legs(path: bytes) -> list[Leg]:
    """A path as the server writes it: `$`, then members and cells."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        raise JsonError("a JSON path that isn't UTF-8") from None
    if not text.startswith("$"):
        raise JsonError(f"a JSON path that doesn't begin with $: {text}")
    legs: list[Leg] = []
    at = 1
    while at < len(text):
        leg = _LEG.match(text, at)
        if leg is None:
            raise JsonError(f"a JSON path that can't be read: {text}")
        if leg["quoted"] is not None:
            try:
                legs.append(str(json.loads(f'"{leg["quoted"]}"', strict=False)).encode())
            except ValueError:
                raise JsonError(f"a JSON path that can't be read: {text}") from None
        elif leg["name"] is not None:
            legs.append(leg["name"].encode())
        else:
            legs.append((leg["cell"] is None, int(leg["cell"] or leg["back"] or 0)))
        at = leg.end()
    if len(legs) > _MAX_LEGS:
        raise JsonError(f"a JSON path of {len(legs)} legs")
    return legs


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes behind a length-encoded integer, and where they end."""
    first = data[at] if at < len(data) else 255
    size = {252: 2, 253: 3, 254: 8}.get(first, 0)
    start = at + 1 + size
    length = int.from_bytes(data[at + 1 : start], "little") if size else first
    if first in (251, 255) or length > len(data) - start:
        raise JsonError("a partial JSON update is cut short")
    return data[start : start + length], start + length


# -- taking a document apart


def _opened(node: _Node) -> _Node:
    """A container with its children apart; anything else as it is."""
    if not isinstance(node, _Packed) or node.kind > 0x03:
        return node
    kind, body = node.kind, node.body
    width = 4 if kind & 1 else 2
    count, size = _uint(body, 0, width), _uint(body, width, width)
    if size > len(body):
        raise JsonError(f"corrupt binary JSON: a container of {size} bytes in {len(body)}")
    body = body[:size]
    keys = 2 * width
    is_object = kind <= 0x01
    values = keys + count * (width + 2) if is_object else keys
    children: list[_Node] = [_element(body, values + i * (width + 1), width) for i in range(count)]
    if not is_object:
        return _Array(children)
    names = []
    for i in range(count):
        entry = keys + i * (width + 2)
        at, length = _uint(body, entry, width), _uint(body, entry + width, 2)
        names.append(_slice(body, at, length))
    return _Object(dict(zip(names, children, strict=True)))


def _element(body: bytes, entry: int, width: int) -> _Packed:
    kind = _uint(body, entry, 1)
    if inlined(kind, width):
        return _Packed(kind, _slice(body, entry + 1, _FIXED[kind]))
    at = _uint(body, entry + 1, width)
    return _Packed(kind, _slice(body, at, _extent(kind, body, at)))


def _extent(kind: int, body: bytes, at: int) -> int:
    """How many bytes the value at `at` has."""
    if kind in _FIXED:
        return _FIXED[kind]
    if kind <= 0x03:
        width = 4 if kind & 1 else 2
        return _uint(body, at + width, width)
    if kind not in (0x0C, 0x0F):
        raise JsonError(f"corrupt binary JSON: unknown type 0x{kind:02x}")
    start = at + 1 if kind == 0x0F else at
    size = shift = 0
    for position in range(start, start + 5):
        byte = _uint(body, position, 1)
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return position + 1 - at + size
    raise JsonError("corrupt binary JSON: a length doesn't end")


def _uint(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(_slice(data, at, size), "little")


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise JsonError(f"corrupt binary JSON: {size} bytes at {at} of {len(data)}")
    return data[at : at + size]
