"""What a person needs to mend a divergence: the event, its old and new image, what the target
holds.

Kept as JSON in `mysync.errors`; one line of it goes to the log and into the instruction that stops
the other processes."""

import json
from contextlib import suppress
from typing import Any

import pymysql
import pymysql.cursors

from mysync_consumer.bindings import Binding
from mysync_consumer.rowerrors import CorruptRecord
from mysync_consumer.rowread import Row, TableReader, decode
from mysync_runtime.errors import Divergence, Drift, MysyncError
from mysync_runtime.mysql import Connection, quote, quote_table

Report = dict[str, Any]

SHOWN_CHARACTERS = 1000

_OPERATIONS = {ord("c"): "insert", ord("u"): "update", ord("d"): "delete", ord("r"): "read"}
MEANINGS = {
    1032: "the row isn't there",
    1062: "a row with this key is there already",
    1105: "the table's definition, or a privilege, isn't what it was",
}


class DivergenceReported(Divergence):
    """A divergence; `report` is kept in mysync.errors."""

    def __init__(self, report: Report) -> None:
        super().__init__(summary(report), where=place(report))
        self.report = report

    @property
    def label(self) -> str:
        return Divergence.__name__


class DriftReported(Drift):
    """Error 1105, which the target's applier gives for another definition or a missing grant."""

    advice = (
        "Compare SHOW CREATE TABLE on both sides, and see that the target's user has INSERT, UPDATE"
        " and DELETE on the table; then start again."
    )

    def __init__(self, report: Report) -> None:
        super().__init__(summary(report), where=place(report))
        self.report = report

    @property
    def label(self) -> str:
        return Drift.__name__


def build(
    connection: Connection,
    partition: int,
    row: Row,
    binding: Binding,
    code: int,
    message: str,
) -> Report:
    """Collects everything. What the target holds is asked in the caller's session, rolled back."""
    before = _image(row.reader, row.value, row.before_start, row.before_end)
    after = _image(row.reader, row.value, row.after_start, row.after_end)
    return position(partition, row) | {
        "table": binding.name,
        "target_table": str(binding.target),
        "identity": list(binding.plan.identity_columns),
        "operation": _OPERATIONS.get(row.op, "?"),
        "error_code": code,
        "error_message": message,
        "before": before,
        "after": after,
        "target_holds": held(connection, binding, before, after),
    }


def position(partition: int, row: Row) -> Report:
    """Where an event stands: what `place` says of it."""
    return {
        "partition": partition,
        "offset": row.offset,
        "seq": row.seq,
        "file": row.file(),
        "position": row.pos,
        "row": row.row,
        "gtid": row.gtid(),
    }


def summary(report: Report) -> str:
    """One sentence: what couldn't be done to which row, and why."""
    code = report["error_code"]
    meaning = MEANINGS.get(code)
    text = (
        f"{report['operation']} of {report['table']} {key(report)} was refused by the target:"
        f" error {code}, {report['error_message']}"
    )
    return f"{text} ({meaning})" if meaning else text


def key(report: Report) -> str:
    """The row's key; all of its values where there is none."""
    image = report["before"] or report["after"] or {}
    return _short({name: image[name] for name in report["identity"] or image})


def place(report: Report) -> str:
    """Where the event stands, on the source and in Kafka."""
    gtid = f", GTID {report['gtid']}" if report["gtid"] else ""
    return (
        f"{report['file']}:{report['position']} row {report['row']}{gtid};"
        f" partition {report['partition']} offset {report['offset']}"
    )


def shortened(report: Report) -> Report:
    """The same with no text longer than SHOWN_CHARACTERS: `mysync.errors` has it whole."""

    def short(value: Any) -> Any:
        if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
            return value[:SHOWN_CHARACTERS] + "…"
        if isinstance(value, dict):
            return {name: short(each) for name, each in value.items()}
        return [short(each) for each in value] if isinstance(value, list) else value

    return {name: short(value) for name, value in report.items()}


def _short(values: dict[str, object]) -> str:
    text = json.dumps(values, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:200] + "…"


def _image(reader: TableReader, value: bytes, start: int, end: int) -> dict[str, object] | None:
    if start < 0:
        return None
    try:
        return decode(reader, value, start, end)
    except CorruptRecord as error:
        return {"unreadable": str(error)}


def held(
    connection: Connection,
    binding: Binding,
    before: dict[str, object] | None,
    after: dict[str, object] | None,
) -> list[dict[str, object]] | str:
    """The target's rows with the event's old and new key; words when there is no telling."""
    identity = binding.plan.identity_columns
    if not identity:
        return "the table has no key to look for"
    found: list[dict[str, object]] = []
    condition = " AND ".join(f"{quote(name)} = %s" for name in identity)
    keys = {tuple(image[name] for name in identity) for image in (before, after) if image}
    try:
        with connection.cursor(pymysql.cursors.DictCursor) as cursor:
            for key in sorted(keys, key=repr):
                cursor.execute(
                    f"SELECT * FROM {quote_table(*binding.target)} WHERE {condition} LIMIT 2",
                    [_argument(value) for value in key],
                )
                found += [
                    {name: _shown(value) for name, value in row.items()}
                    for row in cursor.fetchall()
                ]
    except (pymysql.err.Error, OSError) as error:
        return f"it could not be read: {error}"
    return found


def _argument(value: object) -> object:
    if isinstance(value, str) and value.startswith("0x"):
        with suppress(ValueError):
            return bytes.fromhex(value[2:])
    return value


def _shown(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if value is None or isinstance(value, (int, float)):
        return value
    return str(value)


def keep(connection: Connection, pipeline: str, error: MysyncError) -> None:
    """Writes the report of an error that has one to mysync.errors."""
    report: Report | None = getattr(error, "report", None)
    if report is None:
        return
    db, _, table = str(report["table"]).partition(".")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mysync.errors (pipeline, partition_id, record_offset, seq, db, tbl,"
            " error_code, error_message, report, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, SYSDATE(6))",
            (
                pipeline,
                report["partition"],
                report["offset"],
                report["seq"],
                db,
                table,
                report["error_code"],
                report["error_message"],
                json.dumps(report, ensure_ascii=False, default=str),
            ),
        )
