"""How often in a row a partition has failed at a table without getting any further."""

from mysync_schemas.table import TableId


class Failures:
    """Counts of one partition's worker; those at another offset are forgotten."""

    def __init__(self) -> None:
        self._offset = -1
        self._counts: dict[TableId, int] = {}

    def count(self, table: TableId, offset: int) -> int:
        """One more failure at the table while the partition stands at `offset`; how many now."""
        if offset != self._offset:
            self._offset = offset
            self._counts.clear()
        self._counts[table] = self._counts.get(table, 0) + 1
        return self._counts[table]
