"""`mysync-consumer rebuild`: a target from the topics alone.

Before anything is applied, everything is found out once: whether the topics have all that it takes,
whether the target is as empty as it must be, and where the two points lie that the operator names.
What was found is written in one transaction with the checkpoint rows; from there on the ordinary
workers and the ordinary control owner do the work, and a kill is one like any other. A crash before
that commit leaves empty tables `mysync.*`; after it, `rebuild` with the same words goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pymysql

from mysync_consumer import (
    checkpoint,
    crossing,
    life,
    limit,
    points,
    preflight,
    tablelist,
    tables,
    via,
)
from mysync_consumer.control import Control, wait_for_info
from mysync_consumer.errors import RebuildRefused
from mysync_consumer.limit import Rebuild
from mysync_consumer.obstacles import Obstacles
from mysync_consumer.quarantine import QUARANTINED
from mysync_consumer.resolve import Boundary, Resolver
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_consumer.topics import Topics
from mysync_runtime import crash, kafka, mysql
from mysync_runtime.errors import Failure
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_runtime.settings import Settings
from mysync_schemas.control import PipelineInfo

RESOLVED = crash.declare("rebuild.resolved", "all is found out, nothing of it is written")
COMMITTED = crash.declare("rebuild.committed", "the checkpoint rows and the limit are written")

WAITS = "it was there before the pipeline: its transfer, in the topics, makes it"

_DUPLICATE = 1062


@dataclass(frozen=True, slots=True)
class Request:
    """The operator's words: points, or "earliest", and "" for no end."""

    begin: str = points.EARLIEST
    until: str = ""


def prepare(settings: Settings, stop: Stop, request: Request) -> None:
    """Makes the target ready for the workers, or finds that it is.

    Raises RebuildRefused with all that is in the way, PointUnknown, BadPoint, and what every start
    of a consumer may raise."""
    admin = kafka.connect_at_start(settings.kafka, stop)
    if (missing := preflight.check_topics_exist(admin, settings)) is not None:
        raise RebuildRefused("there is nothing to rebuild from", [Failure(missing.what, "")])
    failed: list[BaseException] = []
    control = Control(
        settings, stop, failed.append, lambda: kafka.committed_end(admin, settings.control_topic)
    )

    def caught_up() -> PipelineInfo:
        return wait_for_info(control, stop, lambda: failed[0] if failed else None, lambda: None)

    try:
        with _target(settings, stop) as sql:
            settings = via.resolved(settings, preflight.require(sql, settings))
            tables.create(sql, settings.pipeline)
        control.start()
        info = caught_up()
        Topics(admin, settings, info).check_at_start(stop)
        resolver = Resolver(settings, info, control, stop, caught_up)
        _Preparation(settings, stop, request, control, info, resolver).run()
    finally:
        control.close()


def is_done(settings: Settings, stop: Stop) -> bool:
    """Whether its end was reached before."""
    with _target(settings, stop) as sql:
        found = limit.read(sql, settings.pipeline)
    return found is not None and found.done


def outcome(settings: Settings, stop: Stop) -> str:
    """Whether the end was reached, and which it is, for people."""
    with _target(settings, stop) as sql:
        found = limit.read(sql, settings.pipeline)
        standing = checkpoint.read_all(sql, settings.pipeline)
        aside = tablelist.states(sql, settings.pipeline)
    if found is None or not found.done or found.limit is None:
        return "stopped on the way: the same command goes on"
    if found.limit.passed(standing):
        return f"the target was at {found.until}; consumers have gone on from there since"
    said = f"the target is at {found.until}: {_last_of(found)}"
    if aside:
        tables_ = ", ".join(map(str, aside))
        said += f"\nbut for the tables that are set aside: {tables_} (`mysync-consumer tables`)"
    return said


def _last_of(found: Rebuild) -> str:
    last = found.last
    if last is None:
        return "the topics have no transaction before it"
    gtid = f", GTID {last['gtid']}" if last["gtid"] else ""
    return f"its last transaction is the one at {last['file']}:{last['pos']}{gtid}"


@contextmanager
def _target(settings: Settings, stop: Stop) -> Iterator[Connection]:
    """A connection for a while: none stands idle during a lookup, which may take long. Raises what
    `mysql.error_of` makes of an error."""
    sql = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        yield sql
    except (pymysql.err.Error, OSError) as error:
        raise mysql.error_of(error, "prepare a rebuild", settings.target.address) from error
    finally:
        with suppress(pymysql.err.Error, OSError):
            sql.close()


