"""What a statement does to the knowledge of tables. Pure.

A statement says which tables it makes, changes, renames and drops, not what they look like
afterwards. So a table that it makes or changes gets an *inferred* version without columns, which
keeps the foreign keys that there were and takes those that the statement names: whatever they join
must stay in one order. A renamed table is what it was, under another name. Tables whose foreign
keys refer to a changed one have other keys, maybe (a column there may have another name). Whose
definition has to be read again is *uncertain*.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from mysync_schemas.effects import Effects
from mysync_schemas.partition import routing_of
from mysync_schemas.table import (
    UNKNOWN_ACTION,
    ForeignKey,
    TableId,
    TableSchema,
    TableType,
)

__all__ = ["Evolution", "evolve", "placeholder", "rerouted", "unknown_key"]

Schemas = Mapping[TableId, TableSchema]


@dataclass
class Evolution:
    """Tables as they are known after a statement, and those whose definition isn't."""

    schemas: dict[TableId, TableSchema]
    uncertain: set[TableId]

    def changed(self, before: Schemas) -> list[TableSchema]:
        """The versions that are new, dropped tables among them."""
        gone = [
            TableSchema(id=0, db=table.db, table=table.table, create_sql="", columns=(),
                        state="dropped")
            for table in before
            if table not in self.schemas
        ]  # fmt: skip
        return gone + [s for table, s in self.schemas.items() if before.get(table) is not s]


def evolve(
    schemas: Schemas,
    uncertain: Collection[TableId],
    effects: Effects,
    *,
    dropped_database: str = "",
    table_type: TableType = "BASE TABLE",
) -> Evolution:
    """After a statement with these effects on tables that are all replicated, in the order that
    `Effects` says; `table_type` of those that it makes. Routing isn't looked at: see `rerouted`."""
    after = Evolution(dict(schemas), set(uncertain))
    if dropped_database:
        for table in [table for table in after.schemas if table.db == dropped_database]:
            _drop(after, table)
    for table in effects.dropped:
        _drop(after, table)
    for table in effects.changed:
        _change(after, table, effects.references, table_type)
    for old, new in effects.renames:
        _rename(after, old, new)
    for table in effects.made:
        _change(after, table, effects.references, table_type)
    return after


def placeholder(
    table: TableId,
    known: TableSchema | None,
    foreign_keys: tuple[ForeignKey, ...] = (),
    table_type: TableType = "BASE TABLE",
) -> TableSchema:
    """The version of a table that nothing is known of yet but what may join it with others."""
    return TableSchema(
        id=0,
        db=table.db,
        table=table.table,
        table_type=table_type,
        create_sql="",
        columns=(),
        foreign_keys=foreign_keys,
        engine="" if known is None else known.engine,
        state="inferred",
    )


def rerouted(schemas: Schemas, uncertain: Collection[TableId]) -> dict[TableId, TableSchema]:
    """The tables with the routing that they have among each other; the same objects where that is
    what it was."""
    routing = routing_of(schemas.values(), uncertain)
    return {
        table: schema
        if schema.routing == routing[table]
        else schema.model_copy(update={"routing": routing[table]})
        for table, schema in schemas.items()
    }


def _possible_keys(
    known: TableSchema | None, references: Iterable[TableId]
) -> tuple[ForeignKey, ...]:
    before = () if known is None else known.foreign_keys
    return (*before, *map(unknown_key, references))


def unknown_key(parent: TableId) -> ForeignKey:
    """A key of which no more is known than what it refers to."""
    return ForeignKey(
        name="",
        columns=(),
        referenced_db=parent.db,
        referenced_table=parent.table,
        referenced_columns=(),
        on_delete=UNKNOWN_ACTION,
        on_update=UNKNOWN_ACTION,
    )


def _change_keys(
    after: Evolution, parent: TableId, changed: Callable[[ForeignKey], ForeignKey]
) -> None:
    """Changes the foreign keys of the tables that refer to `parent`."""
    for table, other in after.schemas.items():
        if any(key.parent == parent for key in other.foreign_keys):
            keys = tuple(dict.fromkeys(map(changed, other.foreign_keys)))
            if keys != other.foreign_keys:
                after.schemas[table] = other.model_copy(update={"foreign_keys": keys})
            after.uncertain.add(table)


def _change(
    after: Evolution, table: TableId, references: Iterable[TableId], table_type: TableType
) -> None:
    known = after.schemas.get(table)
    kind = table_type if known is None or known.table_type == "BASE TABLE" else known.table_type
    after.schemas[table] = placeholder(table, known, _possible_keys(known, references), kind)
    after.uncertain.add(table)
    _change_keys(after, table, lambda key: unknown_key(table) if key.parent == table else key)


def _drop(after: Evolution, table: TableId) -> None:
    after.schemas.pop(table, None)
    after.uncertain.discard(table)


def _rename(after: Evolution, old: TableId, new: TableId) -> None:
    schema = after.schemas.pop(old, None)
    after.uncertain.discard(old)
    if schema is None or schema.state == "inferred":
        keys = () if schema is None else schema.foreign_keys
        kind = "BASE TABLE" if schema is None else schema.table_type
        renamed = placeholder(new, schema, keys, kind)
    else:
        renamed = schema.model_copy(
            update={
                "db": new.db,
                "table": new.table,
                "key_schema_id": None,
                "value_schema_id": 0,
                "key_schema": None,
                "value_schema": "",
            }
        )
    after.schemas[new] = renamed
    after.uncertain.add(new)
    there = {"referenced_db": new.db, "referenced_table": new.table}
    _change_keys(after, old, lambda key: key.model_copy(update=there) if key.parent == old else key)
