"""What can be wrong with a record's bytes, a value, or a table's definition on the target.

DataError
├── CorruptRecord      bytes that can't be the row event that their schema id says
├── UnwritableValue    a value that the target's column can't hold exactly
├── TableDrift         (Drift) source and target define the table differently
└── UnwritableTable    a table that can't be written as the source's rows demand
"""

from collections.abc import Sequence

from mysync_runtime.errors import DataError, Drift


class CorruptRecord(DataError):
    """Raised without the record's place: who has its partition and offset says it."""

    advice = "Nothing of it was applied; compare the record with the source's binary log."

    def __init__(self, table: str, what: str) -> None:
        super().__init__(f"{table}: not a row event of this table: {what}")
        self.table = table


class UnwritableValue(DataError):
    """A value that would have to be altered to fit the target's column."""

    advice = "Nothing of its row was written; values are never altered to fit."

    def __init__(self, table: str, column: str, what: str) -> None:
        super().__init__(f"{table}: column {column}: {what}")
        self.table = table
        self.column = column


class TableDrift(Drift):
    """The definitions differ; `differences` has a line for each."""

    def __init__(self, source: str, target: str, differences: Sequence[str]) -> None:
        tables = source if source == target else f"{source} (target {target})"
        super().__init__(f"{tables}: source and target differ: {'; '.join(differences)}")
        self.table = source
        self.differences = tuple(differences)


class UnwritableTable(DataError):
    """What we can do to this table would be something else than what the source did."""

    advice = "Exclude the table, or mend its definition on both sides."

    def __init__(self, table: str, what: str) -> None:
        super().__init__(f"{table}: {what}")
        self.table = table


class BadValue(Exception):
    """Raised by a value writer, which doesn't know its column's name."""