class _Preparation:
    def __init__(
        self,
        settings: Settings,
        stop: Stop,
        request: Request,
        control: Control,
        info: PipelineInfo,
        resolver: Resolver,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._pipeline = settings.pipeline
        self._request = request
        self._control = control
        self._info = info
        self._resolver = resolver
        self._obstacles = Obstacles(settings, info, control, resolver)
        self._log = get_logger("rebuild")

    def run(self) -> None:
        request, obstacles = self._request, self._obstacles
        mariadb = self._info.connector == "mariadb"
        with _target(self._settings, self._stop) as sql:
            crossing.require(sql, self._info, self._control.tables().values())
            known = limit.read(sql, self._pipeline)
            if known is not None:
                self._require_same(known)
                self._log.info("going on", begin=known.begin, until=known.until or "the end")
                return
            whole = request.begin == points.EARLIEST
            begin = None if whole else points.parse(request.begin, mariadb=mariadb)
            until = points.parse(request.until, mariadb=mariadb) if request.until else None
            failures = [*obstacles.of_kafka(whole), *obstacles.of_mysync(sql)]
            if whole:
                failures += [*obstacles.of_origins(), *obstacles.of_tables(sql)]
        _require_none(failures)
        start = self._resolver.find(request.begin, begin) if begin is not None else None
        end = self._resolver.find(request.until, until) if until is not None else None
        if start is not None and end is not None and end.seq < start.seq:
            failures.append(
                Failure(f"the point {request.until} is before {request.begin}", "exchange them")
            )
        if end is not None:
            failures += obstacles.of_transfers(request.until, end)
        with _target(self._settings, self._stop) as sql:
            if start is not None:
                failures += obstacles.of_start(sql, request.begin, start)
                failures += obstacles.of_transfers(request.begin, start)
            _require_none(failures)
            crash.crash_point(RESOLVED)
            self._write(sql, start, Rebuild.of(request.begin, request.until, end))
        crash.crash_point(COMMITTED)
        self._log.info("begins", begin=request.begin, until=request.until or "the end")

    def _require_same(self, known: Rebuild) -> None:
        asked = (self._request.begin, self._request.until)
        if asked != (known.begin, known.until):
            raise RebuildRefused(
                "the target can't be rebuilt",
                [
                    Failure(
                        "another rebuild makes this target:"
                        f" --from {known.begin} --until {known.until or '(none)'}",
                        "go on with the same words, or begin with an empty target",
                    )
                ],
            )

    def _write(self, sql: Connection, start: Boundary | None, rebuild: Rebuild) -> None:
        """The checkpoint rows, the limit, and what waits for its transfer, as one."""
        pipeline = self._pipeline
        statements_uuid = life.unused(sql, self._info.uuid)
        if start is None:
            lows, _ = self._resolver.beginnings()
            places = [(p, lows[p], 0, 0) for p in sorted(lows)]
            places.append((CONTROL_PARTITION, 0, 0, 0))
        else:
            frontier = start.seq - 1
            places = [
                (p, border.next_offset, frontier, border.last_seq)
                for p, border in enumerate(start.borders)
            ]
            places.append((CONTROL_PARTITION, 0, frontier, frontier))
        sql.begin()
        try:
            with sql.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO mysync.checkpoint (pipeline, partition_id, next_offset, frontier,"
                    " last_seq, updated_at) VALUES (%s, %s, %s, %s, %s, SYSDATE(6))",
                    [(pipeline, *place) for place in places],
                )
                life.begin(cursor, pipeline, statements_uuid)
                cursor.execute(
                    "INSERT INTO mysync.meta (pipeline, name, value) VALUES (%s, %s, %s)",
                    (pipeline, limit.NAME, rebuild.encode()),
                )
                for table in sorted(self._obstacles.transferred):
                    cursor.execute(
                        "INSERT INTO mysync.table_state"
                        " (pipeline, db, tbl, state, m, reason, detail, since, updated_at)"
                        " VALUES (%s, %s, %s, %s, 0, %s, '{}', SYSDATE(6), SYSDATE(6))",
                        (
                            pipeline,
                            table.db,
                            table.table,
                            QUARANTINED,
                            WAITS,
                        ),
                    )
        except BaseException as error:
            sql.rollback()
            if mysql.code_of(error) == _DUPLICATE:
                _require_none([_meanwhile()])
            raise
        sql.commit()


def _require_none(failures: Sequence[Failure]) -> None:
    if failures:
        raise RebuildRefused("the target can't be rebuilt", failures)


def _meanwhile() -> Failure:
    return Failure(
        "somebody else began this pipeline on it meanwhile, a rebuild or a consumer", "ask again"
    )
