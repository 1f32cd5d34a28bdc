"""Where a new pipeline begins: from what the settings say to a place in the source's log.

The place is one between two transactions, and its GTID set is what the source had executed there:
so a dump by either of them begins with the same transaction. Of a GTID set with gaps the place is
before the first transaction, in the log's order, that isn't in it. Nothing is kept and nothing is
written: a place that can't be had is refused as a setting that can't be used.

Times: a file holds what was committed after it was made, so the last file made before a time holds
the first transaction at or after it, unless the server's clock was put back.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from mysync_producer.connection import DumpFrom
from mysync_producer.events import ARTIFICIAL, GtidEvent, gtid_of
from mysync_producer.logscan import BEGINS, BETWEEN, LogScan, scanner
from mysync_producer.source import LogEnd, Source, shown
from mysync_producer.statements import dialect_of
from mysync_runtime.errors import ConfigError, DataError, PreflightError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings
from mysync_runtime.startpoint import (
    AfterGtids,
    Ago,
    AtPosition,
    AtTime,
    Latest,
    StartPoint,
    shown_time,
)
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = ["Beginning", "find_beginning", "logs_cascades"]

log = get_logger("beginning")

_SECOND = 1_000_000  # µs
_LOGS_CASCADES = 90_600  # MySQL 9.6


@dataclass(frozen=True)
class Beginning:
    """`past`: the log goes on behind the place, maybe with statements that changed tables since;
    then `server_version` wrote the place's file, which was begun at `created`."""

    place: LogEnd
    past: bool = False
    server_version: str = ""
    created: int = 0


def find_beginning(
    source: Source,
    settings: Settings,
    point: StartPoint,
    stop: Stop,
    tick: Callable[[], None],
) -> Beginning:
    """Raises ConfigError for a place that the source's log doesn't have, PreflightError,
    ConnectionLost, Stopped.

    `tick` is called several times a second: to read a large file takes a while.
    """
    end = source.end()
    if isinstance(point, Latest):
        return Beginning(end)
    finder = _Finder(source, settings, end, stop, tick)
    match point:
        case AtPosition(position):
            place = finder.at_position(position)
        case AfterGtids(gtids):
            place = finder.after_gtids(gtids)
        case AtTime(us):
            place = finder.at_time(us)
        case Ago(us):
            place = finder.at_time(max(0, int(source.scalar(_NOW)) - us))
    log.info(
        "the place to begin at",
        start=str(point),
        position=str(place.position),
        gtids=None if place.gtids is None else str(place.gtids),
        log_end=str(end.position),
    )
    head = finder.scan.head(place.position.file)
    return Beginning(place, True, head.server_version, head.created)


_NOW = "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"


def logs_cascades(source: Source, server_version: str) -> bool:
    """Whether rows that foreign keys changed are in the log of a server of this version: since
    MySQL 9.6, unless it is told otherwise."""
    return (
        not source.flavor.is_mariadb
        and dialect_of(server_version).version >= _LOGS_CASCADES
        and source.variable("innodb_native_foreign_keys") != "ON"
    )


