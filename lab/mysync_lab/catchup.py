"""Waiting until a target has everything that its source had committed.

The source's binlog end is read once. Every partition's checkpoint carries the binlog position of
the last record it has applied, and an active producer sends heartbeats with the position it has
passed to every partition: when all of them are at that end or beyond, everything before it is on
the target. Nobody has to be asked but the two servers, so it is the same with the services down.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pymysql

from mysync_lab.errors import LabError, ServerFailed
from mysync_lab.services import Service
from mysync_lab.tables import Session, rows

_NO_SUCH_TABLE = 1146
_NO_SUCH_DATABASE = 1049
_SYNTAX = 1064
_PAUSE = 0.05


@dataclass(frozen=True, order=True)
class BinlogEnd:
    """A place in a server's binlog, ordered as it was written."""

    number: int
    pos: int

    @classmethod
    def of(cls, file: str, pos: int) -> "BinlogEnd":
        """`binlog.000012`, 345; a checkpoint that says nothing yet is before everything."""
        digits = file.rpartition(".")[2]
        return cls(int(digits) if digits.isdigit() else 0, pos)

    def __str__(self) -> str:
        return f"{self.number:06d}:{self.pos}"


def binlog_end(source: Session) -> BinlogEnd:
    """Where the next transaction of this server will be written."""
    try:
        found = rows(source, "SHOW BINARY LOG STATUS")
    except pymysql.err.ProgrammingError as error:
        if error.args[0] != _SYNTAX:
            raise
        found = rows(source, "SHOW MASTER STATUS")
    if not found:
        raise LabError("the source writes no binary log")
    return BinlogEnd.of(str(found[0][0]), int(found[0][1]))


def checkpoints(target: Session, pipeline: str) -> dict[int, BinlogEnd]:
    """What each partition has applied; empty before the first consumer has started."""
    target.commit()
    try:
        found = rows(
            target,
            "SELECT partition_id, file, pos FROM mysync.checkpoint"
            " WHERE pipeline = %s AND partition_id >= 0",
            [pipeline],
        )
    except (pymysql.err.ProgrammingError, pymysql.err.OperationalError) as error:
        if error.args[0] not in (_NO_SUCH_TABLE, _NO_SUCH_DATABASE):
            raise
        return {}
    return {int(partition): BinlogEnd.of(str(file), int(pos)) for partition, file, pos in found}


def wait_caught_up(
    source: Session,
    target: Session,
    pipeline: str,
    partitions: int,
    *,
    seconds: float = 60,
    services: Sequence[Service] = (),
    between: Callable[[], object] = lambda: None,
) -> BinlogEnd:
    """Waits until all partitions have passed the source's present end, and returns that.

    Raises ServerFailed with what is missing when the time is over, or as soon as one of `services`
    has ended. `between` is called again and again meanwhile.
    """
    end = binlog_end(source)
    deadline = time.monotonic() + seconds
    while True:
        reached = checkpoints(target, pipeline)
        behind = [p for p in range(partitions) if reached.get(p, BinlogEnd(0, 0)) < end]
        if not behind:
            return end
        for service in services:
            if not service.running:
                raise ServerFailed(
                    f"{service.name} ended with {service.exit_code} before the target had caught"
                    f" up:\n{service.log_tail()}"
                )
        if time.monotonic() > deadline:
            where = ", ".join(f"{p} at {reached.get(p, 'no checkpoint')}" for p in behind)
            logs = "\n".join(f"{service.name}:\n{service.log_tail()}" for service in services)
            raise ServerFailed(
                f"after {seconds:g} s partitions are behind the source's end {end}: {where}\n{logs}"
            )
        between()
        time.sleep(_PAUSE)
