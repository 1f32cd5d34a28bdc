"""Binary JSON and its differences, field by field. Format: `mysync_schemas.jsonb`, `jsondiff`."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

from mysync_schemas import jsonb
from mysync_schemas.errors import JsonError
from mysync_schemas.jsondiff import apply_diffs
from mysync_schemas.jsonwrite import encode, inlined
from structures.bend import Bend, Structure, lenenc

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = (
    st.sampled_from([None, True, False, 0, -1, 1.5, "", 1 << 40, (1 << 64) - 1, -(1 << 63)])
    | st.integers(-70_000, 70_000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
CLEAN = (JsonError,)


def value(document: Any, bend: Bend, wide: bool = False) -> tuple[int, bytes]:
    """Type and body; `wide`: containers of the large format."""
    match document:
        case str():
            data = document.encode()
            return 0x0C, bend.var7(len(data)) + bend.raw(data)
        case list():
            return container(wide, [], [value(each, bend, wide) for each in document], bend)
        case dict():
            pairs = sorted(
                ((k.encode(), v) for k, v in document.items()), key=lambda p: (len(p[0]), p[0])
            )
            names = [name for name, _ in pairs]
            return container(wide, names, [value(each, bend, wide) for _, each in pairs], bend)
        case _:
            kind, body = encode(document, 1, 100)
            return kind, bend.raw(body)


def container(
    wide: bool, names: list[bytes], elements: list[tuple[int, bytes]], bend: Bend
) -> tuple[int, bytes]:
    width = 4 if wide else 2
    elements = bend.order(elements)
    written = [bend.raw(name) for name in names]
    at = 2 * width + len(elements) * (width + 1) + len(names) * (width + 2)
    keys, values, data = b"", b"", b""
    for name in written:
        keys += bend.uint(at + len(data), width) + bend.uint(len(name), 2)
        data += name
    for kind, body in elements:
        values += bend.uint(kind, 1)
        if inlined(kind, width):
            fill = b"\xff" if kind in (5, 7) and body[-1:] >= b"\x80" else b"\0"
            values += bend.raw(body.ljust(width, fill))
        else:
            values += bend.uint(at + len(data), width)
            data += body
    head = bend.uint(len(elements), width) + bend.uint(at + len(data), width)
    return (0 if names else 2) + wide, head + keys + values + data


def document(model: tuple[Any, bool], bend: Bend) -> bytes:
    kind, body = value(filled(model[0]), bend, model[1])
    return bend.uint(kind, 1) + body


def filled(found: Any) -> Any:
    """An object without members can't be told from an array by its names here."""
    if isinstance(found, dict):
        return {name: filled(each) for name, each in found.items()} or []
    return [filled(each) for each in found] if isinstance(found, list) else found


def shown(data: bytes) -> Any:
    return json.loads(jsonb.to_text(data)[0])


DOCUMENT = Structure(
    st.tuples(DOCUMENTS, st.booleans()), document, shown, CLEAN, lambda m: filled(m[0])
)


# -- values of SQL types

_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)


def decimal(precision: int, scale: int) -> bytes:
    """A zero."""
    scale = min(precision, scale)
    before = precision - scale
    size = before // 9 * 4 + _DIGIT_BYTES[before % 9] + scale // 9 * 4 + _DIGIT_BYTES[scale % 9]
    return bytes((precision, scale)) + b"\x80" + bytes(size - 1)


OPAQUE = st.one_of(
    st.tuples(st.sampled_from([7, 10, 11, 12]), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(246), st.builds(decimal, st.integers(1, 65), st.integers(0, 30))),
    st.tuples(st.sampled_from([15, 16, 252, 254]), st.binary(max_size=100)),
)


def opaque(model: list[tuple[int, bytes]], bend: Bend) -> bytes:
    elements = [
        (0x0F, bend.uint(kind, 1) + bend.var7(len(body)) + bend.raw(body)) for kind, body in model
    ]
    kind, data = container(False, [], elements, bend)
    return bend.uint(kind, 1) + data


OPAQUE_VALUES = Structure(st.lists(OPAQUE, max_size=3), opaque, jsonb.to_text, CLEAN)


# -- texts


def text(model: Any, bend: Bend) -> bytes:
    """A JSON text in pieces."""
    match model:
        case list():
            return b"[" + b",".join(bend.order([text(each, bend) for each in model])) + b"]"
        case dict():
            pairs = [bend.raw(json.dumps(k).encode()) + b":" + text(v, bend)
                     for k, v in model.items()]  # fmt: skip
            return b"{" + b",".join(bend.order(pairs)) + bend.raw(b"}")
        case _:
            return bend.raw(json.dumps(model).encode())


TEXT = Structure(
    DOCUMENTS,
    text,
    lambda data: shown(jsonb.from_text(data.decode("utf-8", "surrogateescape"))),
    CLEAN,
    lambda m: m,
)


# -- differences

BEFORE = {"a": [1, {"b c": "x"}, []], "k": "old", "é": None}
REPLACE, INSERT, REMOVE = range(3)
# Each fits whatever the others have done.
CHANGES: dict[str, tuple[int, list[str]]] = {
    "member": (REPLACE, [".k"]),
    "deep": (REPLACE, [".a", "[1]", '."b c"']),
    "last": (REPLACE, [".a", "[0]"]),
    "new": (INSERT, [".n"]),
    "appended": (INSERT, [".a", "[9]"]),
    "gone": (REMOVE, ['."é"']),
}
CHANGED = st.dictionaries(st.sampled_from(list(CHANGES)), DOCUMENTS, max_size=4)


def diffs(model: dict[str, Any], bend: Bend) -> bytes:
    parts = []
    for name, new in model.items():
        operation, legs = CHANGES[name]
        path = bend.raw(b"$") + b"".join(bend.order([bend.raw(leg.encode()) for leg in legs]))
        part = bend.uint(operation, 1) + bend.lenenc(len(path)) + path
        if operation != REMOVE:
            data = document((new, False), bend)
            part += bend.lenenc(len(data)) + data
        parts.append(part)
    return b"".join(bend.order(parts))


def changed(model: dict[str, Any]) -> Any:
    found: Any = copy.deepcopy(BEFORE)
    for name, new in model.items():
        new = filled(new)
        match name:
            case "member":
                found["k"] = new
            case "deep":
                found["a"][1]["b c"] = new
            case "last":
                found["a"][0] = new
            case "new":
                found["n"] = new
            case "appended":
                found["a"].append(new)
            case "gone":
                del found["é"]
    return found


def both(model: dict[str, Any], bend: Bend) -> bytes:
    """The document behind its length, then the differences."""
    before = document((BEFORE, False), bend)
    return lenenc(len(before)) + before + diffs(model, bend)


def applied(data: bytes) -> Any:
    size = data[0]
    return shown(apply_diffs(data[1 : 1 + size], data[1 + size :]))


DIFFS = Structure(CHANGED, both, applied, CLEAN, changed)

STRUCTURES = {
    "binary JSON": DOCUMENT,
    "SQL values in binary JSON": OPAQUE_VALUES,
    "JSON text": TEXT,
    "partial JSON": DIFFS,
}
