"""Connections to MySQL and MariaDB: one way to connect, one way to class an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pymysql
import pymysql.connections
import pymysql.cursors
import pymysql.err

from mysync_runtime.backoff import START_PATIENCE, reach
from mysync_runtime.errors import ConnectionLost, CredentialsError, MysyncError, TransientError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.settings import MysqlSettings

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]
else:
    Connection = pymysql.connections.Connection


class ErrorClass(Enum):
    """What an error of a server asks of us."""

    LOST = "lost"
    """The connection is gone; a COMMIT's outcome may be unknown. Connect again."""
    TRANSIENT = "transient"
    """Roll back and try the same again: deadlock, lock wait, read-only, disk full."""
    CREDENTIALS = "credentials"
    """The server refuses the user or what it wants to do."""
    PERMANENT = "permanent"
    """The same will fail again."""


# Numbers: MySQL's "Server Error Message Reference" and "Client Error Message Reference".
LOST_CODES = frozenset(
    {
        0,  # PyMySQL: the connection is closed already
        1040,  # too many connections
        1053,  # server shutdown in progress
        1077,  # normal shutdown
        1079,  # shutdown complete
        1152,  # aborted connection
        1158,  # network read error
        1159,  # network read timeout
        1160,  # network write error
        1161,  # network write timeout
        1184,  # aborted connection
        1927,  # MariaDB: connection was killed
        2002,  # can't connect through the socket
        2003,  # can't connect
        2005,  # unknown host
        2006,  # server has gone away
        2012,  # error in the handshake
        2013,  # lost connection during a query
        2014,  # commands out of sync
        2026,  # TLS error
        2027,  # malformed packet
        2055,  # lost connection at ...
        4031,  # MySQL: disconnected because of inactivity
    }
)
TRANSIENT_CODES = frozenset(
    {
        1021,  # disk full
        1036,  # table is read only
        1037,  # out of memory
        1038,  # out of sort memory
        1041,  # out of resources
        1114,  # table is full
        1180,  # error during COMMIT
        1203,  # too many connections of this user
        1205,  # lock wait timeout
        1206,  # lock table is full
        1213,  # deadlock; certification failure on Galera
        1226,  # a resource limit of this user
        1290,  # --read-only, --super-read-only
        1317,  # query interrupted
        1792,  # read-only transaction
        1836,  # running in read-only mode
        1969,  # MariaDB: max_statement_time exceeded
        3024,  # MySQL: max_execution_time exceeded
        3100,  # Group Replication: error in before_commit
        3101,  # Group Replication: certification failure
        3572,  # NOWAIT
    }
)
CREDENTIALS_CODES = frozenset(
    {
        1044,  # access to the database denied
        1045,  # access denied
        1095,  # not the owner of the thread
        1130,  # host not allowed
        1142,  # command denied on the table
        1143,  # command denied on the column
        1227,  # a privilege is needed
        1251,  # authentication protocol not supported by the client
        1275,  # old password format
        1370,  # routine denied
        1410,  # not allowed to create a user
        1419,  # SUPER needed
        1524,  # authentication plugin not loaded
        1698,  # access denied (socket authentication)
        1820,  # the password must be changed first
        1862,  # the password has expired
        2049,  # old authentication protocol
        2058,  # authentication plugin can't be loaded
        2059,  # authentication plugin can't be loaded
        2061,  # authentication needs a secure connection
        3118,  # the account is locked
        3159,  # connections without TLS are prohibited
        3955,  # the account is blocked after failed logins
        4151,  # MariaDB: the account is locked
    }
)


@dataclass(frozen=True)
class Flavor:
    """What a server is: `mysql` or `mariadb`, and its version as numbers and as text."""

    kind: Literal["mysql", "mariadb"]
    version: tuple[int, int, int]
    text: str

    @property
    def is_mariadb(self) -> bool:
        return self.kind == "mariadb"

    def __str__(self) -> str:
        return f"{'MariaDB' if self.is_mariadb else 'MySQL'} {'.'.join(map(str, self.version))}"

    @classmethod
    def parse(cls, version: str) -> "Flavor":
        """Reads what `SELECT VERSION()` says. Raises ValueError on anything else.

        MariaDB's handshake puts `5.5.5-` before its version for the sake of old replicas.
        """
        match = re.match(r"(?:5\.5\.5-(?=1\d\.))?(\d+)\.(\d+)\.(\d+)", version)
        if match is None:
            raise ValueError(f"not a server version: {version!r}")
        major, minor, patch = map(int, match.groups())
        kind: Literal["mysql", "mariadb"] = "mariadb" if "mariadb" in version.lower() else "mysql"
        return cls(kind, (major, minor, patch), version)


