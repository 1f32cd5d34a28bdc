"""What the demo shows while it runs, asked of Kafka and the two servers from outside."""

import time
from collections import deque
from dataclasses import dataclass, field

import pymysql
from confluent_kafka import Consumer, KafkaException, TopicPartition

from mysync_lab.services import Service
from mysync_lab.tables import Session, rows
from mysync_lab.workload.writers import Writers

# Rates are over this many seconds.
_WINDOW = 3.0


@dataclass(frozen=True)
class ServiceState:
    """A service at a moment."""

    name: str
    running: bool
    pid: int
    kills: int


@dataclass(frozen=True)
class Snapshot:
    """Everything at a moment; rates a second over the last few seconds."""

    elapsed: float
    total: float
    phase: str
    transactions: int
    source_rows: int
    records: int
    applied: int
    source_rate: float
    record_rate: float
    apply_rate: float
    lag: tuple[int, ...]
    behind_seconds: float
    services: tuple[ServiceState, ...]
    events: tuple[str, ...]

    @property
    def kills(self) -> int:
        return sum(service.kills for service in self.services)


@dataclass
class Meter:
    """Takes snapshots. Nothing it asks is asked of the services."""

    pipeline: str
    partitions: int
    target: Session
    kafka: Consumer
    writers: Writers
    services: list[Service]
    total: float
    phase: str = "running"
    events: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _history: deque[tuple[float, int, int, int]] = field(default_factory=deque)
    _ends: list[int] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def note(self, event: str) -> None:
        """Something worth telling, with its time."""
        self.events.append(f"{self.elapsed:5.1f} s  {event}")

    def snapshot(self) -> Snapshot:
        counts = self.writers.counts
        offsets, behind = self._checkpoint()
        ends = self._log_ends()
        # The last offset of a partition at rest is a transaction marker, which is no record.
        lag = tuple(
            max(0, end - offsets.get(partition, 0) - 1) for partition, end in enumerate(ends)
        )
        records, applied = sum(ends), sum(offsets.values())
        now = time.monotonic()
        self._history.append((now, counts.rows, records, applied))
        while now - self._history[0][0] > _WINDOW:
            self._history.popleft()
        then = self._history[0]
        seconds = max(now - then[0], 0.001)
        return Snapshot(
            elapsed=self.elapsed,
            total=self.total,
            phase=self.phase,
            transactions=counts.transactions,
            source_rows=counts.rows,
            records=records,
            applied=applied,
            source_rate=(counts.rows - then[1]) / seconds,
            record_rate=(records - then[2]) / seconds,
            apply_rate=(applied - then[3]) / seconds,
            lag=lag,
            behind_seconds=behind,
            services=tuple(
                ServiceState(s.name, s.running, s.pid if s.running else 0, s.kills)
                for s in self.services
            ),
            events=tuple(self.events),
        )

    def _checkpoint(self) -> tuple[dict[int, int], float]:
        """Next offset per partition, and how old the oldest partition's last record is."""
        try:
            found = rows(
                self.target,
                "SELECT partition_id, next_offset,"
                " TIMESTAMPDIFF(MICROSECOND, source_ts, UTC_TIMESTAMP(6)) / 1e6"
                " FROM mysync.checkpoint WHERE pipeline = %s AND partition_id >= 0",
                [self.pipeline],
            )
        except pymysql.err.MySQLError:
            return {}, 0.0
        ages = [max(0.0, float(age)) for _, _, age in found if age is not None]
        return {int(p): int(offset) for p, offset, _ in found}, max(ages, default=0.0)

    def _log_ends(self) -> list[int]:
        """The last known end of each partition, even while the broker doesn't answer."""
        try:
            self._ends = [
                int(
                    self.kafka.get_watermark_offsets(
                        TopicPartition(f"{self.pipeline}.rows", partition), timeout=1, cached=False
                    )[1]
                )
                for partition in range(self.partitions)
            ]
        except (KafkaException, TypeError):
            self._ends = self._ends or [0] * self.partitions
        return self._ends
