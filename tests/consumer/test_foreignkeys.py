"""Which tables are joined by foreign keys, and when the target's checks stay on."""

import pytest

from fix_topics import MakeStage
from mysync_consumer.bindings import places
from mysync_consumer.foreignkeys import components, emitted_flags, with_cascade_groups
from mysync_schemas.table import Column, ForeignKey, TableId, TableSchema


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


def test_a_key_cascades_too_whose_columns_are_not_known() -> None:
    child = table("a", "p", on_delete="UNKNOWN")
    (key,) = child.foreign_keys
    told = child.model_copy(
        update={"foreign_keys": (key.model_copy(update={"referenced_columns": ()}),)}
    )
    parent = TableId("d", "p")
    known, unknown = (components([each])[parent] for each in (child, told))
    assert (known.cascades, known.cascading_of(parent)) == (True, {"id"})
    assert (unknown.cascades, unknown.cascading_of(parent)) == (True, {""})
    assert known.cascading_of(TableId("d", "a")) == set()
    schema = TableSchema(
        id=1,
        db="d",
        table="p",
        create_sql="",
        columns=(
            Column(name="b", ordinal=2, column_type="int", data_type="int", nullable=False),
            Column(name="ID", ordinal=1, column_type="int", data_type="int", nullable=False),
        ),
    )
    assert places(schema, known.cascading_of(parent)) == [0]
    assert places(schema, unknown.cascading_of(parent)) is None


def test_a_table_may_refer_to_itself() -> None:
    found = components([table("a", "a", on_delete="SET NULL")])
    assert found[TableId("d", "a")].members == ids("a")
    assert found[TableId("d", "a")].cascades


def test_a_table_takes_along_what_cascades_join_and_nothing_else() -> None:
    tables = [table("a", "p", on_delete="CASCADE"), table("b", "p"), table("x", "y"), table("z")]
    assert with_cascade_groups(ids("b"), tables) == ids("a", "b", "p")
    assert with_cascade_groups(ids("x", "z"), tables) == ids("x", "z")


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


MOTHER = "CREATE TABLE mother (id INT PRIMARY KEY)"
KID = (
    "CREATE TABLE kid (id INT PRIMARY KEY, m INT,"
    " CONSTRAINT to_mother FOREIGN KEY (m) REFERENCES {mother} (id) ON DELETE CASCADE)"
)
DATA_ERROR = 4


@pytest.mark.parametrize("server", ["mysql_b", "mariadb_b"])
def test_a_target_that_would_not_cascade_is_drift_and_one_that_does_cascades(
    make_stage: MakeStage, server: str, request: pytest.FixtureRequest
) -> None:
    stage = make_stage(request.getfixturevalue(server), topics={"partitions": 1})
    stage.begin(MOTHER, KID.format(mother="mother"))
    mother, kid = f"{stage.db}.mother", f"{stage.db}.kid"
    stage.sql(
        "ALTER TABLE kid DROP FOREIGN KEY to_mother",
        "ALTER TABLE kid ADD CONSTRAINT other FOREIGN KEY (m) REFERENCES mother (id)",
    )
    with stage.writer:
        stage.writer.insert(mother, {"id": 1}, flags=0)
        stage.writer.insert(kid, {"id": 1, "m": 1}, flags=0)
        stage.writer.delete(mother, {"id": 1}, flags=0)
    consumer = stage.consumer()
    assert consumer.wait_exit(90) == DATA_ERROR
    said = consumer.log_tail(1)
    assert "TableDrift" in said
    assert f"foreign key (m) to {mother} (id) ON DELETE CASCADE ON UPDATE NO ACTION" in said
    assert "is missing on the target" in said
    stage.sql(
        "ALTER TABLE kid DROP FOREIGN KEY other",
        "ALTER TABLE kid ADD CONSTRAINT third FOREIGN KEY (m) REFERENCES mother (id)"
        " ON DELETE CASCADE",
    )
    consumer.start()
    stage.wait_applied()
    assert stage.sql("SELECT * FROM kid") == []


def test_a_parent_that_cascades_unlogged_and_is_not_replicated_is_refused(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(topics={"partitions": 1})
    other = f"{stage.db}_other"
    stage.sql(f"CREATE DATABASE {other}", f"CREATE TABLE {other}.mother (id INT PRIMARY KEY)")
    try:
        stage.begin(KID.format(mother=f"{other}.mother"))
        with stage.writer:
            stage.writer.insert(f"{stage.db}.kid", {"id": 1, "m": None}, flags=0)
        consumer = stage.consumer()
        assert consumer.wait_exit(90) == DATA_ERROR
        assert "UnwritableTable" in consumer.log_tail(1)
        assert f"{other}.mother isn't replicated" in consumer.log_tail(1)
        stage.pipeline.end()
    finally:
        stage.sql(f"DROP DATABASE {stage.db}", f"DROP DATABASE {other}", database=None)
