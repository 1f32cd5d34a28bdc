"""Connecting to real servers, TLS, and what their errors ask of us."""

import ssl
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pymysql
import pymysql.err
import pytest

from mysync_lab.sql import SqlServer
from mysync_runtime import mysql
from mysync_runtime.errors import (
    ConfigError,
    ConnectionLost,
    CredentialsError,
    MysyncError,
    TransientError,
    Unreachable,
)
from mysync_runtime.lifecycle import Stop
from mysync_runtime.mysql import ErrorClass, Flavor
from mysync_runtime.settings import MysqlSettings


def settings_of(server: SqlServer, **more: Any) -> MysqlSettings:
    return MysqlSettings.model_validate(
        {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            **more,
        }
    )


@pytest.fixture
def database(mysql_a: SqlServer) -> Iterator[str]:
    name = f"runtime_{uuid.uuid4().hex[:8]}"
    with mysql.connect(settings_of(mysql_a)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"CREATE DATABASE {name}")
        yield name
        cursor.execute(f"DROP DATABASE {name}")


def test_a_connection_speaks_utf8mb4_and_commits_by_itself(mysql_a: SqlServer) -> None:
    with mysql.connect(settings_of(mysql_a)) as connection:
        assert mysql.scalar(connection, "SELECT %s", ("é😀",)) == "é😀"
        assert mysql.scalar(connection, "SELECT @@character_set_connection") == "utf8mb4"
        assert mysql.scalar(connection, "SELECT @@autocommit") == 1


def test_flavors_are_told_apart(mysql_a: SqlServer, mariadb_a: SqlServer) -> None:
    with mysql.connect(settings_of(mysql_a)) as connection:
        flavor = mysql.flavor(connection)
        assert (flavor.kind, flavor.is_mariadb, flavor.version[0]) == ("mysql", False, 9)
        assert mysql.variables(connection)["binlog_format"] == "ROW"
    with mysql.connect(settings_of(mariadb_a)) as connection:
        flavor = mysql.flavor(connection)
        assert (flavor.kind, flavor.is_mariadb, flavor.version[:2]) == ("mariadb", True, (10, 11))
        assert str(flavor).startswith("MariaDB 10.11.")


@pytest.mark.parametrize(
    ("text", "kind", "version"),
    [
        ("9.7.4", "mysql", (9, 7, 4)),
        ("8.0.36-28", "mysql", (8, 0, 36)),
        ("5.5.5-10.11.18-MariaDB-log", "mariadb", (10, 11, 18)),
        ("11.4.2-MariaDB-ubu2404", "mariadb", (11, 4, 2)),
        ("5.5.5-m3", "mysql", (5, 5, 5)),
    ],
)
def test_versions_are_read_as_servers_write_them(
    text: str, kind: str, version: tuple[int, int, int]
) -> None:
    assert Flavor.parse(text) == Flavor(kind, version, text)  # type: ignore[arg-type]


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match="not a server version"):
        Flavor.parse("unknown")


def test_a_wrong_password_is_a_matter_of_credentials(mysql_a: SqlServer) -> None:
    wrong = settings_of(mysql_a, password="wrong")
    with pytest.raises(CredentialsError, match="1045") as caught:
        mysql.connect_at_start(wrong, Stop(), what="the source", seconds=30)
    assert caught.value.exit_code == 3
    assert wrong.address in str(caught.value)


def test_a_password_may_hold_any_character(mysql_a: SqlServer) -> None:
    user, password = f"u{uuid.uuid4().hex[:8]}", "päß😀'\"\\"
    with mysql.connect(settings_of(mysql_a)) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE USER %s IDENTIFIED BY %s", (user, password))
        try:
            for mode in ("preferred", "disabled"):
                its = settings_of(mysql_a, user=user, password=password, ssl={"mode": mode})
                mysql.connect(its).close()
        finally:
            cursor.execute("DROP USER %s", (user,))


