"""Quarantined tables: those that can't be written any more, set aside so that the others go on.

Which they are stands in `mysync.table_state`, by the source's names, and is changed by an
instruction only: whoever commits next has read it. So the rows of a table that were committed are
all below some offset of each partition, and from `mysync.skipped` on none are. A table goes with
all that cascading foreign keys join with it. What brings one back is its transfer
(`transferring`); one that the source has no more under its name is forgotten.

A crash before the instruction's commit leaves nothing, and the failure is met again; after it, the
table is quarantined for every process, now and after any restart.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping

from pymysql.cursors import Cursor

from mysync_consumer import foreignkeys, instructions, metrics
from mysync_runtime import crash, mysql
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_schemas.table import TableId, TableSchema

QUARANTINED = "quarantined"

BEFORE_COMMIT = crash.declare(
    "quarantine.before_commit", "the instruction is written, the target rolls it back"
)
AFTER_COMMIT = crash.declare(
    "quarantine.after_commit", "other tables are quarantined now; no process knows it yet"
)


class Quarantine:
    """The quarantined tables of a pipeline, as this process knows them. Safe in any thread."""

    def __init__(self, pipeline: str, schemas: Callable[[], Iterable[TableSchema]]) -> None:
        """`schemas` gives those of all tables: their foreign keys say what belongs together."""
        self.pipeline = pipeline
        self._schemas = schemas
        self._tables: frozenset[TableId] = frozenset()
        self._reading = threading.Lock()

    def tables(self) -> frozenset[TableId]:
        """Those whose events are passed over."""
        return self._tables

    def holds(self, table: TableId) -> bool:
        return table in self._tables

    def refresh(self, connection: Connection) -> None:
        """Reads them anew. The connection is in no transaction: it sees what is committed now."""
        with self._reading, connection.cursor() as cursor:
            found = self.read(cursor)
            for table in sorted(found - self._tables):
                get_logger("quarantine").warning("passed over from now on", table=str(table))
            for table in sorted(self._tables - found):
                get_logger("quarantine").info("not passed over any more", table=str(table))
            self._tables = found
            metrics.QUARANTINED.set(len(found))

    def read(self, cursor: Cursor) -> frozenset[TableId]:
        """Those that the target says are quarantined, in the cursor's transaction."""
        cursor.execute(
            "SELECT db, tbl FROM mysync.table_state WHERE pipeline = %s AND state = %s",
            (self.pipeline, QUARANTINED),
        )
        return frozenset(TableId(str(db), str(table)) for db, table in cursor.fetchall())

    def quarantine(
        self,
        connection: Connection,
        partitions: int,
        tables: Iterable[TableId],
        reason: str,
        detail: Mapping[str, object],
        author: str,
        guard: Callable[[Cursor], None] = lambda _: None,
    ) -> frozenset[TableId]:
        """Sets the tables and their cascade groups aside, in a transaction of its own; returns
        those that weren't yet.

        `reason` is a sentence, `detail` (JSON) has the error, its `place` and the event, of
        `tables`; `author` is the process; `guard` may refuse, in the transaction. Raises ClaimLost,
        and what the target answers."""
        named = frozenset(tables)
        wanted = foreignkeys.with_cascade_groups(named, self._schemas())
        with instructions.writing(connection, self.pipeline, partitions) as draft:
            guard(draft.cursor)
            new = wanted - self.read(draft.cursor)
            for table in sorted(new):
                if table in named:
                    _set_aside(draft, table, reason, detail)
                else:
                    others = ", ".join(map(str, sorted(named)))
                    why = f"joined by cascading foreign keys with {others}: {reason}"
                    _set_aside(draft, table, why, {"because_of": sorted(map(str, named))})
            _tell(draft, instructions.QUARANTINE, reason, new, author)
        return self._changed(connection, new)

    def forget(
        self,
        connection: Connection,
        partitions: int,
        tables: Iterable[TableId],
        reason: str,
        author: str,
        guard: Callable[[Cursor], None],
    ) -> frozenset[TableId]:
        """Those of the tables that are quarantined aren't any more, because they are gone on both
        sides: what may come under their names is new. In a transaction of its own; returns them.

        At a line only: no worker has rows of theirs under way. As `quarantine` otherwise."""
        with instructions.writing(connection, self.pipeline, partitions) as draft:
            guard(draft.cursor)
            known = self.read(draft.cursor) & frozenset(tables)
            for table in sorted(known):
                for kept in ("skipped", "table_state"):
                    draft.cursor.execute(
                        f"DELETE FROM mysync.{kept} WHERE pipeline = %s AND db = %s AND tbl = %s",
                        (self.pipeline, table.db, table.table),
                    )
            _tell(draft, instructions.REJOIN, reason, known, author)
        return self._changed(connection, known)

    def _changed(self, connection: Connection, tables: frozenset[TableId]) -> frozenset[TableId]:
        """After the commit."""
        if tables:
            crash.crash_point(AFTER_COMMIT)
        self.refresh(connection)
        return tables

    def resync_only(self, connection: Connection, table: TableId, why: str) -> None:
        """Notes that a quarantined table missed more than rows, as a statement on it: its rows
        alone can't bring it back. The first reason stays; in the caller's transaction, if any."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mysync.table_state SET resync_only = %s, updated_at = SYSDATE(6)"
                " WHERE pipeline = %s AND db = %s AND tbl = %s AND resync_only IS NULL",
                (why, self.pipeline, table.db, table.table),
            )

    def missed_statements(self, connection: Connection, table: TableId) -> bool:
        """Whether that was noted of a table that isn't quarantined any more: its transfer runs."""
        found = mysql.scalar(
            connection,
            "SELECT state <> %s AND resync_only IS NOT NULL FROM mysync.table_state"
            " WHERE pipeline = %s AND db = %s AND tbl = %s",
            (QUARANTINED, self.pipeline, table.db, table.table),
        )
        return bool(found)


def _tell(
    draft: instructions.Draft, action: str, reason: str, tables: frozenset[TableId], author: str
) -> None:
    """All processes, of the tables that are quarantined from here on, or aren't any more."""
    if tables:
        draft.write(action, {"summary": reason, "tables": sorted(map(str, tables))}, author)
        crash.crash_point(BEFORE_COMMIT)


def _set_aside(
    draft: instructions.Draft, table: TableId, reason: str, detail: Mapping[str, object]
) -> None:
    """Writes the table's state. What an earlier quarantine noted is void: no worker can note
    anything now."""
    place = (draft.pipeline, table.db, table.table)
    draft.cursor.execute(
        "DELETE FROM mysync.skipped WHERE pipeline = %s AND db = %s AND tbl = %s", place
    )
    draft.cursor.execute(
        "REPLACE INTO mysync.table_state"
        " (pipeline, db, tbl, state, m, reason, detail, since, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, SYSDATE(6), SYSDATE(6))",
        (
            *place,
            QUARANTINED,
            draft.m,
            reason,
            json.dumps(detail, ensure_ascii=False, default=str),
        ),
    )
