"""What the control topic has said of tables, by the seq from which it holds.

The topic is read ahead of the rows, so a worker asks for what held at its place. Versions come in
the order of their seq. A *generation* is how many of them hold at a place: equal generations, equal
knowledge. Safe for one writer and many readers.
"""

from bisect import bisect_right
from collections.abc import Mapping

from mysync_schemas.table import TableId, TableSchema

_KEPT = 8
"""Generations whose tables are remembered: workers are never far apart."""


class Knowledge:
    def __init__(self) -> None:
        self._versions: list[TableSchema] = []
        self._seqs: list[int] = []
        self._by_schema: dict[int, list[TableSchema]] = {}
        self._tables: dict[int, dict[TableId, TableSchema]] = {0: {}}

    def take(self, version: TableSchema) -> None:
        """One more version, whose seq isn't below the last one's. All are kept, without their Avro
        schemas: what rows look like, the columns say."""
        version = version.model_copy(update={"value_schema": "", "key_schema": None})
        if version.value_schema_id:
            self._by_schema.setdefault(version.value_schema_id, []).append(version)
        self._versions.append(version)
        self._seqs.append(version.seq)

    @property
    def newest(self) -> int:
        """The generation of everything that is known."""
        return len(self._seqs)

    @property
    def newest_seq(self) -> int:
        """The seq from which the last one holds."""
        return self._seqs[-1] if self._seqs else 0

    def generation(self, seq: int) -> int:
        """The generation that holds at `seq`."""
        return bisect_right(self._seqs, seq)

    def tables(self, generation: int) -> Mapping[TableId, TableSchema]:
        """The tables that exist in a generation."""
        found = self._tables.get(generation)
        if found is None:
            known = self._tables
            start = max(each for each in known if each < generation)
            found = dict(known[start])
            for version in self._versions[start:generation]:
                if version.state == "dropped":
                    found.pop(version.table_id, None)
                else:
                    found[version.table_id] = version
            self._remember(generation, found)
        return found

    def version(self, value_schema_id: int, generation: int) -> TableSchema | None:
        """The version with this schema of row events that holds in a generation; the first one, if
        none does yet."""
        versions = self._by_schema.get(value_schema_id)
        if not versions:
            return None
        last = self._versions[generation - 1].id if generation else 0
        return next((v for v in reversed(versions) if v.id <= last), versions[0])

    def first_versions(self) -> dict[TableId, TableSchema]:
        """Of every table that ever was: the version that it was first known by."""
        found: dict[TableId, TableSchema] = {}
        for version in self._versions:
            found.setdefault(version.table_id, version)
        return found

    def changed(self, older: int, newer: int) -> set[TableId]:
        """The tables of which `newer` knows other versions than `older`."""
        first, last = sorted((older, newer))
        return {version.table_id for version in self._versions[first:last]}

    def between(self, after: int, upto: int) -> list[TableSchema]:
        """The versions that begin to hold behind `after` and up to seq `upto`."""
        return self._versions[self.generation(after) : self.generation(upto)]

    def _remember(self, generation: int, tables: dict[TableId, TableSchema]) -> None:
        kept = dict(sorted(self._tables.items())[-_KEPT + 1 :])
        self._tables = {0: {}, **kept, generation: tables}
