"""System-versioned tables (MariaDB): the two columns that say from when to when a row held.

Where the table's definition doesn't name them, they are `row_start` and `row_end`: in row events as
the last two columns, in information_schema not at all. Every unique key ends with the second one:
several versions of a row differ in it. information_schema says so only where the columns are named.

The source's log holds each row as it was written: an update is an update and an insert of the row
as it was, a deletion an update that ends the row. All these are rows to write, as they are and in
their order; the target adds none of its own.

Sources: MariaDB, "System-Versioned Tables"; what 10.11 writes was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from mysync_schemas.table import Column, Key, KeyPart, TableType

__all__ = ["ROW_END", "ROW_START", "by_transaction", "period", "with_period_end"]

ROW_START: Final = "ROW START"
ROW_END: Final = "ROW END"
_NAMES: Final = {"row_start": ROW_START, "row_end": ROW_END}


class _Column(Protocol):
    @property
    def ordinal(self) -> int: ...
    @property
    def expression(self) -> str | None: ...


class _Period(Protocol):
    @property
    def data_type(self) -> str: ...
    @property
    def expression(self) -> str | None: ...


def period(table_type: TableType, columns: Sequence[_Column]) -> tuple[Column, ...]:
    """The period's columns that a versioned table has beside these."""
    if table_type != "SYSTEM VERSIONED" or any(c.expression == ROW_END for c in columns):
        return ()
    last = max(column.ordinal for column in columns)
    return tuple(
        Column(
            name=name,
            ordinal=last + i,
            column_type="timestamp(6)",
            data_type="timestamp",
            nullable=False,
            fsp=6,
            generated="STORED",
            expression=expression,
            invisible=True,
        )
        for i, (name, expression) in enumerate(_NAMES.items(), 1)
    )


def with_period_end(key: Key) -> Key:
    """A key of a table whose period isn't in information_schema, as it really is."""
    if not key.unique:
        return key
    return key.model_copy(update={"columns": (*key.columns, KeyPart(column="row_end"))})


def by_transaction(column: _Period) -> bool:
    """A period's column that holds a transaction's number, which only its server understands."""
    return column.expression in (ROW_START, ROW_END) and column.data_type != "timestamp"
