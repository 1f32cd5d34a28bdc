"""`mysync-consumer status`: where the target stands, from Kafka and the checkpoint table alone."""

import time
from typing import Any

from confluent_kafka import Consumer
from rich.console import Console
from rich.table import Table

from mysync_consumer import checkpoint, cut, tablelist, tables
from mysync_runtime import kafka, mysql
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import Settings


def ask(settings: Settings, stop: Stop) -> dict[str, Any]:
    """Everything `status` shows. Raises Unreachable, CredentialsError."""
    admin = kafka.connect_at_start(settings.kafka, stop)
    topic = kafka.describe_topics(admin, [settings.rows_topic]).get(settings.rows_topic)
    connection = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        stored: dict[int, checkpoint.Stored] = {}
        stops: list[dict[str, Any]] = []
        aside: list[str] = []
        held: dict[str, Any] | None = None
        with connection.cursor() as cursor:
            present = tables.existing(cursor)
        if set(tables.DEFINITIONS) <= present:
            stored = checkpoint.read_all(connection, settings.pipeline)
            stops = mysql.rows(
                connection,
                "SELECT version AS version, action AS action, m AS m, detail AS detail,"
                " created_at AS created_at FROM mysync.instruction WHERE pipeline = %s"
                " ORDER BY version DESC LIMIT 1",
                (settings.pipeline,),
            )
            aside = [str(table) for table in tablelist.states(connection, settings.pipeline)]
            connection.query("SET time_zone = '+00:00'")
            held = cut.describe(connection, settings.pipeline)
    finally:
        connection.close()
    marks = _marks(settings, topic.partitions) if topic is not None else {}
    partitions = [
        _partition(number, stored.get(number), marks.get(number))
        for number in sorted(marks.keys() | {p for p in stored if p >= 0})
    ]
    lags = [p["lag_records"] for p in partitions if p["lag_records"] is not None]
    return {
        "pipeline": settings.pipeline,
        "group": settings.consumer_group,
        "topic": settings.rows_topic if topic is not None else None,
        "partitions": partitions,
        "lag_records": sum(lags) if len(lags) == len(partitions) else None,
        "frontier": min(
            (p["frontier"] for p in partitions if p["frontier"] is not None), default=0
        ),
        "quarantined": aside,
        "cut": held,
        "last_instruction": stops[0] if stops else None,
    }


def _marks(settings: Settings, partitions: int) -> dict[int, tuple[int, int]]:
    consumer: Consumer = kafka.reader(settings)
    try:
        return {p: kafka.watermarks(consumer, settings.rows_topic, p) for p in range(partitions)}
    finally:
        consumer.close()


def _partition(
    number: int, stored: checkpoint.Stored | None, marks: tuple[int, int] | None
) -> dict[str, Any]:
    """Lag in records counts Kafka's transaction markers too: it is an upper bound."""
    shown: dict[str, Any] = {
        "partition": number,
        "first_offset": marks[0] if marks else None,
        "end_offset": marks[1] if marks else None,
        "next_offset": None,
        "frontier": None,
        "lag_records": None,
        "lag_seconds": None,
    }
    if stored is None:
        return shown
    at = stored.progress
    lag = max(0, marks[1] - at.next_offset) if marks else None
    return shown | {
        "next_offset": at.next_offset,
        "frontier": at.frontier,
        "last_seq": at.last_seq,
        "lag_records": lag,
        "lag_seconds": round(max(0.0, time.time() - at.source_us / 1e6), 3)
        if at.source_us
        else None,
        "file": at.file,
        "position": at.pos,
        "gtid": at.gtid,
        "epoch": stored.epoch,
        "owner": stored.owner,
    }


def show(found: dict[str, Any]) -> None:
    """As a table on stdout."""
    console = Console()
    console.print(f"pipeline {found['pipeline']}, group {found['group']}")
    if found["topic"] is None:
        console.print("the rows topic doesn't exist yet")
    table = Table(box=None)
    for title in ("partition", "next offset", "end", "lag", "lag s", "position", "epoch", "owner"):
        table.add_column(title, justify="left" if title in ("position", "owner") else "right")
    for p in found["partitions"]:
        table.add_row(
            *(
                "" if value is None else str(value)
                for value in (
                    p["partition"],
                    p["next_offset"],
                    p["end_offset"],
                    p["lag_records"],
                    p["lag_seconds"],
                    f"{p.get('file', '')}:{p.get('position', '')}" if p.get("file") else None,
                    p.get("epoch"),
                    p.get("owner"),
                )
            )
        )
    console.print(table)
    if (last := found["last_instruction"]) is not None:
        console.print(
            f"last instruction: {last['action']} at {last['created_at']}: {last['detail']}"
        )
    if (held := found["cut"]) is not None:
        console.print(
            f"cut {held['version']}, asked for by {held['asked_by']}, holds until"
            f" {held['expires_at']} UTC; partitions that stand: {held['standing']}",
            markup=False,
        )
    if found["quarantined"]:
        names = ", ".join(found["quarantined"])
        console.print(f"set aside (see `mysync-consumer tables`): {names}", markup=False)
