"""A point named by a position in the source's binary log.

Servers name their files alike: after a failover, or when a log was begun anew, a later position may
be a smaller one. Where it goes back, another log begins. A position is looked for in all of them,
and must be in one only. It is in a log that stood before it, and behind it later.
"""

from dataclasses import dataclass, field

from mysync_consumer.pointrule import NEVER, NOTHING, Kept, Missing
from mysync_consumer.recordhead import Head
from mysync_schemas.control import Ddl
from mysync_schemas.position import BinlogPosition

Place = tuple[int, int]
"""The file's number, and the position in it."""


@dataclass(slots=True)
class _Log:
    """One log, as a partition shows it. `start`, `first`: seq and place of its first record there;
    `before`: the seq of the record of another log before that. `behind`: where the first
    transaction behind the position begins. `end`: the first heartbeat at the position or behind.
    `since`: a seq that isn't behind the position; NEVER if none is known."""

    before: int
    start: int
    first: Place
    last: Place
    seq: int
    behind: int = NEVER
    since: int = NEVER
    end: int = NEVER


@dataclass
class AfterPosition:
    """Up to the last transaction that ends there or before. Of files whose names begin otherwise
    nothing is said."""

    position: BinlogPosition
    _kept: Kept = NOTHING
    _logs: dict[int, _Log] = field(default_factory=dict)  # the partitions' newest
    _ended: dict[int, list[_Log]] = field(default_factory=dict)  # by `end`
    _certain: set[int] = field(default_factory=set)  # of these, ends of logs that have it
    _read: dict[int, int] = field(default_factory=dict)
    _statements: list[tuple[int, Place]] = field(default_factory=list)
    _numbers: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted = self.position.number, self.position.pos

    def begin(self, kept: Kept) -> None:
        self._kept = kept

    def take(self, head: Head) -> bool:
        partition, seq = head.partition, head.seq
        self._read[partition] = seq
        if (at := self._of(head)) is not None:
            log = self._logs.get(partition)
            if log is None or at < log.last:
                log = _Log(log.seq if log is not None else 0, seq, at, at, seq)
                self._logs[partition] = log
            log.last, log.seq = at, seq
            if log.end == NEVER:
                self._look(log, head, at)
        if partition == self._kept.scout:
            return len(self._certain) > 1
        return bool(self._certain) and seq >= min(self._certain)

    def _look(self, log: _Log, head: Head, at: Place) -> None:
        if at <= self._wanted and head.seq >= self._kept.floor:
            log.since = min(log.since, head.seq)
        if head.beat is None:
            if at > self._wanted:
                log.behind = min(log.behind, head.txn_seq)
        elif at >= self._wanted:
            log.end = head.seq
            self._ended.setdefault(log.end, []).append(log)
            if log.since != NEVER:
                self._certain.add(log.end)

    def statement(self, ddl: Ddl) -> None:
        if (at := self._place(ddl.file, ddl.pos)) is not None and ddl.seq >= self._kept.floor:
            self._statements.append((ddl.seq, at))

    def enough(self) -> bool:
        if self.found() is Missing.AHEAD:
            return False
        end = min(self._certain or self._ended)
        return all(self._read.get(p, 0) >= end for p in self._kept.lows)

    def found(self) -> int | Missing:
        places = [place for end in self._ended if (place := self._in_log(end)) is not None]
        if len(places) > 1:
            return Missing.TWICE
        if not places:
            to_come = any(log.since != log.end == NEVER for log in self._logs.values())
            return Missing.BEHIND if self._ended and not to_come else Missing.AHEAD
        return places[0] if places[0] > self._kept.floor else Missing.BEHIND

    def _in_log(self, end: int) -> int | None:
        """The place in the log that this heartbeat belongs to; None if the position isn't in it."""
        logs = self._ended[end]
        begun = min(logs, key=lambda log: log.start)
        behind = min(log.behind for log in logs)
        since = min(log.since for log in logs)
        for seq, at in self._statements:
            if not begun.before < seq < end or (seq < begun.start and at > begun.first):
                continue  # of another log: in one, places don't go back
            if at > self._wanted:
                behind = min(behind, seq)
            else:
                since = min(since, seq)
        return min(behind, end) if since != NEVER else None

    def _of(self, head: Head) -> Place | None:
        beat, source = head.beat, head.source
        if beat is not None:
            return None if beat.in_transaction else self._place(beat.file, beat.pos)
        if source is None or head.copied:
            return None
        return self._place(source.file, source.pos)

    def _place(self, file: str, pos: int) -> Place | None:
        if file not in self._numbers:
            found = BinlogPosition(file, pos)
            is_ours = found.base == self.position.base
            self._numbers[file] = found.number if is_ours else None
        number = self._numbers[file]
        return None if number is None else (number, pos)
