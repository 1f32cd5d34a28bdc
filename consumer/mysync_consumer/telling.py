"""Words to all processes of a pipeline, through the target: whoever finds what can't be passed
tells the others, so that none of them tries it in turn."""

import time
from collections.abc import Callable, Iterable

import pymysql

from mysync_consumer import report
from mysync_consumer.answers import BUSY_CODES
from mysync_consumer.context import Context
from mysync_consumer.session import Session
from mysync_runtime import mysql
from mysync_runtime.errors import DataError, MysyncError
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection
from mysync_schemas.table import TableId

STOP_SECONDS = 30.0
"""How long the others' transactions may be in the way."""

BUSY_PAUSE = 0.1


def stop_everyone(context: Context, error: DataError, partition: int) -> None:
    """Writes the `stop` and the report; if the target can't take it, this process stops alone."""
    detail = {"summary": str(error), "class": error.label, "partition": partition}
    try:
        write(
            context,
            lambda sql: context.obedience.stop_all(
                sql, context.info.partitions, detail, context.owner
            ),
        )
    except (MysyncError, pymysql.err.Error, OSError) as failure:
        get_logger("telling").error(
            "only this process stops: the others can't be told", reason=str(failure)
        )
    keep(context, error)


def keep(context: Context, error: MysyncError) -> None:
    """Keeps the error's report, if it has one, in mysync.errors."""
    try:
        write(context, lambda sql: report.keep(sql, context.settings.pipeline, error))
    except (MysyncError, pymysql.err.Error, OSError) as failure:
        get_logger("telling").error("mysync.errors can't hold the report", reason=str(failure))


def set_aside(context: Context, tables: Iterable[TableId], error: MysyncError) -> None:
    """Quarantines the tables for what isn't an event's fault. Raises what the target answers."""
    detail = {"class": error.label, "error": str(error), "place": error.where, "event": None}
    write(
        context,
        lambda sql: context.quarantine.quarantine(
            sql, context.info.partitions, tables, error.what, detail, context.owner
        ),
    )


def write(context: Context, call: Callable[[Connection], object]) -> None:
    """Calls with a session of its own, again while others are in the way. Raises what the target
    answers."""
    settings = context.settings
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            session = Session.open(settings.target, settings.apply)
            try:
                call(session.connection)
            finally:
                session.close()
        except (MysyncError, pymysql.err.Error, OSError) as failure:
            if mysql.code_of(failure) not in BUSY_CODES or time.monotonic() > deadline:
                raise
            time.sleep(BUSY_PAUSE)
        else:
            return
