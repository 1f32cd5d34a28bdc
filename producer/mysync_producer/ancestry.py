"""Which tables' changes may change rows of tables that are transferred, without a trace in the log.

A foreign key that cascades changes rows of its table when a row of the parent goes or gets another
key, and so on down the tree. Pure.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from mysync_schemas.table import PASSIVE, ForeignKey, TableId, TableSchema

__all__ = ["Ancestry"]


class Ancestry:
    """`below`: by table, those of `wanted` that its updates and deletes may reach; `above`: the
    same from the other end."""

    def __init__(self, schemas: Mapping[TableId, TableSchema], wanted: Collection[TableId]) -> None:
        self._schemas = schemas
        self._keys: dict[TableId, list[ForeignKey]] = defaultdict(list)  # by the parent
        children: dict[TableId, set[TableId]] = defaultdict(set)
        for table, schema in schemas.items():
            for key in schema.foreign_keys:
                if key.acts:
                    self._keys[key.parent].append(key)
                    children[key.parent].add(table)
        self.below: dict[TableId, frozenset[TableId]] = {}
        self.above: dict[TableId, set[TableId]] = defaultdict(set)
        for table in children:
            reached: set[TableId] = set()
            due = [table]
            while due:
                new = children.get(due.pop(), set()) - reached
                reached |= new
                due += new
            if some := reached.intersection(wanted):
                self.below[table] = frozenset(some)
            for each in some:
                self.above[each].add(table)

    def by_key(self, parent: TableId) -> bool:
        """Whether its updates reach others only where they give a row another identity."""
        known = self._schemas.get(parent)
        identity = set(known.identity) if known is not None else set()
        return all(
            key.on_update in PASSIVE
            or (bool(key.columns) and identity.issuperset(key.referenced_columns))
            for key in self._keys.get(parent, ())
        )
