"""Points of the stream, as an operator names them: `gtid:SET`, `position:FILE:POS`, `time:WHEN`,
`offset:PARTITION:OFFSET`.

Each is a rule that is shown every record, partition by partition, and then says the seq E before
which everything belongs to it: the records of whole transactions of the source. What it says
doesn't depend on how the partitions' records are mixed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from mysync_consumer.errors import BadPoint
from mysync_consumer.recordhead import Head
from mysync_schemas.control import Ddl
from mysync_schemas.errors import SchemaError
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.markers import Heartbeat
from mysync_schemas.position import BinlogPosition

NEVER = 1 << 62
EARLIEST = "earliest"


class Rule(Protocol):
    """Finds a point. `take` is shown a partition's records in order, until it says True: this
    partition has no more to say."""

    def take(self, head: Head) -> bool: ...

    def statement(self, ddl: Ddl) -> None:
        """Is shown every statement, after all records."""
        ...

    def enough(self) -> bool:
        """Whether the point is certain when all partitions are at their ends for now."""
        ...

    def found(self) -> int | None:
        """E; None if the stream doesn't reach the point."""
        ...


def parse(text: str, *, mariadb: bool) -> Rule:
    """Raises BadPoint."""
    kind, _, rest = text.partition(":")
    try:
        match kind:
            case "gtid":
                gtids = MariadbGtidSet.parse(rest) if mariadb else GtidSet.parse(rest)
                if not gtids.isempty():
                    return AfterGtids(gtids)
            case "position":
                file, _, pos = rest.rpartition(":")
                return AfterPosition(BinlogPosition(file, int(pos)))
            case "time":
                return BeforeTime(_micros(rest))
            case "offset":
                partition, _, offset = rest.partition(":")
                return BeforeOffset(int(partition), int(offset))
    except (SchemaError, ValueError) as error:
        raise BadPoint(f"{text!r} isn't a point: {error}") from error
    raise BadPoint(f"{text!r} isn't a point")


def _micros(text: str) -> int:
    """ISO 8601; without a zone it is UTC."""
    when = datetime.fromisoformat(text)
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    return round(when.timestamp() * 1_000_000)


@dataclass
class AfterGtids:
    """Up to the last transaction that is in the set; when none was replicated, up to the first
    heartbeat that has them all."""

    gtids: GtidSet | MariadbGtidSet
    last: int = 0
    beat: int = NEVER

    def __post_init__(self) -> None:
        self._known: dict[int, tuple[str | None, bool]] = {}

    def take(self, head: Head) -> bool:
        beat = head.beat
        if beat is not None:
            if beat.in_transaction or not self._covered(beat):
                return False
            self.beat = min(self.beat, head.seq)
            return True
        if head.source is not None:
            gtid = head.source.gtid
            known = self._known.get(head.partition)
            if known is None or known[0] != gtid:
                known = gtid, self._has(gtid)
                self._known[head.partition] = known
            if known[1]:
                self.last = max(self.last, head.seq)
        elif head.more and self._known.get(head.partition, (None, False))[1]:
            self.last = max(self.last, head.seq)
        return False

    def statement(self, ddl: Ddl) -> None:
        if ddl.seq < self.beat and self._has(ddl.gtid):
            self.last = max(self.last, ddl.seq)

    def enough(self) -> bool:
        return False

    def found(self) -> int | None:
        if self.beat == NEVER:
            return None
        return self.last + 1 if self.last else self.beat

    def _has(self, gtid: str | None) -> bool:
        return gtid is not None and self.gtids.contains(gtid)

    def _covered(self, beat: Heartbeat) -> bool:
        if beat.gtid_set is None:
            return False
        if isinstance(self.gtids, MariadbGtidSet):
            return MariadbGtidSet.parse(beat.gtid_set).covers(self.gtids)
        return self.gtids.issubset(GtidSet.parse(beat.gtid_set))


@dataclass
class AfterPosition:
    """Up to the last transaction that ends there or before. Positions are those of one server: of
    another one's files, whose names begin otherwise, nothing is said."""

    position: BinlogPosition
    first: int = NEVER
    beat: int = NEVER

    def take(self, head: Head) -> bool:
        beat = head.beat
        if beat is not None and not beat.in_transaction:
            at = BinlogPosition(beat.file, beat.pos)
            if at.base == self.position.base and at >= self.position:
                self.beat = min(self.beat, head.seq)
                return True
        elif head.source is not None and self._is_behind(head.source.file, head.source.pos):
            self.first = min(self.first, head.txn_seq)
        return False

    def statement(self, ddl: Ddl) -> None:
        if self._is_behind(ddl.file, ddl.pos):
            self.first = min(self.first, ddl.seq)

    def enough(self) -> bool:
        return False

    def found(self) -> int | None:
        return min(self.first, self.beat) if self.beat != NEVER else None

    def _is_behind(self, file: str, pos: int) -> bool:
        at = BinlogPosition(file, pos)
        return at.base == self.position.base and at > self.position


@dataclass
class BeforeTime:
    """Up to the first transaction, in the stream's order, that was committed then or later. Times
    in a log aren't in order. When there is none such, up to the last heartbeat, if it is later."""

    ts_us: int
    first: int = NEVER

    def __post_init__(self) -> None:
        self._beats: dict[int, Heartbeat] = {}

    def take(self, head: Head) -> bool:
        if head.seq > self.first:
            return True
        if head.source is not None and head.source.ts_us >= self.ts_us:
            self.first = min(self.first, head.txn_seq)
        elif head.beat is not None and not head.beat.in_transaction:
            self._beats[head.partition] = head.beat
        return False

    def statement(self, ddl: Ddl) -> None:
        if (ddl.context.timestamp_us or 0) >= self.ts_us:
            self.first = min(self.first, ddl.seq)

    def enough(self) -> bool:
        return self.first == NEVER and self.found() is not None

    def found(self) -> int | None:
        if self.first != NEVER:
            return self.first
        # Of all partitions: that a later one isn't seen there yet changes nothing before it.
        last = min(self._beats.values(), key=lambda beat: beat.seq, default=None)
        return last.seq if last is not None and last.ts >= self.ts_us else None


@dataclass
class BeforeOffset:
    """Up to the transaction that has the record at this offset of one partition."""

    partition: int
    offset: int
    first: int = NEVER

    def take(self, head: Head) -> bool:
        if head.partition == self.partition and head.offset >= self.offset:
            self.first = min(self.first, head.txn_seq)
        return head.seq > self.first

    def statement(self, ddl: Ddl) -> None:
        pass

    def enough(self) -> bool:
        return False

    def found(self) -> int | None:
        return self.first if self.first != NEVER else None
