"""Which tables are joined by foreign keys, and when the target's checks stay on."""

import pytest

from mysync_consumer.foreignkeys import components, emitted_flags
from mysync_schemas.table import ForeignKey, TableId, TableSchema


def table(name: str, *parents: str, on_delete: str = "RESTRICT") -> TableSchema:
    return TableSchema(
        id=1,
        db="d",
        table=name,
        create_sql="",
        columns=(),
        foreign_keys=tuple(
            ForeignKey(
                name=f"to_{parent}",
                columns=("a",),
                referenced_db="d",
                referenced_table=parent,
                referenced_columns=("id",),
                on_delete=on_delete,
            )
            for parent in parents
        ),
    )


def ids(*names: str) -> set[TableId]:
    return {TableId("d", name) for name in names}


def test_tables_without_foreign_keys_are_in_no_component() -> None:
    assert components([table("a"), table("b")]) == {}


def test_a_component_holds_parents_children_and_their_relatives() -> None:
    found = components([table("a", "p"), table("b", "p", "q"), table("x", "y"), table("z")])
    assert found[TableId("d", "a")].members == ids("a", "b", "p", "q")
    assert found[TableId("d", "y")].members == ids("x", "y")
    assert TableId("d", "z") not in found


def test_one_cascading_key_makes_the_whole_component_cascade() -> None:
    found = components([table("a", "p", on_delete="CASCADE"), table("p", "root"), table("x", "y")])
    assert found[TableId("d", "root")].cascades
    assert not found[TableId("d", "x")].cascades


def test_a_table_may_refer_to_itself() -> None:
    found = components([table("a", "a", on_delete="SET NULL")])
    assert found[TableId("d", "a")].members == ids("a")
    assert found[TableId("d", "a")].cascades


@pytest.mark.parametrize(
    ("flags", "cascades", "emitted"),
    [
        (0x10, True, 0x2),  # cascades are in the log: no checks
        (0x12, True, 0x2),
        (0x10, False, 0x2),
        (0x00, False, 0x2),  # nothing cascades: what the source accepted is right
        (0x00, True, 0x0),  # the target must cascade itself
        (0x02, True, 0x2),  # unless the source's session had checks off
        (0x01, True, 0x0),
    ],
)
def test_checks_stay_on_only_where_the_target_must_cascade(
    flags: int, cascades: bool, emitted: int
) -> None:
    assert emitted_flags(flags, cascades=cascades) == emitted
