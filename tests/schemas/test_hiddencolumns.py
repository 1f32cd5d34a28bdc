"""Columns that are in row events and not in information_schema."""

import pytest

from mysync_schemas.longunique import hash_columns, is_hash
from mysync_schemas.table import Column, Key, KeyPart
from mysync_schemas.versioned import by_transaction, period, with_period_end
from schemas.conftest import MakeColumn


@pytest.fixture
def columns(column: MakeColumn) -> list[Column]:
    listed = [column("id", "int"), column("t", "text", nullable=True)]
    return [c.model_copy(update={"ordinal": i}) for i, c in enumerate(listed, 1)]


def key(name: str, *columns: str, unique: bool = True) -> Key:
    return Key(name=name, unique=unique, columns=tuple(KeyPart(column=c) for c in columns))


def test_a_period_that_has_no_names_comes_last(columns: list[Column]) -> None:
    start, end = period("SYSTEM VERSIONED", columns)
    assert [(c.name, c.ordinal, c.expression) for c in (start, end)] == [
        ("row_start", 3, "ROW START"),
        ("row_end", 4, "ROW END"),
    ]
    assert not by_transaction(end)
    assert period("BASE TABLE", columns) == ()
    assert period("SYSTEM VERSIONED", [*columns, start, end]) == ()


def test_unique_keys_end_with_the_periods_end() -> None:
    parts = with_period_end(key("PRIMARY", "id")).columns
    assert [part.column for part in parts] == ["id", "row_end"]
    other = key("k", "id", unique=False)
    assert with_period_end(other) is other


def test_hashes_are_told_apart_by_their_keys(columns: list[Column]) -> None:
    one, other = hash_columns(columns, [key("a", "t", "id"), key("b", "id")])
    assert (one.name, one.ordinal, one.nullable) == ("DB_ROW_HASH_1", 3, True)
    assert (other.name, other.ordinal, other.nullable) == ("DB_ROW_HASH_2", 4, False)
    assert (one.expression, other.expression) == ("HASH(t, id)", "HASH(id)")
    assert is_hash(one.name, one.expression)
    assert not is_hash(one.name, "`id` + 1")
