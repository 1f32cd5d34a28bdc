"""Avro's primitives against fastavro, compiled and not."""

import io
import math
from types import ModuleType
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysync_schemas.errors import BadRecord, Truncated

TWICE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)
VALUES = st.one_of(
    st.tuples(st.just("long"), LONGS),
    st.tuples(st.just("bytes"), st.binary(max_size=200)),
    st.tuples(st.just("string"), st.text(max_size=100)),
    st.tuples(st.just("boolean"), st.booleans()),
)


def oracle(kind: str, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, kind, value)
    return out.getvalue()


@TWICE
@given(VALUES)
def test_primitives_are_written_as_fastavro_writes_them(
    avro_form: ModuleType, case: tuple[str, Any]
) -> None:
    kind, value = case
    out = bytearray(b"before")
    getattr(avro_form, f"write_{kind}")(out, value)
    assert bytes(out) == b"before" + oracle(kind, value)


@TWICE
@given(VALUES, st.binary(max_size=3), st.binary(max_size=3))
def test_primitives_are_read_where_they_stand(
    avro_form: ModuleType, case: tuple[str, Any], before: bytes, after: bytes
) -> None:
    kind, value = case
    data = oracle(kind, value)
    found, at = getattr(avro_form, f"read_{kind}")(before + data + after, len(before))
    assert at == len(before) + len(data)
    assert found == value or (math.isnan(found) and math.isnan(value))
    skip = getattr(avro_form, f"skip_{'bytes' if kind == 'string' else kind}", None)
    if skip is not None:
        assert skip(before + data + after, len(before)) == at


@TWICE
@given(VALUES, st.data())
def test_a_value_cut_short_is_truncated(
    avro_form: ModuleType, case: tuple[str, Any], data: st.DataObject
) -> None:
    kind, value = case
    whole = oracle(kind, value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Truncated):
        getattr(avro_form, f"read_{kind}")(whole[:cut], 0)


@TWICE
@given(st.binary(max_size=30), st.integers(-3, 33))
def test_garbage_is_read_or_refused_and_never_past_its_end(
    avro_form: ModuleType, data: bytes, pos: int
) -> None:
    for kind in ("long", "bytes", "string", "boolean"):
        try:
            _, at = getattr(avro_form, f"read_{kind}")(data, pos)
        except (Truncated, BadRecord):
            continue
        assert pos < at <= len(data)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64])
def test_what_doesnt_fit_a_long_is_refused(avro_form: ModuleType, value: int) -> None:
    with pytest.raises(OverflowError):
        avro_form.write_long(bytearray(), value)


def test_a_varint_of_more_than_64_bits_is_refused(avro_form: ModuleType) -> None:
    assert avro_form.read_long(b"\xff" * 9 + b"\x01", 0) == (-(2**63), 10)
    with pytest.raises(Truncated, match="64 bits"):
        avro_form.read_long(b"\xff" * 9 + b"\x02", 0)
    with pytest.raises(Truncated, match="64 bits"):
        avro_form.read_long(b"\x80" * 10 + b"\x01", 0)


def test_a_length_that_is_negative_or_too_large_is_refused(avro_form: ModuleType) -> None:
    for length in (-1, 4, 2**62, 2**63 - 1, -(2**63)):
        with pytest.raises(Truncated, match="impossible"):
            avro_form.read_bytes(avro_form.encode_long(length) + b"abc", 0)
