"""How far all partitions are: what a worker waits for before a line or a dependency.

A partition's frontier is the largest s such that each of its records with seq <= s is applied or
deliberately skipped, committed on the target. Frontiers of partitions in this process are published
here right after the COMMIT that made them true; those of other processes are read from the
checkpoint table every 20 ms while somebody waits. The control owner's is the seq of the last
statement that was executed: a line that asks for one opens when it is there.

A frontier is only as true as the server that committed it: one that another server told (the target
failed over and may have lost a tail) is not believed, and a newer claim's replaces an older one's
even when it is lower. A target that crashed may have lost what it had confirmed: whoever lost a
connection lets all frontiers be forgotten, and they are read again."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mysync_consumer.tables import CONTROL_PARTITION
from mysync_runtime import crash

POLL_SECONDS = 0.02
IDLE_POLL_SECONDS = 1.0

AFTER_PUBLISH = crash.declare(
    "consumer.after_frontier_publish",
    "the frontier is committed and told to this process; everything is on the target",
)


@dataclass(frozen=True, slots=True)
class Frontier:
    """`server` identifies the target server that committed it, `epoch` the claim that did."""

    seq: int
    server: str
    epoch: int


class Frontiers:
    """The frontiers of all `partitions` partitions, shared by the threads of a process.

    `forgotten` counts how often they were."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.waiting = 0
        self.forgotten = 0
        self._known: dict[int, Frontier] = {}
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._somebody_waits = threading.Condition(lock)

    def publish(self, partition: int, frontier: Frontier) -> None:
        """Tells a frontier that is committed. Call it only after COMMIT returned."""
        with self._changed:
            self._take(partition, frontier)
            self._changed.notify_all()
        crash.crash_point(AFTER_PUBLISH)

    def update(self, rows: Mapping[int, Frontier]) -> None:
        """Takes what the checkpoint table says."""
        with self._changed:
            for partition, frontier in rows.items():
                if CONTROL_PARTITION <= partition < self.partitions:
                    self._take(partition, frontier)
            self._changed.notify_all()

    def forget(self) -> None:
        """Call it with a connection made since one was lost: what was known may be so no more."""
        with self._changed:
            self._known.clear()
            self.forgotten += 1

    def _take(self, partition: int, frontier: Frontier) -> None:
        known = self._known.get(partition)
        if (
            known is None
            or known.server != frontier.server
            or (frontier.epoch, frontier.seq) > (known.epoch, known.seq)
        ):
            self._known[partition] = frontier

    def behind(self, seq: int, server: str) -> list[int]:
        """The partitions not known to have reached `seq` on `server`."""
        with self._changed:
            return self._behind(seq, server)

    def _behind(self, seq: int, server: str) -> list[int]:
        return [
            partition
            for partition in range(self.partitions)
            if (known := self._known.get(partition)) is None
            or known.server != server
            or known.seq < seq
        ]

    def reached(self, partition: int, seq: int, server: str) -> bool:
        """Whether one partition is known to have reached `seq` on `server`."""
        known = self._known.get(partition)
        return known is not None and known.server == server and known.seq >= seq

    def wait(
        self,
        reached: Callable[[], bool],
        tick: Callable[[], None],
        *,
        tick_seconds: float = POLL_SECONDS,
    ) -> float:
        """Waits until `reached`; returns the seconds it took.

        `tick` is called about every `tick_seconds`: it keeps the caller's session alive, and raises
        when the wait must end (revoked, stopped).
        """
        start = time.monotonic()
        with self._changed:
            self.waiting += 1
            self._somebody_waits.notify_all()
        try:
            while not reached():
                tick()
                with self._changed:
                    self._changed.wait(tick_seconds)
        finally:
            with self._changed:
                self.waiting -= 1
        return time.monotonic() - start

    def wait_for_waiters(self, seconds: float) -> None:
        """Returns when somebody waits, or after `seconds`."""
        with self._changed:
            if not self.waiting:
                self._somebody_waits.wait(seconds)
