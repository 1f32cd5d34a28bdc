"""The producer's metrics."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "ACTIVE",
    "COMMITS",
    "COMMIT_SECONDS",
    "INFERRED",
    "LAG",
    "RECONNECTS",
    "ROWS",
    "SEQ",
    "STATEMENTS",
    "TRANSFERS",
    "TRANSFER_REDONE",
    "TRANSFER_ROWS",
    "TRANSFER_WAITED",
]

ROWS = Counter(
    "mysync_producer_rows_total", "Rows sent, by table and operation.", ["db", "table", "op"]
)
LAG = Gauge(
    "mysync_producer_lag_seconds",
    "Age of the last transaction committed to Kafka; 0 while nothing waits to be.",
)
COMMITS = Counter("mysync_producer_commits_total", "Kafka transactions committed.")
COMMIT_SECONDS = Histogram(
    "mysync_producer_commit_seconds",
    "Time of a Kafka transaction's commit.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
RECONNECTS = Counter("mysync_producer_reconnects_total", "Connections to the source made again.")
ACTIVE = Gauge("mysync_producer_active", "1 while this process is the elected producer.")
SEQ = Gauge("mysync_producer_seq", "The last committed record's number.")
STATEMENTS = Counter("mysync_producer_statements_total", "Statements sent, by verb.", ["verb"])
TRANSFER_ROWS = Counter(
    "mysync_producer_transfer_rows_total", "Rows sent by tables' transfers.", ["db", "table"]
)
TRANSFER_REDONE = Counter(
    "mysync_producer_transfer_chunks_redone_total", "Chunks that were read again.", ["db", "table"]
)
TRANSFERS = Gauge("mysync_producer_transfers", "Tables' transfers, by phase.", ["phase"])
TRANSFER_WAITED = Counter(
    "mysync_producer_transfer_wait_seconds_total",
    "Time that streams of transfers waited before a chunk, by reason: their share of the time and "
    "the rate limit, the source's load, consumers that are far behind.",
    ["reason"],
)
INFERRED = Counter(
    "mysync_producer_inferred_total", "Versions of tables that were told by their TABLE_MAPs."
)
