"""A table's key in SQL: what names one row, and many at once.

Values come from row images (`rowimage`), so they are checked and converted already. A key is
compared as its columns compare: who looks for 'A' finds 'a' where the collation says so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mysync_consumer.rowerrors import BadValue, UnwritableValue
from mysync_consumer.rowvalues import ValueWriter
from mysync_consumer.sqlliterals import Words, words_for
from mysync_consumer.targettable import TargetTable
from mysync_runtime.mysql import quote

MAX_ROWS = 500
"""Of one statement: what is gained beyond is little, and a range optimizer's work grows."""

Values = list[bytes | None]
"""A column's bytes in an image each; None is NULL."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column in an image. `width` is its size there, or -1: then `prefix` bytes say it."""

    name: str
    quoted: bytes
    width: int
    prefix: int
    generated: bool
    words: Words


def cells(writers: Iterable[ValueWriter], target: TargetTable) -> list[Cell]:
    """The columns of an image that has these writers."""
    mariadb = target.flavor == "mariadb"
    columns = {column.name: column for column in target.columns}
    return [
        Cell(
            w.name,
            quote(w.name).encode(),
            w.width,
            w.prefix,
            bool(columns[w.name].generated),
            words_for(columns[w.name], mariadb=mariadb),
        )
        for w in writers
    ]


def values(cells: Sequence[Cell], image: bytes) -> Values:
    """The columns of a row image, which is whole."""
    pos = (len(cells) + 7) >> 3
    nulls = int.from_bytes(image[:pos], "little")
    found: Values = []
    for cell in cells:
        null, nulls = nulls & 1, nulls >> 1
        if null:
            found.append(None)
            continue
        size = cell.width
        if size < 0:
            size = int.from_bytes(image[pos : pos + cell.prefix], "little")
            pos += cell.prefix
        found.append(image[pos : pos + size])
        pos += size
    return found


class KeyWords:
    """The key that these columns are, of the table `name` as people know it."""

    def __init__(self, name: str, cells: Sequence[Cell], target: TargetTable) -> None:
        self._name = name
        self._cells = cells
        self.listable = all(c.words.listed for c in cells)
        """Whether `listed` finds rows; otherwise only `exact` does."""
        keys = [c.quoted for c in cells]
        self._columns = keys[0] if len(keys) == 1 else b"(" + b", ".join(keys) + b")"
        numbered = {c.name for c in target.columns if c.data_type in ("enum", "set")}
        # MySQL compares them by their texts in an IN of several rows of columns.
        self._by_or = len(keys) > 1 and not numbered.isdisjoint(c.name for c in cells)

    def key(self, found: Values) -> bytes:
        """One key as `listed` takes it. Raises UnwritableValue."""
        words = self._words(found)
        if self._by_or:
            return b"(" + self._equal(words) + b")"
        return words[0] if len(words) == 1 else b"(" + b", ".join(words) + b")"

    def listed(self, keys: Iterable[bytes]) -> bytes:
        """The condition that is true for rows with one of the keys."""
        if self._by_or:
            return b" OR ".join(keys)
        return b"%s IN (%s)" % (self._columns, b", ".join(keys))

    def equal(self, key: bytes) -> bytes:
        """The condition that is true for rows with this one."""
        return key if self._by_or else b"%s = %s" % (self._columns, key)

    def exact(self, found: Values) -> bytes:
        """The condition that is true for these bytes only, those of generated columns aside.
        Raises UnwritableValue."""
        conditions = []
        for cell, value in zip(self._cells, found, strict=True):
            if cell.generated:
                continue
            try:
                conditions.append(
                    b"%s IS NULL" % cell.quoted if value is None else cell.words.exact(value)
                )
            except BadValue as error:
                raise UnwritableValue(self._name, cell.name, str(error)) from None
        return b" AND ".join(conditions)

    def _words(self, found: Values) -> list[bytes]:
        words = []
        for cell, value in zip(self._cells, found, strict=True):
            try:
                words.append(b"NULL" if value is None else cell.words.match(value))
            except BadValue as error:
                raise UnwritableValue(self._name, cell.name, str(error)) from None
        return words

    def _equal(self, words: Iterable[bytes]) -> bytes:
        pairs = zip(self._cells, words, strict=True)
        return b" AND ".join(b"%s = %s" % (c.quoted, word) for c, word in pairs)
