"""The Confluent wire format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.errors import FramingError
from mysync_schemas.framing import MAX_SCHEMA_ID, frame, unframe


def test_a_frame_is_a_zero_the_id_and_the_body() -> None:
    assert frame(258, b"body") == b"\x00\x00\x00\x01\x02body"


@given(st.integers(0, MAX_SCHEMA_ID), st.binary(max_size=20))
def test_what_was_framed_is_found_again(schema_id: int, body: bytes) -> None:
    value = frame(schema_id, body)
    found, start = unframe(value)
    assert (found, value[start:]) == (schema_id, body)


@pytest.mark.parametrize(
    "value", [b"", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01body", b"\x00\xff\x00\x00\x01body"]
)
def test_anything_else_is_refused(value: bytes) -> None:
    with pytest.raises(FramingError):
        unframe(value)


@pytest.mark.parametrize("schema_id", [-1, MAX_SCHEMA_ID + 1])
def test_an_id_that_readers_cant_hold_is_refused(schema_id: int) -> None:
    with pytest.raises(FramingError, match="outside"):
        frame(schema_id, b"")
