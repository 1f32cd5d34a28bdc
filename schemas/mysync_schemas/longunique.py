"""MariaDB's unique keys over columns that are too long for an index (`USING HASH`).

The server keeps a hash of each such key in a hidden virtual column, `DB_ROW_HASH_1` and so on in
the order of the keys. They aren't in information_schema and can't be selected, but row events have
them, as the last columns: an image without them would leave the index wrong.

The key can't identify rows: MariaDB's applier doesn't find them by it (observed on 10.11).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from mysync_schemas.table import Column, Key

__all__ = ["hash_columns", "is_hash"]

_NAME: Final = "DB_ROW_HASH_"


class _Column(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def ordinal(self) -> int: ...
    @property
    def nullable(self) -> bool: ...


def hash_columns(columns: Sequence[_Column], hashed: Iterable[Key]) -> tuple[Column, ...]:
    """The hidden columns of a table with these (all) columns and these hash keys, in their order.

    What they are generated from is in `expression`: columns of one name must be of one key.
    """
    last = max(column.ordinal for column in columns)
    nullable = {column.name for column in columns if column.nullable}
    return tuple(
        Column(
            name=f"{_NAME}{i}",
            ordinal=last + i,
            column_type="bigint(20) unsigned",
            data_type="bigint",
            nullable=any(part.column in nullable for part in key.columns),
            unsigned=True,
            generated="VIRTUAL",
            expression=f"HASH({', '.join(str(part.column) for part in key.columns)})",
            invisible=True,
        )
        for i, key in enumerate(hashed, 1)
    )


def is_hash(name: str, expression: str | None) -> bool:
    """Whether this is one of them."""
    return name.startswith(_NAME) and expression is not None and expression.startswith("HASH(")
