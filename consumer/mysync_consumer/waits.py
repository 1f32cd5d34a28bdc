"""Waiting for other partitions, so that people can see who waits for whom.

A wait that lasts is shown in `/status` and in a metric while it lasts, and is told in the log: a
partition that stands still because of another one is otherwise hard to tell from a dead one.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mysync_consumer import metrics
from mysync_consumer.frontier import Frontiers
from mysync_consumer.tables import CONTROL_PARTITION
from mysync_runtime.log import get_logger

WARN_SECONDS = 30.0
"""A wait is told in the log after so long, and again each time it has doubled."""

LINE, STATEMENT, TRANSFER, CUT, END = "line", "statement", "transfer", "cut", "end"
LINE_REASONS = frozenset({LINE, STATEMENT, TRANSFER})

Dependencies = Sequence[tuple[int, int]]
"""Pairs of a partition and the seq that it must have reached."""


class Waits:
    """The waits of one partition's worker. `tick` is called every few ms meanwhile; it raises to
    end a wait."""

    def __init__(
        self, partition: int, frontiers: Frontiers, server: str, tick: Callable[[], None]
    ) -> None:
        self._partition = str(partition)
        self._frontiers = frontiers
        self._server = server
        self._tick = tick
        self._current: tuple[str, int, float] | None = None
        self._behind: list[int] = []
        self._log = get_logger("worker", partition=partition)

    def shown(self) -> dict[str, object] | None:
        """The wait that lasts now: why, for which partitions to reach which seq, how long."""
        current, behind = self._current, self._behind
        if current is None:
            return None
        reason, seq, since = current
        return {
            "reason": reason,
            "seq": seq,
            "partitions": behind,
            "seconds": round(time.monotonic() - since, 3),
        }

    def for_all(self, seq: int, reason: str, patience: float = math.inf) -> None:
        """Waits until all partitions have reached `seq`, for at most `patience` seconds."""
        self._wait(reason, seq, lambda: self._frontiers.behind(seq, self._server), patience)

    def for_owner(self, seq: int, reason: str) -> None:
        """Waits until the control owner has done what the line of this seq asks for: not before all
        partitions have reached it."""

        def behind() -> list[int]:
            if self._frontiers.reached(CONTROL_PARTITION, seq, self._server):
                return []
            return self._frontiers.behind(seq - 1, self._server) or [CONTROL_PARTITION]

        self._wait(reason, seq, behind)

    def for_deps(self, deps: Dependencies) -> None:
        """Waits until each partition has reached its seq."""
        self._wait("dependency", max(seq for _, seq in deps), lambda: self.unreached(deps))

    def unreached(self, deps: Dependencies) -> list[int]:
        """The partitions that haven't reached their seq, as far as is known here."""
        reached, server = self._frontiers.reached, self._server
        return [partition for partition, seq in deps if not reached(partition, seq, server)]

    @contextmanager
    def shown_as(self, reason: str, seq: int) -> Iterator[None]:
        """A wait of another kind, for nothing that partitions do, is shown meanwhile."""
        self._behind = []
        self._current = reason, seq, time.monotonic()
        try:
            yield
        finally:
            self._current = None

    def _wait(
        self, reason: str, seq: int, behind: Callable[[], list[int]], patience: float = math.inf
    ) -> None:
        since = time.monotonic()
        gauge = metrics.WAITING.labels(self._partition)
        told_after = WARN_SECONDS

        def over() -> bool:
            self._behind = behind()
            return not self._behind or time.monotonic() > since + patience

        def tick() -> None:
            nonlocal told_after
            self._tick()
            seconds = time.monotonic() - since
            gauge.set(seconds)
            if seconds > told_after:
                told_after *= 2
                self._log.warning(
                    "waiting for other partitions",
                    reason=reason,
                    seq=seq,
                    partitions=self._behind,
                    seconds=round(seconds),
                )

        self._behind = []
        self._current = reason, seq, since
        try:
            self._frontiers.wait(over, tick)
        finally:
            waited = time.monotonic() - since
            metrics.WAITED.labels(reason).inc(waited)
            if reason in LINE_REASONS:
                metrics.LINE_WAIT.labels(reason).observe(waited)
            self._current = None
            gauge.set(0)
