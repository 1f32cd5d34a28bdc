"""Asks the target which rows of a table are there, by their keys.

The answer is what is committed when it is given. It stays true until the partition's worker writes
itself, because nobody else writes these keys: they belong to its partition, and a former owner of
it can't commit any more since the claim raised the epoch.

A row is there with exactly the bytes that are looked for, or none of its key is (`tolerance` says
why), so it does no harm that keys are compared as the collation does, nor that a key that SQL can't
name so is compared byte by byte."""

from collections.abc import Iterator, Sequence

from mysync_consumer.errors import ApplyRefused
from mysync_consumer.rowerrors import UnwritableValue
from mysync_consumer.rowimage import ImagePlan
from mysync_consumer.rowread import Row
from mysync_consumer.session import Session
from mysync_consumer.shapes import ShapeCheck
from mysync_consumer.sqlkeys import KeyWords, cells, values
from mysync_consumer.targettable import TargetTable
from mysync_runtime.mysql import quote_table

TOGETHER = 100
"""Keys of a statement that says which of them are there: it compares each row found with half of
them."""

STATEMENT_BYTES = 256 << 10
"""A statement takes more keys up to this."""


class Presence:
    """Of one table with a key, in the words of one layout of its rows."""

    def __init__(self, plan: ImagePlan, target: TargetTable, check: ShapeCheck) -> None:
        self._plan = plan
        self._check = check
        self._cells = cells(plan.keyed, target)
        self._words = KeyWords(plan.name, self._cells, target)
        self._table = quote_table(target.db, target.table).encode()
        if target.table_type == "SYSTEM VERSIONED":
            self._table += b" FOR SYSTEM_TIME ALL"

    def among(self, session: Session, rows: Sequence[Row]) -> list[bool]:
        """Which of the rows are there, each by its key: the old one of an update or a deletion.

        Raises CorruptRecord, UnwritableValue (a key that SQL has no words for), and what
        `Session.ask` does."""
        found = [False] * len(rows)
        keys: list[tuple[int, bytes]] = []
        alone: list[tuple[int, bytes]] = []
        for i, row in enumerate(rows):
            image = bytearray()
            if row.before_start >= 0:
                self._plan.key(row.value, row.before_start, row.before_end, image)
            else:
                self._plan.key(row.value, row.after_start, row.after_end, image)
            key = values(self._cells, bytes(image))
            if self._words.listable:
                try:
                    keys.append((i, self._words.key(key)))
                    continue
                except UnwritableValue:
                    pass
            alone.append((i, self._words.exact(key)))
        answers = session.ask(map(self._which, _split(keys)), self._check)
        for answer in answers:
            for (number,) in answer:
                if not isinstance(number, int):
                    raise ApplyRefused(0, "a row was found that equals none of the keys asked for")
                found[number] = True
        answers = session.ask((self._exactly(condition) for _, condition in alone), self._check)
        for (i, _), answer in zip(alone, answers, strict=True):
            found[i] = bool(answer)
        return found

    def _which(self, keys: Sequence[tuple[int, bytes]]) -> bytes:
        """The numbers of those that are there."""
        numbers = b" ".join(b"WHEN %s THEN %d" % (self._words.equal(k), i) for i, k in keys)
        listed = self._words.listed(key for _, key in keys)
        return b"SELECT CASE %s END FROM %s WHERE %s" % (numbers, self._table, listed)

    def _exactly(self, condition: bytes) -> bytes:
        return b"SELECT 1 FROM %s WHERE %s LIMIT 1" % (self._table, condition)


def _split(keys: Sequence[tuple[int, bytes]]) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Parts of TOGETHER keys and about STATEMENT_BYTES at most."""
    start = size = 0
    for at, (_, key) in enumerate(keys):
        if at > start and (at - start >= TOGETHER or size + len(key) > STATEMENT_BYTES):
            yield keys[start:at]
            start, size = at, 0
        size += len(key) + 2
    if start < len(keys):
        yield keys[start:]