def test_a_server_that_is_not_there_is_unreachable_after_a_while(free_port: int) -> None:
    settings = MysqlSettings(host="127.0.0.1", port=free_port)
    with pytest.raises(ConnectionLost):
        mysql.connect(settings)
    before = time.monotonic()
    with pytest.raises(Unreachable, match=r"the target \(127.0.0.1:\d+\) did not answer") as caught:
        mysql.connect_at_start(settings, Stop(), what="the target", seconds=0.5)
    assert caught.value.exit_code == 1
    assert time.monotonic() - before >= 0.5


@pytest.mark.parametrize(
    ("mode", "encrypted"), [("disabled", False), ("preferred", True), ("required", True)]
)
def test_tls_is_used_as_the_mode_says(mysql_a: SqlServer, mode: str, encrypted: bool) -> None:
    with mysql.connect(settings_of(mysql_a, ssl={"mode": mode})) as connection:
        cipher = mysql.rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")[0]["Value"]
        assert bool(cipher) is encrypted


def test_a_certificate_is_checked_against_its_authority(mysql_a: SqlServer) -> None:
    authority = str(mysql_a.data_dir / "ca.pem")
    mysql.connect(settings_of(mysql_a, ssl={"mode": "verify_ca", "ca": authority})).close()
    with pytest.raises(CredentialsError, match=r"certificate isn't accepted.*`ssl\.ca`"):
        mysql.connect(settings_of(mysql_a, ssl={"mode": "verify_ca"}))
    with pytest.raises(CredentialsError, match="certificate isn't accepted"):
        mysql.connect(settings_of(mysql_a, ssl={"mode": "verify_identity", "ca": authority}))


@pytest.mark.parametrize(
    ("mode", "verified", "named"),
    [
        ("preferred", ssl.CERT_NONE, False),
        ("required", ssl.CERT_NONE, False),
        ("verify_ca", ssl.CERT_REQUIRED, False),
        ("verify_identity", ssl.CERT_REQUIRED, True),
    ],
)
def test_the_systems_authorities_verify_what_the_mode_says(
    mode: str, verified: ssl.VerifyMode, named: bool
) -> None:
    settings = MysqlSettings.model_validate({"ssl": {"mode": mode}})
    client = mysql.Client(**mysql.arguments_of(settings), defer_connect=True)
    context: ssl.SSLContext = client.ctx
    assert (context.verify_mode, context.check_hostname) == (verified, named)


def test_tls_that_the_server_doesnt_offer_is_not_done_without(mariadb_a: SqlServer) -> None:
    mysql.connect(settings_of(mariadb_a)).close()
    with pytest.raises(ConfigError, match="SSL"):
        mysql.connect(settings_of(mariadb_a, ssl={"mode": "required"}))


@pytest.mark.parametrize("files", [{"ca": "/nowhere"}, {"cert": "/nowhere", "key": "/nowhere"}])
def test_tls_files_that_are_absent_are_a_wrong_setting(
    mysql_a: SqlServer, files: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="TLS files"):
        mysql.connect(settings_of(mysql_a, ssl={"mode": "required", **files}))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pymysql.err.OperationalError(1213, "Deadlock found"), ErrorClass.TRANSIENT),
        (pymysql.err.OperationalError(1205, "Lock wait timeout"), ErrorClass.TRANSIENT),
        (pymysql.err.OperationalError(1290, "--read-only"), ErrorClass.TRANSIENT),
        (pymysql.err.OperationalError(1021, "Disk full"), ErrorClass.TRANSIENT),
        (pymysql.err.InternalError(3101, "certification"), ErrorClass.TRANSIENT),
        (pymysql.err.OperationalError(2013, "Lost connection"), ErrorClass.LOST),
        (pymysql.err.OperationalError(4031, "inactivity"), ErrorClass.LOST),
        (pymysql.err.InterfaceError(0, ""), ErrorClass.LOST),
        (ConnectionResetError(), ErrorClass.LOST),
        (TimeoutError(), ErrorClass.LOST),
        (ssl.SSLEOFError(), ErrorClass.LOST),
        (EOFError(), ErrorClass.LOST),
        (pymysql.err.OperationalError(1045, "denied"), ErrorClass.CREDENTIALS),
        (pymysql.err.OperationalError(1227, "you need"), ErrorClass.CREDENTIALS),
        (pymysql.err.IntegrityError(1062, "Duplicate"), ErrorClass.PERMANENT),
        (pymysql.err.OperationalError(1105, "Unknown error"), ErrorClass.PERMANENT),
        (pymysql.err.OperationalError(1032, "Can't find record"), ErrorClass.PERMANENT),
        (pymysql.err.ProgrammingError(1146, "no table"), ErrorClass.PERMANENT),
        (pymysql.err.ProgrammingError("no number"), ErrorClass.PERMANENT),
    ],
)
def test_errors_are_classed_by_what_they_ask_of_us(error: Exception, kind: ErrorClass) -> None:
    assert mysql.classify(error) is kind
    expected: dict[ErrorClass, type[MysyncError]] = {
        ErrorClass.LOST: ConnectionLost,
        ErrorClass.TRANSIENT: TransientError,
        ErrorClass.CREDENTIALS: CredentialsError,
        ErrorClass.PERMANENT: MysyncError,
    }
    ours = mysql.error_of(error, "apply a batch", "db:3306")
    assert type(ours) is expected[kind]
    assert "can't apply a batch" in str(ours)


