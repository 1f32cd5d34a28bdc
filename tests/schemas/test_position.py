"""Binlog positions and their offsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mysync_schemas.errors import BadPosition
from mysync_schemas.position import BinlogPosition

POSITIONS = st.builds(
    BinlogPosition,
    st.integers(1, 2**31 - 1).map(lambda number: f"binlog.{number:06d}"),
    st.integers(0, 2**32 - 1),
)


@given(POSITIONS)
def test_a_position_is_read_back_from_its_text_and_its_offset(position: BinlogPosition) -> None:
    assert BinlogPosition.parse(str(position)) == position
    assert BinlogPosition.from_offset(position.to_offset(), like="binlog.000001") == position


@given(POSITIONS, POSITIONS)
def test_offsets_are_ordered_like_positions(one: BinlogPosition, other: BinlogPosition) -> None:
    assert (one < other) == (one.to_offset() < other.to_offset())
    assert (one <= other) == (one.to_offset() <= other.to_offset())
    assert (one > other) == (one.to_offset() > other.to_offset())
    assert (one >= other) == (one.to_offset() >= other.to_offset())


@given(POSITIONS)
def test_offsets_fit_kafka(position: BinlogPosition) -> None:
    assert 0 <= position.to_offset() < 2**63


def test_the_number_decides_before_the_position() -> None:
    assert BinlogPosition("b.000009", 900) < BinlogPosition("b.000010", 4)
    assert BinlogPosition("b.999999", 4) < BinlogPosition("b.1000000", 4)


def test_past_four_gigabytes_is_the_start_of_the_next_file() -> None:
    large = BinlogPosition("binlog.000009", 2**32 + 17)
    found = BinlogPosition.from_offset(large.to_offset(), like=large.file)
    assert found == BinlogPosition("binlog.000010", 4)


def test_numbers_keep_six_digits_and_grow_beyond() -> None:
    last = BinlogPosition("binlog.999999", 4).to_offset()
    assert BinlogPosition.from_offset(last, like="binlog.1000000").file == "binlog.999999"
    assert BinlogPosition.from_offset(last + 2**32, like="binlog.000001").file == "binlog.1000000"


def test_base_names_may_hold_dots_and_colons() -> None:
    position = BinlogPosition.parse("db:1.example-bin.000003:154")
    assert (position.base, position.number, position.pos) == ("db:1.example-bin", 3, 154)


def test_files_of_two_sequences_have_no_order() -> None:
    with pytest.raises(BadPosition, match="one sequence"):
        _ = BinlogPosition("a.000001", 4) < BinlogPosition("b.000002", 4)


@pytest.mark.parametrize(
    "text", ["", "binlog.000001", "binlog:4", "binlog.000001:-4", "binlog.000001:x", ".1:4",
             "binlog.2147483648:4", "binlog.000001:²", "binlog.000001:" + "9" * 5000],
)  # fmt: skip
def test_what_isnt_a_position_is_refused(text: str) -> None:
    with pytest.raises(BadPosition):
        BinlogPosition.parse(text)


@pytest.mark.parametrize("offset", [-1, 2**63])
def test_what_isnt_an_offset_is_refused(offset: int) -> None:
    with pytest.raises(BadPosition):
        BinlogPosition.from_offset(offset, like="binlog.000001")


def test_a_position_past_the_last_possible_file_cant_be_said() -> None:
    with pytest.raises(BadPosition, match="no next file"):
        BinlogPosition(f"b.{2**31 - 1}", 2**32).to_offset()
