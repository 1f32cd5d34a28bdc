"""Structures with one field bent: a clean error or a value. Ten thousand of each: `make soak`."""

import pytest

from structures import documents, events, records, rows, tables
from structures.bend import fuzz

STRUCTURES = {
    **events.STRUCTURES,
    **rows.STRUCTURES,
    **documents.STRUCTURES,
    **records.STRUCTURES,
    **tables.STRUCTURES,
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_bent_field_is_a_clean_error_or_a_value(name: str) -> None:
    fuzz(STRUCTURES[name], 100)
