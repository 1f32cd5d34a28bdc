"""What the control owner does at the lines of a transfer: the table's state changes.

At the begin the table leaves quarantine: its transfer brings it back, whatever it missed. That it
missed statements stays noted until the end: those behind the line, which empty it on the target,
make it anew then (`instead`). From there to the end it stands in
`mysync.table_state` as being transferred, for people to see. At the end it doesn't, unless it was
quarantined meanwhile: then it stays so. Cancelled, it is quarantined, because the target holds a
part of it.

All that is one transaction, with the instruction that lets no worker commit unknowing, and only
while the owner's claim holds: an owner that was frozen meanwhile changes nothing. A crash before
its commit leaves nothing; after it, the next owner does the same again, to the same effect."""

import json
from collections.abc import Iterable

from mysync_consumer import checkpoint, foreignkeys, instructions
from mysync_consumer.checkpoint import Claimed
from mysync_consumer.quarantine import Quarantine
from mysync_runtime import crash
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_schemas.control import Transfer
from mysync_schemas.table import TableId, TableSchema

TRANSFERRING = "transferring"

BEFORE_COMMIT = crash.declare(
    "transfer.before_commit", "a transfer's begin or end is written, the target rolls it back"
)
AFTER_COMMIT = crash.declare(
    "transfer.after_commit", "the table's state is changed; the owner's frontier stands before it"
)


def restart(table: TableId) -> str:
    """The command that begins a table's transfer."""
    return f"mysync-producer transfer start {table}"


def begin(
    connection: Connection,
    transfer: Transfer,
    mine: Claimed,
    quarantine: Quarantine,
    partitions: int,
    schemas: Iterable[TableSchema],
    author: str,
) -> str:
    """The table is being transferred, and isn't quarantined; says in a word what it was.

    Raises ClaimLost, and what the target answers."""
    table = TableId(transfer.db, transfer.table)
    place = (mine.pipeline, table.db, table.table)
    at = _place(transfer)
    with instructions.writing(connection, mine.pipeline, partitions) as draft:
        checkpoint.hold(draft.cursor, mine)
        held = quarantine.read(draft.cursor)
        draft.cursor.execute(
            "DELETE FROM mysync.skipped WHERE pipeline = %s AND db = %s AND tbl = %s", place
        )
        draft.cursor.execute(
            "INSERT INTO mysync.table_state"
            " (pipeline, db, tbl, state, m, reason, detail, since, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, SYSDATE(6), SYSDATE(6))"
            " ON DUPLICATE KEY UPDATE state = VALUES(state), m = VALUES(m),"
            " reason = VALUES(reason), detail = VALUES(detail), since = VALUES(since),"
            " updated_at = VALUES(updated_at)",
            (
                *place,
                TRANSFERRING,
                draft.m,
                f"transfer {transfer.id} brings its rows",
                json.dumps({"transfer": transfer.id, "seq": transfer.seq, "place": at}),
            ),
        )
        if table in held:
            summary = f"{table} leaves quarantine: transfer {transfer.id} brings it back"
            draft.write(instructions.REJOIN, {"summary": summary, "tables": [str(table)]}, author)
        crash.crash_point(BEFORE_COMMIT)
    crash.crash_point(AFTER_COMMIT)
    quarantine.refresh(connection)
    still = (foreignkeys.with_cascade_groups([table], schemas) & held) - {table}
    if still:
        get_logger("transfer").warning(
            "tables that cascading foreign keys join with it stay quarantined",
            table=str(table),
            quarantined=sorted(map(str, still)),
        )
    return "back from quarantine" if table in held else "begun"


def end(connection: Connection, transfer: Transfer, mine: Claimed, partitions: int) -> str:
    """The table isn't being transferred any more; says in a word what it is.

    Raises ClaimLost, and what the target answers."""
    place = (mine.pipeline, transfer.db, transfer.table)
    with instructions.writing(connection, mine.pipeline, partitions) as draft:
        checkpoint.hold(draft.cursor, mine)
        draft.cursor.execute(
            "DELETE FROM mysync.table_state"
            " WHERE pipeline = %s AND db = %s AND tbl = %s AND state = %s",
            (*place, TRANSFERRING),
        )
        draft.cursor.execute(
            "SELECT state FROM mysync.table_state WHERE pipeline = %s AND db = %s AND tbl = %s",
            place,
        )
        left = draft.cursor.fetchone()
        crash.crash_point(BEFORE_COMMIT)
    crash.crash_point(AFTER_COMMIT)
    return str(left[0]) if left else "complete"


def cancel(
    connection: Connection,
    transfer: Transfer,
    mine: Claimed,
    quarantine: Quarantine,
    partitions: int,
    author: str,
) -> str:
    """The table, of which the target holds a part, is quarantined; says so in a word.

    Raises ClaimLost, and what the target answers."""
    table = TableId(transfer.db, transfer.table)
    at = _place(transfer)
    quarantine.quarantine(
        connection,
        partitions,
        [table],
        f"its transfer was cancelled, so the target holds a part of it; `{restart(table)}` begins a"
        " new one",
        {"class": "TransferCancelled", "transfer": transfer.id, "place": at, "event": None},
        author,
        guard=lambda cursor: checkpoint.hold(cursor, mine),
    )
    return "quarantined"


def _place(transfer: Transfer) -> str:
    return f"{transfer.file}:{transfer.pos}, seq {transfer.seq}"
