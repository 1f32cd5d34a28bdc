"""Rows in parts: joined in order, or not at all."""

import pytest

from mysync_consumer.parts import Parts
from mysync_runtime.errors import LogHole
from mysync_schemas.markers import Part


def part(index: int, count: int = 3, row_id: int = 12, data: bytes = b"x") -> Part:
    seq = row_id - count + 1 + index
    return Part(seq, seq - 1, 1, row_id, index, count, data)


def test_the_last_part_gives_the_whole_row() -> None:
    parts = Parts()
    assert parts.add(part(0, data=b"ab"), "") is None
    assert parts
    assert parts.first_seq == 10
    assert parts.add(part(1, data=b""), "") is None
    assert parts.add(part(2, data=b"c"), "") == b"abc"
    assert not parts


def test_one_part_is_a_row() -> None:
    assert Parts().add(part(0, count=1, data=b"all"), "") == b"all"


@pytest.mark.parametrize(
    "second", [part(2), part(0), part(1, row_id=13), part(1, count=4, row_id=12)]
)
def test_another_part_than_the_next_is_a_hole(second: Part) -> None:
    parts = Parts()
    parts.add(part(0), "")
    with pytest.raises(LogHole, match="here"):
        parts.add(second, "here")


def test_a_row_that_begins_in_its_middle_is_a_hole() -> None:
    with pytest.raises(LogHole):
        Parts().add(part(1), "")


def test_another_record_between_parts_is_a_hole() -> None:
    parts = Parts()
    parts.interrupted("")
    parts.add(part(0), "")
    with pytest.raises(LogHole, match="1 of 3 parts"):
        parts.interrupted("")
