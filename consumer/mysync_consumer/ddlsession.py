"""A session on the target for the source's statements: each one runs in the context that it had.

What a statement's meaning depends on and the log says is set for it alone (`enter`) and put back
after it (`leave`). What the log doesn't say is set once, to what permits most: the source accepted
the statement, and a difference shows when both definitions are compared. What may need a privilege
is set only where the session has another value.

The text is sent as the bytes it is, in the character set that its client had (never utf16 and its
like: no client may have those). `enter` is the last to be sent in utf8mb4.

A time zone of SYSTEM is the target's own: the log doesn't say what the source's was.

The session outlives a client that is killed for as long as its statement runs: no crash of ours
ends a statement.
"""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pymysql

from mysync_consumer.answers import error_of
from mysync_consumer.sessionsetup import NET_TIMEOUT, PROGRAM
from mysync_runtime.mysql import (
    Connection,
    ErrorClass,
    Flavor,
    classify,
    code_of,
    connect,
    flavor,
    message_of,
)
from mysync_runtime.settings import ApplySettings, TargetSettings
from mysync_schemas.control import DdlContext

SQL_MODE: Final = ""
"""The session's own, between statements."""

KEEPALIVE_IDLE, KEEPALIVE_EVERY, KEEPALIVE_PROBES = 30, 10, 6
"""Seconds, seconds and their number: a statement has no time limit, only a dead host ends it."""

NO_DIR_IN_CREATE: Final = 1 << 7
MYSQL_MODES: Final = 0x1_FFFF_FFFF & ~0x1003_FF10
"""The bits of sql_mode that MySQL 8 still has (its `MODE_ALLOWED_MASK`); it refuses the others,
which older sources log."""

MISSING_DATABASE, NO_ACCESS = 1049, 1044

PERMISSIVE: Final[Mapping[str, str]] = {
    "autocommit": "1",
    "completion_type": "NO_CHAIN",
    "sql_safe_updates": "0",
    "sql_auto_is_null": "0",
    "sql_quote_show_create": "1",
    "default_storage_engine": "InnoDB",
    "innodb_strict_mode": "0",
    "binlog_format": "ROW",
    "sql_require_primary_key": "0",
    "sql_generate_invisible_primary_key": "0",
    "show_gipk_in_create_table_and_information_schema": "1",
    "restrict_fk_on_non_standard_key": "0",
    "max_execution_time": "0",
    "max_statement_time": "0",
    "check_constraint_checks": "0",
    "system_versioning_alter_history": "KEEP",
    "alter_algorithm": "DEFAULT",
    "old_alter_table": "0",
    "information_schema_stats_expiry": "0",
}
"""What every statement finds, where the server has it."""

OPTIONAL: Final = frozenset({"innodb_strict_mode", "binlog_format"})
"""Of these, what a server refuses to set can only make a statement fail, never do another thing."""


