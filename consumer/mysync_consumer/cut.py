"""A cut: all partitions stand at one place between two transactions of the source.

That place is a heartbeat. It has a copy in every partition, and it names the position up to which
the source's log was read when no transaction was open: a worker that has applied all that stands
before its copy, and nothing behind, holds its part of exactly that position. Asking writes an
instruction with M, the greatest frontier; the place is the first heartbeat behind M that isn't
inside a transaction. Nobody has committed anything behind it, and nobody can without reading the
instruction first: all workers find the same one, each by itself, after a restart too. They stop
before it, so their frontiers stay below it and no statement behind it can run.

A cut is in force until it is released or its time is over, both as the target's row and clock say.
Whoever asks renews that time; when the asker dies, the cut ends by itself. An asker that releases
it while it is in force knows that no worker went on before. When anybody else ends it, its time
ends before its release: an asker to whom the answer was lost can tell its own release from theirs.

A crash of the asker before the commit leaves nothing; after it, the cut and its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pymysql.cursors import Cursor

from mysync_consumer import checkpoint, instructions
from mysync_consumer.checkpoint import Claimed, Escape
from mysync_consumer.errors import CutStands
from mysync_runtime import crash
from mysync_runtime.mysql import Connection, rows
from mysync_schemas.markers import Heartbeat

ASKED = crash.declare("cut.asked", "the instruction is written, the target rolls it back")
COMMITTED = crash.declare("cut.committed", "the cut is in force; its time runs out by itself")

_IN_FORCE = "pipeline = %s AND released_at IS NULL AND expires_at > SYSDATE(6)"


@dataclass(frozen=True, slots=True)
class Cut:
    """`version` is its instruction's; it holds before the first heartbeat behind `m` that isn't
    inside a transaction."""

    version: int
    m: int

    def holds_before(self, beat: Heartbeat) -> bool:
        """Whether it may not be passed; the first such heartbeat is the cut's place."""
        return beat.seq > self.m and not beat.in_transaction


@dataclass(frozen=True, slots=True)
class Place:
    """Where a partition stands: the heartbeat's seq, and the source's position that it names."""

    seq: int
    file: str
    pos: int
    gtid_set: str | None


def ask(connection: Connection, pipeline: str, seconds: float, author: str) -> Cut:
    """Asks all workers to stand, for so many seconds unless that is renewed. Whoever asks again,
    because the answer was lost, gets the same cut: `author` is of one asking.

    Raises CutStands when there is another cut, ClaimLost when no consumer ever ran."""
    known = checkpoint.read_all(connection, pipeline)
    partitions = max(1, sum(partition >= 0 for partition in known))
    with instructions.writing(connection, pipeline, partitions) as draft:
        cursor = draft.cursor
        if (before := _in_force(cursor, pipeline)) is not None:
            if not _renewed(cursor, pipeline, before.version, seconds, author):
                raise CutStands(before.version, describe(connection, pipeline))
            return before
        # Those of earlier cuts: with their GTID sets they would grow without end.
        cursor.execute("DELETE FROM mysync.standing WHERE pipeline = %s", (pipeline,))
        draft.write(instructions.CUT, {"seconds": seconds}, author)
        cursor.execute(
            "INSERT INTO mysync.cut (pipeline, version, m, asked_by, asked_at, expires_at)"
            " VALUES (%s, %s, %s, %s, SYSDATE(6), SYSDATE(6) + INTERVAL %s SECOND)",
            (pipeline, draft.version, draft.m, author, seconds),
        )
        crash.crash_point(ASKED)
    crash.crash_point(COMMITTED)
    return Cut(draft.version, draft.m)


def in_force(connection: Connection, pipeline: str) -> Cut | None:
    """The cut that holds now. The connection is in no transaction."""
    with connection.cursor() as cursor:
        return _in_force(cursor, pipeline)


def _in_force(cursor: Cursor, pipeline: str) -> Cut | None:
    cursor.execute(
        f"SELECT version, m FROM mysync.cut WHERE {_IN_FORCE} ORDER BY version DESC LIMIT 1",
        (pipeline,),
    )
    row = cursor.fetchone()
    return Cut(int(row[0]), int(row[1])) if row else None


