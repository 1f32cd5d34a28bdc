"""Connections to MySQL and MariaDB: one way to connect, one way to class an error."""

from mysync_runtime.mysql.connection import (
    Client,
    Connection,
    Flavor,
    arguments_of,
    connect,
    connect_at_start,
    flavor,
    quote,
    quote_table,
    rows,
    scalar,
    tls_arguments,
    variables,
)
from mysync_runtime.mysql.errors import (
    ErrorClass,
    classify,
    code_of,
    error_of,
    message_of,
)
from mysync_runtime.mysql.foreignkeys import foreign_keys
from mysync_runtime.mysql.grants import Grant, account, grants, lacking

__all__ = [
    "Client",
    "Connection",
    "ErrorClass",
    "Flavor",
    "Grant",
    "account",
    "arguments_of",
    "classify",
    "code_of",
    "connect",
    "connect_at_start",
    "error_of",
    "flavor",
    "foreign_keys",
    "grants",
    "lacking",
    "message_of",
    "quote",
    "quote_table",
    "rows",
    "scalar",
    "tls_arguments",
    "variables",
]
