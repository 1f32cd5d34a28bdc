"""Rows of the table of `image_tables.EVERY_KIND`, as Avro holds them."""

import json
from typing import Any

from hypothesis import strategies as st

from image_tables import EVERY_KIND
from mysync_schemas import jsonb
from structures.documents import DOCUMENTS


def unscaled(number: int) -> bytes:
    """The shortest two's complement."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def texts(most: int, last: int) -> st.SearchStrategy[str]:
    letters = st.characters(max_codepoint=last, exclude_categories=["Cs"])
    return st.text(letters, max_size=most)


def printed(document: Any) -> str:
    """As the server prints it."""
    return jsonb.to_text(jsonb.from_text(json.dumps(document)))[0]


MICROS = 1_000_000
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-(1 << 31), (1 << 31) - 1),
    "big": st.integers(-(1 << 63), (1 << 63) - 1),
    "huge": st.integers(0, (1 << 64) - 1).map(lambda n: n if n < 1 << 63 else unscaled(n)),
    "money": st.integers(-(10**20) + 1, 10**20 - 1).map(unscaled),
    "single": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "twice": st.floats(allow_nan=False, allow_infinity=False),
    "day": st.integers(-719162, 2932896),
    "moment": st.integers(-719162 * 86_400 * MICROS, 2932896 * 86_400 * MICROS),
    "stamp": st.integers(1_000, ((1 << 31) - 1) * 1_000).map(lambda n: n * 1_000),
    "span": st.integers(-302_039_900, 302_039_900).map(lambda n: n * 10_000),
    "name": texts(30, 0x10FFFF),
    "west": texts(30, 0x7F),
    "raw": st.binary(max_size=20),
    "bits": st.integers(0, 1023).map(lambda n: n.to_bytes(2, "big")),
    "state": st.sampled_from(["new", "old"]),
    "tags": st.sampled_from(["", "a", "b", "a,b", "a,c", "a,b,c"]),
    "doc": DOCUMENTS.map(printed),
    "year": st.just(0) | st.integers(1901, 2155),
    "tiny": st.integers(0, 255),
}
NULLABLE = [column["name"] for column in EVERY_KIND if column["nullable"]]


_ZEROS: dict[str, Any] = {
    "id": 0, "big": 0, "huge": 0, "money": b"\0", "single": 0.0, "twice": 0.0, "day": 0,
    "moment": 0, "stamp": 1_000_000, "span": 0, "name": "", "west": "", "raw": b"", "bits": b"\0\0",
    "state": "new", "tags": "", "doc": "null", "year": 0, "tiny": 0,
}  # fmt: skip
_LAST: dict[str, Any] = {
    "id": (1 << 31) - 1, "big": -(1 << 63), "huge": unscaled((1 << 64) - 1),
    "money": unscaled(-(10**20) + 1), "single": -1.5, "twice": 1e300, "day": 2932896,
    "moment": -1, "stamp": 1_700_000_000_123_000, "span": -3_020_399_000_000, "name": "€" * 30,
    "west": "naïve", "raw": b"\xff" * 20, "bits": b"\3\xff", "state": "old", "tags": "a,b,c",
    "doc": '{"a": [1, 2.5, null]}', "year": 2155, "tiny": 255,
}  # fmt: skip
_SOME = st.lists(
    st.one_of([st.tuples(st.just(name), values) for name, values in VALUES.items()]), max_size=5
)


def _row(base: dict[str, Any], some: list[tuple[str, Any]], nulls: int) -> dict[str, Any]:
    row = base | dict(some)
    return row | {name: None for bit, name in enumerate(NULLABLE) if nulls >> bit & 1}


# To draw all values of each row takes longer than what is tested.
ROWS = st.builds(
    _row,
    st.sampled_from([_ZEROS, _LAST]),
    _SOME,
    st.just(0) | st.integers(0, (1 << len(NULLABLE)) - 1),
)
