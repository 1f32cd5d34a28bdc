"""What is known of the tables' transfers: their records, and what is under way of those that aren't
complete.

A record that was changed is committed with the rows that were sent until then. What is under way
lives in memory only: after a start it begins with the chunks that the records say are open.
"""

import time
from collections import Counter
from collections.abc import Iterable
from typing import get_args

from mysync_producer import metrics
from mysync_producer.running import Running
from mysync_producer.transferstate import Ended, Phase, TransferState, key_of
from mysync_schemas.table import TableId

__all__ = ["TransferRecords"]


class TransferRecords:
    """`of`: the record of each table that was ever transferred. `running`: of those that the target
    has in part. `unfinished`: tables whose transfer waits, runs or is paused."""

    def __init__(self, pipeline: str, records: Iterable[TransferState]) -> None:
        self.of = {record.table_id: record for record in records}
        self.running: dict[TableId, Running] = {}
        self.unfinished = {table for table, record in self.of.items() if record.unfinished}
        self._pipeline = pipeline
        self._unsaved: dict[TableId, TransferState | None] = {}
        for table, record in self.of.items():
            if record.incomplete:
                self._run(table, record)
        self._count()

    def in_phase(self, phase: Phase) -> list[TransferState]:
        """Of the phases of a transfer that isn't over."""
        found = (self.of[table] for table in self.unfinished)
        return [record for record in found if record.phase == phase]

    def complete(self) -> list[TransferState]:
        """Those with nothing left to send, which haven't been ended yet."""
        found = (self.of[table] for table in self.unfinished)
        return [record for record in found if record.active and record.complete]

    def save(self, record: TransferState) -> None:
        table = record.table_id
        self.of[table] = self._unsaved[table] = record
        if record.unfinished:
            self.unfinished.add(table)
        else:
            self.unfinished.discard(table)

    def queue(self, table: TableId, reason: str = "") -> None:
        """The table is transferred, from the beginning if it is under way."""
        queued = TransferState(db=table.db, table=table.table, phase="queued", reason=reason)
        record = self.of.get(table)
        if record is not None and record.incomplete:
            kept = {"partial": True, "walk": record.walk, "begun_as": record.begun_as}
            queued = queued.model_copy(update=kept)
        if (running := self.running.get(table)) is not None:
            running.void()
        self.save(queued)

    def queue_partial(self, table: TableId, reason: str, *, held: bool = False) -> None:
        """The same, and until it begins the target's rows of the table are taken for some of the
        source's, whatever they were before. `held`: nothing is carried of it until then."""
        self.queue(table, reason)
        record = self.of[table]
        if not record.partial or held:
            # Held back: whether it has a key, nobody knows yet.
            self.running.setdefault(table, Running())
            self.save(record.model_copy(update={"partial": True, "walk": ""}))

    def begin(self, table: TableId, id_: int, walk: str, estimate: int) -> None:
        """Nothing of it was sent yet. `id_`: of the control record that says so."""
        before, running = self.running.get(table), Running()
        if before is not None:
            running.failures, running.not_before = before.failures, before.not_before
            running.locks = before.locks
        self.forget(table)
        self.running[table] = running
        record = self.of.get(table) or TransferState(db=table.db, table=table.table)
        begun = record.begun(id_, walk, _now_us())
        self.save(begun.model_copy(update={"estimate": estimate}))

    def end(self, table: TableId, phase: Ended, reason: str = "") -> None:
        self.forget(table)
        ended = self.of[table].ended(phase, _now_us())
        self.save(ended.model_copy(update={"reason": reason}) if reason else ended)

    def rename(self, old: TableId, new: TableId) -> None:
        """A transfer that isn't over goes on under the table's new name. One of a table that had
        that name before, and was dropped, isn't the new one's: that begins anew."""
        record = self.of.pop(old, None)
        if record is not None:
            self._unsaved[old] = None
        if record is None or not record.unfinished:
            if new in self.unfinished:
                self.queue(new, "another table took its name")
            return
        self.unfinished.discard(old)
        self.forget(old)
        self.forget(new)
        begun_as = record.begun_as or (old.db, old.table)
        renamed = {"db": new.db, "table": new.table, "begun_as": begun_as}
        record = record.model_copy(update=renamed)
        if record.incomplete:
            self._run(new, record)
        self.save(record)

    def forget(self, table: TableId) -> None:
        """Gives up what is under way."""
        if (running := self.running.pop(table, None)) is not None:
            running.close()

    def take_unsaved(self) -> list[tuple[bytes, bytes | None]]:
        """Records of the state topic that have to be committed with what was sent."""
        records = [
            (key_of(self._pipeline, table), None if record is None else record.encode())
            for table, record in self._unsaved.items()
        ]
        if records:
            self._unsaved.clear()
            self._count()
        return records

    def _run(self, table: TableId, record: TransferState) -> None:
        """What is open is read again."""
        self.running[table] = running = Running()
        running.again += record.open

    def _count(self) -> None:
        phases = Counter(record.phase for record in self.of.values())
        for phase in get_args(Phase):
            metrics.TRANSFERS.labels(phase).set(phases[phase])


def _now_us() -> int:
    return time.time_ns() // 1000
