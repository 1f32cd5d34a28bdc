"""Where a rebuild ends: the boundary that nothing of the pipeline may pass until it is done.

It stands in `mysync.meta` with what was asked for, written in one transaction with the checkpoint
rows, before anything is applied. So it is found out once: every process that works for this target
obeys it, those that are started later too. A worker stops before its first record behind the
boundary and publishes no frontier beyond it; the control owner takes no line behind it. When each
partition has applied its last record before it, all end, and the rebuild is noted as done: an
ordinary consumer that starts then goes on from there. The rebuild's own processes never do: one
that starts so late ends.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mysync_consumer.checkpoint import Stored
from mysync_consumer.resolve import Boundary
from mysync_runtime.mysql import Connection, scalar

NAME = "rebuild"


@dataclass(frozen=True, slots=True)
class Limit:
    """`seq`: nothing that has it or a higher one is applied. `ends[p]`: the seq of the last record
    of partition p before it, 0 if there is none."""

    seq: int
    ends: tuple[int, ...]

    def reached(self, rows: Mapping[int, Stored]) -> bool:
        """Whether all partitions stand there, by their checkpoint rows."""
        return all(
            (row := rows.get(partition)) is not None and row.progress.last_seq >= end
            for partition, end in enumerate(self.ends)
        )

    def passed(self, rows: Mapping[int, Stored]) -> bool:
        """Whether a partition stands behind it."""
        return any(
            (row := rows.get(partition)) is not None and row.progress.last_seq > end
            for partition, end in enumerate(self.ends)
        )


class Goal:
    """The limit of a process, and whether it is reached. Safe in any thread."""

    def __init__(self, limit: Limit | None) -> None:
        self.limit = limit
        self._reached = threading.Event()

    @property
    def is_reached(self) -> bool:
        return self._reached.is_set()

    def look(self, rows: Mapping[int, Stored]) -> None:
        """Takes what the checkpoint table says."""
        if self.limit is not None and self.limit.reached(rows):
            self._reached.set()

    def behind(self, seq: int) -> bool:
        """Whether something of this seq may not be taken."""
        return self.limit is not None and seq >= self.limit.seq

    def capped(self, frontier: int) -> int:
        """The frontier, as far as it may be published."""
        return frontier if self.limit is None else min(frontier, self.limit.seq - 1)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """As it stands in `mysync.meta`. `begin` and `until` are the operator's words, `until` "" for
    no end; `last` is the last transaction before the end, as JSON."""

    begin: str
    until: str
    limit: Limit | None
    last: Mapping[str, Any] | None
    done: bool = False

    @classmethod
    def of(cls, begin: str, until: str, end: Boundary | None) -> "Rebuild":
        if end is None:
            return cls(begin, until, None, None)
        last = end.last._asdict() if end.last is not None else None
        return cls(begin, until, Limit(end.seq, tuple(each.last_seq for each in end.borders)), last)

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> "Rebuild":
        found = json.loads(text)
        limit = found.pop("limit")
        found["limit"] = Limit(limit["seq"], tuple(limit["ends"])) if limit else None
        return cls(**found)


def read(connection: Connection, pipeline: str) -> Rebuild | None:
    """The rebuild that made this target, or makes it now."""
    text = scalar(
        connection,
        "SELECT value FROM mysync.meta WHERE pipeline = %s AND name = %s",
        (pipeline, NAME),
    )
    return Rebuild.decode(str(text)) if text is not None else None


def in_force(found: Rebuild | None) -> Limit | None:
    """The limit that holds now."""
    return found.limit if found is not None and not found.done else None


def done(connection: Connection, pipeline: str) -> None:
    """Notes that it is reached. Again by every process, to the same effect."""
    found = read(connection, pipeline)
    if found is None or found.done:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mysync.meta SET value = %s WHERE pipeline = %s AND name = %s",
            (replace(found, done=True).encode(), pipeline, NAME),
        )
