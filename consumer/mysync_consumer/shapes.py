"""Whether a table of the target is still what the images of its rows are made for.

A shape check is a `SELECT … LIMIT 0` of a table that is written: its result's columns are what they
were when the images' layout was made, and the metadata lock it takes keeps them so until the end of
the transaction. It says nothing of the labels of ENUM and SET, whose numbers the images hold, nor
of what columns are generated from: for a table that has such columns a second query, under that
lock, reads their definitions.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mysync_runtime.mysql import Connection

SHAPE_CODES = frozenset({1054, 1146, 1049, 1412})
"""Unknown column, table or database; definition changed under the transaction."""

Shape = tuple[tuple[object, ...], ...]
"""What a result says of its columns: name, type, flags, charset, length, decimals of each."""


Labels = tuple[tuple[object, ...], ...]
"""Name, type and expression of each ENUM, SET and generated column."""


class ShapeChanged(Exception):
    """A table isn't what its layout was made for. The transaction is rolled back."""

    def __init__(self, check: "ShapeCheck", message: str = "") -> None:
        super().__init__(message or "the columns changed")
        self.check = check


@dataclass(frozen=True, eq=False, slots=True)
class ShapeCheck:
    """`select` is a `SELECT … LIMIT 0` without parameters, `shape` what its result must look
    like; `labels` is what `labels_select`, if there is one, must find."""

    select: bytes
    shape: Shape
    labels_select: bytes | None = None
    labels: Labels = ()

    def queries(self) -> Iterator[bytes]:
        """In this order: the first one locks what the second one reads."""
        yield self.select
        if self.labels_select is not None:
            yield self.labels_select


def shape_of(fields: Iterable[Any]) -> Shape:
    """What a result set says of its columns (PyMySQL's FieldDescriptorPacket)."""
    return tuple((f.name, f.type_code, f.flags, f.charsetnr, f.length, f.scale) for f in fields)


def read_shape(connection: Connection, select: bytes) -> Shape:
    """Runs a shape check's SELECT, and so locks the table's metadata until the transaction ends."""
    raw: Any = connection
    raw.query(select)
    return shape_of(raw._result.fields)


def read_labels(connection: Connection, select: bytes) -> Labels:
    """Runs a shape check's query for labels."""
    raw: Any = connection
    raw.query(select)
    found: Labels = raw._result.rows
    return found
