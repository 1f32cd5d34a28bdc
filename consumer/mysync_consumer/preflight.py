"""Whether a target can be written exactly: what `check` prints and every start demands.

All causes are collected, each with the statement that mends it. Variables that can change while
running are read again at each session's start (`sessionsetup.set_up`).
"""

import re
from collections.abc import Iterator, Mapping

from confluent_kafka.admin import AdminClient

from mysync_consumer import tables, target, via
from mysync_consumer.bindings import renamed
from mysync_consumer.ddlgrants import lacking_for_statements
from mysync_consumer.errors import GroupConflict
from mysync_consumer.strictmodes import STRICT_MODES, lenient
from mysync_consumer.via import Way
from mysync_runtime import kafka, mysql
from mysync_runtime.errors import (
    DataError,
    Failure,
    PipelineMismatch,
    PreflightError,
    TopicRecreated,
)
from mysync_runtime.log import get_logger
from mysync_runtime.mysql import Connection, Flavor, flavor, quote_table, rows, variables
from mysync_runtime.settings import MIB, Settings
from mysync_schemas.control import PipelineInfo
from mysync_schemas.table import TableId

SMALLEST_PACKET = 16 * MIB

OLDEST = {"mysql": (8, 0, 0), "mariadb": (10, 5, 0)}
"""MySQL 8.0 is the first with REPLICATION_APPLIER, MariaDB 10.5 with BINLOG REPLAY."""

OLDEST_BY_SQL = {"mysql": (8, 0, 19), "mariadb": (10, 5, 0)}
"""MySQL 8.0.19 is the first that names the new row in ON DUPLICATE KEY UPDATE."""


