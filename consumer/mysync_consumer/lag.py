"""How far behind each partition is, computed when somebody asks.

Seconds: now minus the source's time of the last record applied (heartbeats count), as both clocks
say. It grows while the producer is silent too: then nobody knows what is missing. Records: those
that Kafka has and the target hasn't. Transaction markers between them count, those behind the last
record don't. Retention: what is left until Kafka deletes the oldest record that isn't applied."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mysync_consumer.checkpoint import Progress
from mysync_consumer.flow import Reading


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one partition; None where it isn't known."""

    lag_seconds: float | None
    lag_records: int | None
    retention_seconds_left: float | None


def lag_of(at: Progress, reading: Reading, retention_ms: int, now: float) -> Lag:
    """`at` is committed on the target; `now` in seconds since 1970; retention below 0 is none."""
    done = at.next_offset
    if reading.next == done and reading.end is not None:
        # Everything that was read is applied; behind it were only markers when the end was met.
        done = max(done, reading.end)
    records = None if reading.high is None else max(0, reading.high - done)
    left = None
    if retention_ms >= 0:
        oldest = reading.oldest(at.next_offset) if records else None
        left = retention_ms / 1000 - (0 if oldest is None else now - oldest / 1000)
    seconds = max(0.0, now - at.source_us / 1e6) if at.source_us else None
    return Lag(seconds, records, left)


class LagCollector(Collector):
    """Gauges of the partitions that this process owns, made at each scrape."""

    def __init__(self, ask: Callable[[], Mapping[int, Lag]]) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Metric]:
        families = {
            "lag_seconds": GaugeMetricFamily(
                "mysync_consumer_lag_seconds",
                "Now minus the source's time of the last record applied.",
                labels=["partition"],
            ),
            "lag_records": GaugeMetricFamily(
                "mysync_consumer_lag_records",
                "Records in Kafka that aren't applied.",
                labels=["partition"],
            ),
            "retention_seconds_left": GaugeMetricFamily(
                "mysync_consumer_retention_seconds_left",
                "Until Kafka deletes the oldest record that isn't applied.",
                labels=["partition"],
            ),
        }
        for partition, lag in self._ask().items():
            for name, family in families.items():
                value = getattr(lag, name)
                if value is not None:
                    family.add_metric([str(partition)], value)
        yield from families.values()
