"""One partition's records on their way from the poller to a worker's queue.

Only the poller's thread changes a flow; `Reading` is what others may know of it.
"""

from collections import deque
from dataclasses import dataclass, field

from mysync_consumer.queue import Queue

MARKS = 10_000
"""Append times kept per partition; with more batches in the queue, older ones stand for newer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a partition is read.

    `next`: offset after the last record queued. `end`: where Kafka said that there is nothing more,
    markers behind the last record passed; None when it didn't say so last. `high`: the offset that
    the next record will get, as of the last fetch. `marks`: (offset, append time in ms) of the
    first record of each batch queued."""

    next: int
    end: int | None
    high: int | None
    marks: tuple[tuple[int, int], ...]

    def oldest(self, offset: int) -> int | None:
        """When, at the latest, the first record from `offset` on was appended (ms since 1970)."""
        found = None
        for begin, appended in self.marks:
            if begin > offset and found is not None:
                break
            found = appended
        return found


@dataclass(slots=True)
class Flow:
    """Records towards one claim's queue, from offset `next` on. `paused`: the queue is full.

    Until it flows: how often beginning failed, and when to try next (monotonic)."""

    queue: Queue
    next: int
    flowing: bool = False
    paused: bool = False
    tries: int = 0
    try_at: float = 0.0
    end: int | None = None
    high: int | None = None
    batch: list[tuple[int, bytes]] = field(default_factory=list)
    marks: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MARKS))

    def take(self, offset: int, value: bytes, appended: int) -> bool:
        """Adds a record to the batch; True for the batch's first one."""
        self.next = offset + 1
        self.end = None
        self.batch.append((offset, value))
        if len(self.batch) > 1:
            return False
        self.marks.append((offset, appended))
        return True

    def hand_over(self) -> None:
        """Puts the batch into the queue."""
        self.queue.put(self.batch)
        self.batch = []

    def forget_marks(self, applied: int) -> None:
        """Drops the append times of batches that are applied."""
        marks = self.marks
        while len(marks) > 1 and marks[1][0] <= applied:
            marks.popleft()
