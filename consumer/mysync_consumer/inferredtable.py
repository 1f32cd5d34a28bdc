"""Rows of a version that the log told, on a table of the target: what must be equal.

A TABLE_MAP says nothing of what columns are generated from, of other unique keys than one, of the
kind of table, of display widths. All that is compared once the definition is known; until then the
target is believed. What the map does say decides which bytes a value has, and must be the target's.
"""

import re
from collections.abc import Iterable, Iterator

from mysync_consumer.spelling import plain_type, signature, utf8mb3
from mysync_consumer.targetcolumn import MARIADB_FIXED, TargetColumn
from mysync_schemas.table import Column, Key, TableSchema
from mysync_schemas.types import UNREADABLE
from mysync_schemas.versioned import by_transaction

__all__ = ["differences"]

_DIGITS = re.compile(r"^(float|double)\(\d+,\d+\)")
_LABELLED = ("enum", "set")


def differences(
    schema: TableSchema, columns: Iterable[TargetColumn], unique_keys: Iterable[Key]
) -> list[str]:
    """Why rows of this version can't be written to a table of these; [] = they can."""
    there = {column.name: column for column in columns}
    found = [
        f"column {column.name}: transaction numbers mean nothing on another server than their own"
        for column in there.values()
        if by_transaction(column)
    ]
    for column in schema.columns:
        other = there.pop(column.name, None)
        if other is None:
            found.append(f"column {column.name} is missing on the target")
        else:
            found += _of_column(column, other)
    found += [f"column {name} is on the target only" for name in there]
    return [*found, *_of_keys(schema, list(unique_keys))]


def _of_column(column: Column, other: TargetColumn) -> Iterator[str]:
    for what, source, target in (
        ("type", _type(column.data_type, column.column_type), _stored_as(other)),
        ("character set", _charset(column.charset), _charset(other.charset)),
        ("collation", _charset(column.collation), _charset(other.collation)),
        ("nullable", column.nullable, other.nullable),
        ("labels", *_labels(column.labels, other.labels)),
    ):
        if source != target:
            yield f"column {column.name}: {what} {source} in the log, {target} on the target"


def _of_keys(schema: TableSchema, theirs: list[Key]) -> Iterator[str]:
    """The log's primary key is the table's, or the unique one that stands for it."""
    primary = [key for key in theirs if key.name == "PRIMARY"]
    mine = {key.columns: key for key in schema.keys}
    for key in primary:
        if key.columns not in mine:
            yield f"{signature(key)} is on the target only"
    if not {key.columns for key in primary or theirs} >= mine.keys():
        yield from (f"{signature(key)} is missing on the target" for key in mine.values())


def _type(data_type: str, column_type: str) -> str:
    """COLUMN_TYPE as far as the log tells it; labels are compared by themselves."""
    if data_type in _LABELLED:
        return data_type
    plain = plain_type(column_type).removesuffix(" zerofill")
    return _DIGITS.sub(r"\1", plain)


def _stored_as(column: TargetColumn) -> str:
    width = MARIADB_FIXED.get(column.data_type)
    return f"binary({width})" if width else _type(column.data_type, column.column_type)


def _charset(name: str | None) -> str | None:
    return None if name == "binary" else utf8mb3(name)


def _labels(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Both without those that the log can't show."""
    if len(mine) != len(theirs):
        return list(mine), list(theirs)
    shown = [pair for pair in zip(mine, theirs, strict=True) if pair[0] != UNREADABLE]
    return [one for one, _ in shown], [other for _, other in shown]
