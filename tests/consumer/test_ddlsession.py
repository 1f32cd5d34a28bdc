"""A statement finds on the target what it found on the source: it is run on one server in an odd
session, and with the context that this one's log tells on another, set up otherwise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from logged_query import last_query
from mysync_consumer.ddlsession import ContextRefused, StatementSession
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, rows
from mysync_producer.queries import context_of, parse_query
from mysync_runtime.settings import ApplySettings, TargetSettings
from mysync_schemas.control import DdlContext

pytestmark = pytest.mark.xdist_group("own servers")

DB = "contexts"
KINDS = ("mysql", "mariadb")


@dataclass
class Pair:
    source: SqlServer
    target: SqlServer

    @property
    def is_mariadb(self) -> bool:
        return self.source.kind == "mariadb"


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    names = {"mysql": ("own_mysql", "plain_mysql"), "mariadb": ("own_mariadb", "other_mariadb")}
    pair = Pair(*(request.getfixturevalue(name) for name in names[request.param]))
    for server in (pair.source, pair.target):
        with server.connect() as connection:
            execute(connection, f"DROP DATABASE IF EXISTS {DB}", f"CREATE DATABASE {DB}")
    yield pair
    for server in (pair.source, pair.target):
        with server.connect() as connection:
            execute(connection, f"DROP DATABASE IF EXISTS {DB}", "DROP DATABASE IF EXISTS other")


@pytest.fixture
def session(pair: Pair) -> Iterator[StatementSession]:
    session = open_session(pair.target)
    yield session
    session.close()


def open_session(server: SqlServer) -> StatementSession:
    settings = TargetSettings(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,  # type: ignore[arg-type]
    )
    return StatementSession.open(settings, ApplySettings())


class Case:
    """`before` on both servers, `settings` on the source, then `sql` on both; `asked` must find
    the same on both."""

    def __init__(
        self,
        name: str,
        settings: Sequence[str],
        sql: str | bytes,
        *,
        before: Sequence[str] = (),
        asked: Sequence[str] = ("SHOW CREATE TABLE t", "SELECT * FROM t"),
        only: str = "",
    ) -> None:
        self.name = name
        self.settings, self.before, self.asked, self.only = settings, before, asked, only
        self.sql = sql.encode() if isinstance(sql, str) else sql


ONE_ROW = ("CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
THREE_ROWS = ("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2), (3)")
CASES = [
    Case(
        "the time that fills old rows, to the microsecond",
        ["SET timestamp = 1234567890.123456"],
        "ALTER TABLE t ADD d DATETIME(6) NOT NULL DEFAULT NOW(6)",
        before=ONE_ROW,
    ),
    Case(
        "the time zone in which a TIMESTAMP is converted",
        ["SET time_zone = '-07:30'"],
        "ALTER TABLE t MODIFY a DATETIME",
        before=[
            "SET time_zone = '+00:00'",
            "CREATE TABLE t (a TIMESTAMP)",
            "INSERT INTO t VALUES ('2020-02-02 20:20:20')",
        ],
    ),
    Case(
        "double quotes around names",
        ["SET sql_mode = 'ANSI_QUOTES'"],
        'CREATE TABLE "t" ("a b" INT DEFAULT 3)',
    ),
    Case(
        "backslashes that are backslashes",
        ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'"],
        rb"CREATE TABLE t (a VARCHAR(9) DEFAULT 'x\n\')",
    ),
    Case(
        "a zero that is stored where NO_AUTO_VALUE_ON_ZERO says so",
        ["SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"],
        "ALTER TABLE t MODIFY a INT AUTO_INCREMENT PRIMARY KEY",
        before=["CREATE TABLE t (a INT)", "INSERT INTO t VALUES (0), (5)"],
    ),
    Case(
        "the bytes of latin1",
        ["SET NAMES latin1"],
        b"CREATE TABLE t (`\xe4` VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT '\xfc' COMMENT '\xdf')",
    ),
    Case(
        "a character of gbk that ends in a backslash",
        ["SET NAMES gbk"],
        b"CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT '\x95\x5c')",
    ),
    Case(
        "a character of sjis that ends in a backslash",
        ["SET NAMES sjis"],
        b"CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4 COMMENT '\x95\x5c')",
    ),
    Case(
        "the collation of literals",
        ["SET NAMES utf8mb3", "SET collation_connection = utf8mb3_bin"],
        "CREATE VIEW v AS SELECT 'a' AS a, COLLATION('b') AS b",
        asked=[
            "SHOW CREATE VIEW v",
            "SELECT * FROM v",
            (
                "SELECT character_set_client, collation_connection FROM information_schema.views"
                " WHERE table_schema = 'contexts' AND table_name = 'v'"
            ),
        ],
    ),
    Case(
        "the character set of new databases",
        ["SET collation_server = latin1_german2_ci"],
        "CREATE DATABASE other",
        asked=["SHOW CREATE DATABASE other"],
    ),
    Case(
        "the collation of utf8mb4",
        ["SET default_collation_for_utf8mb4 = utf8mb4_general_ci"],
        "CREATE TABLE t (a VARCHAR(9)) CHARACTER SET utf8mb4",
        only="mysql",
    ),
    Case(
        "how AUTO_INCREMENT counts",
        ["SET auto_increment_increment = 7, auto_increment_offset = 3"],
        "ALTER TABLE t ADD id INT AUTO_INCREMENT PRIMARY KEY",
        before=THREE_ROWS,
    ),
    Case(
        "the language of months",
        ["SET lc_time_names = 'de_DE'"],
        "ALTER TABLE t ADD m VARCHAR(20) DEFAULT (MONTHNAME('2020-03-01'))",
        before=ONE_ROW,
    ),
    Case(
        "TIMESTAMP columns with a default that nobody wrote",
        ["SET explicit_defaults_for_timestamp = OFF"],
        "CREATE TABLE t (a TIMESTAMP)",
    ),
    Case(
        "foreign keys to tables that don't exist yet",
        ["SET foreign_key_checks = 0"],
        "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES later (a))",
    ),
    Case(
        "foreign keys to columns that aren't a key",
        ["SET restrict_fk_on_non_standard_key = OFF"],
        "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES parent (a))",
        before=["CREATE TABLE parent (a INT, KEY (a))"],
        only="mysql",
    ),
    Case(
        "a row format that isn't strict",
        ["SET innodb_strict_mode = OFF"],
        "CREATE TABLE t (a INT) ROW_FORMAT = REDUNDANT KEY_BLOCK_SIZE = 9",
    ),
    Case(
        "a table without a primary key",
        [],
        "CREATE TABLE t (a INT)",
        asked=["SHOW CREATE TABLE t", "SHOW COLUMNS FROM t"],
    ),
    Case(
        "a versioned table that may be altered",
        ["SET system_versioning_alter_history = KEEP"],
        "ALTER TABLE t ADD b INT",
        before=["CREATE TABLE t (a INT) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1)"],
        only="mariadb",
    ),
    Case(
        "rows that a new CHECK refuses",
        ["SET check_constraint_checks = 0"],
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1)",
        before=ONE_ROW,
        only="mariadb",
    ),
]


@pytest.fixture
def hostile(pair: Pair) -> Iterator[None]:
    """The target's own settings stand in the way of most of them."""
    changed = {
        "explicit_defaults_for_timestamp": "ON",
        "sql_mode": "'STRICT_ALL_TABLES,ANSI'",
        "time_zone": "'+05:00'",
        "auto_increment_increment": "3",
        "collation_server": "utf8mb4_bin",
        "innodb_strict_mode": "ON",
        "default_storage_engine": "MyISAM",
        "lc_time_names": "'fr_FR'",
    }
    if not pair.is_mariadb:
        changed |= {
            "sql_require_primary_key": "ON",
            "sql_generate_invisible_primary_key": "ON",
            "restrict_fk_on_non_standard_key": "ON",
        }
    with pair.target.connect() as connection:
        kept = {n: rows(connection, f"SELECT @@GLOBAL.{n}")[0][0] for n in changed}
        execute(connection, *(f"SET GLOBAL {n} = {value}" for n, value in changed.items()))
    yield
    with pair.target.connect() as connection, connection.cursor() as cursor:
        for name, value in kept.items():
            cursor.execute(f"SET GLOBAL {name} = %s", (value,))


