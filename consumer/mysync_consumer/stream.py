"""What a worker does with a partition that it has claimed: take what is queued, commit it, go on.

Every record must name the one before it (`prev`), so a hole or a doubled record stops the worker.
Records that aren't rows are passed over, in order: heartbeats move the checkpoint when nothing else
does, lines are waited for. Nothing here is remembered longer than the claim.
"""

from dataclasses import replace
from typing import NoReturn

from mysync_consumer import lines
from mysync_consumer.batchlimit import BatchLimit
from mysync_consumer.checkpoint import Claimed, Progress
from mysync_consumer.commit import Committer, progress_after
from mysync_consumer.context import Context
from mysync_consumer.parts import Parts
from mysync_consumer.queue import Queue
from mysync_consumer.recordhead import read_head
from mysync_consumer.rowerrors import CorruptRecord
from mysync_consumer.rowread import Row, read_row
from mysync_consumer.session import Session
from mysync_consumer.tenure import Tenure
from mysync_consumer.waits import CUT, END, LINE, STATEMENT, TRANSFER, Waits
from mysync_runtime import crash
from mysync_runtime.errors import CorruptEvent, LogHole
from mysync_schemas.errors import SchemaError
from mysync_schemas.framing import unframe
from mysync_schemas.markers import Heartbeat, Line, Part, read_order

IDLE_SECONDS = 0.5
"""How long a worker waits for records before it looks after its session."""


