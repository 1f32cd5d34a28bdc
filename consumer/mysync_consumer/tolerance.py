"""Rows of tables that are being transferred, made strict: what has to be written for each.

While a table is being transferred, what the target holds of it is at every place a subset of the
rows that the source had there, each the same to the last byte. So an insert is strict as always;
the other events may not find their row:

r   (read by the transfer)  inserted, or nothing: the row is there already
u   updated, or its new image inserted
d   deleted, or nothing

Which it is the target is asked before every attempt at a batch, for the keys that the batch looks
for first; whatever the answer, what the batch itself does to a key says if it is there from then
on. Of an `r` it can be guessed, because its row is hardly ever there: an insert that succeeds is
the proof, so who guesses and is refused asks after all. Not where the batch deletes the row again:
folded, nothing would be written and nothing proved.

Keys are told apart by their bytes. Two spellings of one key under its collation do no harm: who
looks for one of them knows, as the source, the row by exactly these bytes, so an event that made
them so stands in the batch before, or they were so when it began.

Where the source doesn't log what its foreign keys cascade, the target must cascade: a row that is
deleted, or changed in what such keys refer to, is written first if it isn't there. What cascaded
can't be known before it was written: no batch looks for a row of joined tables behind such an
event (`knowable`). For all other events of these tables checks are off, because the rows that
theirs refer to may not be there yet.

A table without a key has events behind its last `r` only, and they are all strict.

A crash leaves nothing of this: the next claim asks again."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from mysync_consumer.bindings import Binding
from mysync_consumer.coalesce import DELETE, INSERT, UPDATE
from mysync_consumer.rowread import Row, read_row
from mysync_consumer.session import Session
from mysync_schemas.envelope import NO_FOREIGN_KEY_CHECKS
from mysync_schemas.table import TableId

READ = ord("r")
NOTHING = 0

Tables = Mapping[int, Binding]


def knowable(rows: Sequence[Row], tables: Tables) -> int:
    """How many of the rows, from the first on, can be resolved together: at least one."""
    if not any(table.cascades for table in tables.values()):
        return len(rows)
    cascaded = set()
    for at, row in enumerate(rows):
        table = tables[row.schema_id]
        if table.joined in cascaded and _looks(row, table):
            return at
        if table.cascades and table.cascades_at(row):
            cascaded.add(table.joined)
    return len(rows)


def resolve(
    rows: Sequence[Row],
    tables: Tables,
    session: Session,
    transferred: Collection[TableId],
    *,
    guess: bool,
) -> Sequence[Row]:
    """The events to write, strictly, for the rows of a batch: `effect` says what for each.

    `transferred` are the tables whose transfer is under way here; `guess`: that a row which the
    transfer has read isn't there. A row that is in the result beside another of its seq stands for
    that one's old image. Raises what `Presence.among` does.
    """
    if not transferred and not any(row.tolerant for row in rows):
        return rows
    _let_checks_be(rows, tables, transferred)
    missing = _missing(rows, tables, session, guess=guess)
    events = []
    for row in rows:
        if not row.tolerant or not tables[row.schema_id].presence:
            events.append(row)
            continue
        is_there = row.seq not in missing
        row.effect = NOTHING
        if row.op == INSERT:
            row.effect = INSERT
        elif row.op == READ:
            row.effect = NOTHING if is_there else INSERT
        elif is_there:
            row.effect = row.op
        elif tables[row.schema_id].cascades_at(row):
            events.append(before(row))
            row.effect = row.op
        elif row.op == UPDATE:
            row.effect = INSERT
        if row.effect != NOTHING:
            events.append(row)
    return events


def guesses(rows: Iterable[Row]) -> bool:
    """Whether there is anything to guess about."""
    return any(row.op == READ and row.tolerant for row in rows)


def before(row: Row) -> Row:
    """The insert of a row's old image."""
    old = read_row(row.reader, row.value)
    old.op = old.effect = INSERT
    old.after_start, old.after_end = row.before_start, row.before_end
    old.before_start = old.before_end = -1
    old.has_prev_key = False
    old.flags = row.flags | NO_FOREIGN_KEY_CHECKS
    old.first_offset, old.offset = row.first_offset, row.offset
    return old


def _looks(row: Row, table: Binding) -> bool:
    return row.tolerant and row.op != INSERT and table.presence is not None


def _let_checks_be(rows: Sequence[Row], tables: Tables, transferred: Collection[TableId]) -> None:
    """Switches foreign keys off for what doesn't cascade, where joined tables aren't complete."""
    partial = {
        schema_id
        for schema_id, table in tables.items()
        if table.cascades
        and table.joined is not None
        and not table.joined.members.isdisjoint(transferred)
    }
    for row in rows if partial else ():
        if row.schema_id in partial and not tables[row.schema_id].cascades_at(row):
            row.flags |= NO_FOREIGN_KEY_CHECKS


def _missing(rows: Sequence[Row], tables: Tables, session: Session, *, guess: bool) -> set[int]:
    """The seqs of the rows that are looked for and aren't there."""
    known: dict[int, dict[bytes, bool]] = {}
    guessed: dict[tuple[int, bytes], Row] = {}
    asked: dict[int, list[Row]] = {}
    missing = set()
    for row in rows:
        table = tables[row.schema_id]
        if not row.tolerant or table.presence is None:
            continue
        keys = known.setdefault(row.schema_id, {})
        op = row.op
        if op == INSERT:
            keys[table.key_after(row)] = True
            continue
        key = table.key_after(row) if op == READ else table.key_before(row)
        there = keys.get(key)
        if there is None and guess and op == READ:
            guessed[row.schema_id, key] = row
            missing.add(row.seq)
        elif there is None:
            asked.setdefault(row.schema_id, []).append(row)
        elif not there:
            missing.add(row.seq)
        elif op == DELETE and (read := guessed.pop((row.schema_id, key), None)) is not None:
            missing.discard(read.seq)
            asked.setdefault(row.schema_id, []).append(read)
        keys[key] = op != DELETE
        if op == UPDATE:
            made = table.key_after(row)
            if made != key:
                keys[key] = False
                keys[made] = True
    for schema_id, some in asked.items():
        presence = tables[schema_id].presence
        assert presence is not None
        answers = presence.among(session, some)
        missing |= {row.seq for row, there in zip(some, answers, strict=True) if not there}
    return missing
