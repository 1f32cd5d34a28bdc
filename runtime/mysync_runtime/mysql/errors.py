"""What an error of MySQL, MariaDB or PyMySQL asks of us."""

from enum import Enum

import pymysql.err

from mysync_runtime.errors import ConnectionLost, CredentialsError, MysyncError, TransientError


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
        1129,  # host blocked after many connection errors
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