class Stream:
    """The records of one partition under one claim."""

    def __init__(
        self,
        context: Context,
        tenure: Tenure,
        session: Session,
        claimed: Claimed,
        queue: Queue,
        limit: BatchLimit,
    ) -> None:
        self._context = context
        self._tenure = tenure
        self._session = session
        self._queue = queue
        self._partition = claimed.partition
        self._goal = context.goal
        self._limit = limit
        self._waits = Waits(
            claimed.partition, context.frontiers, session.identity.server, self._tick
        )
        self._committer = Committer(context, tenure, session, claimed, limit, self._waits.for_all)
        # Where this worker stands; the committer knows what of it is committed.
        self._next_offset = claimed.progress.next_offset
        self._last_seq = claimed.progress.last_seq
        self._beat: Heartbeat | None = None
        self._chain = claimed.progress.last_seq
        self._parts = Parts()
        self._parts_from = 0
        self._due: list[Row] = []
        self._due_bytes = 0

    @property
    def progress(self) -> Progress:
        """What is committed."""
        return self._committer.claimed.progress

    def standing(self) -> dict[str, object]:
        """What is committed, for people."""
        at = self.progress
        return {
            "offset": at.next_offset,
            "seq": at.last_seq,
            "frontier": at.frontier,
            "file": at.file,
            "position": at.pos,
            "queued_bytes": self._queue.bytes,
            "waiting": self._waits.shown(),
        }

    def run(self) -> NoReturn:
        """Works until the tenure ends (raises Revoked) or something fails."""
        apply = self._context.settings.apply
        self._committer.publish()
        while True:
            self._tenure.check()
            records = self._queue.take(self._limit.rows, apply.batch_bytes, IDLE_SECONDS)
            for offset, value in records:
                try:
                    self._take(offset, value)
                except (SchemaError, CorruptRecord) as error:
                    # What stood before it is good.
                    self._flush(self._last_seq)
                    if isinstance(error, CorruptRecord):
                        raise
                    raise CorruptEvent(
                        f"a record can't be read: {error}",
                        where=self._where(offset),
                        mend="Find out who else writes this topic; nothing was skipped.",
                    ) from error
                if self._due_bytes > apply.batch_bytes:
                    self._flush(self._last_seq)
            if records:
                self._flush(self._before_next())
            else:
                self._tick()

    # -- records in ---------------------------------------------------------------------------

    def _take(self, offset: int, value: bytes) -> None:
        ids = self._context.markers
        schema_id = unframe(value)[0]
        if schema_id == ids.part:
            part = Part.decode(value)
            if self._goal.behind(part.seq):
                self._end_here()
            self._follow(part.seq, part.prev, offset)
            if not self._parts:
                self._parts_from = offset
            whole = self._parts.add(part, self._where(offset))
            if whole is not None:
                self._row(offset, unframe(whole)[0], whole, part.seq)
            return
        if self._parts:
            self._parts.interrupted(self._where(offset))
        if self._goal.limit is not None:
            self._stop_at_limit(offset, value)
        if schema_id == ids.heartbeat:
            beat = Heartbeat.decode(value)
            self._follow(beat.seq, beat.prev, offset)
            self._stand(beat)
            self._pass(offset, beat.seq)
            self._beat = beat
        elif schema_id == ids.line:
            line = Line.decode(value)
            self._follow(line.seq, line.prev, offset)
            self._line(line, offset)
        else:
            self._row(offset, schema_id, value, None)

    def _row(self, offset: int, schema_id: int, value: bytes, seq: int | None) -> None:
        """A whole row; `seq` if it came in parts, whose order is checked already."""
        reader = self._context.bindings.reader(schema_id, self._tick)
        try:
            row = read_row(reader, value)
        except CorruptRecord as error:
            error.where = self._where(offset)
            raise
        if seq is None:
            self._follow(row.seq, row.prev, offset)
        elif row.seq != seq:
            raise LogHole(
                f"row {row.seq} came in parts that end with {seq}", where=self._where(offset)
            )
        if row.deps and self._waits.unreached(row.deps):
            self._flush(row.seq - 1, waiting=True)
            self._waits.for_deps(row.deps)
        row.offset = offset
        row.first_offset = offset if seq is None else self._parts_from
        self._due.append(row)
        self._due_bytes += len(value)
        self._beat = None
        self._pass(offset, row.seq)

    def _pass(self, offset: int, seq: int) -> None:
        self._next_offset = offset + 1
        self._last_seq = seq

    def _follow(self, seq: int, prev: int, offset: int) -> None:
        """Demands that a record's `prev` is the last record here."""
        if prev == self._chain:
            self._chain = seq
            return
        where = self._where(offset)
        self._context.topics.check_now()
        if self._chain == 0:
            raise LogHole(
                f"the first record that Kafka still has (seq {seq}) isn't the partition's first,"
                f" it follows seq {prev}",
                where=where,
                mend="This target is new and the topic no longer begins at its beginning:"
                " rebuild it from a copy of the source, under a new pipeline.",
            )
        raise LogHole(
            f"record seq {seq} follows seq {prev}, but the last one applied is seq {self._chain}",
            where=where,
        )

    def _where(self, offset: int) -> str:
        return f"{self._context.settings.rows_topic}/{self._partition}, offset {offset}"

    # -- waits --------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Called while waiting: ends the wait with the tenure, keeps the session alive."""
        self._tenure.check()
        self._session.keep_alive()

    def _stop_at_limit(self, offset: int, value: bytes) -> None:
        """Ends here when a rebuild does."""
        if self._goal.behind(read_head(self._partition, offset, value, self._context.markers).seq):
            self._end_here()

    def _end_here(self) -> NoReturn:
        """Before the first record behind a rebuild's end: until all have come there."""
        self._flush(self._last_seq, waiting=True)
        with self._waits.shown_as(END, self._last_seq):
            while True:
                self._tick()
                self._tenure.sleep(IDLE_SECONDS)

    def _stand(self, beat: Heartbeat) -> None:
        """Before a heartbeat: stands there while a cut holds."""
        hold = self._committer.hold
        while (held := hold.due(beat)) is not None:
            self._flush(beat.seq - 1, waiting=True)
            self._committer.stand(held, beat)
            with self._waits.shown_as(CUT, beat.seq):
                hold.wait(held, self._tick, self._tenure.sleep)
        hold.passed(beat)

    def _line(self, line: Line, offset: int) -> None:
        lines.check_action(line, self._where(offset))
        self._flush(line.seq - 1, waiting=True)
        crash.crash_point(lines.WAITING)
        self._context.bindings.control.wait_for(line, self._tick)
        if line.action in lines.OWNERS:
            self._waits.for_owner(line.seq, STATEMENT if line.action == Line.DDL else TRANSFER)
        else:
            self._waits.for_all(line.seq - 1, LINE)
        crash.crash_point(lines.OPENED)
        self._pass(offset, line.seq)

    # -- commits ------------------------------------------------------------------------------

    def _flush(self, frontier: int, *, waiting: bool = False) -> None:
        """Commits what is due; without anything due only a frontier that others wait for."""
        due, self._due, self._due_bytes = self._due, [], 0
        committed = self._committer.claimed.progress
        frontier = max(self._goal.capped(frontier), committed.frontier)
        if self._next_offset == committed.next_offset and not (
            waiting and frontier > committed.frontier
        ):
            return
        new = progress_after(due[-1], frontier) if due else committed
        if self._beat is not None:
            new = replace(new, file=self._beat.file, pos=self._beat.pos, source_us=self._beat.ts)
        new = replace(
            new, next_offset=self._next_offset, last_seq=self._last_seq, frontier=frontier
        )
        self._committer.commit(due, new)

    def _before_next(self) -> int:
        """The frontier once everything taken is applied: the next known record's seq - 1."""
        if self._parts:
            return self._parts.first_seq - 1
        record = self._queue.peek()
        if record is None:
            return self._last_seq
        value = record[1]
        try:
            schema_id = unframe(value)[0]
            if self._context.markers.is_marker(schema_id):
                return read_order(value).seq - 1
            reader = self._context.bindings.known_reader(schema_id)
            return read_row(reader, value).seq - 1 if reader is not None else self._last_seq
        except (SchemaError, CorruptRecord):  # met again when it is taken
            return self._last_seq