def connect(
    settings: MysqlSettings,
    *,
    database: str | None = None,
    autocommit: bool = True,
    client_flag: int = 0,
    read_timeout: float | None = None,
    write_timeout: float | None = None,
    init_command: str | None = None,
    program_name: str = "mysync",
    **options: Any,
) -> Connection:
    """Connects once, with utf8mb4 and the settings' TLS; `options` go to PyMySQL.

    Raises CredentialsError when the server refuses the user, ConnectionLost when it doesn't answer.
    """
    arguments: dict[str, Any] = {
        **arguments_of(settings),
        "database": database,
        "autocommit": autocommit,
        "client_flag": client_flag,
        "init_command": init_command,
        "program_name": program_name,
        **options,
    }
    if read_timeout is not None:
        arguments["read_timeout"] = read_timeout
    if write_timeout is not None:
        arguments["write_timeout"] = write_timeout
    try:
        return pymysql.connections.Connection(**arguments)
    except (pymysql.err.Error, OSError) as error:
        raise error_of(error, f"connect as {settings.user!r}", settings.address) from error


def connect_at_start(
    settings: MysqlSettings,
    stop: Stop,
    *,
    what: str,
    seconds: float = START_PATIENCE,
    **options: Any,
) -> Connection:
    """`connect` that retries for `seconds`, then raises Unreachable. `what`: "the source", …"""
    return reach(
        lambda: connect(settings, **options),
        stop,
        what=f"{what} ({settings.address})",
        seconds=seconds,
    )


def arguments_of(settings: MysqlSettings) -> dict[str, Any]:
    """PyMySQL's arguments: address, user, time limits and TLS.

    Without any `ssl` argument PyMySQL prefers TLS and verifies nothing, like `mysql` itself.
    """
    return {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "password": settings.password.get_secret_value().encode(),
        "charset": "utf8mb4",
        "connect_timeout": settings.connect_timeout,
        "read_timeout": settings.read_timeout,
        "write_timeout": settings.write_timeout,
        **tls_arguments(settings),
    }


def tls_arguments(settings: MysqlSettings) -> dict[str, Any]:
    """PyMySQL's arguments for `settings.ssl`."""
    ssl = settings.ssl
    if ssl.mode == "disabled":
        return {"ssl_disabled": True}
    if ssl.mode == "preferred" and not (ssl.ca or ssl.cert):
        return {}
    context: dict[str, Any] = {
        "ca": ssl.ca,
        "check_hostname": ssl.mode == "verify_identity",
        "verify_mode": ssl.mode in ("verify_ca", "verify_identity"),
    }
    if ssl.cert and ssl.key:
        context |= {"cert": ssl.cert, "key": ssl.key}
        if ssl.key_password is not None:
            context["password"] = ssl.key_password.get_secret_value()
    return {"ssl": context}


def flavor(connection: Connection) -> Flavor:
    """What the server says it is."""
    return Flavor.parse(str(scalar(connection, "SELECT VERSION()")))


def scalar(connection: Connection, sql: str, arguments: object = None) -> Any:
    """The first column of the first row, None without rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        row = cursor.fetchone()
    return None if row is None else row[0]


def rows(connection: Connection, sql: str, arguments: object = None) -> list[dict[str, Any]]:
    """All rows as dicts by column name. For small results only."""
    with connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute(sql, arguments)
        return list(cursor.fetchall())


def variables(connection: Connection) -> Mapping[str, str]:
    """All global variables by lower-case name; booleans are `ON` and `OFF` as the server says."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        return {str(name).lower(): str(value) for name, value in cursor.fetchall()}


def code_of(error: BaseException) -> int | None:
    """The server's or client's error number, None for what carries none."""
    if isinstance(error, pymysql.err.Error) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    return None


def classify(error: BaseException) -> ErrorClass:
    """What an exception of PyMySQL, or of the socket under it, asks of us."""
    if isinstance(error, (OSError, EOFError)):
        return ErrorClass.LOST
    if isinstance(error, pymysql.err.InterfaceError):
        return ErrorClass.LOST
    code = code_of(error)
    if code in LOST_CODES:
        return ErrorClass.LOST
    if code in TRANSIENT_CODES:
        return ErrorClass.TRANSIENT
    if code in CREDENTIALS_CODES:
        return ErrorClass.CREDENTIALS
    return ErrorClass.PERMANENT


def message_of(error: BaseException) -> str:
    """`1213: Deadlock found …`, on one line."""
    code = code_of(error)
    if code is None:
        return f"{type(error).__name__}: {error}"
    text = " ".join(str(a) for a in error.args[1:]).strip()
    return f"{code}: {text}" if text else str(code)


def error_of(error: BaseException, doing: str, where: str = "") -> MysyncError:
    """The MysyncError for what a server refused; a DataError is for the caller to conclude."""
    if isinstance(error, MysyncError):
        return error
    text = f"can't {doing}: {message_of(error)}"
    match classify(error):
        case ErrorClass.LOST:
            return ConnectionLost(text, where=where)
        case ErrorClass.TRANSIENT:
            return TransientError(text, where=where)
        case ErrorClass.CREDENTIALS:
            return CredentialsError(text, where=where)
        case _:
            return MysyncError(text, where=where)


def quote(name: str) -> str:
    """An identifier in backquotes."""
    return "`" + name.replace("`", "``") + "`"


def quote_table(database: str, table: str) -> str:
    """`` `database`.`table` ``."""
    return f"{quote(database)}.{quote(table)}"
