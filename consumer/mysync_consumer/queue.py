"""The bounded queue between the poller and one partition's worker.

Bounded in bytes, not by blocking: the poller pauses the partition at the upper mark and resumes it
at the lower one, so there is always room for one more record of any size, and a slow partition
doesn't hold up the others."""

import threading
from collections import deque

RECORD_OVERHEAD = 120
"""Bytes that a waiting record costs beside its value (tuple, object headers, deque slot)."""

Record = tuple[int, bytes]
"""(Kafka offset, value)."""


class Queue:
    """Records of one partition, in order, from the offset that one claim read."""

    def __init__(self, partition: int, max_bytes: int) -> None:
        self.partition = partition
        self.max_bytes = max_bytes
        self.bytes = 0
        self._records: deque[Record] = deque()
        self._error: BaseException | None = None
        self._ready = threading.Condition()

    @property
    def full(self) -> bool:
        """The partition should pause."""
        return self.bytes >= self.max_bytes

    @property
    def has_room(self) -> bool:
        """A paused partition should resume: half is free again."""
        return self.bytes <= self.max_bytes // 2

    def __len__(self) -> int:
        return len(self._records)

    def put(self, records: list[Record]) -> None:
        """Appends; never blocks."""
        size = sum(len(value) for _, value in records) + RECORD_OVERHEAD * len(records)
        with self._ready:
            self._records.extend(records)
            self.bytes += size
            self._ready.notify()

    def fail(self, error: BaseException) -> None:
        """Lets `take` raise `error`, after what is queued already."""
        with self._ready:
            if self._error is None:
                self._error = error
            self._ready.notify()

    def take(self, max_records: int, max_bytes: int, timeout: float) -> list[Record]:
        """What is queued, at once, up to the caps but at least one record; [] after `timeout`
        seconds.

        Raises what `fail` was given, once the queue is empty.
        """
        with self._ready:
            if not self._records and self._error is None:
                self._ready.wait(timeout)
            if not self._records:
                if self._error is not None:
                    raise self._error
                return []
            taken: list[Record] = []
            size = 0
            records = self._records
            while records and len(taken) < max_records and (size < max_bytes or not taken):
                record = records.popleft()
                size += len(record[1])
                taken.append(record)
            self.bytes -= size + RECORD_OVERHEAD * len(taken)
            return taken

    def peek(self) -> Record | None:
        """The next record, left in the queue."""
        with self._ready:
            return self._records[0] if self._records else None