def _renewed(cursor: Cursor, pipeline: str, version: int, seconds: float, author: str) -> bool:
    """Whether the cut is the author's; its time is renewed then."""
    matched = cursor.execute(
        "UPDATE mysync.cut SET expires_at = SYSDATE(6) + INTERVAL %s SECOND"
        f" WHERE version = %s AND asked_by = %s AND {_IN_FORCE}",
        (seconds, version, author, pipeline),
    )
    return matched == 1


def renew(connection: Connection, pipeline: str, version: int, seconds: float) -> bool:
    """Lets it hold for so many seconds from now; False when it was over already."""
    with connection.cursor() as cursor:
        matched = cursor.execute(
            "UPDATE mysync.cut SET expires_at = SYSDATE(6) + INTERVAL %s SECOND"
            f" WHERE version = %s AND {_IN_FORCE}",
            (seconds, version, pipeline),
        )
    return matched == 1


def release(connection: Connection, pipeline: str, version: int) -> bool:
    """Ends it, for its asker; False when it was over already: workers may have gone on since."""
    with connection.cursor() as cursor:
        matched = cursor.execute(
            f"UPDATE mysync.cut SET released_at = SYSDATE(6) WHERE version = %s AND {_IN_FORCE}",
            (version, pipeline),
        )
        # The asker itself did it before, and never heard the answer.
        return matched == 1 or _ended(cursor, pipeline, version, "released_at < expires_at")


def end(connection: Connection, pipeline: str, version: int) -> bool:
    """Ends it, for whoever didn't ask for it; False when its time was over."""
    with connection.cursor() as cursor:
        matched = cursor.execute(
            "UPDATE mysync.cut SET released_at = SYSDATE(6), expires_at = asked_at"
            f" WHERE version = %s AND {_IN_FORCE}",
            (version, pipeline),
        )
        return matched == 1 or _ended(cursor, pipeline, version, "released_at IS NOT NULL")


def _ended(cursor: Cursor, pipeline: str, version: int, how: str) -> bool:
    cursor.execute(
        f"SELECT 1 FROM mysync.cut WHERE pipeline = %s AND version = %s AND {how}",
        (pipeline, version),
    )
    return cursor.fetchone() is not None


def note(claimed: Claimed, cut: Cut, beat: Heartbeat, escape: Escape) -> str:
    """The statement that says that a partition stands there; it commits with the checkpoint."""
    gtids = "NULL" if beat.gtid_set is None else escape(beat.gtid_set)
    return (
        "REPLACE INTO mysync.standing (pipeline, version, partition_id, seq, file, pos, gtid_set,"
        f" since) VALUES ({escape(claimed.pipeline)}, {cut.version:d}, {claimed.partition:d},"
        f" {beat.seq:d}, {escape(beat.file)}, {beat.pos:d}, {gtids}, SYSDATE(6))"
    )


def standing(connection: Connection, pipeline: str, version: int) -> Mapping[int, Place]:
    """The partitions that stand."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT partition_id, seq, file, pos, gtid_set FROM mysync.standing"
            " WHERE pipeline = %s AND version = %s ORDER BY partition_id",
            (pipeline, version),
        )
        return {
            int(partition): Place(int(seq), str(file), int(pos), gtids)
            for partition, seq, file, pos, gtids in cursor.fetchall()
        }


def describe(connection: Connection, pipeline: str) -> dict[str, object] | None:
    """The cut in force, for people; None without one. Times are the target's, UTC where the
    session is."""
    found = rows(
        connection,
        "SELECT version AS version, m AS m, asked_by AS asked_by, asked_at AS asked_at,"
        f" expires_at AS expires_at FROM mysync.cut WHERE {_IN_FORCE}"
        " ORDER BY version DESC LIMIT 1",
        (pipeline,),
    )
    if not found:
        return None
    shown: dict[str, object] = dict(found[0])
    places = standing(connection, pipeline, int(found[0]["version"]))
    place = next(iter(places.values()), None)
    return shown | {
        "standing": sorted(places),
        "seq": place.seq if place else None,
        "file": place.file if place else None,
        "position": place.pos if place else None,
        "gtid_set": place.gtid_set if place else None,
    }
