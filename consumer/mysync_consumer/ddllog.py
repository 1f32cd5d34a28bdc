"""The statements of the source in `mysync.ddl_log`: which are begun, which are done.

A row is written before its statement runs and again after it; both commit by themselves, in this
order in the target's redo log, so whatever of the statement survives a crash of the target, its
row's beginning does too. A crash between them leaves `started`. A statement that was refused is
`failed`: the next attempt begins anew, with what it finds then.

By hand a row may be made `done` (the change is made) or `skip` (it isn't wanted).
"""

from dataclasses import dataclass
from typing import Literal

from mysync_consumer.ddlfingerprint import Fingerprint
from mysync_runtime.mysql import Connection, rows
from mysync_schemas.control import Ddl

TABLE = "mysync.ddl_log"

Way = Literal["gtid", "lock"]


@dataclass(frozen=True)
class Entry:
    """A row. `way`: what tells whether the statement took effect; None of a row made by hand."""

    state: str
    way: Way | None
    fingerprint: Fingerprint | None

    def is_begun(self, way: Way) -> bool:
        """Begun this way, and its end unknown."""
        return self.state == "started" and self.way == way


def read(connection: Connection, pipeline: str, number: int) -> Entry | None:
    found = rows(
        connection,
        "SELECT state AS state, way AS way, fingerprint AS fingerprint"
        f" FROM {TABLE} WHERE pipeline = %s AND id = %s",
        (pipeline, number),
    )
    if not found:
        return None
    row = found[0]
    text = row["fingerprint"]
    return Entry(row["state"], row["way"], None if text is None else Fingerprint.from_json(text))


def started(
    connection: Connection, pipeline: str, ddl: Ddl, way: Way, before: Fingerprint | None
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"REPLACE INTO {TABLE} (pipeline, id, seq, state, way, statement, fingerprint,"
            " started_at) VALUES (%s, %s, %s, 'started', %s, %s, %s, SYSDATE(6))",
            (
                pipeline,
                ddl.id,
                ddl.seq,
                way,
                ddl.sql,
                None if before is None else before.to_json(),
            ),
        )


def failed(connection: Connection, pipeline: str, ddl: Ddl, error: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TABLE} SET state = 'failed', error = %s WHERE pipeline = %s AND id = %s",
            (error, pipeline, ddl.id),
        )


def ended(connection: Connection, pipeline: str, ddl: Ddl, state: str = "done") -> None:
    """Marks the row `done` or `skipped`; makes it where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (pipeline, id, seq, state, statement, done_at)"
            " VALUES (%s, %s, %s, %s, %s, SYSDATE(6)) ON DUPLICATE KEY UPDATE"
            " state = VALUES(state), statement = VALUES(statement), done_at = VALUES(done_at)",
            (pipeline, ddl.id, ddl.seq, state, ddl.sql),
        )
