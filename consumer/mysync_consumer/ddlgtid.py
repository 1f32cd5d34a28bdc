"""A statement's own GTID on a MySQL target: `<pipeline's uuid>:<the statement's number>`.

The server commits the statement and this name as one, skips what it has by that name, lets one
session use it at a time, and leaves it free where the statement was refused."""

import pymysql

from mysync_consumer.ddllock import announcer
from mysync_consumer.tenure import Tenure
from mysync_runtime.mysql import Connection, ErrorClass, Flavor, classify, rows, scalar

STATUS_RENAMED = (8, 2, 0)
"""Since when SHOW MASTER STATUS is SHOW BINARY LOG STATUS."""


def are_used(connection: Connection, flavor: Flavor) -> bool:
    """Whether the server logs what we run, with GTIDs. A filter of its log counts as no."""
    if flavor.is_mariadb:
        return False
    mode, log, ours = rows(
        connection, "SELECT @@GLOBAL.gtid_mode AS a, @@GLOBAL.log_bin AS b, @@sql_log_bin AS c"
    )[0].values()
    if mode not in ("ON", "ON_PERMISSIVE") or not (log and ours):
        return False
    newer = flavor.version >= STATUS_RENAMED
    try:
        status = rows(connection, "SHOW BINARY LOG STATUS" if newer else "SHOW MASTER STATUS")
    except pymysql.err.Error as error:
        if classify(error) is ErrorClass.CREDENTIALS:
            return True  # such a filter is rare, and to see it takes REPLICATION CLIENT
        raise
    return not any(row["Binlog_Do_DB"] or row["Binlog_Ignore_DB"] for row in status)


def is_executed(connection: Connection, gtid: str) -> bool:
    return bool(scalar(connection, "SELECT GTID_SUBSET(%s, @@GLOBAL.gtid_executed)", (gtid,)))


def wait_until_free(connection: Connection, gtid: str, tenure: Tenure) -> None:
    """Until no session owns it: a predecessor's statement, its client dead or alive."""
    say = announcer()
    while f"{gtid}#" in str(scalar(connection, "SELECT @@GLOBAL.gtid_owned")):
        say(f"a session of the last owner executes {gtid}")
        tenure.sleep(0.2)


def name_next(connection: Connection, gtid: str) -> None:
    """What runs next is that transaction. Waits for a session that owns it."""
    connection.query(f"SET gtid_next = '{gtid}'")


def release(connection: Connection) -> None:
    """After the statement, refused or not: one that was refused may still own its GTID."""
    connection.query("ROLLBACK")
    connection.query("SET gtid_next = 'AUTOMATIC'")


def consume(connection: Connection, gtid: str) -> None:
    """Commits nothing by that name: for a statement that the server didn't log, or mustn't run.

    A crash before it has the statement run again, which had nothing to log."""
    name_next(connection, gtid)
    connection.query("BEGIN")
    connection.query("COMMIT")
    connection.query("SET gtid_next = 'AUTOMATIC'")
