"""What is in the way of a rebuild: on the target, and what the topics don't have.

Everything that can be found at once is found at once, each with what mends it. Nothing is written.
"""

from collections.abc import Iterator, Sequence

from mysync_consumer import tables
from mysync_consumer.bindings import renamed
from mysync_consumer.control import Control
from mysync_consumer.resolve import Boundary, Resolver
from mysync_consumer.targetstatement import target_statement
from mysync_runtime import kafka, mysql
from mysync_runtime.errors import Failure
from mysync_runtime.mysql import Connection, rows
from mysync_runtime.settings import Settings
from mysync_schemas.control import Ddl, PipelineInfo
from mysync_schemas.statement import Verb
from mysync_schemas.table import TableId

SHOWN = 5
"""Tables that a refusal names."""


class Obstacles:
    """Each method yields what it finds in the way. `transferred`: the tables that were there before
    the pipeline, and that a transfer in the topics makes; known after `of_origins`."""

    def __init__(
        self, settings: Settings, info: PipelineInfo, control: Control, resolver: Resolver
    ) -> None:
        self._settings = settings
        self._pipeline = settings.pipeline
        self._info = info
        self._control = control
        self._resolver = resolver
        self.transferred: set[TableId] = set()

    def of_kafka(self, whole: bool) -> Iterator[Failure]:
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

    def of_origins(self) -> Iterator[Failure]:
        """Tables that the topics don't make: they were there before the pipeline."""
        statements = self._control.all_statements()
        made = {number for ddl in statements for number in ddl.schema_ids}
        copied = {table for ddl in statements for table in self._copied(ddl)}
        first = self._control.knowledge.first_versions()
        found = {
            table
            for table, version in first.items()
            if version.id not in made and str(table) not in copied
        }
        self.transferred = found & self._control.transfers.ever()
        if lacking := sorted(found - self.transferred):
            yield Failure(
                f"the topics don't hold the creation of {_names(lacking)}, which"
                " the pipeline found there",
                "have them transferred (`mysync-producer transfer start`) or, with --from, begin at"
                " a point where the target has them",
            )

    def _copied(self, ddl: Ddl) -> Sequence[str]:
        """The tables that the producer itself makes with this statement, and not for a transfer:
        all that the pipeline has of them follows."""
        if ddl.server_id or ddl.verb != Verb.CREATE_TABLE.name:
            return ()
        moving = set(map(str, self._control.transfers.under_way(ddl.seq)))
        return [table for table in ddl.tables if table not in moving]

    def of_tables(self, sql: Connection) -> Iterator[Failure]:
        """What the target has of what the topics will make."""
        rename = self._settings.rename
        names = {renamed(table, rename) for table in self._control.knowledge.first_versions()}
        if present := sorted(names & _present(sql)):
            yield Failure(
                f"the target isn't empty: it has {_names(present)}", "drop what the pipeline wrote"
            )
        there = {
            str(row["name"])
            for row in rows(sql, "SELECT schema_name AS name FROM information_schema.schemata")
        }
        found = [each for ddl in self._control.all_statements() for each in self._database(ddl)]
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

    def of_mysync(self, sql: Connection) -> Iterator[Failure]:
        """What the target knows of an earlier life."""
        found = []
        for name in tables.DEFINITIONS:
            of_release = " AND name <> 'version'" if name == "meta" else ""
            query = f"SELECT 1 AS x FROM mysync.{name} WHERE pipeline = %s{of_release} LIMIT 1"
            if rows(sql, query, (self._pipeline,)):
                found.append(f"mysync.{name}")
        if found:
            yield Failure(
                f"the target knows this pipeline already: {', '.join(found)}",
                f"stop its consumers; DELETE FROM each of them WHERE pipeline = '{self._pipeline}'",
            )

    def of_start(self, sql: Connection, text: str, start: Boundary) -> Iterator[Failure]:
        """What a target that stands at this point must have."""
        knowledge = self._control.knowledge
        there = knowledge.tables(knowledge.generation(start.seq - 1))
        names = {renamed(table, self._settings.rename) for table in there}
        if missing := sorted(names - _present(sql)):
            yield Failure(
                f"at {text} there are tables that the target lacks: {_names(missing)}",
                "put a copy there that is of this point, or begin at the earliest",
            )

    def of_transfers(self, text: str, point: Boundary) -> Iterator[Failure]:
        """Tables of which only a part has come there."""
        if moving := sorted(self._control.transfers.under_way(point.seq - 1)):
            yield Failure(
                f"at {text} tables are being transferred: {_names(moving)}",
                "choose a point before or after that",
            )


def _present(sql: Connection) -> set[TableId]:
    return {
        TableId(str(row["db"]), str(row["tbl"]))
        for row in rows(
            sql, "SELECT table_schema AS db, table_name AS tbl FROM information_schema.tables"
        )
    }


def _names(found: Sequence[TableId]) -> str:
    shown = ", ".join(map(str, found[:SHOWN]))
    return shown if len(found) <= SHOWN else f"{shown} and {len(found) - SHOWN} more"