@pytest.mark.parametrize(
    ("pair", "case"),
    [
        pytest.param(kind, case, id=f"{kind}: {case.name}")
        for kind in KINDS
        for case in CASES
        if case.only in ("", kind)
    ],
    indirect=["pair"],
)
def test_a_statement_has_the_effect_that_it_had_in_its_own_session(
    case: Case, pair: Pair, hostile: None
) -> None:
    mariadb = pair.is_mariadb
    for server in (pair.source, pair.target):
        with server.connect(database=DB) as connection:
            execute(connection, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
            if server is pair.target:
                execute(connection, "SET SESSION default_storage_engine = InnoDB")
                if not mariadb:
                    execute(connection, "SET SESSION sql_require_primary_key = OFF")
                    execute(connection, "SET SESSION sql_generate_invisible_primary_key = OFF")
            execute(connection, *case.before)
    with pair.source.connect(database=DB) as connection:
        execute(connection, *case.settings)
        connection.query(case.sql)  # type: ignore[arg-type]
        seconds, body = last_query(pair.source, connection)
    query = parse_query(body)
    context = context_of(query, seconds, mariadb=mariadb)
    session = open_session(pair.target)
    session.begin(context.database)
    session.enter(context)
    session.run(query.sql)
    session.leave()
    session.close()
    assert answers(pair.target, case) == answers(pair.source, case)


def answers(server: SqlServer, case: Case) -> list[object]:
    with server.connect(database=DB) as connection:
        quiet = "SET SESSION sql_mode = '', time_zone = '+00:00', collation_connection = 45"
        execute(connection, quiet)
        return [rows(connection, asked) for asked in case.asked]


def values(connection: Session) -> dict[str, str]:
    """All variables of a session that don't change by themselves."""
    moving = (
        "timestamp",
        "rand_seed",
        "pseudo",
        "error_count",
        "warning_count",
        "last_insert",
        "statement_id",
    )
    found = {str(n): str(v) for n, v in rows(connection, "SHOW SESSION VARIABLES")}
    return {n: v for n, v in found.items() if not n.startswith(moving) and "gtid" not in n}


def test_a_context_leaves_nothing_for_the_next_one(pair: Pair, session: StatementSession) -> None:
    plain = DdlContext(client_collation=45)
    session.begin(None)
    session.enter(plain)
    session.leave()
    before = values(session.connection)
    mysql_only = {"default_collation_for_utf8mb4": 45, "default_table_encryption": False}
    odd = DdlContext(
        sql_mode=4,
        client_collation=28,
        connection_collation=28,
        server_collation=8,
        database_collation=8,
        time_zone="-03:00",
        timestamp_us=1_234_567_890_123_456,
        foreign_key_checks=False,
        unique_checks=False,
        auto_increment_increment=5,
        auto_increment_offset=2,
        lc_time_names=4,
        explicit_defaults_for_timestamp=False,
        **({} if pair.is_mariadb else mysql_only),
    )
    session.enter(odd)
    assert values(session.connection) != before
    session.leave()
    session.enter(plain)
    session.leave()
    after = values(session.connection)
    kept = {"collation_server", "character_set_server", "collation_database"}
    kept |= {"character_set_database"}  # said by every event that means them
    assert {n: v for n, v in after.items() if n not in kept and before[n] != v} == {}


def test_a_default_database_that_does_not_exist_is_none(session: StatementSession) -> None:
    session.begin(DB)
    session.run(b"CREATE TABLE here (a INT)")
    session.begin("nowhere")
    session.run(f"CREATE TABLE {DB}.there (a INT)".encode())
    with pytest.raises(Exception, match="1046"):
        session.run(b"CREATE TABLE where_is_it (a INT)")
    session.begin(None)
    with pytest.raises(Exception, match="1046"):
        session.run(b"CREATE TABLE where_is_it (a INT)")


def test_the_default_database_may_be_dropped_and_made_again(session: StatementSession) -> None:
    for _ in range(2):
        session.begin(DB)
        session.run(f"DROP DATABASE {DB}".encode())
        session.begin(DB)
        session.run(f"CREATE DATABASE {DB}".encode())


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (DdlContext(server_collation=9999), "no collation of id 9999"),
        (DdlContext(client_collation=45, time_zone="Mars/Olympus"), "Mars/Olympus"),
        (DdlContext(client_collation=35), "character_set_client"),
    ],
    ids=["collation", "time zone", "client character set"],
)
def test_what_the_target_can_not_set_is_said(
    context: DdlContext, said: str, session: StatementSession
) -> None:
    session.begin(None)
    with pytest.raises(ContextRefused, match=said):
        session.enter(context)
    session.leave()
    session.enter(DdlContext(client_collation=45))


def test_a_session_that_was_cut_is_made_again(session: StatementSession) -> None:
    session.abort()
    session.begin(DB)
    session.run(b"CREATE TABLE t (a INT)")


def test_several_statements_are_refused_as_one(session: StatementSession) -> None:
    session.begin(DB)
    with pytest.raises(Exception, match="1064"):
        session.run(b"CREATE TABLE t (a INT); CREATE TABLE u (a INT)")
