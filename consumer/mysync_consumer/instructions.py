"""Instructions: what all workers of a pipeline must know before they commit again.

Writing one locks all checkpoint rows, so no commit is under way; takes M, the greatest frontier;
and raises `control_version` in every row. A worker's next compare-and-set then doesn't match: it
reads what is new and obeys. No worker can have passed M unknowing.

`stop`: a divergence was found, every process ends. Each process obeys those written since it
started: a restart after a stop tries again. `quarantine` and `rejoin`: the tables in
`mysync.table_state` are others now, and whoever goes on reads them first; that holds across
restarts. `cut`: nobody goes on behind a place until it is released (`cut.py`).

A crash before the commit leaves nothing; after it, the instruction stands.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pymysql.cursors import Cursor

from mysync_consumer.errors import ClaimLost, StoppedByInstruction
from mysync_runtime.mysql import Connection

STOP = "stop"
QUARANTINE = "quarantine"
REJOIN = "rejoin"
CUT = "cut"


@dataclass(frozen=True, slots=True)
class Instruction:
    """`version` is the control_version it made, `m` the greatest frontier at that moment."""

    version: int
    action: str
    m: int
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Draft:
    """An instruction under way: no commit is, no worker can pass `m`. `cursor` is its
    transaction's."""

    cursor: Cursor
    pipeline: str
    version: int
    m: int

    def write(self, action: str, detail: Mapping[str, object], author: str) -> Instruction:
        """Gives it its action. Once at most; without it nothing is instructed."""
        self.cursor.execute(
            "INSERT INTO mysync.instruction (pipeline, version, action, m, detail, created_by,"
            " created_at) VALUES (%s, %s, %s, %s, %s, %s, SYSDATE(6))",
            (self.pipeline, self.version, action, self.m, json.dumps(detail, default=str), author),
        )
        self.cursor.execute(
            "UPDATE mysync.checkpoint SET control_version = %s WHERE pipeline = %s",
            (self.version, self.pipeline),
        )
        return Instruction(self.version, action, self.m, detail)


@contextmanager
def writing(connection: Connection, pipeline: str, partitions: int) -> Iterator[Draft]:
    """The transaction of an instruction, which its user writes, with what has to commit with it.

    Commits at the end, rolls back after an exception. Raises ClaimLost when checkpoint rows are
    missing."""
    connection.begin()
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT frontier, control_version FROM mysync.checkpoint"
                " WHERE pipeline = %s AND partition_id >= 0 ORDER BY partition_id FOR UPDATE",
                (pipeline,),
            )
            rows = cursor.fetchall()
            if len(rows) != partitions:
                raise ClaimLost(f"{len(rows)} checkpoint rows instead of {partitions}")
            m = max(int(row[0]) for row in rows)
            version = max(int(row[1]) for row in rows) + 1
            yield Draft(cursor, pipeline, version, m)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def since(connection: Connection, pipeline: str, version: int) -> list[Instruction]:
    """The instructions after `version`, in order."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT version, action, m, detail FROM mysync.instruction"
            " WHERE pipeline = %s AND version > %s ORDER BY version",
            (pipeline, version),
        )
        return [
            Instruction(int(v), str(a), int(m), json.loads(d)) for v, a, m, d in cursor.fetchall()
        ]


def newest(connection: Connection, pipeline: str) -> int:
    """The control_version in force, 0 when there never was an instruction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT MAX(control_version) FROM mysync.checkpoint WHERE pipeline = %s", (pipeline,)
        )
        row = cursor.fetchone()
    return int(row[0] or 0) if row else 0


class Obedience:
    """Which instructions this process has seen; shared by its threads.

    `refresh` reads anew which tables are quarantined."""

    def __init__(self, pipeline: str, seen: int, refresh: Callable[[Connection], None]) -> None:
        self.pipeline = pipeline
        self.seen = seen
        self._refresh = refresh
        self._lock = threading.Lock()

    def check(self, connection: Connection, version: int) -> None:
        """Obeys what was written up to `version`. Raises StoppedByInstruction on a `stop`."""
        with self._lock:
            if version <= self.seen:
                return
            found = since(connection, self.pipeline, self.seen)
            for instruction in found:
                if instruction.action == STOP:
                    summary = instruction.detail.get("summary", "see mysync.errors")
                    raise StoppedByInstruction(
                        f"another worker stopped the pipeline: {summary}",
                        where=f"instruction {instruction.version}",
                    )
            if found:
                self._refresh(connection)
                self.seen = found[-1].version

    def adopt(self, connection: Connection, version: int) -> None:
        """As `check`, for a worker that goes on under this control_version, which it has read
        before. It reads the quarantined tables whatever the process has seen: a target that failed
        over may have forgotten instructions, and gives their numbers again."""
        self.check(connection, version)
        self._refresh(connection)

    def stop_all(
        self, connection: Connection, partitions: int, detail: Mapping[str, object], author: str
    ) -> Instruction:
        """Writes a `stop` of our own, which this process needn't be told of."""
        with self._lock:
            with writing(connection, self.pipeline, partitions) as draft:
                instruction = draft.write(STOP, detail, author)
            self.seen = instruction.version
            return instruction
