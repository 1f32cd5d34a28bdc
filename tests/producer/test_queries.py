"""What a logged statement's meaning depends on, against what the session that ran it says of
itself."""

from typing import Any

import pytest

from logged_query import last_query
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, rows
from mysync_producer.queries import context_of, parse_query

pytestmark = pytest.mark.xdist_group("own servers")

ASKED = {
    "database": "DATABASE()",
    "time_zone": "@@time_zone",
    "foreign_key_checks": "@@foreign_key_checks",
    "unique_checks": "@@unique_checks",
    "auto_increment_increment": "@@auto_increment_increment",
    "auto_increment_offset": "@@auto_increment_offset",
    "explicit_defaults_for_timestamp": "@@explicit_defaults_for_timestamp",
}
MYSQL_ASKED = {
    "sql_require_primary_key": "@@sql_require_primary_key",
    "default_table_encryption": "@@default_table_encryption",
}
COLLATIONS = {
    "client_collation": (
        "SELECT default_collate_name FROM information_schema.character_sets"
        " WHERE character_set_name = @@character_set_client"
    ),
    "connection_collation": "SELECT @@collation_connection",
    "server_collation": "SELECT @@collation_server",
}
SETTINGS = (
    ("SET time_zone = '+00:00'",),
    ("SET time_zone = '-07:30'", "SET foreign_key_checks = 0", "SET sql_mode = 'ANSI_QUOTES'"),
    ("SET unique_checks = 0", "SET sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'"),
    ("SET auto_increment_increment = 7, auto_increment_offset = 3", "SET NAMES latin1"),
    ("SET NAMES utf8mb3", "SET collation_connection = utf8mb3_bin", "SET lc_time_names = 'de_DE'"),
    ("SET collation_server = latin1_bin", "SET timestamp = 1234567890.123456"),
    ("SET explicit_defaults_for_timestamp = OFF", "SET time_zone = 'SYSTEM'"),
    ("SET NAMES gbk", "SET sql_mode = ''", "SET foreign_key_checks = 0, unique_checks = 0"),
)
MYSQL_SETTINGS = (
    ("SET sql_require_primary_key = ON", "SET default_table_encryption = OFF"),
    ("SET default_collation_for_utf8mb4 = utf8mb4_general_ci",),
)
LC_TIME_NAMES = {"en_US": 0, "de_DE": 4}


@pytest.fixture(params=["mysql", "mariadb"])
def server(
    request: pytest.FixtureRequest, own_mysql: SqlServer, own_mariadb: SqlServer
) -> SqlServer:
    return {"mysql": own_mysql, "mariadb": own_mariadb}[request.param]


def is_mariadb(server: SqlServer) -> bool:
    return server.kind == "mariadb"


def test_the_context_of_a_statement_is_its_sessions(server: SqlServer) -> None:
    mariadb = is_mariadb(server)
    asked = ASKED if mariadb else ASKED | MYSQL_ASKED
    for number, settings in enumerate(SETTINGS if mariadb else SETTINGS + MYSQL_SETTINGS):
        with server.connect(charset="utf8mb4") as connection:
            execute(connection, "CREATE DATABASE IF NOT EXISTS `contexts`", "USE `contexts`")
            execute(connection, "DROP TABLE IF EXISTS t")
            execute(connection, *settings)
            when = "timestamp" in settings[-1]
            noon = "at TIMESTAMP NOT NULL DEFAULT '2020-01-01 12:00:00'"  # asks for the time zone
            execute(connection, f"CREATE TABLE t (id INT PRIMARY KEY, {noon})")
            if when:
                execute(connection, "INSERT INTO t (id) VALUES (1)")
                now = "ADD d DATETIME(6) NOT NULL DEFAULT NOW(6)"
                execute(connection, f"ALTER TABLE t {now}, MODIFY {noon.replace('12', '13')}")
            seconds, body = last_query(server, connection)
            context = context_of(parse_query(body), seconds, mariadb=mariadb)
            found: dict[str, Any] = {
                name: rows(connection, f"SELECT {sql}")[0][0] for name, sql in asked.items()
            }
            names = {name: rows(connection, sql)[0][0] for name, sql in COLLATIONS.items()}
            if not mariadb:
                utf8mb4 = rows(connection, "SELECT @@default_collation_for_utf8mb4")[0][0]
                names["default_collation_for_utf8mb4"] = utf8mb4
            found |= {name: collation_id(connection, n) for name, n in names.items()}
            locale = rows(connection, "SELECT @@lc_time_names")[0][0]
        told = context.model_dump()
        for name, value in found.items():
            if name.startswith("default_") and told[name] is None:
                continue  # said only where the statement asks for it
            if name.startswith("auto_increment") and told[name] is None:
                assert value == 1, name
                continue
            assert told[name] == value, (number, name)
        assert (told["lc_time_names"] or 0) == LC_TIME_NAMES[locale]
        if when:
            assert told["timestamp_us"] == 1_234_567_890_123_456
    with server.connect() as connection:
        execute(connection, "DROP DATABASE `contexts`")


def collation_id(connection: Session, name: object) -> int:
    found = rows(
        connection, f"SELECT id FROM information_schema.collations WHERE collation_name = '{name}'"
    )
    return int(found[0][0])
