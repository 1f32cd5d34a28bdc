"""Which tables' changes may change rows of tables that are transferred, without a trace in the log.

A foreign key that cascades changes rows of its table when a row of the parent goes or gets another
key, and so on down the tree. Pure.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from mysync_schemas.table import PASSIVE, UNKNOWN_ACTION, ForeignKey, TableId, TableSchema

__all__ = ["Ancestry"]


class Ancestry:
    """`below`: by table, those of `wanted` that its updates and deletes may reach; `above`: the
    same from the other end. `between`: tables through which a change may go on to others, because
    what changes a row of theirs by one foreign key sets off another."""

    def __init__(self, schemas: Mapping[TableId, TableSchema], wanted: Collection[TableId]) -> None:
        self._schemas = schemas
        self._keys: dict[TableId, list[ForeignKey]] = defaultdict(list)  # by the parent
        self._children: dict[TableId, set[TableId]] = defaultdict(set)
        for table, schema in schemas.items():
            for key in schema.foreign_keys:
                if key.acts:
                    self._keys[key.parent].append(key)
                    self._children[key.parent].add(table)
        self.between = {table for table in self._keys if self._passes_on(table)}
        self.below: dict[TableId, frozenset[TableId]] = {}
        self.above: dict[TableId, set[TableId]] = defaultdict(set)
        for table in self._children:
            if some := self.descendants(table).intersection(wanted):
                self.below[table] = frozenset(some)
            for each in some:
                self.above[each].add(table)

    def descendants(self, table: TableId) -> set[TableId]:
        """All that its updates and deletes may reach; itself among them if it is above itself."""
        reached: set[TableId] = set()
        due = [table]
        while due:
            new = self._children.get(due.pop(), set()) - reached
            reached |= new
            due += new
        return reached

    def circle(self, table: TableId) -> frozenset[TableId]:
        """Those that it reaches and that reach it, by way of such alone as pass changes on; none if
        it doesn't reach itself."""
        found = (other for other in self.descendants(table) & self.between)
        return frozenset(other for other in found if table in self.descendants(other))

    def by_key(self, parent: TableId) -> bool:
        """Whether its updates reach others only where they give a row another identity."""
        known = self._schemas.get(parent)
        identity = set(known.identity) if known is not None else set()
        return all(
            key.on_update in PASSIVE
            or (bool(key.columns) and identity.issuperset(key.referenced_columns))
            for key in self._keys.get(parent, ())
        )

    def _passes_on(self, table: TableId) -> bool:
        into = self._schemas[table].foreign_keys if table in self._schemas else ()
        return any(_sets_off(key, other) for key in into for other in self._keys[table])


def _sets_off(key: ForeignKey, other: ForeignKey) -> bool:
    """Whether what the first does to a row may make the other, which refers to that row, act."""
    if key.on_delete in ("CASCADE", UNKNOWN_ACTION) and other.on_delete not in PASSIVE:
        return True
    changes = key.on_delete not in PASSIVE | {"CASCADE"} or key.on_update not in PASSIVE
    unknown = not key.columns or not other.referenced_columns
    touches = unknown or not set(key.columns).isdisjoint(other.referenced_columns)
    return changes and touches and other.on_update not in PASSIVE
