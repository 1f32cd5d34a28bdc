"""One way to connect to MySQL and MariaDB, and small questions to a server."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import pymysql
import pymysql.connections
import pymysql.cursors
import pymysql.err

from mysync_runtime.backoff import START_PATIENCE, reach
from mysync_runtime.errors import ConfigError, CredentialsError, MysyncError
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql.errors import code_of, error_of, message_of
from mysync_runtime.settings import MysqlSettings

if TYPE_CHECKING:
    Connection = pymysql.connections.Connection[pymysql.cursors.Cursor]
else:
    Connection = pymysql.connections.Connection


class Client(Connection):
    """PyMySQL's connection, with the host name verified wherever that was asked for, and with one
    TLS context for all that verify nothing.

    PyMySQL itself makes one for each connection and loads the system's authorities into it, only to
    ignore them: that takes 50 ms of CPU time.
    """

    def _create_ssl_ctx(self, sslp: dict[str, Any]) -> ssl.SSLContext:
        if any(sslp.get(name) for name in ("ca", "capath", "cert", "verify_mode")):
            context: ssl.SSLContext = super()._create_ssl_ctx(sslp)  # type: ignore[misc]
            # Without a file of authorities PyMySQL lets the host name pass unchecked.
            if sslp.get("check_hostname"):
                context.check_hostname = True
            return context
        return _unverified()


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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


_NO_LIMITS = "SET SESSION sql_select_limit = 18446744073709551615, sql_big_selects = 1"


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
    """Connects once, with utf8mb4 and the settings' TLS, and so that no answer is cut off, whatever
    the server's own limits are; `options` go to PyMySQL.

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
        connection = Client(**arguments, defer_connect=True)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the TLS files can't be used: {error}", where=settings.address, mend="See `ssl`."
        ) from error
    try:
        connection.connect()
        connection.query(_NO_LIMITS)
    except (pymysql.err.Error, OSError) as error:
        raise _not_connected(error, settings) from error
    return connection


def _not_connected(error: Exception, settings: MysqlSettings) -> MysyncError:
    doing = f"connect as {settings.user!r}"
    original = getattr(error, "original_exception", None) or error.__cause__
    if isinstance(original, ssl.SSLCertVerificationError):
        return CredentialsError(
            f"can't {doing}: the server's certificate isn't accepted: {original.verify_message}",
            where=settings.address,
            mend="Give its authority as `ssl.ca`, or a host name that the certificate bears.",
        )
    if code_of(error) == 2026:
        return ConfigError(
            f"can't {doing}: {message_of(error)}", where=settings.address, mend="See `ssl.mode`."
        )
    return error_of(error, doing, settings.address)


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
    tls = settings.ssl
    if tls.mode == "disabled":
        return {"ssl_disabled": True}
    if tls.mode == "preferred" and not (tls.ca or tls.cert):
        return {}
    context: dict[str, Any] = {
        "ca": tls.ca,
        "check_hostname": tls.mode == "verify_identity",
        "verify_mode": tls.mode in ("verify_ca", "verify_identity"),
    }
    if tls.cert and tls.key:
        context |= {"cert": tls.cert, "key": tls.key}
        if tls.key_password is not None:
            context["password"] = tls.key_password.get_secret_value()
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


def quote(name: str) -> str:
    """An identifier in backquotes."""
    return "`" + name.replace("`", "``") + "`"


def quote_table(database: str, table: str) -> str:
    """`` `database`.`table` ``."""
    return f"{quote(database)}.{quote(table)}"
