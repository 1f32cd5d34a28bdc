"""Commits what a worker has read, and finds out what to do when the target refuses.

committed       the checkpoint and the frontier move
busy            deadlock or lock wait: rolled back, the same again
shape changed   the table's layout is made anew from the target, then the same again
unmatched       the compare-and-set matched nothing: an instruction is read and obeyed, or the
                partition has a new owner (ClaimLost)
refused         event by event: what stands before the refused one is committed; an event that
                another partition's rows may be in the way of is tried once more when all
                partitions are there; then it is a divergence
anything else   is transient: the worker claims again and reads where it stands; it takes fewer
                rows if the connection was lost with the batch
"""

import time
from collections.abc import Callable
from dataclasses import replace

from mysync_consumer import checkpoint, metrics, report
from mysync_consumer.applier import Refusal, encodable
from mysync_consumer.batchlimit import BatchLimit
from mysync_consumer.bindings import Binding, Layouts
from mysync_consumer.checkpoint import Claimed, Progress
from mysync_consumer.context import Context
from mysync_consumer.errors import (
    ApplyRefused,
    ClaimLost,
    TargetBusy,
    TargetUnavailable,
    TooLarge,
)
from mysync_consumer.frontier import Frontier
from mysync_consumer.rowerrors import CorruptRecord, UnwritableValue
from mysync_consumer.rowread import Row
from mysync_consumer.session import Session, ShapeChanged
from mysync_consumer.tenure import Tenure
from mysync_runtime.errors import ConnectionLost, Divergence, Drift
from mysync_runtime.log import get_logger

BUSY_RETRIES = 10
SHAPE_RETRIES = 3

ORDER_CODES = frozenset({1062, 1451, 1452})
"""Refusals that rows of other partitions may be the cause of: duplicate key, foreign keys."""

CONFLICT_SECONDS = 15.0
"""How long such an event waits for the other partitions. Idle ones learn where they are by
heartbeats, which come every 10 s; without a producer nobody would ever be told of the conflict."""

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
        self._wait_for_all = wait_for_all

    def commit(self, due: list[Row], new: Progress) -> None:
        """Commits rows and checkpoint; returns when they are. Raises what the module says."""
        try:
            try:
                self._attempt(due, new, singly=False)
            except ApplyRefused as error:
                if not due:
                    raise
                metrics.count(error)
                self._settle(due, new)
        except (CorruptRecord, UnwritableValue, TooLarge) as error:
            if not error.where:
                self._locate(error, due)
            raise

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

    def _attempt(self, due: list[Row], new: Progress, *, singly: bool) -> Refusal | None:
        busy = shape = 0
        applier = self._context.applier
        while True:
            began = time.monotonic()
            try:
                tables = self._bind(due)
                began = time.monotonic()
                if singly:
                    refusal = applier.apply_singly(self._session, self.claimed, new, tables, due)
                    if refusal is not None:
                        return refusal
                    written = len(due)
                else:
                    written = applier.apply(self._session, self.claimed, new, tables, due)
            except TargetBusy as error:
                metrics.count(error)
                busy += 1
                if busy > BUSY_RETRIES:
                    raise
                self._tenure.sleep(0.002 * 2 ** min(busy, 6))
            except ShapeChanged as change:
                shape += 1
                if shape > SHAPE_RETRIES:
                    raise Drift(f"a table keeps changing on the target: {change}") from change
                self._layouts.forget(change.check)
            except ClaimLost:
                self._read_instructions()
            except (ConnectionLost, TargetUnavailable):
                self._lost(due, time.monotonic() - began)
                raise
            else:
                self._limit.committed()
                self.claimed = self.claimed.advanced(new)
                self._tenure.succeeded()
                self.publish()
                metrics.committed(
                    self.claimed.partition, tables, due, written, time.monotonic() - began
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
        layouts.refresh()
        readers = {row.schema_id: row.reader for row in due}
        tables = {schema_id: layouts.binding(reader) for schema_id, reader in readers.items()}
        for row in due if any(table.cascades for table in tables.values()) else ():
            table = tables[row.schema_id]
            if table.joined is not None and table.relies_on_cascades(row.flags):
                layouts.compare_foreign_keys(table.joined)
        return tables

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
        self._context.obedience.check(self._session.connection, stored.control_version)
        self.claimed = replace(mine, control_version=stored.control_version)

    def _settle(self, due: list[Row], new: Progress) -> None:
        while due:
            refusal = self._attempt(due, new, singly=True)
            if refusal is None:
                return
            before, culprit, after = (
                due[: refusal.index],
                due[refusal.index],
                due[refusal.index + 1 :],
            )
            here = self.claimed.progress
            frontier = max(here.frontier, culprit.seq - 1)
            if before:
                self.commit(before, progress_after(before[-1], frontier))
            elif frontier > here.frontier:
                self.commit([], replace(here, frontier=frontier))
            if refusal.error.code in ORDER_CODES:
                self._wait_for_all(frontier, "conflict", CONFLICT_SECONDS)
            again = self._attempt([culprit], progress_after(culprit, culprit.seq), singly=True)
            if again is not None:
                raise self._divergence(culprit, again.error)
            due = after
        if self.claimed.progress != new:
            self.commit([], new)

    def _locate(self, error: CorruptRecord | UnwritableValue | TooLarge, due: list[Row]) -> None:
        """Finds the row that couldn't be encoded, and gives the error its place and report."""
        for each in due:
            binding = self._layouts.binding(each.reader)
            try:
                encodable(binding, each, self._session)
            except (CorruptRecord, UnwritableValue) as found:
                found_report = self._report(each, 0, found.what)
                error.where = report.place(found_report)
                error.report = found_report  # type: ignore[union-attr]
                return
            except TooLarge as found:
                # Its images, which a report would hold, wouldn't fit in mysync.errors either.
                found_report = self._report(each, 0, found.what)
                error.what = f"{binding.name} {report.key(found_report)}: {found.what}"
                error.where = report.place(found_report)
                return

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
