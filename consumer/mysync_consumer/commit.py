"""Commits what a worker has read, and finds out what to do when the target refuses.

tolerant        what rows of tables that are being transferred mean is found out anew before each
                attempt (`tolerance`); from there on all is strict
committed       the checkpoint and the frontier move
busy            deadlock or lock wait: rolled back, the same again
shape changed   the table's layout is made anew from the target, then the same again
unmatched       the compare-and-set matched nothing: an instruction is read and obeyed, or the
                partition has a new owner (ClaimLost)
refused         event by event: what stands before the refused one is committed; an event that
                another partition's rows may be in the way of is tried once more when all
                partitions are there; then it is a divergence
one table       what is wrong with one table only (a divergence, another definition, a value that
                it can't hold) is handed on as TableFailed: the worker knows the policy
quarantined     rows of such tables are passed over; the checkpoint moves as if they were applied
anything else   is transient: the worker claims again and reads where it stands; it takes fewer
                rows if the connection was lost with the batch
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from mysync_consumer import checkpoint, cut, metrics, report, tolerance
from mysync_consumer.applier import encodable
from mysync_consumer.batchlimit import BatchLimit
from mysync_consumer.bindings import Binding, Layouts
from mysync_consumer.checkpoint import Claimed, Progress
from mysync_consumer.context import Context
from mysync_consumer.errors import (
    ApplyRefused,
    ClaimLost,
    TableFailed,
    TargetBusy,
    TargetUnavailable,
    TooLarge,
)
from mysync_consumer.frontier import Frontier
from mysync_consumer.hold import Hold
from mysync_consumer.rowerrors import CorruptRecord, UnwritableTable, UnwritableValue
from mysync_consumer.rowread import Row
from mysync_consumer.session import Session
from mysync_consumer.shapes import ShapeChanged
from mysync_consumer.skipping import Skipping
from mysync_consumer.tenure import Tenure
from mysync_runtime.errors import ConnectionLost, DataError, Divergence, Drift
from mysync_runtime.log import get_logger
from mysync_schemas.markers import Heartbeat

BUSY_RETRIES = 10
SHAPE_RETRIES = 3

ORDER_CODES = frozenset({1062, 1451, 1452})
"""Refusals that rows of other partitions may be the cause of: duplicate key, foreign keys."""

CONFLICT_SECONDS = 15.0
"""How long such an event waits for the other partitions. Idle ones learn where they are by
heartbeats, which come every 10 s; without a producer nobody would ever be told of the conflict."""

DEFINITIONS = (Drift, UnwritableTable, UnwritableValue)
"""Errors of one table that are found when its rows' layout is made. A table that another pipeline
writes, or two that would become one, are none: those are mistakes in the settings."""

DEFINITION_OR_GRANT = 1105
"""All that the client sees when the target's applier finds another definition, or no privilege."""


def progress_after(row: Row, frontier: int) -> Progress:
    """Where the partition stands when this row is its last one applied."""
    return Progress(
        next_offset=row.offset + 1,
        last_seq=row.seq,
        frontier=frontier,
        file=row.file(),
        pos=row.pos,
        gtid=row.gtid(),
        source_us=row.ts_us,
    )


