"""How a session of the target is set up before it applies rows, and which server it finds there."""

from dataclasses import dataclass
from typing import Any

from mysync_consumer.rowevents import FDE_STATEMENT
from mysync_consumer.strictmodes import MODES_SELECT, require_strict
from mysync_runtime.mysql import Connection, Flavor, flavor
from mysync_runtime.settings import ApplySettings

SQL_MODE = "STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"
PROGRAM = "mysync-consumer"
"""What a session tells the server of itself."""

NET_TIMEOUT = 30
"""Seconds that the server waits for the rest of a packet, or for us to take its answer."""

GIPK_SINCE = (8, 0, 30)
"""MySQL's first version with generated invisible primary keys."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which server this is: what an in-memory frontier is tagged with."""

    flavor: Flavor
    server: str
    max_allowed_packet: int


def set_up(connection: Connection, apply: ApplySettings) -> Identity:
    """Sets the session's variables, reads what can change at any time; unless all rows are written
    by SQL, sends the format description.

    Raises PreflightError when MariaDB is set to hide conflicts or to fire triggers.
    """
    what = flavor(connection)
    connection.query(
        "SET SESSION time_zone = '+00:00', sql_mode = '" + SQL_MODE + "',"
        f" wait_timeout = {apply.session_wait_timeout},"
        f" lock_wait_timeout = {apply.lock_wait_timeout},"
        f" innodb_lock_wait_timeout = {apply.lock_wait_timeout},"
        f" net_read_timeout = {NET_TIMEOUT}, net_write_timeout = {NET_TIMEOUT},"
        " foreign_key_checks = 0, unique_checks = 1, sql_safe_updates = 0, sql_auto_is_null = 0,"
        " sql_notes = 1"
    )
    # Literals are in this character set, whatever the server's init_connect says.
    connection.query("SET NAMES utf8mb4")
    connection.query("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@binlog_format, @@max_allowed_packet, @@server_id")
        row = cursor.fetchone()
        binlog_format, packet, server_id = row or ("", 0, 0)
        if binlog_format != "ROW":
            cursor.execute("SET SESSION binlog_format = 'ROW'")
        if what.is_mariadb:
            # What the source accepted is right, as its applier thinks too.
            cursor.execute("SET SESSION max_statement_time = 0, check_constraint_checks = 0")
            server = _mariadb_identity(cursor, server_id)
            if apply.via != "sql":
                cursor.execute(MODES_SELECT.decode())
                require_strict(cursor.fetchone() or ())
        else:
            # With a limit a long IN becomes a scan, and a warning.
            cursor.execute("SET SESSION range_optimizer_max_mem_size = 0")
            cursor.execute("SELECT @@server_uuid")
            uuid = cursor.fetchone()
            server = str(uuid[0]) if uuid else ""
    if not what.is_mariadb and what.version >= GIPK_SINCE:
        # A primary key that the server made invisibly is in row events: it has to be seen.
        connection.query("SET SESSION show_gipk_in_create_table_and_information_schema = ON")
    if apply.via != "sql":
        connection.query(FDE_STATEMENT)
        if not what.is_mariadb:
            # The format description leaves gtid_next "not yet determined".
            connection.query("SET gtid_next = 'AUTOMATIC'")
        connection.query("SET timestamp = DEFAULT")
    return Identity(what, server, int(packet))


def _mariadb_identity(cursor: Any, server_id: object) -> str:
    """MariaDB has no server_uuid; since 10.11 a server_uid."""
    cursor.execute("SHOW GLOBAL VARIABLES LIKE 'server_uid'")
    row = cursor.fetchone()
    return f"{row[1] if row else ''}/{server_id}"
