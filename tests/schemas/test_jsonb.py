"""Binary JSON without a server: what holds for every document."""

import json
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas import jsonb

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.integers(-70000, 70000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=6
        )
    ),
    max_leaves=30,
)


def written(document: object) -> bytes:
    return jsonb.from_text(json.dumps(document))


@given(DOCUMENTS)
def test_a_document_comes_back_as_its_text(document: object) -> None:
    data = written(document)
    text, exact = jsonb.to_text(data)
    assert exact
    assert json.loads(text) == document
    assert jsonb.from_text(text) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back_bit_for_bit_and_never_looks_like_an_integer(number: float) -> None:
    text = jsonb.double_text(number)
    assert struct.pack("<d", float(text)) == struct.pack("<d", number)
    assert "." in text or "e" in text


@pytest.mark.parametrize("size", [65535 - 11, 65535 - 10, 65535 - 9, 65535 - 8, 65536, 70000])
def test_the_large_format_begins_beyond_65535_bytes(size: int) -> None:
    data = written(["x" * size])
    # header 4, entry 3, string length 3
    assert data[0] == (2 if 10 + size <= 0xFFFF else 3)
    assert jsonb.to_text(data) == (json.dumps(["x" * size]), True)


def test_a_large_child_makes_all_its_parents_large_and_leaves_its_siblings_small() -> None:
    data = written({"a": [["x" * 70000]], "b": [1]})
    assert data[0] == 1
    assert jsonb.to_text(data)[1]
    types = data[9 + 12], data[9 + 12 + 5]
    assert types == (3, 2)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nul", "[1,]", "{1:2}", "NaN", "Infinity", "-Infinity", "01", "1.", '"\t"', "1 2"),
        *("1e999", "-1e999", '"\\ud800"', "[" * 101 + "]" * 101, "[" * 100000, "'a'"),
        '{"' + "k" * 65536 + '":1}',
    ],
)
def test_what_the_server_refuses_is_refused(text: str) -> None:
    with pytest.raises(jsonb.JsonError):
        jsonb.from_text(text)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "null"),
        (bytes.fromhex("060100"), "1"),
        (bytes.fromhex("0affffffff00000000"), str((1 << 32) - 1)),
        (bytes.fromhex("090000000001000000"), str(1 << 32)),
        (bytes.fromhex("0ff60404028438"), "4.56"),
        (bytes.fromhex("0c02ff41"), '"\ufffdA"'),
    ],
)
def test_what_text_cannot_carry_is_not_exact(data: bytes, text: str) -> None:
    assert jsonb.to_text(data) == (text, False)


def test_keys_out_of_order_are_not_exact() -> None:
    data = bytearray(written({"a": 1, "b": 2}))
    at = data.index(b"ab")
    data[at : at + 2] = b"ba"
    assert jsonb.to_text(bytes(data)) == ('{"b": 1, "a": 2}', False)


def test_garbage_is_an_error_and_never_anything_else() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    document = {"id": 7, "list": [1, 2.5, None, "text", [70000, {"deep": True}]], "s": "x" * 40}
    valid = written(document)
    for _ in range(4000):
        data = bytearray(valid)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        mutated = bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            jsonb.to_text(mutated)
        except jsonb.JsonError:
            continue


def test_elements_that_share_their_bytes_do_not_explode() -> None:
    # Each level's two elements point to the same next level: 2^90 leaves if one just walked on.
    levels = 90
    data = bytearray(b"\x02")
    size = levels * 10 + 5
    for level in range(levels):
        rest = size - level * 10
        data += struct.pack("<HHBHBH", 2, rest, 2, 10, 2, 10)
    data += struct.pack("<HHB", 0, 4, 0)
    with pytest.raises(jsonb.JsonError, match="share"):
        jsonb.to_text(bytes(data))
