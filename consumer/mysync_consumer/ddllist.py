"""`mysync-consumer ddl`: what became of the source's statements, and a person's word on one.

A word stands in `mysync.ddl_log` and is heeded by whoever comes to the statement next: `skip` (go
on without it), `done` (its change is made), `retry` (nothing of it was done: it is executed anew).
"""

from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from mysync_consumer import tables
from mysync_consumer.ddllog import TABLE
from mysync_consumer.errors import NothingToDecide
from mysync_runtime import mysql
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql import Connection
from mysync_runtime.settings import Settings

Word = Literal["skip", "done", "retry"]

SHOWN = 50
ENDED = frozenset({"done", "skipped"})


def ask(settings: Settings, stop: Stop) -> list[dict[str, Any]]:
    """The last statements, newest first. Raises Unreachable, CredentialsError."""
    connection = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        return read(connection, settings.pipeline)
    finally:
        connection.close()


def read(connection: Connection, pipeline: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        if not set(tables.DEFINITIONS) <= tables.existing(cursor):
            return []
    rows = mysql.rows(
        connection,
        "SELECT id AS id, seq AS seq, state AS state, way AS way, statement AS statement,"
        f" error AS error, started_at AS started_at, done_at AS done_at FROM {TABLE}"
        f" WHERE pipeline = %s ORDER BY id DESC LIMIT {SHOWN}",
        (pipeline,),
    )
    return [
        {
            **row,
            "statement": bytes(row["statement"]).decode("utf-8", "replace"),
            "started_at": _text(row["started_at"]),
            "done_at": _text(row["done_at"]),
        }
        for row in rows
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def decide(settings: Settings, stop: Stop, number: int, word: Word) -> None:
    """Writes a word on a statement. Raises NothingToDecide when it is done already, or was never
    begun."""
    connection = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        connection.begin()
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT state FROM {TABLE} WHERE pipeline = %s AND id = %s FOR UPDATE",
                (settings.pipeline, number),
            )
            row = cursor.fetchone()
            if row is not None and row[0] in ENDED:
                raise NothingToDecide(f"statement {number} is {row[0]} already")
            if word == "retry":
                if row is None:
                    raise NothingToDecide(f"statement {number} was never begun")
                cursor.execute(
                    f"DELETE FROM {TABLE} WHERE pipeline = %s AND id = %s",
                    (settings.pipeline, number),
                )
            else:
                cursor.execute(
                    f"INSERT INTO {TABLE} (pipeline, id, seq, state, statement)"
                    " VALUES (%s, %s, 0, %s, '') ON DUPLICATE KEY UPDATE state = VALUES(state)",
                    (settings.pipeline, number, word),
                )
        connection.commit()
    finally:
        connection.close()


def show(found: list[dict[str, Any]]) -> None:
    """As a table on stdout."""
    console = Console()
    table = Table(box=None)
    for title in ("number", "state", "begun", "statement"):
        table.add_column(title, overflow="fold")
    for each in found:
        text = " ".join(each["statement"].split())
        table.add_row(str(each["id"]), each["state"], each["started_at"] or "", text[:200])
    console.print(table)
    for each in found:
        if each["error"] and each["state"] not in ENDED:
            console.print(f"\n{each['id']}: {each['error']}", markup=False, soft_wrap=True)
