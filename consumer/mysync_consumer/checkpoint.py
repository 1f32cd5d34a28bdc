"""Where a partition stands on the target: one row of `mysync.checkpoint`.

The row is advanced by a **compare-and-set** that is the first statement of every apply transaction:
it matches only while nobody else claimed the partition (epoch), nothing was committed that this
worker doesn't know of (next_offset), and no instruction is unread (control_version). Everything
else that keeps two workers apart only shortens their overlap; this keeps them correct.

A commit whose answer is lost leaves the row either old or new, and the rows with it: whoever reads
`next_offset` again knows which.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pymysql.cursors import Cursor

from mysync_consumer import life
from mysync_consumer.errors import ClaimLost
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_runtime.mysql import Connection

TABLE = "mysync.checkpoint"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is applied.

    `next_offset`: Kafka offset of the first record not applied. `last_seq`: seq of the record
    before it. `frontier`: every record of the partition with seq <= frontier is applied or
    deliberately skipped. `file`, `pos`, `gtid`, `source_us` (µs since 1970, 0 = unknown): of the
    last record."""

    next_offset: int
    last_seq: int
    frontier: int
    file: str = ""
    pos: int = 0
    gtid: str | None = None
    source_us: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition's row as one worker holds it; `progress` is what the target has committed."""

    pipeline: str
    partition: int
    epoch: int
    control_version: int
    progress: Progress

    def advanced(self, progress: Progress) -> "Claimed":
        return replace(self, progress=progress)


def compare_and_set(claimed: Claimed, new: Progress, escape: "Escape") -> str:
    """The statement that advances the row from what `claimed` says to `new`; it matches one row or
    none.

    SYSDATE, not NOW: row events leave their own timestamp in the session.
    """
    return (
        f"UPDATE {TABLE} SET next_offset={new.next_offset:d},{_assignments(new, escape)}"
        f" WHERE {_row(claimed, escape)}"
        f" AND epoch={claimed.epoch:d} AND next_offset={claimed.progress.next_offset:d}"
        f" AND control_version={claimed.control_version:d}"
    )


def _assignments(new: Progress, escape: "Escape") -> str:
    gtid = "NULL" if new.gtid is None else escape(new.gtid)
    return (
        f"frontier={new.frontier:d},"
        f"last_seq={new.last_seq:d},file={escape(new.file)},pos={new.pos:d},gtid={gtid},"
        f"source_ts={_datetime(new.source_us)},updated_at=SYSDATE(6)"
    )


def _row(claimed: Claimed, escape: "Escape") -> str:
    return f"pipeline={escape(claimed.pipeline)} AND partition_id={claimed.partition:d}"


class Escape:
    """Quotes a text for a statement, as `connection` needs it."""

    def __init__(self, connection: Connection) -> None:
        self._escape = connection.escape

    def __call__(self, text: str) -> str:
        return str(self._escape(text))


def _datetime(micros: int) -> str:
    if micros <= 0:
        return "NULL"
    return f"'{(_EPOCH + timedelta(microseconds=micros)):%Y-%m-%d %H:%M:%S.%f}'"


def advance(connection: Connection, claimed: Claimed, new: Progress) -> None:
    """Moves the control owner's row, in a transaction of its own, while its claim holds; that row
    has no offset, and its owner reads instructions by itself. Raises ClaimLost."""
    escape = Escape(connection)
    connection.begin()
    with connection.cursor() as cursor:
        matched = cursor.execute(
            f"UPDATE {TABLE} SET {_assignments(new, escape)}"
            f" WHERE {_row(claimed, escape)} AND epoch={claimed.epoch:d}"
        )
    if matched != 1:
        connection.rollback()
        raise ClaimLost("the control partition has another owner")
    connection.commit()


