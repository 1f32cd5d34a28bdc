"""A table's rows as SQL statements, each with the number of rows that it must find.

Made from the row images that the target's applier would get (`rowimage`), so values are checked,
converted and joined by name in one place for both ways of writing.

insert    INSERT with many rows.
delete    DELETE with many keys in an IN.
update    `SELECT COUNT(*) … FOR UPDATE` of the keys, then INSERT … ON DUPLICATE KEY UPDATE with
          many rows. The count is the proof that every row is there, and the locks keep them there,
          so nothing is inserted; the counts of an upsert itself prove nothing (1 is an insert, and
          a row left as it was as well). Only where the identity is the table's only unique key:
          elsewhere an upsert changes whatever row it meets. There, where a key changes, and where
          foreign keys are checked: an UPDATE for each row.
no key    every row by all its values, byte by byte, and LIMIT 1.

Measured (11 columns, 1,000 rows, µs a row, MySQL / MariaDB): count and upsert 38 / 52, UPDATE with
a JOIN of a VALUES list 63 / 67 and of a UNION 88 / 40, UPDATEs in one packet 284 / 196; a DELETE
with IN 13 / 7, of two columns 27 / 14, DELETEs in one packet 563 / 110.

SET names all columns, so that ON UPDATE CURRENT_TIMESTAMP never speaks for itself. Generated
columns are left to the target.
"""

from collections.abc import Collection, Iterator, Sequence

from mysync_consumer.coalesce import DELETE, INSERT, Step
from mysync_consumer.rowerrors import BadValue, UnwritableValue
from mysync_consumer.rowimage import ImagePlan
from mysync_consumer.sqlkeys import MAX_ROWS, KeyWords, Values, cells, values
from mysync_consumer.targettable import TargetTable
from mysync_runtime.mysql import quote_table
from mysync_schemas.envelope import NO_FOREIGN_KEY_CHECKS

Statement = tuple[bytes, int | None]
"""SQL, and how many rows it must find: those it matches or counts; None says nothing."""