class _Finder:
    """What is asked of a log that ends at `end`."""

    def __init__(
        self,
        source: Source,
        settings: Settings,
        end: LogEnd,
        stop: Stop,
        tick: Callable[[], None],
    ) -> None:
        self.source = source
        self.end = end
        self.scan = LogScan(settings.source, scanner(settings.pipeline), end.position, stop, tick)
        self.sizes = _files(source)
        self.files = list(self.sizes)  # in their order

    # -- a position

    def at_position(self, wanted: BinlogPosition) -> LogEnd:
        """Reads the file up to there, and on to the next transaction: a dump from elsewhere than
        between two of them would be garbage."""
        size = self.sizes.get(wanted.file)
        if size is None:
            raise self._refused(f"the source has no binary log {wanted.file}")
        if wanted.pos > size:
            raise self._refused(f"{wanted} is behind the end of its file, which has {size} bytes")
        gtids = self._logged_before(wanted.file)
        if wanted.pos == FIRST:
            return self._placed(wanted, gtids)
        begun = FIRST
        for file, pos, event in self.scan.events(wanted.file):
            beyond = file != wanted.file
            if beyond and wanted.pos == size:
                return self._placed(BinlogPosition(file, FIRST), gtids)  # the same place
            if event.flags & ARTIFICIAL:
                continue
            begins = event.type in BEGINS
            if pos == wanted.pos and not beyond and (begins or event.type in BETWEEN):
                return self._placed(wanted, gtids)
            if begins:
                if beyond or pos > wanted.pos:
                    raise self._within(wanted, begun, f"{file}:{pos}")
                begun = pos
                _add(gtids, gtid_of(event))
        if wanted != self.end.position:
            raise self._within(wanted, begun, str(self.end.position))
        return self._placed(wanted, gtids)

    def _within(self, wanted: BinlogPosition, begun: int, after: str) -> ConfigError:
        return self._refused(
            f"{wanted} isn't between two transactions; {wanted.file}:{begun} and {after} are, "
            "before and after it"
        )

    # -- a GTID set

    def after_gtids(self, wanted: GtidSet | MariadbGtidSet) -> LogEnd:
        """The place of the first transaction that isn't in the set."""
        if isinstance(wanted, GtidSet):
            self._verify_mysql(wanted)
        else:
            self._verify_mariadb(wanted)
        # A file that begins within the set, and after it those that don't.
        behind = bisect_left(self.files, True, key=lambda file: not self._begins_in(file, wanted))
        place = self.end.position
        for found in self.scan.transactions(self.files[max(0, behind - 1)]):
            gtid = found.event.gtid
            if gtid is not None and not wanted.contains(gtid):
                place = found.at
                break
        try:
            self.scan.first(DumpFrom(place, wanted))
        except DataError as error:
            raise self._refused(f"the source can't go on behind {wanted}: {error.what}") from error
        return LogEnd(place, wanted.copy())

    def _verify_mysql(self, wanted: GtidSet) -> None:
        if self.source.flavor.is_mariadb or not self.source.uses_gtids():
            raise self._refused(f"the source has no GTIDs as {shown(wanted)} are")
        lacking = wanted.subtract(self.source.gtid_set("gtid_executed"))
        if not lacking.isempty():
            raise self._refused(f"the source never executed {shown(lacking)}")
        purged = self.source.gtid_set("gtid_purged").subtract(wanted)
        if not purged.isempty():
            raise self._refused(
                f"the source purged transactions that aren't in the set: {shown(purged)}"
            )

    def _verify_mariadb(self, wanted: MariadbGtidSet) -> None:
        if not self.source.flavor.is_mariadb:
            raise self._refused(f"the source has no GTIDs as {wanted} are")
        end = self.end.gtids
        if not isinstance(end, MariadbGtidSet) or not end.covers(wanted):
            raise self._refused(f"the source's log ends at {end}, before {wanted}")
        if not self._begins_in(self.files[0], wanted):
            raise self._refused(
                f"the source purged transactions behind {wanted}: its oldest log begins at "
                f"{self.scan.head(self.files[0]).gtids}"
            )

    def _begins_in(self, file: str, wanted: GtidSet | MariadbGtidSet) -> bool:
        """Whether all that was logged before the file is in the set."""
        match self.scan.head(file).gtids, wanted:
            case GtidSet() as before, GtidSet():
                return wanted.covers(before)
            case MariadbGtidSet() as before, MariadbGtidSet():
                return wanted.covers(before)
        return False

    # -- a time

    def at_time(self, us: int) -> LogEnd:
        """The place of the first transaction at or after it; the end, if there is none."""
        second = us // _SECOND
        behind = bisect_left(self.files, second, key=lambda file: self.scan.head(file).created)
        file = self.files[max(0, behind - 1)]
        if behind == 0 and (created := self.scan.head(file).created) > second:
            raise self._refused(
                f"the source's logs begin at {shown_time(created * _SECOND)}, after "
                f"{shown_time(us)}"
            )
        gtids = self._logged_before(file)
        for found in self.scan.transactions(file):
            # MariaDB says whole seconds.
            if found.us >= (us if found.event.commit_us else second * _SECOND):
                return self._placed(found.at, gtids)
            _add(gtids, found.event)
        log.warning("nothing was logged since that time", time=shown_time(us))
        return self.end

    # -- inner

    def _logged_before(self, file: str) -> GtidSet | None:
        """MySQL's GTIDs up to a file. What was purged is before any file, or was never logged."""
        if self.source.flavor.is_mariadb or not self.source.uses_gtids():
            return None
        head = self.scan.head(file)
        assert isinstance(head.gtids, GtidSet), f"{file} has no PREVIOUS_GTIDS"
        return head.gtids.union(self.source.gtid_set("gtid_purged"))

    def _placed(self, position: BinlogPosition, gtids: GtidSet | None) -> LogEnd:
        if self.source.flavor.is_mariadb:
            return LogEnd(position, self.source.gtids_at(position))
        return LogEnd(position, gtids)

    def _refused(self, what: str) -> ConfigError:
        return ConfigError(
            f"source.start: {what}",
            where=self.source.address,
            mend=f"Its logs are {self.files[0]} to {self.files[-1]}: name a place in them, or "
            "`latest`. Nothing was begun.",
        )


def _add(gtids: GtidSet | None, event: GtidEvent) -> None:
    if gtids is not None and event.gtid is not None:
        gtids.add(event.gtid)


def _files(source: Source) -> dict[str, int]:
    sizes = source.files()
    if sizes:
        return sizes
    privilege = "BINLOG MONITOR" if source.flavor.is_mariadb else "REPLICATION CLIENT"
    raise PreflightError(
        "the source isn't set up for a place to begin at",
        [
            (
                "the user may not see which binary logs there are",
                f"GRANT {privilege} ON *.* TO {source.account()}",
            )
        ],
        where=source.address,
    )
