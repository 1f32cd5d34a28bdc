"""The source transaction in progress: a state machine without I/O.

`boundary` is the place between two source transactions up to which everything was taken. It moves
only when a transaction ends, or outside of one. A part of a transaction is named by the boundary
before it and the number of its rows (of replicated tables) that were taken; those are counted as
they stand in the log, so that a reader who comes again counts the same.

Rows that the source takes back (ROLLBACK at the end, ROLLBACK TO a savepoint, a file that ends
inside the transaction) are known only after they were read. Then `RowsTakenBack` is raised and
their place is remembered in `TakenBack`; whoever reads on from the last commit leaves them out. If
a part of them is committed already, `TransactionTorn` is raised: that can't be mended. Unless a
predecessor committed it and had left them out: places are found in the log's order, so who left out
more rows than are known here knew of the next place too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from mysync_producer.errors import RowsTakenBack
from mysync_producer.events import GtidEvent
from mysync_producer.state import LastTransaction
from mysync_runtime.errors import SourceDiverged, TransactionTorn
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import BinlogPosition

__all__ = ["Resume", "SourceTransaction", "TakenBack"]

_WRAP = 1 << 32


class TakenBack:
    """Places of the log whose rows the source took back: (file, after, up to).

    A place is an event's end and the number of rows of the transaction before it: the events of a
    compressed transaction all end at one position."""

    def __init__(self) -> None:
        self._ranges: list[tuple[str, tuple[int, int], tuple[int, int], bool]] = []

    def __iter__(self) -> Iterator[tuple[str, tuple[int, int], tuple[int, int], bool]]:
        return iter(self._ranges)

    def add(
        self, file: str, after: tuple[int, int], upto: tuple[int, int], *, all_tables: bool
    ) -> None:
        """`all_tables`: rows of tables that can't roll back too."""
        self._ranges.append((file, after, upto, all_tables))

    def forget(self, committed: BinlogPosition) -> None:
        """Drops what stands before a committed boundary: it is never read again."""

        def passed(file: str, upto: int) -> bool:
            place = BinlogPosition(file, 4)
            if place.base != committed.base:
                return False
            return place.number < committed.number or (
                place.number == committed.number and upto <= committed.pos
            )

        self._ranges = [r for r in self._ranges if not passed(r[0], r[2][0])]

    def holds(self, file: str, end: int, rows: int, *, transactional: bool) -> bool:
        """Whether the event that ends there, after `rows` rows, was taken back."""
        place = (end, rows)
        return any(
            f == file and after <= place < upto and (transactional or all_tables)
            for f, after, upto, all_tables in self._ranges
        )


@dataclass(frozen=True)
class Resume:
    """The part of a transaction that a predecessor committed."""

    rows: int
    txn_seq: int
    gtid: str | None
    left_out: int = 0  # of `rows`, those that the source took back


@dataclass
class _Savepoint:
    pos: int
    rows: int
    takeable: int


