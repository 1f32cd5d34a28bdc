"""`mysync-consumer rebuild`: a target from the topics alone.

Before anything is applied, everything is found out once: whether the topics have all that it takes,
whether the target is as empty as it must be, and where the two points lie that the operator names.
What was found is written in one transaction with the checkpoint rows; from there on the ordinary
workers and the ordinary control owner do the work, and a kill is one like any other. A crash before
that commit leaves empty tables `mysync.*`; after it, `rebuild` with the same words goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pymysql

from mysync_consumer import crossing, life, limit, points, preflight, tables, via
from mysync_consumer.bindings import renamed
from mysync_consumer.control import Control, wait_for_info
from mysync_consumer.errors import RebuildRefused
from mysync_consumer.limit import Rebuild
from mysync_consumer.pointrule import Rule
from mysync_consumer.quarantine import QUARANTINED
from mysync_consumer.resolve import Boundary, Resolver
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_consumer.targetstatement import target_statement
from mysync_consumer.topics import Topics
from mysync_runtime import crash, kafka, mysql
from mysync_runtime.errors import Failure
from mysync_runtime.lifecycle import Stop
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection, rows
from mysync_runtime.settings import Settings
from mysync_schemas.control import Ddl, PipelineInfo
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

RESOLVED = crash.declare("rebuild.resolved", "all is found out, nothing of it is written")
COMMITTED = crash.declare("rebuild.committed", "the checkpoint rows and the limit are written")

WAITS = "it was there before the pipeline: its transfer, in the topics, makes it"

SHOWN = 5
"""Tables that a refusal names."""


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
    sql = mysql.connect_at_start(settings.target, stop, what="the target")
    failed: list[BaseException] = []
    control = Control(
        settings, stop, failed.append, lambda: kafka.committed_end(admin, settings.control_topic)
    )
    try:
        settings = via.resolved(settings, preflight.require(sql, settings))
        tables.create(sql, settings.pipeline)
        control.start()
        info = wait_for_info(control, stop, lambda: failed[0] if failed else None, lambda: None)
        Topics(admin, settings, info).check_at_start(stop)
        crossing.require(sql, info, control.tables().values())
        _Preparation(settings, stop, request, sql, control, info).run()
    finally:
        control.close()
        with suppress(pymysql.err.Error, OSError):
            sql.close()


def is_done(settings: Settings, stop: Stop) -> bool:
    """Whether its end was reached before."""
    sql = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        found = limit.read(sql, settings.pipeline)
    finally:
        sql.close()
    return found is not None and found.done


def outcome(settings: Settings) -> str:
    """Whether the end was reached, and which it is, in a sentence."""
    sql = mysql.connect(settings.target)
    try:
        found = limit.read(sql, settings.pipeline)
    finally:
        sql.close()
    if found is None or not found.done:
        return "stopped on the way: the same command goes on"
    last = found.last
    if last is None:
        return f"the target is at {found.until}: before the first transaction"
    gtid = f", GTID {last['gtid']}" if last["gtid"] else ""
    return (
        f"the target is at {found.until}: its last transaction is the one at"
        f" {last['file']}:{last['pos']}{gtid}"
    )


class _Preparation:
    def __init__(
        self,
        settings: Settings,
        stop: Stop,
        request: Request,
        sql: Connection,
        control: Control,
        info: PipelineInfo,
    ) -> None:
        self._settings = settings
        self._pipeline = settings.pipeline
        self._request = request
        self._sql = sql
        self._control = control
        self._info = info
        self._resolver = Resolver(settings, info, control, stop)
        self._transferred: set[TableId] = set()
        self._log = get_logger("rebuild")

    def run(self) -> None:
        request = self._request
        known = limit.read(self._sql, self._pipeline)
        if known is not None:
            self._require_same(known)
            self._log.info("going on", begin=known.begin, until=known.until or "the end")
            return
        mariadb = self._info.connector == "mariadb"
        begin = self._rule(request.begin, mariadb) if request.begin != points.EARLIEST else None
        until = self._rule(request.until, mariadb) if request.until else None
        whole = begin is None
        failures = [*self._of_kafka(whole), *self._of_mysync()]
        if whole:
            failures += [*self._of_origins(), *self._of_tables()]
        if failures:
            raise RebuildRefused("the target can't be rebuilt", failures)
        start = self._resolver.find(request.begin, begin) if begin is not None else None
        end = self._resolver.find(request.until, until) if until is not None else None
        if start is not None:
            failures += [*self._of_start(start), *self._of_transfers(request.begin, start)]
        if end is not None:
            failures += self._of_transfers(request.until, end)
        if start is not None and end is not None and end.seq < start.seq:
            failures.append(
                Failure(f"the point {request.until} is before {request.begin}", "exchange them")
            )
        if failures:
            raise RebuildRefused("the target can't be rebuilt", failures)
        crash.crash_point(RESOLVED)
        self._write(start, Rebuild.of(request.begin, request.until, end))
        crash.crash_point(COMMITTED)
        self._log.info("begins", begin=request.begin, until=request.until or "the end")

    def _rule(self, text: str, mariadb: bool) -> Rule:
        return points.parse(text, mariadb=mariadb)

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

    # -- what is in the way

    def _of_kafka(self, whole: bool) -> Iterator[Failure]:
        """What the topics don't have any more. Without `whole` only the control topic counts."""
        settings = self._settings
        lows, heads = self._resolver.beginnings()
        gone = {p: heads[p] for p in sorted(heads) if heads[p].prev != 0} if whole else {}
        empty = [p for p, low in lows.items() if low > 0 and p not in heads] if whole else []
        if gone or empty:
            found = [f"partition {p} begins with seq {gone[p].seq}" for p in gone]
            found += [f"partition {p} has no records" for p in empty]
            yield Failure(
                f"topic {settings.rows_topic} doesn't hold its beginning any more"
                f" ({', '.join(found)})",
                "copy the tables from the source: `mysync-producer transfer start`",
            )
        reader = kafka.reader(settings)
        try:
            low, _ = kafka.watermarks(reader, settings.control_topic, 0)
        finally:
            reader.close()
        if low > 0:
            yield Failure(
                f"topic {settings.control_topic} doesn't hold its beginning any more",
                "begin a pipeline of another name",
            )

    def _of_origins(self) -> Iterator[Failure]:
        """Tables that the topics don't make: they were there before the pipeline."""
        made = {number for ddl in self._control.statements.values() for number in ddl.schema_ids}
        first = self._control.knowledge.first_versions()
        found = {table for table, version in first.items() if version.id not in made}
        self._transferred = found & self._control.transfers.ever()
        if lacking := sorted(found - self._transferred):
            yield Failure(
                f"the topics don't hold the creation of {_names(lacking)}, which"
                " the pipeline found there",
                "have them transferred (`mysync-producer transfer start`) or, with --from, begin at"
                " a point where the target has them",
            )

    def _of_tables(self) -> Iterator[Failure]:
        """What the target has of what the topics will make."""
        rename = self._settings.rename
        names = {renamed(table, rename) for table in self._control.knowledge.first_versions()}
        if present := sorted(names & self._present()):
            yield Failure(
                f"the target isn't empty: it has {_names(present)}", "drop what the pipeline wrote"
            )
        there = {
            str(row["name"])
            for row in rows(
                self._sql, "SELECT schema_name AS name FROM information_schema.schemata"
            )
        }
        found = [each for ddl in self._control.statements.values() for each in self._database(ddl)]
        made = {db for db, _ in found}
        for db in sorted({db for db, new in found if new} & there):
            yield Failure(
                f"database {db} is on the target, and a statement in the topics creates it",
                f"DROP DATABASE {mysql.quote(db)}, if nothing else is in it",
            )
        if missing := sorted({name.db for name in names} - made - there):
            yield Failure(
                f"the topics don't hold the creation of the databases {', '.join(missing)}",
                "create them on the target as they are on the source",
            )

    def _database(self, ddl: Ddl) -> list[tuple[str, bool]]:
        """The database that a statement creates, by the target's name, and whether it must be
        new."""
        if ddl.verb != Verb.CREATE_DATABASE.name:
            return []
        statement = target_statement(
            ddl, self._info, self._settings, self._info.connector, by_sql=False
        )
        if not statement.effects.database:
            return []
        return [(statement.effects.database, b"EXISTS" not in ddl.sql.upper())]

    def _of_mysync(self) -> Iterator[Failure]:
        """What the target knows of an earlier life."""
        found = []
        for name in tables.DEFINITIONS:
            of_release = " AND name <> 'version'" if name == "meta" else ""
            query = f"SELECT 1 AS x FROM mysync.{name} WHERE pipeline = %s{of_release} LIMIT 1"
            if rows(self._sql, query, (self._pipeline,)):
                found.append(f"mysync.{name}")
        if found:
            yield Failure(
                f"the target knows this pipeline already: {', '.join(found)}",
                f"stop its consumers; DELETE FROM each of them WHERE pipeline = '{self._pipeline}'",
            )

    def _of_start(self, start: Boundary) -> Iterator[Failure]:
        """What a target that stands at this point must have."""
        knowledge = self._control.knowledge
        there = knowledge.tables(knowledge.generation(start.seq - 1))
        names = {renamed(table, self._settings.rename) for table in there}
        if missing := sorted(names - self._present()):
            yield Failure(
                f"at {self._request.begin} there are tables that the target lacks:"
                f" {_names(missing)}",
                "put a copy there that is of this point, or begin at the earliest",
            )

    def _of_transfers(self, text: str, point: Boundary) -> Iterator[Failure]:
        """Tables of which only a part has come there."""
        if moving := sorted(self._control.transfers.under_way(point.seq - 1)):
            yield Failure(
                f"at {text} tables are being transferred: {_names(moving)}",
                "choose a point before or after that",
            )

    def _present(self) -> set[TableId]:
        return {
            TableId(str(row["db"]), str(row["tbl"]))
            for row in rows(
                self._sql,
                "SELECT table_schema AS db, table_name AS tbl FROM information_schema.tables",
            )
        }

    # -- what is written

    def _write(self, start: Boundary | None, rebuild: Rebuild) -> None:
        """The checkpoint rows, the limit, and what waits for its transfer, as one."""
        sql, pipeline = self._sql, self._pipeline
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
                for table in sorted(self._waiting()):
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
        except BaseException:
            sql.rollback()
            raise
        sql.commit()

    def _waiting(self) -> set[TableId]:
        """Tables that are passed over until their transfer begins."""
        return set(self._transferred)


def _names(found: Sequence[TableId]) -> str:
    shown = ", ".join(map(str, found[:SHOWN]))
    return shown if len(found) <= SHOWN else f"{shown} and {len(found) - SHOWN} more"
