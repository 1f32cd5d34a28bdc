"""What is asked of the source beside its log: who it is, where its log ends, whether it still has
what we need.

MariaDB has no server_uuid and no purged set: its identity is what it has, and a purged position is
told by the dump itself (error 1236).
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import pymysql.err

from mysync_producer.connection import DumpFrom
from mysync_producer.state import LogEnd, Server, State
from mysync_runtime import mysql
from mysync_runtime.errors import ConfigError, MysyncError, PositionLost, SourceDiverged
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql import Connection, Flavor
from mysync_runtime.settings import SourceSettings
from mysync_schemas.gtid import GtidSet, MariadbGtidSet
from mysync_schemas.position import FIRST, BinlogPosition

__all__ = ["LogEnd", "Source", "shown", "verify_source"]

T = TypeVar("T")

_SHOWN = 500  # characters of a GTID set in a message
_EXECUTED_LAG = 15.0  # seconds
# How definitions are shown and questions are read, whatever the server's defaults are.
_SESSION = "SET SESSION sql_mode = '', sql_quote_show_create = 1"


class Source:
    """A connection for questions; each method raises what `mysql.error_of` makes of an error."""

    def __init__(self, connection: Connection, settings: SourceSettings) -> None:
        self.connection = connection
        self.address = settings.address
        self.flavor: Flavor = self._ask(mysql.flavor)

    @classmethod
    def connect(cls, settings: SourceSettings) -> "Source":
        connection = mysql.connect(settings)
        try:
            source = cls(connection, settings)
            source._ask(lambda connection: connection.query(_SESSION))
            return source
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        with suppress(pymysql.err.Error, OSError):
            self.connection.close()

    def alive(self) -> bool:
        """Whether it still answers: the server ends sessions that are silent for long."""
        try:
            self.connection.ping(reconnect=False)
        except (pymysql.err.Error, OSError):
            return False
        return True

    def server(self) -> Server:
        """Who this is."""
        if not self.flavor.is_mariadb:
            return Server(flavor="mysql", identity=str(self.scalar("SELECT @@server_uuid")))
        uid = self.variable("server_uid")
        server_id = self.scalar("SELECT @@server_id")
        return Server(flavor="mariadb", identity=f"{uid or self.address}/{server_id}")

    def folds_names(self) -> bool:
        """Whether it compares names of databases and tables without regard to case."""
        return int(self.scalar("SELECT @@lower_case_table_names")) != 0

    def uses_gtids(self) -> bool:
        return self.flavor.is_mariadb or self.variable("gtid_mode") == "ON"

    def end(self) -> LogEnd:
        """The end of the log now: exact as a position; on MySQL its GTID set may lag behind it."""
        row = self._logging()
        position = BinlogPosition(str(row["File"]), int(row["Position"]))
        if self.flavor.is_mariadb:
            return LogEnd(position, self.gtids_at(position))
        if not self.uses_gtids():
            return LogEnd(position, None)
        return LogEnd(position, GtidSet.parse(str(row.get("Executed_Gtid_Set") or "")))

    def position(self) -> BinlogPosition:
        """The end of the log now, and no GTIDs: for these MariaDB reads the whole file."""
        row = self._logging()
        return BinlogPosition(str(row["File"]), int(row["Position"]))

    def _logging(self) -> dict[str, Any]:
        row = self.status()
        if row is None:
            raise ConfigError(
                "the source writes no binary log",
                where=self.address,
                mend="Start it with log_bin, then start again.",
            )
        return row

    def gtids_at(self, position: BinlogPosition) -> MariadbGtidSet:
        """MariaDB: of all transactions before that place of its log."""
        text = self.scalar("SELECT BINLOG_GTID_POS(%s, %s)", (position.file, position.pos))
        return MariadbGtidSet.parse(str(text or ""))

    def files(self) -> dict[str, int] | None:
        """Size of each binary log file; None when the user may not ask."""
        try:
            return {str(r["Log_name"]): int(r["File_size"]) for r in self.rows("SHOW BINARY LOGS")}
        except MysyncError as error:
            if error.exit_code == 3:
                return None
            raise

    def gtid_set(self, variable: str) -> GtidSet:
        return GtidSet.parse(str(self.scalar(f"SELECT @@GLOBAL.{variable}") or ""))

    def variable(self, name: str) -> str | None:
        """A global variable; None where the server has none of that name."""
        rows = self.rows("SHOW GLOBAL VARIABLES LIKE %s", (name.replace("_", r"\_"),))
        return str(rows[0]["Value"]) if rows else None

    def variables(self) -> Mapping[str, str]:
        """All global variables."""
        return self._ask(mysql.variables)

    def scalar(self, sql: str, arguments: object = None) -> Any:
        return self._ask(lambda connection: mysql.scalar(connection, sql, arguments))

    def rows(self, sql: str, arguments: object = None) -> list[dict[str, Any]]:
        return self._ask(lambda connection: mysql.rows(connection, sql, arguments))

    def account(self) -> str:
        """As a GRANT names it."""
        return self._ask(mysql.account)

    def grants(self) -> list[mysql.Grant]:
        """Our own."""
        return self._ask(mysql.grants)

    def status(self) -> dict[str, Any] | None:
        """SHOW BINARY LOG STATUS, as this server calls it."""
        statements = ["SHOW MASTER STATUS"]
        if not self.flavor.is_mariadb:
            statements = ["SHOW BINARY LOG STATUS", *statements]  # since MySQL 8.2
        for statement in statements[:-1]:
            try:
                rows = mysql.rows(self.connection, statement)
            except pymysql.err.ProgrammingError:
                continue
            except (pymysql.err.Error, OSError) as error:
                raise mysql.error_of(error, "ask for the log's end", self.address) from error
            return rows[0] if rows else None
        rows = self.rows(statements[-1])
        return rows[0] if rows else None

    def _ask(self, question: Callable[[Connection], T]) -> T:
        try:
            return question(self.connection)
        except (pymysql.err.Error, OSError) as error:
            raise mysql.error_of(error, "ask the source", self.address) from error


def verify_source(source: Source, state: State, stop: Stop) -> DumpFrom:
    """Where the dump begins, after making sure that this server continues what was replicated.

    Raises PositionLost when it purged what is needed, SourceDiverged when it lacks something that
    was replicated already (an old primary's lost tail) or is another server and can't be compared.
    """
    server = source.server()
    if server.flavor != state.server.flavor:
        raise SourceDiverged(
            f"the source is {source.flavor}, the pipeline read from {state.server.flavor}",
            where=source.address,
        )
    same = server.identity == state.server.identity
    gtids = state.gtid_set() if source.uses_gtids() else None
    if gtids is not None and gtids.isempty() and source.flavor.is_mariadb:
        gtids = None
    if not same and gtids is None:
        raise SourceDiverged(
            f"this is another server ({server.identity}) than the one that was read "
            f"({state.server.identity}), and without GTIDs its log can't be compared",
            where=source.address,
        )
    if not same and state.rows_done:
        raise SourceDiverged(
            f"transaction {state.open_gtid} was half replicated from {state.server.identity}; only "
            "that server is sure to have its rows in the same order",
            where=source.address,
            mend="Point `source` at that server until the transaction is through.",
        )
    _verify_gtids(source, gtids, stop, same=same)
    if same:
        # Last: to a reset log, the file that was read looks purged.
        _verify_files(source, state, by_gtids=isinstance(gtids, GtidSet))
    return DumpFrom(state.position, gtids)


def _verify_files(source: Source, state: State, *, by_gtids: bool) -> None:
    """`by_gtids`: the purged set says whether an absent file held anything that is still needed."""
    files = source.files()
    if files is None:
        return
    size = files.get(state.file)
    if size is None and state.pos == FIRST and _before(state.file) in files:
        return
    if size is None and files and _is_behind(state.position, list(files)[-1]):
        raise SourceDiverged(
            f"the source's newest log is {list(files)[-1]}, and {state.file} was replicated up to "
            f"{state.pos}: {_BEGUN_ANEW}",
            where=str(state.position),
        )
    if size is None and not by_gtids:
        raise PositionLost(
            f"the source purged {state.file}; its oldest log is {next(iter(files), 'none')}",
            where=str(state.position),
        )
    if size == 0 and not by_gtids:
        raise PositionLost(
            f"the source lists {state.file}, and the file is gone from its disk",
            where=str(state.position),
        )
    if size and size < state.pos:
        raise SourceDiverged(
            f"{state.file} has {size} bytes and was replicated up to {state.pos}: the source lost "
            f"the end of its log in a crash, or {_BEGUN_ANEW}",
            where=str(state.position),
        )


_BEGUN_ANEW = "it began its log anew (RESET), or was restored from a backup"


def _is_behind(position: BinlogPosition, newest: str) -> bool:
    last = BinlogPosition(newest, FIRST)
    return position.base == last.base and position.number > last.number


def _before(file: str) -> str:
    base, _, number = file.rpartition(".")
    return f"{base}.{int(number) - 1:06d}"


def _verify_gtids(
    source: Source, gtids: GtidSet | MariadbGtidSet | None, stop: Stop, *, same: bool
) -> None:
    """`same`: it is the server that was read."""
    why = f". It is the server that was read: {_BEGUN_ANEW}" if same else ""
    if isinstance(gtids, MariadbGtidSet):
        at = MariadbGtidSet.parse(str(source.scalar("SELECT @@GLOBAL.gtid_binlog_pos") or ""))
        if not at.covers(gtids):
            raise SourceDiverged(
                f"the source's log ends at {str(at) or 'nothing'}, replicated was up to {gtids}"
                f"{why}",
                where=source.address,
            )
    elif gtids is not None:
        # The dump may deliver a transaction before it is in gtid_executed (semi-sync: seconds).
        deadline = time.monotonic() + _EXECUTED_LAG
        while not (missing := gtids.subtract(source.gtid_set("gtid_executed"))).isempty():
            if time.monotonic() > deadline:
                raise SourceDiverged(
                    f"the source lacks transactions that were replicated: {shown(missing)}{why}",
                    where=source.address,
                )
            stop.sleep(0.2)
        purged = source.gtid_set("gtid_purged").subtract(gtids)
        if not purged.isempty():
            raise PositionLost(
                f"the source purged transactions that weren't replicated: {shown(purged)}",
                where=source.address,
            )


def shown(gtids: GtidSet) -> str:
    """A set for a message: not all of a long one."""
    text = str(gtids)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} … ({len(text)} characters)"
