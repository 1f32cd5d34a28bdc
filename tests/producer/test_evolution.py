"""What is known of tables after a statement, and what they are routed by."""

from mysync_producer.evolution import Evolution, evolve, rerouted
from mysync_schemas.effects import Effects, effects
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import (
    UNKNOWN_ACTION,
    Column,
    ForeignKey,
    Key,
    KeyPart,
    Routing,
    TableId,
    TableSchema,
)
from mysync_schemas.types import complete

ID = Column(name="id", ordinal=1, column_type="int", data_type="int", nullable=False)


def defined(name: str, *parents: str) -> TableSchema:
    return TableSchema(
        id=1,
        db="app",
        table=name,
        create_sql="",
        columns=complete(name, [ID]),
        keys=(Key(name="PRIMARY", unique=True, columns=(KeyPart(column="id"),)),),
        identity=("id",),
        foreign_keys=tuple(
            ForeignKey(name=parent, columns=("id",), referenced_db="app", referenced_table=parent,
                       referenced_columns=("id",))
            for parent in parents
        ),
        routing=Routing(mode="key", anchor=f"app.{name}"),
        value_schema_id=7,
        value_schema="avro",
    )  # fmt: skip


def app(name: str) -> TableId:
    return TableId("app", name)


def after(sql: str, *known: TableSchema, uncertain: tuple[str, ...] = ()) -> Evolution:
    statement = read_statement(sql.encode(), Dialect())
    dropped = statement.database if statement.verb is Verb.DROP_DATABASE else ""
    return evolve(
        {schema.table_id: schema for schema in known},
        set(map(app, uncertain)),
        effects(statement, "app"),
        dropped_database=dropped,
    )


def test_a_changed_table_is_uncertain_and_its_columns_are_unknown() -> None:
    found = after("ALTER TABLE t ADD c INT", defined("t"), defined("other"))
    assert found.uncertain == {app("t")}
    schema = found.schemas[app("t")]
    assert (schema.state, schema.columns, schema.value_schema_id) == ("inferred", (), 0)
    assert found.schemas[app("other")].state == "defined"


def test_what_a_foreign_key_may_join_goes_to_one_partition_from_the_statement_on() -> None:
    before = [defined("t"), defined("parent"), defined("apart")]
    found = after("ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES parent (id)", *before)
    (key,) = found.schemas[app("t")].foreign_keys
    assert (key.referenced_table, key.on_delete) == ("parent", UNKNOWN_ACTION)
    routed = rerouted(found.schemas, found.uncertain)
    whole = Routing(mode="whole", anchor="app.parent")
    assert routed[app("t")].routing == routed[app("parent")].routing == whole
    assert routed[app("apart")] is before[2]


def test_a_change_keeps_the_foreign_keys_that_there_were() -> None:
    found = after("ALTER TABLE child DROP FOREIGN KEY k", defined("child", "parent"))
    assert [k.referenced_table for k in found.schemas[app("child")].foreign_keys] == ["parent"]


def test_a_renamed_table_is_what_it_was_with_a_schema_of_its_own() -> None:
    found = after("RENAME TABLE t TO u", defined("t"))
    assert set(found.schemas) == {app("u")}
    schema = found.schemas[app("u")]
    assert (schema.state, schema.columns) == ("defined", defined("t").columns)
    assert (schema.value_schema_id, schema.value_schema) == (0, "")
    assert found.uncertain == {app("u")}


def test_tables_swap_their_names() -> None:
    old = defined("t")
    new = defined("_t_gho").model_copy(update={"engine": "new"})
    found = after("RENAME TABLE t TO _t_del, _t_gho TO t", old, new)
    assert found.schemas[app("t")].engine == "new"
    assert found.schemas[app("_t_del")].engine == "InnoDB"


def test_foreign_keys_follow_their_parents_new_name() -> None:
    found = after("RENAME TABLE parent TO mother", defined("parent"), defined("child", "parent"))
    assert found.schemas[app("child")].foreign_keys[0].referenced_table == "mother"
    assert app("child") in found.uncertain


def test_a_dropped_table_is_known_no_more() -> None:
    before = [defined("t"), defined("u")]
    found = after("DROP TABLE t", *before, uncertain=("t",))
    assert not found.uncertain
    (version,) = found.changed({schema.table_id: schema for schema in before})
    assert (version.table_id, version.state) == (app("t"), "dropped")


def test_a_dropped_database_takes_its_tables_along() -> None:
    elsewhere = defined("t").model_copy(update={"db": "other"})
    found = after("DROP DATABASE app", defined("t"), defined("u"), elsewhere)
    assert set(found.schemas) == {TableId("other", "t")}


def test_a_table_that_was_renamed_before_it_was_known_stays_unknown() -> None:
    found = after("CREATE TABLE t (id INT)")
    again = evolve(found.schemas, found.uncertain, Effects(renames=((app("t"), app("u")),)))
    assert again.schemas[app("u")].state == "inferred"
    assert again.uncertain == {app("u")}


def test_a_table_made_anew_forgets_nothing_that_may_still_join_it() -> None:
    found = after("CREATE OR REPLACE TABLE t (id INT REFERENCES p (id))", defined("t", "old"))
    keys = {key.referenced_table for key in found.schemas[app("t")].foreign_keys}
    assert keys == {"p"}


def test_keys_that_refer_to_a_changed_table_are_not_known_any_more() -> None:
    """A column there may have another name now, and so has the key."""
    child = defined("child", "parent", "other")
    found = after("ALTER TABLE parent RENAME COLUMN id TO number", defined("parent"), child)
    keys = {key.referenced_table: key for key in found.schemas[app("child")].foreign_keys}
    assert (keys["parent"].on_delete, keys["parent"].columns) == (UNKNOWN_ACTION, ())
    assert keys["other"] == child.foreign_keys[1]
    assert found.uncertain == {app("parent"), app("child")}
    assert found.schemas[app("child")].columns == child.columns