def require(connection: Connection, settings: Settings) -> Way:
    """How rows are to be written. Raises PreflightError with every cause; logs what is no reason
    to stop."""
    found = variables(connection)
    flush = found.get("innodb_flush_log_at_trx_commit", "1")
    if flush != "1":
        get_logger("preflight").warning(
            f"innodb_flush_log_at_trx_commit is {flush}: a target that crashes may lose commits"
            " that it had confirmed; they are applied again, but its readers see them vanish",
            mend="SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        )
    what = flavor(connection)
    account, grants = mysql.account(connection), mysql.grants(connection)
    way = via.choose(settings, what, account, grants)
    failures = [*_find(found, settings, what, way), *_grants(account, grants, what, way)]
    if way.via == "sql":
        failures += _tables(connection, settings, account, grants)
    if failures:
        raise PreflightError(
            "the target isn't set up for exact replication",
            failures,
            where=settings.target.address,
        )
    databases = [table.db for table in _named(settings)] or ["*"]
    for lacking in lacking_for_statements(databases, account, grants, what, found):
        get_logger("preflight").warning(
            f"{lacking.cause}: a statement that needs it stops the pipeline", mend=lacking.mend
        )
    return way


def _find(
    found: Mapping[str, str], settings: Settings, what: Flavor, way: Way
) -> Iterator[Failure]:
    """What is wrong with the target server."""
    oldest = (OLDEST_BY_SQL if way.via == "sql" else OLDEST)[what.kind]
    if what.version < oldest:
        yield Failure(
            f"the target is {what}, too old for {way.words}",
            f"use {'.'.join(map(str, oldest))} or newer",
        )
    if way.via == "row_events":
        yield from _modes(found, what)
    packet = int(found.get("max_allowed_packet", "0"))
    needed = max(SMALLEST_PACKET, 3 * settings.topics.max_message_bytes)
    if packet < needed:
        yield Failure(
            f"max_allowed_packet is {packet}",
            f"SET GLOBAL max_allowed_packet = {needed} (a row needs 1.34 times its two images)",
        )
    if found.get("innodb_read_only", "OFF") == "ON":
        yield Failure("innodb_read_only is ON", "restart the target without it")
    if what.is_mariadb:
        return
    if found.get("super_read_only") == "ON":
        yield Failure("super_read_only is ON", "SET GLOBAL super_read_only = OFF")


def _modes(found: Mapping[str, str], what: Flavor) -> Iterator[Failure]:
    get = found.get
    for name in ("replica_skip_errors", "slave_skip_errors"):
        value = get(name, "OFF")
        if value not in ("OFF", ""):
            yield Failure(
                f"{name} is {value}: duplicate and missing rows would pass unnoticed",
                f"restart the target without {name.replace('_', '-')}",
            )
            break
    for name in ("replica_type_conversions", "slave_type_conversions"):
        value = get(name, "")
        if value:
            yield Failure(
                f"{name} is {value}: values could be converted", f"SET GLOBAL {name} = ''"
            )
            break
    if not what.is_mariadb:
        return
    yield from lenient(get(name, wanted) for name, wanted in STRICT_MODES.items())


OWN_TABLES = {"CREATE", "SELECT", "INSERT", "UPDATE", "DELETE"}
"""What is needed on mysync.*, where not everything is granted."""


def _grants(account: str, grants: list[mysql.Grant], what: Flavor, way: Way) -> Iterator[Failure]:
    everywhere = " ".join(privileges for privileges, where in grants if where == "*.*")
    if "ALL PRIVILEGES" in everywhere:
        return
    if way.via == "row_events" and via.may_apply(grants, what) is None:
        yield Failure(
            f"{account} may not apply row events",
            f"GRANT {via.privilege(what)} ON *.* TO {account}, or set `apply.via` to auto",
        )
    ours = " ".join(p for p, where in grants if where == "*.*" or where.startswith("`MYSYNC`."))
    words = set(re.findall(r"\w+", ours))
    if "ALL PRIVILEGES" not in ours and not words >= OWN_TABLES:
        yield Failure(
            f"{account} may not keep the tables mysync.*", f"GRANT ALL ON mysync.* TO {account}"
        )


def _tables(
    connection: Connection, settings: Settings, account: str, grants: list[mysql.Grant]
) -> Iterator[Failure]:
    """What stands in the way of SQL on the tables that are known by now: those that were written
    before, and the databases that the filters name. The rest is found at their first rows."""
    for name in _named(settings):
        lacking = mysql.lacking(grants, target.SQL_PRIVILEGES, *name)
        # Grants on single tables are compared at the tables' first rows.
        singly = name.table == "*" and any(
            grant.where.startswith(f"`{name.db.upper()}`.`") for grant in grants
        )
        if lacking and not singly:
            yield Failure(
                f"{account} may not write {name} by SQL: it lacks {', '.join(lacking)}",
                target.grant(name, account),
            )
    for name in _written(connection, settings):
        for trigger in target.triggers(connection, name):
            yield Failure(
                f"trigger {trigger} on {name} would fire again for what the source's did already",
                f"DROP TRIGGER {quote_table(name.db, trigger)}",
            )


def _named(settings: Settings) -> Iterator[TableId]:
    """The target's names of what the filters name without a glob; a table of `*` is all."""
    for pattern in settings.filters.include:
        db, _, table = pattern.partition(".")
        if not set("*?[") & set(db):
            whole = bool(set("*?[") & set(table))
            yield renamed(TableId(db, "*" if whole else table), settings.rename)


def _written(connection: Connection, settings: Settings) -> list[TableId]:
    """The tables that this pipeline wrote before."""
    with connection.cursor() as cursor:
        if "owned_table" not in tables.existing(cursor):
            return []
    found = rows(
        connection,
        "SELECT db AS db, tbl AS tbl FROM mysync.owned_table WHERE pipeline = %s",
        (settings.pipeline,),
    )
    return [TableId(str(row["db"]), str(row["tbl"])) for row in found]


def adopt(connection: Connection, settings: Settings, info: PipelineInfo) -> None:
    """Notes whose checkpoint this is at the first start, and compares at every other.

    Raises GroupConflict, TopicRecreated, PipelineMismatch.
    """
    mine = {
        "group": settings.consumer_group,
        "uuid": info.uuid,
        "partitions": str(info.partitions),
        "topic_id_rows": info.topic_ids.rows,
    }
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT IGNORE INTO mysync.meta (pipeline, name, value) VALUES (%s, %s, %s)",
            [(settings.pipeline, name, value) for name, value in mine.items()],
        )
    connection.commit()
    kept = {
        str(row["name"]): str(row["value"])
        for row in rows(
            connection,
            "SELECT name AS name, value AS value FROM mysync.meta WHERE pipeline = %s",
            (settings.pipeline,),
        )
    }
    if kept["group"] != mine["group"]:
        raise GroupConflict(
            f"the consumer group {kept['group']} writes pipeline {settings.pipeline} to this"
            f" target, this one is {mine['group']}"
        )
    where = f"pipeline {settings.pipeline} on {settings.target.address}"
    if kept["uuid"] != mine["uuid"] or kept["topic_id_rows"] != mine["topic_id_rows"]:
        raise TopicRecreated(
            "the topics aren't those that this target was written from: they were begun anew",
            where=where,
        )
    if kept["partitions"] != mine["partitions"]:
        raise PipelineMismatch(
            f"the target was written from {kept['partitions']} partitions, not {info.partitions}",
            where=where,
        )


def check_topics_exist(admin: AdminClient, settings: Settings) -> DataError | None:
    """For `check`: whether the pipeline's topics are there; None when they are."""
    found = kafka.describe_topics(admin, [settings.rows_topic, settings.control_topic])
    missing = {settings.rows_topic, settings.control_topic} - found.keys()
    return DataError(f"not created yet: {', '.join(sorted(missing))}") if missing else None
