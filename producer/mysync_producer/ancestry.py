"""Which tables' changes may change rows of tables that are transferred, without a trace in the log.

A foreign key that cascades changes rows of its table when a row of the parent goes or gets another
key, and so on down the tree. Pure.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from mysync_schemas.table import ForeignKey, TableId, TableSchema

__all__ = ["below", "by_key"]

_PASSIVE = frozenset({"NO ACTION", "RESTRICT"})


def below(
    schemas: Mapping[TableId, TableSchema], wanted: Collection[TableId]
) -> dict[TableId, frozenset[TableId]]:
    """By table: those of `wanted` that its updates and deletes may reach."""
    children: dict[TableId, set[TableId]] = defaultdict(set)
    for table, schema in schemas.items():
        for key in schema.foreign_keys:
            if _acts(key):
                children[TableId(key.referenced_db, key.referenced_table)].add(table)
    found = {}
    for table in children:
        reached: set[TableId] = set()
        due = [table]
        while due:
            new = children.get(due.pop(), set()) - reached
            reached |= new
            due += new
        if some := reached.intersection(wanted):
            found[table] = frozenset(some)
    return found


def by_key(schemas: Mapping[TableId, TableSchema], parent: TableId) -> bool:
    """Whether an update of the parent reaches others only if it gives a row another identity."""
    known = schemas.get(parent)
    identity = set(known.identity) if known is not None else set()
    return all(
        key.on_update in _PASSIVE
        or (bool(key.columns) and identity.issuperset(key.referenced_columns))
        for schema in schemas.values()
        for key in schema.foreign_keys
        if (key.referenced_db, key.referenced_table) == parent
    )


def _acts(key: ForeignKey) -> bool:
    return key.on_delete not in _PASSIVE or key.on_update not in _PASSIVE
