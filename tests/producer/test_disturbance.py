"""Which tables are held back while others are transferred, and what becomes of the rest."""

from types import SimpleNamespace
from typing import Any

from mysync_producer.disturbance import Disturbance
from mysync_producer.statements import Change
from mysync_producer.tables import Mode
from mysync_producer.transferrecords import TransferRecords
from mysync_schemas.effects import Effects
from mysync_schemas.statement import Verb
from mysync_schemas.table import Column, ForeignKey, Key, KeyPart, TableId, TableSchema


def app(name: str) -> TableId:
    return TableId("app", name)


def table(name: str, *parents: str, action: str = "CASCADE") -> TableSchema:
    keys = tuple(
        ForeignKey(
            name=parent, columns=("p",), referenced_db="app", referenced_table=parent,
            referenced_columns=("id",), on_delete=action,
        )
        for parent in parents
    )  # fmt: skip
    column = Column(name="id", ordinal=1, data_type="int", column_type="int", nullable=False)
    key = Key(name="PRIMARY", unique=True, columns=(KeyPart(column="id"),))
    return TableSchema(
        id=1, db="app", table=name, create_sql="", columns=(column,), identity=("id",), keys=(key,),
        foreign_keys=keys,
    )  # fmt: skip


class Stage:
    """Tables that are known; `begun` are being transferred."""

    def __init__(self, *tables: TableSchema, begun: str, logged: bool = False) -> None:
        self.schemas = {each.table_id: each for each in tables}
        self.records = TransferRecords("shop", [])
        self.modes: dict[TableId, Mode] = {}
        knowledge: Any = SimpleNamespace(
            definitions=SimpleNamespace(schemas=self.schemas),
            info=SimpleNamespace(connector="mariadb"),
        )
        carried: Any = SimpleNamespace(carry=self.modes.update)
        changes: Any = SimpleNamespace()
        self.disturbance = Disturbance(self.records, carried, knowledge, changes, lambda: logged)
        self.disturbance.carry()
        for name in begun.split():
            self.begin(name)
        self.disturbance.carry()

    def begin(self, name: str) -> None:
        walk = self.disturbance.signature(self.schemas[app(name)])
        self.records.begin(app(name), 1, walk, 0)

    def follow(self, *changed: TableSchema, renames: tuple[tuple[str, str], ...] = ()) -> None:
        self.schemas.update({each.table_id: each for each in changed})
        effects = Effects(
            changed=tuple(each.table_id for each in changed),
            renames=tuple((app(old), app(new)) for old, new in renames),
        )
        self.disturbance.followed(Change(b"ALTER", Verb.ALTER_TABLE, effects))

    @property
    def held(self) -> set[str]:
        held = {table.table for table, mode in self.modes.items() if mode.held}
        assert held == {table.table for table in self.disturbance.held}
        return held

    @property
    def queued(self) -> set[str]:
        return {record.table for record in self.records.in_phase("queued")}


def test_what_is_below_a_table_that_passes_changes_on_is_held_until_that_is_complete() -> None:
    stage = Stage(table("a"), table("b", "a"), table("c", "b"), begun="a b c")
    assert stage.held == {"c"}
    stage.records.end(app("a"), "done")
    stage.disturbance.carry()
    assert stage.held == {"c"}
    stage.records.end(app("b"), "done")
    stage.modes.clear()
    stage.disturbance.carry()
    assert stage.held == set()
    assert stage.queued == set()


def test_where_the_source_logs_cascades_nothing_is_held() -> None:
    stage = Stage(table("a"), table("b", "a"), table("c", "b"), begun="a b c", logged=True)
    assert stage.held == set()
    assert stage.disturbance.family(app("b")) == {app("b")}


def test_a_family_begins_at_one_place() -> None:
    stage = Stage(table("a"), table("b", "a"), table("c", "b"), begun="")
    assert stage.disturbance.family(app("a")) == {app("a")}
    assert stage.disturbance.family(app("b")) == {app("b"), app("c")}


def test_a_tree_is_read_as_a_whole() -> None:
    stage = Stage(table("tree", "tree"), table("leaf", "tree"), begun="tree leaf")
    assert stage.held == {"tree", "leaf"}
    assert stage.disturbance.circle(app("tree")) == {app("tree")}


def test_a_table_that_has_rows_and_comes_below_such_a_one_begins_anew() -> None:
    """It is held until then, whatever the tables above it are meanwhile, over a restart too."""
    plain = table("c", "b", action="RESTRICT")
    stage = Stage(table("a"), table("b", "a"), plain, begun="a b c")
    assert stage.held == set()
    stage.follow(table("c", "b"))
    assert (stage.held, stage.queued) == ({"c"}, {"c"})
    stage.follow(plain)
    assert (stage.held, stage.queued) == ({"c"}, {"c"})
    found = TransferRecords("shop", stage.records.of.values())
    assert found.of[app("c")].walk == ""
    stage.begin("c")
    stage.modes.clear()
    stage.disturbance.carry()
    assert (stage.held, stage.queued) == (set(), set())


def test_a_complete_table_that_comes_below_such_a_one_is_transferred() -> None:
    stage = Stage(table("a"), table("b", "a"), table("c"), begun="a b")
    stage.follow(table("c", "b"))
    assert (stage.held, stage.queued) == ({"c"}, {"c"})


def test_tables_that_come_into_a_circle_do_not_wait_for_each_other() -> None:
    stage = Stage(table("a"), table("b", "a"), begun="a b")
    stage.follow(table("a", "b"))
    assert stage.queued == {"a", "b"}
    assert stage.disturbance.circle(app("a")) == {app("a"), app("b")}


def test_a_table_does_not_go_on_with_the_transfer_of_one_that_had_its_name() -> None:
    stage = Stage(table("t"), begun="t")
    stage.follow(renames=(("x", "t"),))
    assert stage.queued == {"t"}
    stage = Stage(table("t"), begun="t")
    stage.follow(renames=(("t", "u"),))
    assert stage.queued == set()
    assert set(stage.records.running) == {app("u")}