class ContextRefused(Exception):
    """The target can't give a statement its context; `code` is the server's, 0 without one."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class StatementSession:
    """One connection for statements, made anew where it must be. Not shared by threads, except
    `abort`."""

    def __init__(self, target: TargetSettings, apply: ApplySettings) -> None:
        self._target = target
        self._apply = apply
        self.connection: Connection
        self.flavor: Flavor
        self.withheld: dict[str, str] = {}
        """Variables of `OPTIONAL` that the account may not set, with the server's answer."""
        self._values: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self._collations: dict[int, str] = {}
        self._in_database = False

    @classmethod
    def open(cls, target: TargetSettings, apply: ApplySettings) -> "StatementSession":
        """Connects and sets up. Raises TransientError, CredentialsError."""
        session = cls(target, apply)
        session._connect()
        return session

    def _connect(self) -> None:
        self.connection = connect(self._target, program_name=PROGRAM)
        try:
            self._set_up()
        except (pymysql.err.Error, OSError) as error:
            self.close()
            raise error_of(error, "set up the session for statements") from error

    def _set_up(self) -> None:
        connection = self.connection
        raw: Any = connection
        for option, value in (
            (socket.TCP_KEEPIDLE, KEEPALIVE_IDLE),
            (socket.TCP_KEEPINTVL, KEEPALIVE_EVERY),
            (socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
        ):
            raw._sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self.flavor = flavor(connection)
        connection.query("SET NAMES utf8mb4")
        with connection.cursor() as cursor:
            cursor.execute("SHOW SESSION VARIABLES")
            self._values = {str(name).lower(): str(value) for name, value in cursor.fetchall()}
            # MariaDB's uca1400 have ids for each character set, which this view alone tells.
            applicable = self.flavor.is_mariadb and self.flavor.version >= (10, 10, 1)
            cursor.execute(
                "SELECT id, full_collation_name FROM"
                " information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
                if applicable
                else "SELECT id, collation_name FROM information_schema.COLLATIONS"
            )
            self._collations = {int(i): str(name) for i, name in cursor.fetchall() if i is not None}
        self._first = {name: self._values.get(name, "") for name, _ in _guarded(DdlContext())}
        self._in_database = False
        self.withheld = {}
        wait, lock = self._apply.session_wait_timeout, self._apply.lock_wait_timeout
        connection.query(
            f"SET SESSION wait_timeout = {wait}, lock_wait_timeout = {lock},"
            f" innodb_lock_wait_timeout = {lock}, net_read_timeout = {NET_TIMEOUT},"
            f" net_write_timeout = {NET_TIMEOUT}, sql_notes = 1, sql_mode = '{SQL_MODE}',"
            " time_zone = '+00:00'"
        )
        for name, wanted in PERMISSIVE.items():
            try:
                self._set_if_other(name, wanted)
            except pymysql.err.Error as error:
                if name not in OPTIONAL or classify(error) is not ErrorClass.CREDENTIALS:
                    raise
                self.withheld[name] = message_of(error)

    def _set_if_other(self, name: str, wanted: str) -> None:
        """Sets a variable that the server has, unless it has the value."""
        now = self._values.get(name)
        if now is None or _same(now, wanted):
            return
        self.connection.query(f"SET SESSION {name} = {wanted}")
        self._values[name] = wanted

    def close(self) -> None:
        """Closes at once. A statement under way goes on in the server."""
        with contextlib.suppress(pymysql.err.Error, OSError, AttributeError):
            self.connection._force_close()  # type: ignore[attr-defined]

    def abort(self) -> None:
        """Cuts the connection from another thread: what waits for an answer there fails. A
        statement under way goes on in the server."""
        with contextlib.suppress(OSError, AttributeError):
            raw: Any = self.connection
            raw._sock.shutdown(socket.SHUT_RDWR)

    def begin(self, database: str | None) -> None:
        """The session for a statement in this default database; connects again where it must.

        A database that doesn't exist, or may not be used, is none: a statement that names all of
        its databases needs none, the server refuses any other (1046). To leave a database takes
        another connection. Raises TransientError, CredentialsError."""
        try:
            self.connection.ping(reconnect=False)
        except (pymysql.err.Error, OSError):
            self._connect()
        try:
            if database is not None and self._select(database):
                return
            if self._in_database:
                self.close()
                self._connect()
        except (pymysql.err.Error, OSError) as error:
            raise error_of(error, "choose a database") from error

    def _select(self, database: str) -> bool:
        try:
            self.connection.select_db(database)
        except pymysql.err.Error as error:
            if code_of(error) not in (MISSING_DATABASE, NO_ACCESS):
                raise
            return False
        self._in_database = True
        return True

    def enter(self, context: DdlContext) -> None:
        """Sets what the statement is to find. Raises ContextRefused, and TransientError."""
        for number in _collations(context):
            if number not in self._collations:
                raise ContextRefused(0, f"the target has no collation of id {number}")
        keep = NO_DIR_IN_CREATE if "NO_DIR_IN_CREATE" in self._values["sql_mode"] else 0
        told = variables_of(context, mysql=not self.flavor.is_mariadb, keep_modes=keep)
        try:
            for name, wanted in _guarded(context):
                self._set_if_other(name, self._first[name] if wanted is None else wanted)
            settings = ", ".join(f"{name} = {value}" for name, value in told)
            self.connection.query(f"SET SESSION {settings}")
        except (pymysql.err.Error, OSError) as error:
            if classify(error) is ErrorClass.LOST:
                raise error_of(error, "set a statement's context") from error
            raise ContextRefused(code_of(error) or 0, message_of(error)) from error

    def run(self, sql: bytes) -> None:
        """Runs the statement, however long it takes. Raises PyMySQL's errors and OSError."""
        raw: Any = self.connection
        limit, raw._read_timeout = raw._read_timeout, None
        try:
            raw.query(sql)
            while raw._result.has_next:
                raw.next_result()
        finally:
            raw._read_timeout = limit

    def leave(self) -> None:
        """Puts back what questions of our own need. Raises TransientError."""
        try:
            # In whatever character set: these are letters.
            self.connection.query("SET NAMES utf8mb4")
            self.connection.query(
                f"SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00', timestamp = DEFAULT,"
                " lc_time_names = 0, foreign_key_checks = 1, unique_checks = 1"
            )
        except (pymysql.err.Error, OSError) as error:
            self.close()
            raise error_of(error, "leave a statement's context") from error


def variables_of(
    context: DdlContext, *, mysql: bool, keep_modes: int = 0
) -> Iterator[tuple[str, str]]:
    """What anybody may set, with its value in SQL; the character set of what follows last.

    `keep_modes`: bits of the target's own sql_mode, as its applier keeps NO_DIR_IN_CREATE."""
    modes = (context.sql_mode or 0) & ~NO_DIR_IN_CREATE | keep_modes
    yield "sql_mode", str(modes & MYSQL_MODES if mysql else modes)
    zone = (context.time_zone or "+00:00").replace("'", "''")
    yield "time_zone", f"'{zone}'"
    micros = context.timestamp_us
    yield "timestamp", f"{micros // 10**6}.{micros % 10**6:06d}" if micros else "DEFAULT"
    yield "foreign_key_checks", str(int(context.foreign_key_checks is not False))
    yield "unique_checks", str(int(context.unique_checks is not False))
    yield "auto_increment_increment", str(context.auto_increment_increment or 1)
    yield "auto_increment_offset", str(context.auto_increment_offset or 1)
    yield "lc_time_names", str(context.lc_time_names or 0)
    if context.server_collation:
        yield "collation_server", str(context.server_collation)
    if context.database_collation:
        yield "collation_database", str(context.database_collation)
    if context.client_collation:
        connection = context.connection_collation or context.client_collation
        yield "collation_connection", str(connection)
        yield "character_set_client", str(context.client_collation)


def _guarded(context: DdlContext) -> Iterator[tuple[str, str | None]]:
    """What may need a privilege; None where the context doesn't say it."""
    for name in ("explicit_defaults_for_timestamp", "default_table_encryption"):
        value: bool | None = getattr(context, name)
        yield name, None if value is None else str(int(value))
    utf8mb4 = context.default_collation_for_utf8mb4
    yield "default_collation_for_utf8mb4", None if utf8mb4 is None else str(utf8mb4)


def _collations(context: DdlContext) -> Iterator[int]:
    for number in (
        context.client_collation,
        context.connection_collation,
        context.server_collation,
        context.database_collation,
        context.default_collation_for_utf8mb4,
    ):
        if number:
            yield number


def _same(now: str, wanted: str) -> bool:
    """Whether SHOW VARIABLES' text is the value."""
    words = {"ON": "1", "YES": "1", "OFF": "0", "NO": "0"}
    return words.get(now.upper(), now.upper().split(".")[0]) == wanted.upper()
