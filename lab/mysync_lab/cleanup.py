"""Removing what a pipeline leaves behind: its topics, its groups, and its rows on the target."""

import time
from contextlib import suppress

import pymysql
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mysync_lab.tables import Session, quote, rows

# Members that were killed stay in a group until their session times out.
_GROUP_SECONDS = 5.0


def forget_pipeline(pipeline: str, *, bootstrap: str, target: Session) -> None:
    """Deletes everything that bears the pipeline's name; its services must have ended.

    What is already gone is no error, nor is a broker or a group that refuses: this is cleaning up.
    """
    forget_rows(pipeline, target)
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    topics = [f"{pipeline}.{kind}" for kind in ("rows", "control", "state", "xa")]
    for future in admin.delete_topics(topics, operation_timeout=10).values():
        with suppress(KafkaException):
            future.result(15)
    with suppress(KafkaException):
        listed = admin.list_consumer_groups(request_timeout=10).result(15)
        names = [group.group_id for group in listed.valid]
        ours = [name for name in names if _of_pipeline(name, pipeline)]
        deadline = time.monotonic() + _GROUP_SECONDS
        while ours:
            ours = [name for name in ours if not _deleted(admin, name)]
            if time.monotonic() > deadline:
                break
            time.sleep(0.1 if ours else 0)


def forget_rows(pipeline: str, target: Session) -> None:
    """Deletes the pipeline's rows of the `mysync.*` tables on the target."""
    tables = rows(
        target,
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'mysync' AND column_name = 'pipeline'",
    )
    with target.cursor() as cursor:
        for (table,) in tables:
            with suppress(pymysql.err.ProgrammingError):
                cursor.execute(
                    f"DELETE FROM mysync.{quote(str(table))} WHERE pipeline = %s", (pipeline,)
                )
    target.commit()


def _of_pipeline(group: str, pipeline: str) -> bool:
    return group in (f"mysync-producer-{pipeline}", f"mysync-producer-{pipeline}-leader") or (
        group.startswith(f"mysync-consumer-{pipeline}-")
    )


def _deleted(admin: AdminClient, group: str) -> bool:
    try:
        admin.delete_consumer_groups([group], request_timeout=5)[group].result(10)
    except KafkaException as error:
        return "NON_EMPTY_GROUP" not in str(error)
    return True
