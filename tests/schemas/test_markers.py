"""Lines, heartbeats and parts against fastavro."""

import dataclasses
import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.errors import BadRecord, Truncated
from mysync_schemas.framing import frame
from mysync_schemas.markers import (
    HEARTBEAT_SCHEMA,
    LINE_SCHEMA,
    PART_SCHEMA,
    Heartbeat,
    Line,
    Part,
    read_order,
)

LONGS = st.integers(0, 2**63 - 1)
TEXT = st.text(max_size=20)
COUNTS = st.integers(1, 2**31 - 1)
LINES = st.builds(Line, LONGS, LONGS, LONGS, LONGS, TEXT)
HEARTBEATS = st.builds(
    Heartbeat, LONGS, LONGS, LONGS, LONGS, TEXT, LONGS, st.none() | TEXT, st.booleans()
)
PARTS = COUNTS.flatmap(
    lambda count: st.builds(
        Part, LONGS, LONGS, LONGS, LONGS, st.integers(0, count - 1), st.just(count), st.binary()
    )
)
MARKERS = LINES | HEARTBEATS | PARTS
SCHEMAS: dict[type, dict[str, Any]] = {
    Line: LINE_SCHEMA, Heartbeat: HEARTBEAT_SCHEMA, Part: PART_SCHEMA,
}  # fmt: skip


@given(MARKERS)
def test_markers_are_written_as_fastavro_writes_them(marker: Line | Heartbeat | Part) -> None:
    out = io.BytesIO()
    schema = fastavro.parse_schema(SCHEMAS[type(marker)])
    fastavro.schemaless_writer(out, schema, dataclasses.asdict(marker), strict=True)
    assert marker.encode() == out.getvalue()


@given(MARKERS)
def test_markers_are_read_back(marker: Line | Heartbeat | Part) -> None:
    value = frame(5, marker.encode())
    assert type(marker).decode(value) == marker
    assert read_order(value) == (marker.seq, marker.prev, marker.txn_seq)


@given(MARKERS, st.data())
def test_a_marker_cut_short_or_too_long_is_refused(
    marker: Line | Heartbeat | Part, data: st.DataObject
) -> None:
    value = frame(5, marker.encode())
    with pytest.raises(Truncated):
        type(marker).decode(value[: data.draw(st.integers(5, len(value) - 1))])
    with pytest.raises(BadRecord, match="too many"):
        type(marker).decode(value + b"\0")


@given(st.binary(max_size=60))
def test_garbage_is_refused_or_read_and_never_crashes(data: bytes) -> None:
    for kind in (Line, Heartbeat, Part):
        try:
            kind.decode(b"\0\0\0\0\5" + data)
        except (Truncated, BadRecord):
            continue


def test_every_marker_begins_with_the_three_numbers_of_order() -> None:
    for schema in SCHEMAS.values():
        assert [f["name"] for f in schema["fields"]][:3] == ["seq", "prev", "txn_seq"]


def test_a_part_outside_of_its_count_is_refused() -> None:
    for index, count in ((2, 2), (0, 0), (-1, 2)):
        value = frame(7, Part(1, 0, 1, 1, index, count, b"").encode())
        with pytest.raises(BadRecord, match="can't be"):
            Part.decode(value)
