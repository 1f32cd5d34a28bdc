"""What can be wrong with a table's description or a row's bytes.

    DataError
    ├── CorruptEvent
    │   ├── CorruptTableMap   a TABLE_MAP that can't be read
    │   ├── CorruptRow        a row image whose bytes can't be what the server wrote
    │   └── CorruptResult     a row of a SELECT that can't be what the server holds
    ├── SchemaMismatch        the TABLE_MAP and what we know about the table disagree
    ├── NotInferable          the TABLE_MAP alone doesn't tell what its rows hold
    ├── MinimalImage          a rows event that doesn't hold all columns
    └── NotReadable           a value that no SELECT shows exactly

All of them stop the producer: going on would send rows that aren't the source's.
"""

from mysync_runtime.errors import CorruptEvent, DataError


class CorruptTableMap(CorruptEvent):
    """The body of a TABLE_MAP event can't be read."""


class SchemaMismatch(DataError):
    """The TABLE_MAP doesn't describe the table that the schema does."""

    advice = "Begin the pipeline anew under another name, or exclude the table."

    def __init__(self, table: str, what: str) -> None:
        super().__init__(
            f"{table}: the binlog's TABLE_MAP and the known schema disagree: {what}. The table was "
            "changed where the stream didn't show it, or the server doesn't log "
            "binlog_row_metadata=FULL."
        )
        self.table = table


class NotInferable(DataError):
    """Rows of a table whose definition isn't certain, and whose TABLE_MAP doesn't tell enough."""

    advice = (
        "Exclude the table; or begin the pipeline anew under another name when no statement "
        "changes the table's definition. ALTER TABLE … FORCE gives columns of MariaDB's old "
        "formats the present one (mysql56_temporal_format=ON)."
    )

    def __init__(self, table: str, column: str | None, what: str) -> None:
        super().__init__(
            f"{table}{f', column {column}' if column else ''}: {what}, and a statement has changed "
            "the table's definition shortly before"
        )
        self.table = table
        self.column = column


class MinimalImage(DataError):
    """A rows event leaves out columns."""

    advice = (
        "Set binlog_row_image=FULL on the source, in every session, then begin the pipeline anew "
        "under another name."
    )

    def __init__(self, table: str, where: str, image: str) -> None:
        super().__init__(
            f"{table}: the rows event at {where} leaves columns out of its {image} image"
        )
        self.table = table


class CorruptRow(CorruptEvent):
    """The bytes of a row image can't be what the server wrote."""

    def __init__(self, table: str, where: str, row: int, column: str | None, what: str) -> None:
        super().__init__(
            f"{table}: row {row} of the rows event at {where}"
            + (f", column {column}" if column else "")
            + f": {what}"
        )
        self.table = table
        self.column = column


class CorruptResult(CorruptEvent):
    """What a SELECT shows of a row can't be what the table holds."""

    advice = (
        "Check the table (CHECK TABLE) and what stands between the source and the producer; "
        "nothing was skipped."
    )

    def __init__(self, table: str, row: int | None, column: str | None, what: str) -> None:
        super().__init__(
            f"{table}: "
            + ("" if row is None else f"row {row} of the rows read by SELECT")
            + (f", column {column}" if column else "")
            + ("" if row is None else ": ")
            + what
        )
        self.table = table
        self.column = column


class NotReadable(DataError):
    """The binlog would hold something that no SELECT tells exactly."""

    advice = (
        "Leave the table out of the transfer and bring its rows to the target by other means, or "
        "change the column."
    )

    def __init__(self, table: str, column: str, what: str) -> None:
        super().__init__(f"{table}, column {column}: it can't be read exactly by a SELECT: {what}")
        self.table = table
        self.column = column


class BadValue(Exception):
    """Raised by a value decoder that doesn't know where it is; becomes a CorruptRow."""