class Committer:
    """Writes one claim's transactions. `claimed` is what the target has committed."""

    def __init__(
        self,
        context: Context,
        tenure: Tenure,
        session: Session,
        claimed: Claimed,
        limit: BatchLimit,
        wait_for_all: Callable[[int, str, float], None],
    ) -> None:
        self.claimed = claimed
        self._context = context
        self._tenure = tenure
        self._session = session
        self._limit = limit
        self._layouts = Layouts(context.bindings, session)
        self._skipping = Skipping(context.quarantine, session.escape)
        self.hold = Hold(session, claimed.pipeline)
        self._wait_for_all = wait_for_all

    def commit(self, due: list[Row], new: Progress) -> None:
        """Commits rows and checkpoint; returns when they are. Raises what the module says."""
        while (count := self._knowable(due)) < len(due):
            frontier = max(self.claimed.progress.frontier, due[count].seq - 1)
            self._commit(due[:count], progress_after(due[count - 1], frontier))
            due = due[count:]
        self._commit(due, new)

    def _commit(self, due: list[Row], new: Progress) -> None:
        guess = tolerance.guesses(due)
        while True:
            try:
                self._attempt(due, new, singly=False, guess=guess)
            except ApplyRefused as error:
                if not error.of_rows:
                    raise
                if guess:
                    guess = False
                    continue
                metrics.count(error)
                self._settle(due, new)
            return

    def _knowable(self, due: list[Row]) -> int:
        """How many rows, from the first on, one transaction may hold."""
        if not any(row.tolerant for row in due):
            return len(due)
        rows, _ = self._skipping.split(due)
        count = tolerance.knowable(rows, self._bind(rows))
        return len(due) if count == len(rows) else due.index(rows[count])

    def stand(self, held: cut.Cut, beat: Heartbeat) -> None:
        """Says that the partition stands at a cut's place; all before it is committed."""
        note = cut.note(self.claimed, held, beat, self._session.escape)
        self._attempt([], self.claimed.progress, singly=False, more=[note])

    def publish(self) -> None:
        """Tells the other workers what is committed."""
        self._context.frontiers.publish(
            self.claimed.partition,
            Frontier(
                self.claimed.progress.frontier,
                self._session.identity.server,
                self.claimed.epoch,
            ),
        )

    def _attempt(
        self,
        due: list[Row],
        new: Progress,
        *,
        singly: bool,
        more: Sequence[str] = (),
        guess: bool = False,
    ) -> tuple[Row, ApplyRefused] | None:
        """Commits all, or, `singly`, nothing and says which row was refused."""
        busy = shape = 0
        applier = self._context.applier
        while True:
            self.hold.require_not_passed()
            began = time.monotonic()
            rows, skipped = self._skipping.split(due)
            notes = [*self._skipping.notes(skipped, self.claimed), *more]
            tables: dict[int, Binding] = {}
            events: Sequence[Row] = rows
            try:
                tables = self._bind(rows)
                began = time.monotonic()
                events = self._resolve(rows, tables, guess=guess)
                transaction = self._session, self.claimed, new, tables, events, notes
                if singly:
                    refusal = applier.apply_singly(*transaction)
                    if refusal is not None:
                        seq = events[refusal.index].seq
                        return next(row for row in rows if row.seq == seq), refusal.error
                    written = len(rows)
                else:
                    written = applier.apply(*transaction)
            except TargetBusy as error:
                metrics.count(error)
                busy += 1
                if busy > BUSY_RETRIES:
                    raise
                self._tenure.sleep(0.002 * 2 ** min(busy, 6))
            except ShapeChanged as change:
                shape += 1
                if shape > SHAPE_RETRIES:
                    changed = [i for i, table in tables.items() if table.check is change.check]
                    drift = Drift(f"a table keeps changing on the target: {change}")
                    raise self._failed(drift, _first(rows, changed[0])) from change
                self._layouts.forget(change.check)
            except ClaimLost:
                self._read_instructions()
            except (ConnectionLost, TargetUnavailable):
                self._lost(rows, time.monotonic() - began)
                raise
            except (CorruptRecord, UnwritableValue, TooLarge) as error:
                culprit = self._locate(error, events)
                if culprit is None or isinstance(error, CorruptRecord):
                    raise
                raise self._failed(error, culprit) from error
            else:
                self._limit.committed()
                self.claimed = self.claimed.advanced(new)
                self._skipping.committed(skipped)
                self._tenure.succeeded()
                self.publish()
                metrics.committed(
                    self.claimed.partition, tables, rows, written, time.monotonic() - began
                )
                return None

    def _lost(self, due: list[Row], seconds: float) -> None:
        """The connection was lost with the batch: the next claim tries fewer rows."""
        if due:
            self._limit.lost(len(due))
        patience = self._context.settings.target.read_timeout
        if len(due) == 1 and seconds >= patience:
            found = self._report(due[0], 0, "")
            get_logger("commit").error(
                "one row takes the target longer than target.read_timeout: raise that setting",
                table=found["table"],
                key=report.key(found),
                at=report.place(found),
                read_timeout=patience,
            )

    def _bind(self, due: list[Row]) -> dict[int, Binding]:
        """How the rows' tables are written, by schema id."""
        layouts = self._layouts
        if due:
            layouts.move(due[0].seq)
        readers = {row.schema_id: row.reader for row in due}
        tables: dict[int, Binding] = {}
        for schema_id, reader in readers.items():
            try:
                tables[schema_id] = layouts.binding(reader)
            except DEFINITIONS as error:
                raise self._failed(error, _first(due, schema_id)) from error
        for row in due if any(table.cascades for table in tables.values()) else ():
            table = tables[row.schema_id]
            if table.joined is not None and table.relies_on_cascades(row.flags):
                try:
                    layouts.compare_foreign_keys(table.joined)
                except DEFINITIONS as error:
                    raise self._failed(error, row) from error
        return tables

    def _resolve(
        self, rows: list[Row], tables: dict[int, Binding], *, guess: bool
    ) -> Sequence[Row]:
        """What has to be written for the rows, strictly."""
        if not rows:
            return rows
        transfers = self._context.bindings.control.transfers
        try:
            return tolerance.resolve(
                rows, tables, self._session, transfers.under_way(rows[0].seq), guess=guess
            )
        except ApplyRefused as error:
            culprit = next(row for row in rows if row.tolerant)
            asked = UnwritableTable(
                culprit.reader.name, f"the target can't say which of its rows are there: {error}"
            )
            raise self._failed(asked, culprit) from error

    def _failed(self, error: DataError, culprit: Row) -> TableFailed:
        """The error as one of the culprit's table."""
        place = report.place(report.position(self.claimed.partition, culprit))
        table = culprit.reader.schema.table_id
        return TableFailed(table, error, place, self.claimed.progress.next_offset)

    def _read_instructions(self) -> None:
        mine = self.claimed
        stored = checkpoint.read(self._session.connection, mine.pipeline, mine.partition)
        if (
            stored is None
            or stored.epoch != mine.epoch
            or stored.progress.next_offset != mine.progress.next_offset
            or stored.control_version == mine.control_version
        ):
            owner = stored.owner if stored is not None else "nobody"
            raise ClaimLost(f"partition {mine.partition} now belongs to {owner}")
        self._context.obedience.adopt(self._session.connection, stored.control_version)
        self._skipping.forget()
        self.hold.read()
        self.claimed = replace(mine, control_version=stored.control_version)

    def _settle(self, due: list[Row], new: Progress) -> None:
        while due:
            refusal = self._attempt(due, new, singly=True)
            if refusal is None:
                return
            culprit, error = refusal
            at = next(index for index, row in enumerate(due) if row is culprit)
            before, after = due[:at], due[at + 1 :]
            here = self.claimed.progress
            frontier = max(here.frontier, culprit.seq - 1)
            if before:
                self.commit(before, progress_after(before[-1], frontier))
            elif frontier > here.frontier:
                self.commit([], replace(here, frontier=frontier))
            if error.code in ORDER_CODES:
                self._wait_for_all(frontier, "conflict", CONFLICT_SECONDS)
            again = self._attempt([culprit], progress_after(culprit, culprit.seq), singly=True)
            if again is not None:
                found = self._divergence(culprit, again[1])
                raise self._failed(found, culprit) from again[1]
            due = after
        if self.claimed.progress != new:
            self.commit([], new)

    def _locate(
        self, error: CorruptRecord | UnwritableValue | TooLarge, due: Sequence[Row]
    ) -> Row | None:
        """Finds the row that couldn't be encoded, and gives the error its place and report."""
        for each in due:
            binding = self._layouts.binding(each.reader)
            try:
                encodable(binding, each, self._session)
            except (CorruptRecord, UnwritableValue) as found:
                found_report = self._report(each, 0, found.what)
                error.where = report.place(found_report)
                error.report = found_report  # type: ignore[union-attr]
                return each
            except TooLarge as found:
                # Its images, which a report would hold, wouldn't fit in mysync.errors either.
                found_report = self._report(each, 0, found.what)
                error.what = f"{binding.name} {report.key(found_report)}: {found.what}"
                error.where = report.place(found_report)
                return each
        return None

    def _divergence(self, culprit: Row, error: ApplyRefused) -> Divergence | Drift:
        found = self._report(culprit, error.code, error.message)
        if error.code == DEFINITION_OR_GRANT:
            return report.DriftReported(found)
        return report.DivergenceReported(found)

    def _report(self, row: Row, code: int, message: str) -> report.Report:
        return report.build(
            self._session.connection,
            self.claimed.partition,
            row,
            self._layouts.binding(row.reader),
            code,
            message,
        )


def _first(rows: list[Row], schema_id: int) -> Row:
    return next(row for row in rows if row.schema_id == schema_id)
