"""`mysync-consumer tables`: the pipeline's tables as the target knows them, and those set aside.

A table that is written stands in `mysync.owned_table` by the target's name, one that is set aside
or being transferred in `mysync.table_state` by the source's; one that could never be written in the
latter only.
"""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from mysync_consumer import tables
from mysync_consumer.bindings import renamed
from mysync_consumer.quarantine import QUARANTINED
from mysync_runtime import mysql
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql import Connection
from mysync_runtime.settings import RenameSettings, Settings
from mysync_schemas.table import TableId

WRITTEN = "written"

HOW_TO_GO_ON = (
    "A table that is set aside stays so, over restarts too, until it is transferred anew: mend the"
    " cause, then `mysync-producer transfer start db.table` (docs/operations.md)."
)


def ask(settings: Settings, stop: Stop) -> dict[str, Any]:
    """Everything that `tables` shows. Raises Unreachable, CredentialsError."""
    connection = mysql.connect_at_start(settings.target, stop, what="the target")
    try:
        with connection.cursor() as cursor:
            complete = set(tables.DEFINITIONS) <= tables.existing(cursor)
        found = read(connection, settings.pipeline, settings.rename) if complete else []
    finally:
        connection.close()
    return {"pipeline": settings.pipeline, "tables": found}


def read(connection: Connection, pipeline: str, rename: RenameSettings) -> list[dict[str, Any]]:
    """The tables by name, first those that are set aside or being transferred."""
    aside = states(connection, pipeline)
    skipped = _skipped(connection, pipeline)
    found = [
        {
            "table": str(table),
            "target": str(renamed(table, rename)),
            **state,
            "skipped_from": skipped.get(table, {}),
        }
        for table, state in aside.items()
    ]
    taken = {renamed(table, rename) for table in aside}
    owned = mysql.rows(
        connection,
        "SELECT db AS db, tbl AS tbl, since AS since FROM mysync.owned_table WHERE pipeline = %s"
        " ORDER BY db, tbl",
        (pipeline,),
    )
    for row in owned:
        target = TableId(str(row["db"]), str(row["tbl"]))
        if target not in taken:
            table = source_of(target, rename)
            found.append(
                {
                    "table": str(table) if table is not None else None,
                    "target": str(target),
                    "state": WRITTEN,
                    "since": str(row["since"]),
                }
            )
    return found


def states(connection: Connection, pipeline: str) -> dict[TableId, dict[str, Any]]:
    """What `mysync.table_state` says, by the source's names."""
    rows = mysql.rows(
        connection,
        "SELECT db AS db, tbl AS tbl, state AS state, m AS m, reason AS reason, detail AS detail,"
        " resync_only AS resync_only, since AS since FROM mysync.table_state WHERE pipeline = %s"
        " ORDER BY db, tbl",
        (pipeline,),
    )
    found = {}
    for row in rows:
        detail: Mapping[str, Any] = json.loads(str(row["detail"] or "{}"))
        found[TableId(str(row["db"]), str(row["tbl"]))] = {
            "state": row["state"],
            "since": str(row["since"]),
            "m": row["m"],
            "reason": row["reason"],
            "place": detail.get("place"),
            "resync_only": row["resync_only"],
            "detail": detail,
        }
    return found


def _skipped(connection: Connection, pipeline: str) -> dict[TableId, dict[str, dict[str, Any]]]:
    """The first record that each partition passed over, by table and partition."""
    found: dict[TableId, dict[str, dict[str, Any]]] = {}
    for row in mysql.rows(
        connection,
        "SELECT db AS db, tbl AS tbl, partition_id AS partition_id, first_offset AS first_offset,"
        " first_seq AS first_seq, file AS file, pos AS pos FROM mysync.skipped WHERE pipeline = %s"
        " ORDER BY partition_id",
        (pipeline,),
    ):
        table = TableId(str(row["db"]), str(row["tbl"]))
        found.setdefault(table, {})[str(row["partition_id"])] = {
            "offset": row["first_offset"],
            "seq": row["first_seq"],
            "file": row["file"],
            "position": row["pos"],
        }
    return found


def source_of(target: TableId, rename: RenameSettings) -> TableId | None:
    """The source's name of a table of the target; None if it could be several."""
    for old, new in rename.tables.items():
        if new == str(target):
            db, _, table = old.partition(".")
            return TableId(db, table)
    dbs = [old for old, new in rename.databases.items() if new == target.db] or [target.db]
    candidates = [TableId(db, target.table) for db in dbs]
    candidates = [table for table in candidates if renamed(table, rename) == target]
    return candidates[0] if len(candidates) == 1 else None


def show(found: dict[str, Any]) -> None:
    """As a table on stdout, what is set aside explained below."""
    console = Console()
    console.print(f"pipeline {found['pipeline']}")
    table = Table(box=None)
    for title in ("table", "on the target", "state", "since"):
        table.add_column(title, overflow="fold")
    for each in found["tables"]:
        table.add_row(each["table"] or "?", each["target"], each["state"], each["since"])
    console.print(table)
    stated = [each for each in found["tables"] if each["state"] != WRITTEN]
    for each in stated:
        console.print(f"\n{each['table']}: {each['reason']}", markup=False, soft_wrap=True)
        if each["place"]:
            console.print(f"  at {each['place']}", markup=False, soft_wrap=True)
        for partition, at in each["skipped_from"].items():
            console.print(f"  partition {partition}: skipped from offset {at['offset']}")
        if each["resync_only"]:
            console.print(f"  {each['resync_only']}", markup=False, soft_wrap=True)
    if any(each["state"] == QUARANTINED for each in stated):
        console.print(f"\n{HOW_TO_GO_ON}", markup=False, soft_wrap=True)
