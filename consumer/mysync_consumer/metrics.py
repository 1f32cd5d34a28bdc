"""The consumer's metrics; labels are partitions, tables and operations, never keys or positions."""

from collections import Counter as Count
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from mysync_consumer.applier import Tables
from mysync_consumer.rowread import Row
from mysync_runtime.metrics import count_error as count

__all__ = ["count"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROWS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10000)

APPLIED = Counter(
    "mysync_consumer_rows_total",
    "Row events applied, as the source logged them.",
    ["db", "table", "op"],
)
WRITTEN = Counter("mysync_consumer_rows_written_total", "Rows written after coalescing.")
COMMITS = Counter("mysync_consumer_commits_total", "Target transactions committed.", ["partition"])
APPLY_SECONDS = Histogram(
    "mysync_consumer_apply_seconds",
    "From planning a batch to its COMMIT's answer.",
    buckets=SECONDS,
)
BATCH_ROWS = Histogram("mysync_consumer_batch_rows", "Row events in a batch.", buckets=ROWS)
WAITED = Counter(
    "mysync_consumer_wait_seconds_total", "Waiting for other partitions' frontiers.", ["reason"]
)
WAITING = Gauge(
    "mysync_consumer_waiting_seconds",
    "How long a partition has waited for others' frontiers now, 0 if it doesn't.",
    ["partition"],
)
SKIPPED = Counter(
    "mysync_consumer_rows_skipped_total",
    "Row events passed over because their table is quarantined.",
    ["db", "table"],
)
QUARANTINED = Gauge("mysync_consumer_quarantined_tables", "Tables of the pipeline set aside.")
LINE_WAIT = Histogram(
    "mysync_consumer_line_wait_seconds",
    "How long a partition waited at a line: for all partitions, a statement or a transfer.",
    ["action"],
    buckets=SECONDS,
)
STATEMENTS = Counter(
    "mysync_consumer_statements_total", "Statements of the source, by outcome.", ["outcome"]
)
STATEMENT_SECONDS = Histogram(
    "mysync_consumer_statement_seconds", "How long a statement took on the target.", buckets=SECONDS
)
TRANSFERS = Counter(
    "mysync_consumer_transfers_total", "Begins and ends of tables' transfers, by phase.", ["phase"]
)
CLAIMS = Counter("mysync_consumer_claims_total", "Partitions claimed.", ["partition"])
ASSIGNED = Gauge("mysync_consumer_assigned_partitions", "Partitions assigned to this process.")

_LETTERS = {ord("c"): "c", ord("u"): "u", ord("d"): "d", ord("r"): "r"}


def committed(
    partition: int, tables: Tables, rows: Sequence[Row], written: int, seconds: float
) -> None:
    """Counts one committed batch."""
    COMMITS.labels(str(partition)).inc()
    if not rows:
        return
    BATCH_ROWS.observe(len(rows))
    APPLY_SECONDS.observe(seconds)
    WRITTEN.inc(written)
    for (schema_id, op), number in Count((row.schema_id, row.op) for row in rows).items():
        table = tables[schema_id].schema
        APPLIED.labels(table.db, table.table, _LETTERS.get(op, "?")).inc(number)


def skipped(rows: Sequence[Row]) -> None:
    """Counts rows that a committed transaction passed over."""
    for table, number in Count(row.reader.schema.table_id for row in rows).items():
        SKIPPED.labels(table.db, table.table).inc(number)
