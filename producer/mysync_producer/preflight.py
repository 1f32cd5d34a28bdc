"""Whether the source is set up so that everything can be read from its log.

Each failure names the statement or setting that mends it. Sessions can override several of these
variables, so the stream is checked as well; here is what can be known before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mysync_producer import transfergrants
from mysync_producer.catalog import read_catalog
from mysync_producer.filters import Filters
from mysync_producer.source import Source
from mysync_runtime.errors import Failure, MysyncError, PreflightError, SetupError
from mysync_runtime.log import get_logger
from mysync_runtime.settings import Settings

__all__ = ["Report", "examine", "examine_tables", "require"]

log = get_logger("preflight")

_OLDEST = {"mysql": (8, 0, 14), "mariadb": (10, 5, 0)}  # binlog_row_metadata

# (variable, values that are right, statement that sets it)
_VARIABLES = (
    ("binlog_format", "ROW", "SET GLOBAL binlog_format = 'ROW'"),
    ("binlog_row_image", "FULL", "SET GLOBAL binlog_row_image = 'FULL'"),
    ("binlog_row_metadata", "FULL", "SET GLOBAL binlog_row_metadata = 'FULL'"),
)


@dataclass
class Report:
    """What was found; `warnings` don't stop anything."""

    failures: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def require(source: Source, settings: Settings, filters: Filters) -> None:
    """`examine` that raises PreflightError with every failure and logs the warnings."""
    report = examine(source, settings, filters)
    for warning in report.warnings:
        log.warning("preflight", cause=warning.cause, mend=warning.mend)
    if report.failures:
        raise PreflightError(
            "the source isn't set up for replication", report.failures, where=source.address
        )


def examine(source: Source, settings: Settings, filters: Filters) -> Report:
    """Version, variables, grants, identity. Raises ConnectionLost and the like."""
    report = Report(facts={"source": str(source.flavor), "address": source.address})
    oldest = _OLDEST[source.flavor.kind]
    if source.flavor.version < oldest:
        report.failures.append(
            Failure(
                f"{source.flavor} is too old: its log has no column names",
                f"use {'.'.join(map(str, oldest))} or newer",
            )
        )
        return report
    variables = source.variables()
    if variables.get("log_bin") != "ON":
        report.failures.append(
            Failure("the source writes no binary log", "start it with --log-bin")
        )
        return report
    report.failures += _variables(variables)
    report.failures += _log_filters(source)
    report.failures += _grants(source, filters, report)
    report.failures += _identity(source, settings)
    report.failures += _replica(source, variables)
    report.warnings += _durability(variables)
    report.facts["gtids"] = source.uses_gtids()
    return report


def examine_tables(source: Source, filters: Filters, settings: Settings) -> Report:
    """The tables that the filters include now, and whether they can be transferred."""
    filters = filters.folded(source.folds_names())
    catalog = read_catalog(source.connection, source.flavor, filters)
    report = Report(failures=list(catalog.refused), facts={"tables": len(catalog.tables)})
    if not catalog.tables and not catalog.refused:
        report.warnings.append(
            Failure("the filters include no table", "check `filters.include` and the user's grants")
        )
    databases = sorted({table.table_id.db for table in catalog.tables})
    kinds = [kind for kind, policy in settings.ddl if policy == "apply"]
    report.warnings += transfergrants.hidden(source, databases, kinds)
    report.warnings += transfergrants.unreadable(source, settings)
    for table in catalog.tables:
        if not table.identity:
            report.warnings.append(
                Failure(
                    f"table {table.table_id} has no primary key and no unique key without NULLs, "
                    "so it goes to one partition and its rows are found by all their columns",
                    "add a primary key",
                )
            )
    return report


def _variables(variables: Mapping[str, str]) -> Iterator[Failure]:
    for name, wanted, statement in _VARIABLES:
        found = variables.get(name)
        if found is not None and found.upper() != wanted:
            yield Failure(
                f"{name} is {found} instead of {wanted}",
                f"{statement} (and in the server's option file; sessions that are connected keep "
                "the old value)",
            )


def _log_filters(source: Source) -> Iterator[Failure]:
    try:
        status = source.status()
    except SetupError:
        privilege = "BINLOG MONITOR" if source.flavor.is_mariadb else "REPLICATION CLIENT"
        yield Failure(
            "the user may not see where the binary log ends",
            f"GRANT {privilege} ON *.* TO {source.account()}",
        )
        return
    for column, option in (
        ("Binlog_Do_DB", "binlog-do-db"),
        ("Binlog_Ignore_DB", "binlog-ignore-db"),
    ):
        if status and status.get(column):
            yield Failure(
                f"the source logs only some databases ({option}={status[column]})",
                f"remove {option} from the server's option file and restart it",
            )


def _grants(source: Source, filters: Filters, report: Report) -> Iterator[Failure]:
    grants = source.grants()
    everything = any(g.privileges == "ALL PRIVILEGES" and g.where == "*.*" for g in grants)
    if not everything and not any("REPLICATION SLAVE" in g.privileges for g in grants):
        yield Failure(
            "the user may not read the binary log",
            f"GRANT REPLICATION SLAVE ON *.* TO {source.account()}",
        )
    reads = [g.where for g in grants if _may_select(g.privileges)]
    if "*.*" in reads:
        return
    for pattern in filters.include:
        database = pattern.partition(".")[0]
        if any(sign in database for sign in "*?["):
            report.warnings.append(
                Failure(
                    f"the user may not SELECT everywhere, so of {pattern} it sees only what it may "
                    "read; rows of a table that it can't see stop the producer",
                    f"GRANT SELECT ON *.* TO {source.account()}",
                )
            )
        elif not any(where.startswith(f"`{database.upper()}`.") for where in reads):
            yield Failure(
                f"the user may not read the definitions of {pattern}",
                f"GRANT SELECT ON `{database}`.* TO {source.account()}",
            )


def _may_select(privileges: str) -> bool:
    return privileges.startswith("ALL PRIVILEGES") or "SELECT" in privileges


def _identity(source: Source, settings: Settings) -> Iterator[Failure]:
    ours = settings.source.server_id
    if ours is not None and ours == source.scalar("SELECT @@server_id"):
        yield Failure(
            f"source.server_id {ours} is the source's own",
            "set `source.server_id` to a number that no server or replica has, or leave it out",
        )


def _replica(source: Source, variables: Mapping[str, str]) -> Iterator[Failure]:
    logged = variables.get("log_replica_updates", variables.get("log_slave_updates"))
    if logged != "OFF":
        return
    statement = "SHOW ALL SLAVES STATUS" if source.flavor.is_mariadb else "SHOW REPLICA STATUS"
    try:
        rows = source.rows(statement)
    except MysyncError as error:
        if error.retriable:
            raise
        return
    if rows:
        name = "log_slave_updates" if source.flavor.is_mariadb else "log_replica_updates"
        yield Failure(
            "the source is a replica, and what it replicates isn't in its log",
            f"start it with --{name.replace('_', '-')}=ON",
        )


def _durability(variables: Mapping[str, str]) -> Iterator[Failure]:
    if variables.get("sync_binlog") not in (None, "1"):
        yield Failure(
            f"sync_binlog is {variables['sync_binlog']}: if the source's machine fails it may lose "
            "transactions that were replicated",
            "SET GLOBAL sync_binlog = 1",
        )
    if variables.get("gtid_mode") in ("ON_PERMISSIVE", "OFF_PERMISSIVE"):
        yield Failure(
            f"gtid_mode is {variables['gtid_mode']}: GTIDs aren't used until it is ON",
            "SET GLOBAL gtid_mode = ON",
        )
