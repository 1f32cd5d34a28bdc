"""Points of the stream, as an operator names them: `gtid:SET`, `position:FILE:POS`, `time:WHEN`,
`offset:PARTITION:OFFSET`, and the rules that find them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from mysync_consumer.errors import BadPoint
from mysync_consumer.pointposition import AfterPosition
from mysync_consumer.pointrule import NEVER, NOTHING, Kept, Missing, Rule
from mysync_consumer.recordhead import Head
from mysync_schemas.control import Ddl
from mysync_schemas.errors import SchemaError
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.markers import Heartbeat
from mysync_schemas.position import BinlogPosition

EARLIEST = "earliest"

_SECOND = 1_000_000  # µs


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
                us = _micros(rest)
                # MariaDB's log says whole seconds: what came later in this one can't be told.
                return BeforeTime(us - us % _SECOND if mariadb else us)
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
    return round(when.timestamp() * _SECOND)


@dataclass
class AfterGtids:
    """Up to the last transaction that is in the set; when none was replicated, up to the first
    heartbeat that has them all. Where a later heartbeat doesn't have them, the source's log was
    begun anew and its GTIDs are given again: if one has them all once more, they name two
    places."""

    gtids: GtidSet | MariadbGtidSet
    last: int = 0
    beat: int = NEVER
    since: int = NEVER  # a seq that isn't behind the point
    times: int = 0  # that heartbeats came to have them all
    _kept: Kept = NOTHING
    _had: bool = False
    _read: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known: dict[int, tuple[str | None, bool]] = {}

    def begin(self, kept: Kept) -> None:
        self._kept = kept

    def take(self, head: Head) -> bool:
        partition = head.partition
        self._read[partition] = head.seq
        if head.beat is not None:
            if not head.beat.in_transaction:
                self._beat(head, head.beat)
        elif head.seq < self.beat:
            self._row(head)
        if partition == self._kept.scout:
            return self.times > 1
        return head.seq >= self.beat

    def _beat(self, head: Head, beat: Heartbeat) -> None:
        covered = self._covered(beat)
        if head.partition == self._kept.scout:
            self.times += covered and not self._had
            self._had = covered
        if head.seq > self.beat:
            return
        if covered:
            self.beat = head.seq
        if not covered or self._within(beat):
            self._note(head.seq)

    def _row(self, head: Head) -> None:
        partition = head.partition
        if head.source is not None:
            gtid = head.source.gtid
            known = self._known.get(partition)
            if known is None or known[0] != gtid:
                known = gtid, self._has(gtid)
                self._known[partition] = known
            if known[1]:
                self._took(head.seq)
        elif head.more and self._known.get(partition, (None, False))[1]:
            self._took(head.seq)

    def statement(self, ddl: Ddl) -> None:
        if ddl.seq < self.beat and self._has(ddl.gtid):
            self._took(ddl.seq)

    def enough(self) -> bool:
        return all(self._read.get(p, 0) >= self.beat for p in self._kept.lows)

    def found(self) -> int | Missing:
        if self.beat == NEVER:
            return Missing.AHEAD
        if self.times > 1:
            return Missing.TWICE
        found = self.last + 1 if self.last else self.beat
        return found if self.since <= found > self._kept.floor else Missing.BEHIND

    def _took(self, seq: int) -> None:
        self.last = max(self.last, seq)
        self._note(seq)

    def _note(self, seq: int) -> None:
        if seq >= self._kept.floor:
            self.since = min(self.since, seq)

    def _has(self, gtid: str | None) -> bool:
        return gtid is not None and self.gtids.contains(gtid)

    def _covered(self, beat: Heartbeat) -> bool:
        if beat.gtid_set is None:
            return False
        if isinstance(self.gtids, MariadbGtidSet):
            return MariadbGtidSet.parse(beat.gtid_set).covers(self.gtids)
        return self.gtids.issubset(GtidSet.parse(beat.gtid_set))

    def _within(self, beat: Heartbeat) -> bool:
        """Whether the set has all that the heartbeat has."""
        text = beat.gtid_set or ""
        if isinstance(self.gtids, MariadbGtidSet):
            return self.gtids.covers(MariadbGtidSet.parse(text))
        return GtidSet.parse(text).issubset(self.gtids)


@dataclass
class BeforeTime:
    """Up to the first transaction, in the stream's order, that was committed then or later. Times
    in a log aren't in order, and of a statement it is when it began. When there is none such, up to
    the last heartbeat, if it is later."""

    ts_us: int
    first: int = NEVER
    since: int = NEVER  # of something older
    _kept: Kept = NOTHING

    def __post_init__(self) -> None:
        self._beats: dict[int, Heartbeat] = {}

    def begin(self, kept: Kept) -> None:
        self._kept = kept

    def take(self, head: Head) -> bool:
        if head.seq > self.first:
            return True
        if head.beat is not None:
            if not head.beat.in_transaction:
                self._beats[head.partition] = head.beat
            self._note(head.beat.ts, head.seq)
        elif head.source is not None and not head.copied:
            if head.source.ts_us >= self.ts_us:
                self.first = min(self.first, head.txn_seq)
            self._note(head.source.ts_us, head.seq)
        return False

    def statement(self, ddl: Ddl) -> None:
        at = ddl.context.timestamp_us or 0
        if at >= self.ts_us:
            self.first = min(self.first, ddl.seq)
        self._note(at, ddl.seq)

    def enough(self) -> bool:
        return self.first == NEVER and self.found() is not Missing.AHEAD

    def found(self) -> int | Missing:
        found = self.first
        if found == NEVER:
            # Of all partitions: that a later one isn't seen there yet changes nothing before it.
            last = min(self._beats.values(), key=lambda beat: beat.seq, default=None)
            if last is None or last.ts < self.ts_us:
                return Missing.AHEAD
            found = last.seq
        return found if self.since <= found > self._kept.floor else Missing.BEHIND

    def _note(self, ts_us: int, seq: int) -> None:
        if ts_us < self.ts_us and seq >= self._kept.floor:
            self.since = min(self.since, seq)


@dataclass
class BeforeOffset:
    """Up to the transaction that has the record at this offset of one partition."""

    partition: int
    offset: int
    first: int = NEVER
    _kept: Kept = NOTHING

    def begin(self, kept: Kept) -> None:
        self._kept = kept

    def take(self, head: Head) -> bool:
        if head.partition == self.partition and head.offset >= self.offset:
            self.first = min(self.first, head.txn_seq)
        return head.seq > self.first

    def statement(self, ddl: Ddl) -> None:
        pass

    def enough(self) -> bool:
        return self.found() is Missing.BEHIND

    def found(self) -> int | Missing:
        if self.offset < self._kept.lows.get(self.partition, 0):
            return Missing.BEHIND
        if self.first == NEVER:
            return Missing.AHEAD
        return self.first if self.first > self._kept.floor else Missing.BEHIND