def test_no_number_is_in_two_classes() -> None:
    from mysync_runtime.mysql import errors

    classes = (errors.LOST_CODES, errors.TRANSIENT_CODES, errors.CREDENTIALS_CODES)
    assert sum(map(len, classes)) == len(frozenset().union(*classes))


def test_a_killed_session_is_a_lost_connection(mysql_a: SqlServer, mariadb_a: SqlServer) -> None:
    for server in (mysql_a, mariadb_a):
        victim = mysql.connect(settings_of(server))
        with mysql.connect(settings_of(server)) as killer:
            killer.cursor().execute(f"KILL {victim.thread_id()}")
        for _ in range(2):
            with pytest.raises((pymysql.err.Error, OSError)) as caught:
                mysql.scalar(victim, "SELECT 1")
            assert mysql.classify(caught.value) is ErrorClass.LOST


def test_a_silent_server_is_a_lost_connection_after_the_read_timeout(mysql_a: SqlServer) -> None:
    with mysql.connect(settings_of(mysql_a), read_timeout=0.3) as connection:
        with pytest.raises(pymysql.err.OperationalError) as caught:
            mysql.scalar(connection, "SELECT SLEEP(20)")
        assert mysql.classify(caught.value) is ErrorClass.LOST


def test_a_lock_wait_is_transient(mysql_a: SqlServer, database: str) -> None:
    table = mysql.quote_table(database, "t")
    with mysql.connect(settings_of(mysql_a), autocommit=False) as one:
        cursor = one.cursor()
        cursor.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
        cursor.execute(f"INSERT INTO {table} VALUES (1)")
        with (
            mysql.connect(
                settings_of(mysql_a), init_command="SET innodb_lock_wait_timeout = 1"
            ) as two,
            pytest.raises(pymysql.err.OperationalError) as caught,
        ):
            two.cursor().execute(f"INSERT INTO {table} VALUES (1)")
        assert mysql.classify(caught.value) is ErrorClass.TRANSIENT
        one.rollback()


def test_identifiers_are_quoted(mysql_a: SqlServer, database: str) -> None:
    name = "we`ird. tä"
    with mysql.connect(settings_of(mysql_a), database=database) as connection:
        table = mysql.quote_table(database, name)
        connection.cursor().execute(f"CREATE TABLE {table} (id INT PRIMARY KEY)")
        assert mysql.scalar(connection, "SHOW TABLES") == name


def test_rows_come_by_name(mysql_a: SqlServer) -> None:
    with mysql.connect(settings_of(mysql_a)) as connection:
        assert mysql.rows(connection, "SELECT 1 AS a, 'x' AS b UNION SELECT 2, NULL") == [
            {"a": 1, "b": "x"},
            {"a": 2, "b": None},
        ]
        assert mysql.scalar(connection, "SELECT 1 FROM DUAL WHERE FALSE") is None
