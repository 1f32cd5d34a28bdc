"""Whose changes may reach the rows of tables that are transferred."""

import time

from mysync_producer.ancestry import Ancestry
from mysync_producer.tables import Mode
from mysync_schemas.table import ForeignKey, TableId, TableSchema


def table(
    name: str, *parents: str, update: str = "NO ACTION", delete: str = "CASCADE"
) -> TableSchema:
    keys = tuple(
        ForeignKey(
            name=parent, columns=("p",), referenced_db="app", referenced_table=parent,
            referenced_columns=("id",), on_delete=delete, on_update=update,
        )
        for parent in parents
    )  # fmt: skip
    return TableSchema(
        id=1, db="app", table=name, create_sql="", columns=(), identity=("id",), foreign_keys=keys
    )


def app(name: str) -> TableId:
    return TableId("app", name)


def ancestry(*tables: TableSchema, wanted: tuple[str, ...]) -> Ancestry:
    return Ancestry({t.table_id: t for t in tables}, [app(name) for name in wanted])


def test_a_table_is_reached_through_others_that_are_not_transferred() -> None:
    found = ancestry(table("a"), table("b", "a"), table("c", "b"), wanted=("c",))
    assert found.below == {app("a"): {app("c")}, app("b"): {app("c")}}
    assert found.above == {app("c"): {app("a"), app("b")}}


def test_keys_that_write_nothing_join_nothing() -> None:
    found = ancestry(table("a"), table("b", "a", delete="RESTRICT"), wanted=("a", "b"))
    assert (found.below, found.above) == ({}, {})


def test_tables_may_be_above_each_other() -> None:
    found = ancestry(table("a", "b"), table("b", "a"), wanted=("a", "b"))
    assert found.below == {name: {app("a"), app("b")} for name in (app("a"), app("b"))}


def test_updates_of_what_is_referred_to_count_unless_that_is_the_identity() -> None:
    identity = ancestry(table("a"), table("b", "a", update="CASCADE"), wanted=("b",))
    assert identity.by_key(app("a"))
    other = table("a").model_copy(update={"identity": ("other",)})
    assert not ancestry(other, table("b", "a", update="CASCADE"), wanted=("b",)).by_key(app("a"))
    assert ancestry(other, table("b", "a"), wanted=("b",)).by_key(app("a"))


def test_a_table_that_is_taken_along_takes_others_along() -> None:
    """But one whose key isn't what changed doesn't."""
    found = ancestry(table("a"), table("b", "a"), table("c", "b"), wanted=("c",))
    assert found.between == {app("b")}
    kept = table("b", "a", delete="SET NULL")
    assert not ancestry(table("a"), kept, table("c", "b"), wanted=("c",)).between
    moved = table("b", "a", delete="NO ACTION", update="CASCADE").model_copy(
        update={"identity": ("p",)}
    )
    child = table("c", "b", delete="NO ACTION", update="CASCADE")
    keys = (child.foreign_keys[0].model_copy(update={"referenced_columns": ("p",)}),)
    child = child.model_copy(update={"foreign_keys": keys})
    assert ancestry(table("a"), moved, child, wanted=("c",)).between == {app("b")}


def test_a_circle_is_of_those_that_reach_themselves() -> None:
    found = ancestry(
        table("tree", "tree"),
        table("leaf", "tree"),
        table("kept", "kept", delete="SET NULL"),
        table("x", "y"),
        table("y", "x"),
        wanted=(),
    )
    circles = {name: found.circle(app(name)) for name in ("tree", "leaf", "kept", "x", "y")}
    both = {app("x"), app("y")}
    assert circles == {"tree": {app("tree")}, "leaf": set(), "kept": set(), "x": both, "y": both}


def test_it_costs_as_much_as_there_are_tables() -> None:
    """Ten times the tables take about ten times as long, not a hundred times."""

    def seconds(count: int) -> float:
        tables = [table("p"), *(table(f"t{i}", "p") for i in range(count))]
        schemas = {each.table_id: each for each in tables}
        times = []
        for _ in range(5):
            began = time.perf_counter()
            found = Ancestry(schemas, schemas)
            for each in schemas:
                found.by_key(each)
            times.append(time.perf_counter() - began)
        return min(times)

    assert seconds(4_000) < 40 * seconds(400)


def test_a_table_that_is_carried_as_before_keeps_its_plan() -> None:
    touched: set[bytes | None] = set()
    assert Mode(snapshot=True, touched=touched).same(Mode(snapshot=True, touched=touched))
    assert not Mode(snapshot=True, touched=touched).same(Mode(snapshot=True, touched=set()))
    assert not Mode(snapshot=True, touched=touched).same(Mode(held=True, touched=touched))
