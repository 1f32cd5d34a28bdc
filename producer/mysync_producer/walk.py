"""How a table is read for its transfer: along which key, by which SELECT.

What the order of a key depends on is its *walk*: progress along one walk means nothing on another.
"""

import time
from collections.abc import Mapping
from typing import Any

from mysync_producer.chunkread import Plan
from mysync_producer.keyrange import KeyOrder
from mysync_producer.selectlist import from_suffix, select_list
from mysync_producer.tables import NOT_TRANSACTIONAL
from mysync_producer.transferstate import TransferState
from mysync_schemas.charset import Charset
from mysync_schemas.table import TableSchema

__all__ = ["plan_of", "shown", "signature"]


def signature(schema: TableSchema, *, mariadb: bool) -> str:
    """Names the walk; empty for a table that has no key to tell its rows by."""
    if not schema.identity:
        return ""
    order = KeyOrder.of(schema, mariadb=mariadb)
    columns = [schema.column(name) for name in schema.identity]
    parts = [f"{c.name} {c.column_type} {c.collation or ''}" for c in columns]
    return f"{'at once' if order is None else order.order_by}: {', '.join(parts)}"


def plan_of(schema: TableSchema, charsets: Mapping[str, Charset], *, mariadb: bool) -> Plan:
    """How rows of this version are read. Raises NotReadable."""
    return Plan(
        schema=schema,
        order=KeyOrder.of(schema, mariadb=mariadb) if schema.identity else None,
        mariadb=mariadb,
        charsets=charsets,
        columns=select_list(schema, mariadb=mariadb),
        suffix=from_suffix(schema),
        locked=schema.engine.lower() in NOT_TRANSACTIONAL,
    )


def shown(record: TransferState) -> dict[str, Any]:
    """A transfer as `status` and `/status` have it."""
    now_us = record.ended_us or time.time_ns() // 1000
    seconds = max(0.0, (now_us - record.began_us) / 1e6) if record.began_us else 0.0
    left = max(0, record.estimate - record.rows)
    eta = left * seconds / record.rows if record.phase == "running" and record.rows else None
    return {
        "table": str(record.table_id),
        "phase": record.phase,
        "rows": record.rows,
        "estimated_rows": record.estimate,
        "chunks": record.chunks,
        "chunks_open": len(record.open),
        "chunks_read_again": record.redone,
        "began_at_us": record.began_us or None,
        "ended_at_us": record.ended_us or None,
        "seconds": seconds,
        "rows_per_second": record.rows / seconds if seconds else 0.0,
        "eta_seconds": eta,
        "reason": record.reason,
    }
