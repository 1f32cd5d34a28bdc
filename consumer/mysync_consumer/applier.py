"""Writes one batch to the target: rows in, one transaction out.

`Applier` is the seam between the worker, which knows positions and order, and the way rows are
written. There are two: row events are given to the target's own replication applier, SQL is for
targets that don't let us do that, and for the tables that their appliers match wrongly. The
binding of a table says which way its rows go; the plan, the transaction and its strictness are the
same.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from mysync_consumer import sqlstatements
from mysync_consumer.bindings import Binding
from mysync_consumer.checkpoint import Claimed, Progress, compare_and_set
from mysync_consumer.coalesce import DELETE, INSERT, UPDATE, Plan, Step, groups
from mysync_consumer.errors import ApplyRefused
from mysync_consumer.rowevents import GroupWriter
from mysync_consumer.rowread import Row
from mysync_consumer.session import Packet, Session
from mysync_consumer.shapes import ShapeCheck

STATEMENT_BYTES = 2 << 20
"""Image bytes of one BINLOG statement, unless max_allowed_packet allows less or one row is
larger."""

EVENT_BYTES = 256 << 10
"""Image bytes that are collected before they become (part of) a rows event."""

PACKET_SHARE = 0.35
"""Image bytes of a statement per byte of max_allowed_packet: base64 makes 1.34 of them, and headers
come with them. A row that is larger has a statement of its own."""


Tables = Mapping[int, Binding]
"""How the rows of a batch are written, by their schema id."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first row that the target refused, by its index in the batch, and why."""

    index: int
    error: ApplyRefused


class Applier(Protocol):
    """Writes rows together with the checkpoint, in one target transaction: of each its `effect`."""

    def apply(
        self,
        session: Session,
        claimed: Claimed,
        new: Progress,
        tables: Tables,
        rows: Sequence[Row],
        notes: Sequence[str] = (),
    ) -> int:
        """Commits the batch; returns how many rows were written. Errors: `Session.transact`'s.

        `notes` are statements that commit with the checkpoint."""
        ...

    def apply_singly(
        self,
        session: Session,
        claimed: Claimed,
        new: Progress,
        tables: Tables,
        rows: Sequence[Row],
        notes: Sequence[str] = (),
    ) -> Refusal | None:
        """Like `apply`, event by event: commits all, or nothing and says which was refused."""
        ...


class PlannedApplier:
    """Writes what a `Plan` leaves of a batch, each table in the way that its binding says."""

    def __init__(self, *, coalesce: bool) -> None:
        self._coalesce = coalesce

    def apply(
        self,
        session: Session,
        claimed: Claimed,
        new: Progress,
        tables: Tables,
        rows: Sequence[Row],
        notes: Sequence[str] = (),
    ) -> int:
        plan = Plan(coalesce=self._coalesce)
        known = None
        for row in rows:
            if (row.schema_id, row.flags) != known:
                known = row.schema_id, row.flags
                table = tables[row.schema_id]
                flags = table.emitted_flags(row.flags)
            plan.add(table, row, row.effect, flags, row.key_hash, row.has_prev_key)
        steps = plan.steps()
        session.transact(
            compare_and_set(claimed, new, session.escape),
            checks_of(tables),
            encode(steps, session),
            notes,
        )
        return len(steps)

    def apply_singly(
        self,
        session: Session,
        claimed: Claimed,
        new: Progress,
        tables: Tables,
        rows: Sequence[Row],
        notes: Sequence[str] = (),
    ) -> Refusal | None:
        at = -1

        def one_by_one() -> Iterator[Packet]:
            nonlocal at
            for row in rows:
                at += 1
                table = tables[row.schema_id]
                step = Step(table, row.effect, table.emitted_flags(row.flags), row, row)
                yield from encode([step], session)

        try:
            session.transact(
                compare_and_set(claimed, new, session.escape),
                checks_of(tables),
                one_by_one(),
                notes,
            )
        except ApplyRefused as error:
            if not error.of_rows:
                raise
            return Refusal(max(at, 0), error)
        return None


def encodable(table: Binding, row: Row, session: Session) -> None:
    """Raises CorruptRecord, UnwritableValue or TooLarge if the row can't be written."""
    for packet in encode([Step(table, row.effect, 0, row, row)], session):
        session.fits(packet)


def checks_of(tables: Tables) -> list[ShapeCheck]:
    """The shape check of each table that is written."""
    return [table.check for table in tables.values()]


def encode(steps: Sequence[Step], session: Session) -> Iterator[Packet]:
    """The steps in order, as the tables' bindings say.

    Raises CorruptRecord, UnwritableValue."""
    limit = min(STATEMENT_BYTES, int(session.identity.max_allowed_packet * PACKET_SHARE))
    for by_sql, some in groupby(steps, lambda step: step.table.by_sql):
        if by_sql:
            yield from sqlstatements.encode(list(some), session.room)
        else:
            yield from (Packet(text) for text in binlog(list(some), limit))


def events(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """What can be one rows event: adjacent steps of one table, kind and flags; one step, where rows
    have to be passed one by one."""
    for group in groups(steps):
        plan = group[0].table.plan
        if plan.singly:
            yield from ([step] for step in group)
        elif plan.keyless and group[0].op == UPDATE:
            yield from changed_once(group)
        else:
            yield group


def changed_once(group: Sequence[Step]) -> Iterator[list[Step]]:
    """Parts in which no row is changed that a change before it has made.

    MySQL's applier doesn't take an event's rows of a table without a key in their order: it scans
    the table for all of them at once. A row that it would have to meet twice is missed, with error
    1032 or without any.
    """
    made: set[int] = set()
    part: list[Step] = []
    for step in group:
        first, last = step.first, step.last
        if hash(first.value[first.before_start : first.before_end]) in made:
            yield part
            made, part = set(), []
        made.add(hash(last.value[last.after_start : last.after_end]))
        part.append(step)
    yield part


def binlog(steps: Sequence[Step], limit: int) -> Iterator[bytes]:
    """BINLOG statements for the steps, in order, each of `limit` image bytes at most or with one
    row."""
    writer = GroupWriter()
    now = int(time.time())
    left = limit
    for group in events(steps):
        plan, op, flags = group[0].table.plan, group[0].op, group[0].flags
        writer.part()
        images = bytearray()
        for step in group:
            first, last = step.first, step.last
            start = len(images)
            if op != INSERT:
                plan.identity(first.value, first.before_start, first.before_end, images)
            if op != DELETE:
                plan.after(last.value, last.after_start, last.after_end, images)
            if len(images) > left and (start or writer.groups):
                if start:
                    images, before = images[start:], images
                    del before[start:]
                    writer.add(plan, op, flags, before)
                yield writer.statement(now)
                writer.clear()
                left = limit
            if len(images) >= EVENT_BYTES:
                writer.add(plan, op, flags, images)
                left -= len(images)
                images = bytearray()
        if images:
            writer.add(plan, op, flags, images)
            left -= len(images)
    if writer.groups:
        yield writer.statement(now)