def hold(cursor: Cursor, claimed: Claimed) -> None:
    """Lets nobody else claim the row until the cursor's transaction ends. Raises ClaimLost when
    somebody has."""
    cursor.execute(
        f"SELECT epoch FROM {TABLE} WHERE pipeline = %s AND partition_id = %s FOR UPDATE",
        (claimed.pipeline, claimed.partition),
    )
    row = cursor.fetchone()
    if row is None or _int(row[0]) != claimed.epoch:
        raise ClaimLost(f"partition {claimed.partition} has another owner")


def insert_missing(
    connection: Connection, pipeline: str, low_marks: list[int], statements_uuid: str
) -> None:
    """Makes the row of every partition and the control owner's, where they are missing.

    `low_marks[p]` is the first offset of partition p. All in one transaction: a pipeline has all of
    its rows or none. With them begins the target's life (`life.py`), whose statements have this
    uuid.
    """
    rows = [(pipeline, CONTROL_PARTITION, 0)]
    rows += [(pipeline, partition, low) for partition, low in enumerate(low_marks)]
    connection.begin()
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT IGNORE INTO {TABLE} (pipeline, partition_id, next_offset, frontier, last_seq,"
            " updated_at) VALUES (%s, %s, %s, 0, 0, SYSDATE(6))",
            rows,
        )
        if cursor.rowcount:
            life.begin(cursor, pipeline, statements_uuid)
    connection.commit()


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as anybody may read it; `control_version` and `epoch` may be newer than a claim's."""

    partition: int
    epoch: int
    control_version: int
    owner: str | None
    progress: Progress


_COLUMNS = (
    "partition_id, epoch, control_version, owner, next_offset, last_seq, frontier, file, pos, gtid,"
    " source_ts"
)


def read_all(connection: Connection, pipeline: str) -> dict[int, Stored]:
    """All rows of the pipeline by partition, the control owner's (-1) among them."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM {TABLE} WHERE pipeline = %s", (pipeline,))
        return {int(row[0]): _stored(row) for row in cursor.fetchall()}


def read(connection: Connection, pipeline: str, partition: int) -> Stored | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM {TABLE} WHERE pipeline = %s AND partition_id = %s",
            (pipeline, partition),
        )
        row = cursor.fetchone()
    return _stored(row) if row else None


def take(connection: Connection, pipeline: str, partition: int, owner: str) -> Claimed:
    """Claims the row: epoch + 1 and its content, in one transaction. Nobody else can advance it
    now.

    Raises ClaimLost when the row doesn't exist (the target lost it, or is another server).
    """
    connection.begin()
    with connection.cursor() as cursor:
        matched = cursor.execute(
            f"UPDATE {TABLE} SET epoch = epoch + 1, owner = %s, connection_id = CONNECTION_ID()"
            " WHERE pipeline = %s AND partition_id = %s",
            (owner, pipeline, partition),
        )
        cursor.execute(
            f"SELECT {_COLUMNS} FROM {TABLE} WHERE pipeline = %s AND partition_id = %s",
            (pipeline, partition),
        )
        row = cursor.fetchone()
    if not matched or row is None:
        connection.rollback()
        raise ClaimLost(f"the target has no checkpoint row of {pipeline}, partition {partition}")
    connection.commit()
    stored = _stored(row)
    return Claimed(pipeline, partition, stored.epoch, stored.control_version, stored.progress)


def _stored(row: tuple[object, ...]) -> Stored:
    partition, epoch, version, owner, next_offset, last_seq, frontier, file, pos, gtid, ts = row
    micros = 0
    if isinstance(ts, datetime):
        micros = (ts.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
    return Stored(
        partition=_int(partition),
        epoch=_int(epoch),
        control_version=_int(version),
        owner=None if owner is None else str(owner),
        progress=Progress(
            next_offset=_int(next_offset),
            last_seq=_int(last_seq),
            frontier=_int(frontier),
            file=str(file),
            pos=_int(pos),
            gtid=None if gtid is None else str(gtid),
            source_us=micros,
        ),
    )


def _int(value: object) -> int:
    return int(str(value))
