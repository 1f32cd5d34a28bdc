"""Which tables foreign keys join, and whether one of those keys writes rows by itself.

Tables that are joined are kept in one order. Where a key cascades (CASCADE, SET NULL, SET DEFAULT)
and the source doesn't log what the cascade did, the target must cascade too: its checks stay on
exactly for the events that had them on. Everywhere else checks are off: what the source accepted is
right. A target whose keys cascade otherwise would lose what the source's cascade did, unlogged and
unnoticed: before the first such event the keys are compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mysync_schemas.envelope import CASCADES_LOGGED, NO_FOREIGN_KEY_CHECKS
from mysync_schemas.table import PASSIVE, UNKNOWN_ACTION, ForeignKey, TableId, TableSchema


@dataclass(frozen=True, slots=True)
class Component:
    """Tables joined by foreign keys, directly or through others. `cascading`: the columns that keys
    refer to which write rows by themselves, as pairs of table and name ("": not known)."""

    members: frozenset[TableId]
    cascades: bool
    cascading: frozenset[tuple[TableId, str]] = frozenset()

    def cascading_of(self, table: TableId) -> frozenset[str]:
        """Those columns of one table."""
        return frozenset(column for each, column in self.cascading if each == table)


def are_known(schema: TableSchema) -> bool:
    """Whether a version's keys are all that the table has, as they are."""
    return schema.state == "defined" and all(
        key.on_delete != UNKNOWN_ACTION for key in schema.foreign_keys
    )


def differences(source: Iterable[ForeignKey], target: Iterable[ForeignKey]) -> list[str]:
    """What the cascades of a table's keys do otherwise on the target; the source's name their
    parents as the target does."""
    mine, theirs = ({_described(key) for key in keys if key.acts} for keys in (source, target))
    return [f"{key} is missing on the target" for key in sorted(mine - theirs)] + [
        f"{key} is on the target only" for key in sorted(theirs - mine)
    ]


def _described(key: ForeignKey) -> str:
    """A key by what it does, whatever its name."""
    on_delete, on_update = (
        "NO ACTION" if action in PASSIVE else action for action in (key.on_delete, key.on_update)
    )
    return (
        f"foreign key ({', '.join(key.columns)}) to {key.parent}"
        f" ({', '.join(key.referenced_columns)}) ON DELETE {on_delete} ON UPDATE {on_update}"
    )


def components(tables: Iterable[TableSchema]) -> Mapping[TableId, Component]:
    """The component of each table that has a foreign key or is the parent of one."""
    leader: dict[TableId, TableId] = {}

    def find(table: TableId) -> TableId:
        while leader.setdefault(table, table) != table:
            table = leader[table]
        return table

    cascading: list[tuple[TableId, str]] = []
    for schema in tables:
        for key in schema.foreign_keys:
            parent = key.parent
            leader[find(schema.table_id)] = find(parent)
            if key.acts:
                # "" stands for columns that aren't known.
                cascading += ((parent, column) for column in key.referenced_columns or ("",))
    active: dict[TableId, set[tuple[TableId, str]]] = {}
    for each in cascading:
        active.setdefault(find(each[0]), set()).add(each)
    members: dict[TableId, set[TableId]] = {}
    for table in list(leader):
        members.setdefault(find(table), set()).add(table)
    return {
        table: component
        for component in (
            Component(frozenset(group), head in active, frozenset(active.get(head, ())))
            for head, group in members.items()
        )
        for table in component.members
    }


def with_cascade_groups(
    tables: Iterable[TableId], schemas: Iterable[TableSchema]
) -> frozenset[TableId]:
    """The tables, and all that cascading keys join with them: where one of these isn't written, the
    others' rows would change otherwise than on the source."""
    joined = components(schemas)
    found = set(tables)
    for table in list(found):
        component = joined.get(table)
        if component is not None and component.cascades:
            found |= component.members
    return frozenset(found)


def relies_on_cascades(flags: int) -> bool:
    """Whether cascades, if there are any, ran on the source for an event with these flags and
    aren't in its log."""
    return not flags & (CASCADES_LOGGED | NO_FOREIGN_KEY_CHECKS)


def emitted_flags(flags: int, *, cascades: bool) -> int:
    """The flags of the event that is written, from those of the source's event."""
    return 0 if cascades and relies_on_cascades(flags) else NO_FOREIGN_KEY_CHECKS