class SqlPlan:
    """How rows of a source table are written to the target's by SQL."""

    def __init__(self, plan: ImagePlan, target: TargetTable) -> None:
        self.name = plan.name
        self._plan = plan
        self._after = cells(plan.sent, target)
        self._before = cells(plan.identified, target)
        self._written = [i for i, c in enumerate(self._after) if not c.generated]
        self._keyed = not plan.keyless
        places = {c.name: i for i, c in enumerate(self._after)}
        self._key_places = [places[c.name] for c in self._before]
        self._key = KeyWords(self.name, self._before, target)
        self._in = self._keyed and self._key.listable
        self._upserts = self._in and len(target.unique_keys) == 1
        table = quote_table(target.db, target.table).encode()
        self._assigned = [(i, self._after[i].words.assign) for i in self._written]
        self._names = names = [self._after[i].quoted for i in self._written]
        self._table = table
        self._insert = b"INSERT INTO %s (%s) VALUES " % (table, b", ".join(names))
        if target.flavor == "mariadb":
            head, copied = b" ON DUPLICATE KEY UPDATE ", b"VALUES(%s)"
        else:
            head, copied = b" AS `mysync row` ON DUPLICATE KEY UPDATE ", b"`mysync row`.%s"
        # The servers copy ENUM and SET by their texts, of which one may be empty.
        numbered = {c.name for c in target.columns if c.data_type in ("enum", "set")}
        written = [self._after[i] for i in self._written]
        self._upsert = head + b", ".join(
            b"%s = " % c.quoted + copied % c.quoted + (b" | 0" if c.name in numbered else b"")
            for c in written
        )

    def statements(self, group: Sequence[Step], limit: int) -> Iterator[Statement]:
        """For adjacent steps of one kind and flags; of about `limit` bytes each, or one row.

        Raises CorruptRecord, UnwritableValue.
        """
        op = group[0].op
        together = bool(group[0].flags & NO_FOREIGN_KEY_CHECKS)
        if op == INSERT:
            yield from self._inserts(group, limit)
        elif op == DELETE:
            yield from self._deletes(group, limit, together=together)
        else:
            yield from self._updates(group, limit, together=together)

    def _inserts(self, group: Sequence[Step], limit: int) -> Iterator[Statement]:
        rows: list[bytes] = []
        size = 0
        for step in group:
            row = self._row(self._new(step))
            if rows and (size + len(row) > limit or len(rows) >= MAX_ROWS):
                yield self._insert + b", ".join(rows), len(rows)
                rows, size = [], 0
            rows.append(row)
            size += len(row) + 2
        yield self._insert + b", ".join(rows), len(rows)

    def _deletes(self, group: Sequence[Step], limit: int, *, together: bool) -> Iterator[Statement]:
        keys: list[bytes] = []
        size = 0
        for step in group:
            old = self._old(step)
            if not (self._in and together):
                yield b"DELETE FROM %s WHERE %s" % (self._table, self._where(old)), 1
                continue
            key = self._key.key(old)
            if keys and (size + len(key) > limit or len(keys) >= MAX_ROWS):
                yield b"DELETE FROM %s WHERE %s" % (self._table, self._key.listed(keys)), len(keys)
                keys, size = [], 0
            keys.append(key)
            size += len(key) + 2
        if keys:
            yield b"DELETE FROM %s WHERE %s" % (self._table, self._key.listed(keys)), len(keys)

    def _updates(self, group: Sequence[Step], limit: int, *, together: bool) -> Iterator[Statement]:
        keys: dict[bytes, None] = {}
        rows: list[bytes] = []
        size = 0
        for step in group:
            old, new = self._old(step), self._new(step)
            moved = [new[i] for i in self._key_places] != old if self._keyed else True
            if moved or not (self._upserts and together):
                # What stands before it has its place before it.
                yield from self._upserted(keys, rows)
                keys, rows, size = {}, [], 0
                yield self._update(old, new), 1
                continue
            key, row = self._key.key(old), self._row(new)
            full = size + len(key) + len(row) > limit or len(rows) >= MAX_ROWS
            if rows and (full or key in keys):
                yield from self._upserted(keys, rows)
                keys, rows, size = {}, [], 0
            keys[key] = None
            rows.append(row)
            size += len(key) + len(row) + 4
        yield from self._upserted(keys, rows)

    def _upserted(self, keys: Collection[bytes], rows: list[bytes]) -> Iterator[Statement]:
        if rows:
            count = b"SELECT COUNT(*) FROM %s WHERE %s FOR UPDATE"
            yield count % (self._table, self._key.listed(keys)), len(keys)
            yield self._insert + b", ".join(rows) + self._upsert, None

    def _update(self, old: Values, new: Values) -> bytes:
        sets = b", ".join(map(b"%s = %s".__mod__, zip(self._names, self._words(new), strict=True)))
        return b"UPDATE %s SET %s WHERE %s" % (self._table, sets, self._where(old))

    # -- parts of statements -----------------------------------------------------------------------

    def _row(self, new: Values) -> bytes:
        return b"(" + b", ".join(self._words(new)) + b")"

    def _words(self, new: Values) -> list[bytes]:
        """What each written column is set to."""
        words = []
        i = 0
        try:
            for i, assign in self._assigned:
                value = new[i]
                words.append(b"NULL" if value is None else assign(value))
        except BadValue as error:
            raise UnwritableValue(self.name, self._after[i].name, str(error)) from None
        return words

    def _where(self, old: Values) -> bytes:
        """Finds one row: by its key as the key compares, without one by all its bytes."""
        if self._in:
            return self._key.listed([self._key.key(old)])
        return self._key.exact(old) + (b"" if self._keyed else b" LIMIT 1")

    # -- images ------------------------------------------------------------------------------------

    def _old(self, step: Step) -> Values:
        row, image = step.first, bytearray()
        self._plan.identity(row.value, row.before_start, row.before_end, image)
        return values(self._before, bytes(image))

    def _new(self, step: Step) -> Values:
        row, image = step.last, bytearray()
        self._plan.after(row.value, row.after_start, row.after_end, image)
        return values(self._after, bytes(image))
