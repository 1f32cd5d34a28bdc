"""What held at a place in the rows, of a control topic that is read ahead."""

from mysync_consumer.knowledge import Knowledge
from mysync_schemas.table import TableId, TableSchema, TableState

T, U = TableId("app", "t"), TableId("app", "u")


def knowledge(*versions: tuple[int, TableId, int, TableState]) -> Knowledge:
    """Of (seq, table, schema id, state), in their order."""
    found = Knowledge()
    for number, (seq, table, schema_id, state) in enumerate(versions, 1):
        found.take(
            TableSchema(id=number, db=table.db, table=table.table, create_sql="", columns=(),
                        value_schema_id=schema_id, seq=seq, state=state)
        )  # fmt: skip
    return found


HISTORY = knowledge(
    (1, T, 101, "defined"),
    (1, U, 102, "defined"),
    (5, T, 101, "defined"),
    (9, T, 0, "inferred"),
    (10, T, 103, "inferred"),
    (20, T, 0, "dropped"),
)


def ids_at(seq: int) -> dict[str, int]:
    tables = HISTORY.tables(HISTORY.generation(seq))
    return {table.table: schema.id for table, schema in tables.items()}


def test_each_place_has_the_tables_that_held_there() -> None:
    seen = {seq: ids_at(seq) for seq in (30, 0, 1, 4, 5, 9, 19, 20)}  # in any order
    assert seen[0] == {}
    assert seen[1] == seen[4] == {"t": 1, "u": 2}
    assert seen[5] == {"t": 3, "u": 2}
    assert seen[9] == {"t": 4, "u": 2}
    assert seen[19] == {"t": 5, "u": 2}
    assert seen[20] == seen[30] == {"u": 2}


def test_versions_with_the_same_schema_of_rows_are_told_apart_by_their_place() -> None:
    def version(schema_id: int, seq: int) -> int | None:
        found = HISTORY.version(schema_id, HISTORY.generation(seq))
        return None if found is None else found.id

    assert (version(101, 1), version(101, 5), version(101, 30)) == (1, 3, 3)
    assert version(103, 9) == 5, "rows may use it before the generation is noticed"
    assert version(999, 30) is None


def test_what_changed_between_two_places() -> None:
    generation = HISTORY.generation
    assert HISTORY.changed(generation(1), generation(4)) == set()
    assert HISTORY.changed(generation(4), generation(5)) == {T}
    assert HISTORY.changed(generation(30), generation(0)) == {T, U}
    assert [version.id for version in HISTORY.between(1, 9)] == [3, 4]


def test_generations_that_are_long_forgotten_are_found_again() -> None:
    many = knowledge(*((seq, T, 100 + seq, "defined") for seq in range(1, 50)))
    for seq in (*range(1, 50), *range(49, 0, -7)):
        assert many.tables(many.generation(seq))[T].value_schema_id == 100 + seq
