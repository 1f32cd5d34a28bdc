"""Which tables foreign keys join, and whether one of those keys writes rows by itself.

Tables that are joined are kept in one order. Where a key cascades (CASCADE, SET NULL, SET DEFAULT)
and the source doesn't log what the cascade did, the target must cascade too: its checks stay on
exactly for the events that had them on. Everywhere else checks are off: what the source accepted is
right."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mysync_schemas.envelope import CASCADES_LOGGED, NO_FOREIGN_KEY_CHECKS
from mysync_schemas.table import TableId, TableSchema

PASSIVE = frozenset({"NO ACTION", "RESTRICT", ""})


@dataclass(frozen=True, slots=True)
class Component:
    """Tables joined by foreign keys, directly or through others."""

    members: frozenset[TableId]
    cascades: bool


def components(tables: Iterable[TableSchema]) -> Mapping[TableId, Component]:
    """The component of each table that has a foreign key or is the parent of one."""
    leader: dict[TableId, TableId] = {}

    def find(table: TableId) -> TableId:
        while leader.setdefault(table, table) != table:
            table = leader[table]
        return table

    cascading = []
    for schema in tables:
        for key in schema.foreign_keys:
            parent = TableId(key.referenced_db, key.referenced_table)
            leader[find(schema.table_id)] = find(parent)
            if not {key.on_delete, key.on_update} <= PASSIVE:
                cascading.append(parent)
    active = {find(table) for table in cascading}
    members: dict[TableId, set[TableId]] = {}
    for table in list(leader):
        members.setdefault(find(table), set()).add(table)
    return {
        table: Component(frozenset(group), head in active)
        for head, group in members.items()
        for table in group
    }


def emitted_flags(flags: int, *, cascades: bool) -> int:
    """The flags of the event that is written, from those of the source's event."""
    if cascades and not flags & CASCADES_LOGGED:
        return flags & NO_FOREIGN_KEY_CHECKS
    return NO_FOREIGN_KEY_CHECKS