@dataclass
class SourceTransaction:
    """Where the stream stands. Call the methods in the order of the events."""

    boundary: BinlogPosition
    gtids: GtidSet | MariadbGtidSet | None
    taken_back: TakenBack
    resume: Resume | None = None
    foreign: bool = False  # `boundary` is of another server's log: nothing of this one is known yet
    file: str = ""
    created: tuple[str, int] = ("", 0)  # the file described last, and when it was begun
    open: bool = False
    gtid: str | None = None
    commit_us: int = 0
    standalone: bool = False
    time_zone: str | None = None
    txn_seq: int = 0  # 0: no record yet
    rows: int = 0  # of replicated tables, as they stand in the log
    skip: int = 0  # of them, how many a predecessor committed and weren't seen again yet
    tables: set[str] = field(default_factory=set)
    last: LastTransaction | None = None  # that ended
    _original_us: int = 0
    _left: int = 0  # of `rows`, those left out as taken back
    _left_before: int = 0  # by a predecessor
    _kept: int = 0  # rows that weren't left out; an event held for an XA transaction's end counts 1
    _takeable: int = 0  # of them, those of tables that can roll back
    _held: int = 0
    _committed: int = 0  # of `rows`, those that were passed when a Kafka transaction committed
    _kept_there: int = 0  # of `_kept`, those in committed Kafka transactions
    _takeable_there: int = 0
    _savepoints: dict[str, _Savepoint] = field(default_factory=dict)
    _pos: int = 0  # end of the last event in the file, without the 32-bit limit
    _start: int = 0  # where the open transaction began

    # -- the place in the log

    def at(self, log_pos: int) -> int:
        """Takes note of an event's end (32 bits) and returns it without that limit."""
        if log_pos:
            pos = self._pos & -_WRAP | log_pos
            if self.open and pos < self._pos:
                pos += _WRAP  # the file grew past 4 GiB within this transaction
            self._pos = pos
        return self._pos

    def rotate(self, file: str, position: int) -> None:
        """A ROTATE event, real or made up: the stream goes on in `file`."""
        if file != self.file:
            self.broken_off("its file ended")
        self.file = file
        self._pos = position

    def describe(self, created: int) -> None:
        """A FORMAT_DESCRIPTION event: when the file was begun, in seconds since 1970."""
        self.created = (self.file, created)

    def created_or(self, file: str, known: int) -> int:
        """When the boundary's file was begun; `known` of `file`, 0 of any other that isn't told."""
        if self.foreign:
            return known
        if self.created[0] == self.boundary.file:
            return self.created[1]
        return known if self.boundary.file == file else 0

    def move(self, position: BinlogPosition) -> None:
        """Everything up to `position` is taken: a heartbeat or a rotation between transactions."""
        if not self.open and (
            self.foreign or position.base != self.boundary.base or position > self.boundary
        ):
            self.boundary = position
            self.foreign = False

    # -- begin and end

    def begin(self, event: GtidEvent, size: int) -> None:
        """A GTID event of `size` bytes, whose end was noted."""
        self.broken_off("another transaction begins")
        self.open = True
        self.gtid, self.commit_us, self.standalone = event.gtid, event.commit_us, event.standalone
        self._original_us = event.original_us
        self.time_zone = None
        self.txn_seq = self.rows = self.skip = 0
        self._left = self._left_before = self._kept = self._takeable = self._held = 0
        self._committed = self._kept_there = self._takeable_there = 0
        self.tables.clear()
        self._savepoints.clear()
        self._start = self._pos - size
        if self.resume is not None:
            if self.resume.gtid != self.gtid:
                raise SourceDiverged(
                    f"transaction {self.resume.gtid} was left half-way, but the source continues "
                    f"with {self.gtid}",
                    where=str(self.boundary),
                )
            self.skip = self._committed = self.resume.rows
            self.txn_seq = self.resume.txn_seq
            self._left_before = self.resume.left_out
            self.resume = None

    def end(self) -> None:
        """XID, COMMIT, or the one statement of a transaction that has no other."""
        if self.skip:
            raise SourceDiverged(
                f"transaction {self.gtid} has {self.skip} rows less than were replicated of it",
                where=f"{self.file}:{self._pos}",
            )
        if self.gtids is not None and self.gtid is not None:
            before = ""
            if isinstance(self.gtids, MariadbGtidSet):
                before = self.gtids.domain_of(self.gtid)
            self.last = LastTransaction(self.gtid, self._original_us, before)
            self.gtids.add(self.gtid)
        self.open = False
        self.txn_seq = self.rows = 0
        self.boundary = self._named(self._pos)
        self.foreign = False

    def rollback(self) -> None:
        """ROLLBACK as the last event: nothing of the transaction holds, but what it changed in
        tables that can't roll back."""
        self._take_back(_Savepoint(self._start, 0, 0), "ROLLBACK")
        self.end()

    def broken_off(self, why: str) -> None:
        """The log goes on without this transaction's end: it never was."""
        if self.open:
            self._take_back(_Savepoint(self._start, 0, 0), why, all_tables=True)
            self.open = False
            self.txn_seq = self.rows = 0

    def savepoint(self, name: str) -> None:
        self._savepoints[name.lower()] = _Savepoint(self._pos, self.rows, self._takeable)

    def rollback_to(self, name: str) -> None:
        """ROLLBACK TO SAVEPOINT: MySQL logs it with the rows before it when the transaction also
        changed tables that can't roll back."""
        mark = self._savepoints.get(name.lower())
        if mark is None:
            mark = _Savepoint(self._start, 0, 0)
        self._take_back(mark, f"ROLLBACK TO {name}")

    # -- rows

    def left_out(self, transactional: bool) -> bool:
        """Whether the rows event just noted, of a table that can roll back or not, is one that the
        source took back later."""
        return self.taken_back.holds(self.file, self._pos, self.rows, transactional=transactional)

    def leave_out(self, rows: int) -> None:
        self.rows += rows
        self._left += rows
        self.skip = max(0, self.skip - rows)

    def took(self, rows: int, transactional: bool) -> None:
        """`rows` more of the event were taken, those included that had to be skipped."""
        there = min(rows, self.skip)
        self.rows += rows
        self.skip -= there
        self._kept += rows
        self._kept_there += there
        if transactional:
            self._takeable += rows
            self._takeable_there += there

    def held(self) -> None:
        """An event's rows were kept for an XA transaction's end: they count when they are sent."""
        self._kept += 1
        self._takeable += 1
        self._held += 1

    def committed(self) -> None:
        """What was taken so far is committed to Kafka."""
        self._committed = max(self._committed, self.rows)
        self._kept_there = self._kept - self._held
        self._takeable_there = self._takeable - self._held

    @property
    def between(self) -> bool:
        """Whether the stream stands between two transactions. Not while the one that a predecessor
        committed a part of hasn't begun again: nothing may be numbered into it or committed."""
        return not self.open and self.resume is None

    @property
    def rows_done(self) -> int:
        """For the state record: rows of the open transaction that are taken; while those that a
        predecessor committed pass again, their number."""
        return max(self.rows, self._committed) if self.open else 0

    @property
    def left_out_done(self) -> int:
        """Of `rows_done`, those that were left out."""
        return max(self._left, self._left_before) if self.open else 0

    @property
    def sent(self) -> bool:
        """Whether records of the open transaction were sent since the last commit."""
        return self.open and self.rows > self._committed

    # -- inner

    def _take_back(self, mark: _Savepoint, why: str, *, all_tables: bool = False) -> None:
        """`all_tables`: to the end of the file, whatever the tables can."""
        back = (self._kept if all_tables else self._takeable) - mark.takeable
        if not back:
            return
        where = f"{self.file}:{self._pos}"
        there = (self._kept_there if all_tables else self._takeable_there) - mark.takeable
        if there > 0 and self._left_before <= self._left:
            raise TransactionTorn(
                f"{why} takes back rows of which {there} are committed to "
                f"Kafka already; they are of {', '.join(sorted(self.tables)) or 'unknown tables'}",
                where=where,
            )
        upto = 1 << 62 if all_tables else self._pos
        self.taken_back.add(
            self.file, (mark.pos, mark.rows), (upto, self.rows), all_tables=all_tables
        )
        raise RowsTakenBack(f"{why} takes back {back} rows that were read already", where=where)

    def _named(self, pos: int) -> BinlogPosition:
        if pos < _WRAP:
            return BinlogPosition(self.file, pos)
        # Past 4 GiB a place can't be named; the server begins a new file after such a transaction.
        number = int(self.file.rpartition(".")[2]) + 1
        return BinlogPosition(f"{self.file.rpartition('.')[0]}.{number:06d}", 4)
