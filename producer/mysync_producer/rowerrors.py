"""What can be wrong with a table's description or a row's bytes.

    DataError
    ├── CorruptTableMap   a TABLE_MAP that can't be read
    ├── SchemaMismatch    the TABLE_MAP and what we know about the table disagree
    ├── MinimalImage      a rows event that doesn't hold all columns
    └── CorruptRow        a row image whose bytes can't be what the server wrote

All of them stop the producer: going on would send rows that aren't the source's.
"""

from mysync_runtime.errors import DataError


class CorruptTableMap(DataError):
    """The body of a TABLE_MAP event can't be read."""


class SchemaMismatch(DataError):
    """The TABLE_MAP doesn't describe the table that the schema does."""

    def __init__(self, table: str, what: str) -> None:
        super().__init__(
            f"{table}: the binlog's TABLE_MAP and the known schema disagree: {what}. The table was "
            "changed where the stream didn't show it, or the server doesn't log "
            "binlog_row_metadata=FULL."
        )
        self.table = table


class MinimalImage(DataError):
    """A rows event leaves out columns."""

    def __init__(self, table: str, where: str, image: str) -> None:
        super().__init__(
            f"{table}: the rows event at {where} leaves columns out of its {image} image. Set "
            "binlog_row_image=FULL on the source, in every session, and start again."
        )
        self.table = table


class CorruptRow(DataError):
    """The bytes of a row image can't be what the server wrote."""

    def __init__(self, table: str, where: str, row: int, column: str | None, what: str) -> None:
        super().__init__(
            f"{table}: row {row} of the rows event at {where}"
            + (f", column {column}" if column else "")
            + f": {what}"
        )
        self.table = table
        self.column = column


class BadValue(Exception):
    """Raised by a value decoder that doesn't know where it is; becomes a CorruptRow."""
