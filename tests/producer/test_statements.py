"""What a statement of the log means for the replicated tables: carried, passed over, or a stop."""

from typing import Any

import pytest

from mysync_producer.filters import Filters
from mysync_producer.queries import QueryEvent
from mysync_producer.statements import Kind, Meaning, classify
from mysync_runtime.settings import DdlSettings
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.table import TableId

SETTINGS = DdlSettings()
APP = Filters(["app.*"], ["app.log", "app.tmp_*"])


def meaning(
    sql: str, filters: Filters = APP, database: str = "app", dialect: Dialect | None = None,
    **settings: Any,
) -> Meaning:  # fmt: skip
    query = QueryEvent(database, sql.encode())
    return classify(query, filters, dialect or Dialect(), DdlSettings(**settings))


def carried(sql: str, filters: Filters = APP, database: str = "app", **settings: Any) -> bytes:
    found = meaning(sql, filters, database, **settings)
    assert found.kind is Kind.CHANGES, found
    assert found.change is not None
    return found.change.sql


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE users ADD COLUMN c INT",
        "TRUNCATE TABLE app.users",
        "CREATE TABLE more (id INT PRIMARY KEY, u INT REFERENCES log (id))",
        "RENAME TABLE users TO users_then, users_next TO users",
        "RENAME TABLE users TO _users_del, _users_gho TO users",
        "DROP DATABASE IF EXISTS app_two",
        "CREATE DATABASE app DEFAULT CHARACTER SET latin1",
        "ALTER DATABASE app COLLATE utf8mb4_bin",
        "CREATE OR REPLACE VIEW shown AS SELECT * FROM users",
        "CREATE TRIGGER told AFTER INSERT ON users FOR EACH ROW SET @a = 1",
        "DROP TRIGGER told",
    ],
)
def test_a_statement_on_replicated_objects_is_carried_as_it_is(sql: str) -> None:
    assert carried(sql, Filters(["app.*", "app_two.*"], ["app.log"])) == sql.encode()


@pytest.mark.parametrize(
    ("sql", "rest"),
    [
        ("DROP TABLE users, log, items", "DROP TABLE users, items"),
        ("DROP TABLE IF EXISTS log, other.x, `items`", "DROP TABLE IF EXISTS `items`"),
        ("RENAME TABLE tmp_1 TO tmp_2, users TO people", "RENAME TABLE users TO people"),
        ("DROP VIEW tmp_v, shown", "DROP VIEW shown"),
    ],
)
def test_of_a_list_only_what_is_replicated_is_carried(sql: str, rest: str) -> None:
    assert carried(sql) == rest.encode()


@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE log",
        "DROP TABLE log, tmp_1",
        "RENAME TABLE tmp_1 TO tmp_2",
        "ALTER TABLE other.users ADD c INT",
        "CREATE TABLE mysql.users (id INT)",
        "CREATE TRIGGER told AFTER INSERT ON log FOR EACH ROW SET @a = 1",
        "DROP DATABASE other",
        "ANALYZE TABLE users",
        "CREATE TEMPORARY TABLE users (id INT)",
    ],
)
def test_a_statement_on_nothing_replicated_passes(sql: str) -> None:
    assert meaning(sql).kind is Kind.HARMLESS


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("RENAME TABLE log TO log2", "log2"),
        ("ALTER TABLE users RENAME TO other.users", "other.users"),
        ("CREATE TABLE copied LIKE log", "log"),
        ("ALTER TABLE users EXCHANGE PARTITION p WITH TABLE log", "log"),
        ("DROP DATABASE app", "some tables aren't replicated"),
        ("SOMETHING new", "begins with SOMETHING"),
    ],
)
def test_what_would_be_half_done_or_cant_be_told_stops(sql: str, why: str) -> None:
    found = meaning(sql)
    assert found.kind is Kind.CONCERNS
    assert why in found.why


def test_a_statement_that_fills_rows_otherwise_on_each_server_stops_unless_it_is_forwarded() -> (
    None
):
    sql = "ALTER TABLE users ADD COLUMN u CHAR(36) DEFAULT (uuid())"
    assert meaning(sql).kind is Kind.CONCERNS
    assert carried(sql, nondeterministic="forward") == sql.encode()


@pytest.mark.parametrize(
    ("sql", "setting"),
    [
        ("CREATE VIEW shown AS SELECT 1", "views"),
        ("CREATE TRIGGER told AFTER INSERT ON users FOR EACH ROW SET @a = 1", "triggers"),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1", "routines"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "events"),
        ("CREATE USER somebody", "accounts"),
    ],
)
def test_a_setting_decides_on_each_other_kind_of_object(sql: str, setting: str) -> None:
    assert meaning(sql, **{setting: "skip"}).kind is Kind.HARMLESS
    assert carried(sql, **{setting: "apply"}) == sql.encode()


def test_a_setting_decides_on_statements_that_cant_be_read() -> None:
    assert meaning("SOMETHING new", unknown="skip").kind is Kind.HARMLESS
    assert carried("SOMETHING new", unknown="forward") == b"SOMETHING new"
    assert meaning("SOMETHING new", database="other").kind is Kind.HARMLESS


def test_names_are_those_of_the_servers_dictionary_where_it_folds_them() -> None:
    filters = Filters(["App.*"], ["app.Log"])
    assert meaning("TRUNCATE APP.Users", filters).kind is Kind.HARMLESS
    folded = meaning("TRUNCATE APP.Users", filters.folded(True))
    assert folded.change is not None
    assert folded.change.effects.changed == (TableId("app", "users"),)
    assert meaning("TRUNCATE app.LOG", filters.folded(True)).kind is Kind.HARMLESS


def test_a_created_table_as_select_loses_what_only_its_source_needs() -> None:
    sql = "CREATE TABLE copied (id INT) START TRANSACTION"
    assert carried(sql) == b"CREATE TABLE copied (id INT)"


def test_patterns_of_a_source_that_folds_names_match_in_any_case() -> None:
    filters = Filters(["App.*"], ["app.Log"])
    assert not filters.includes("app", "users")
    assert filters.folded(True).includes("app", "users")
    assert not filters.folded(True).includes("app", "log")
    assert filters.folded(True).hash == filters.hash


def test_an_excluded_shadow_table_is_not_replicated_with_its_table() -> None:
    filters = Filters(["app.*"], ["app._users_old"])
    assert filters.includes("app", "_users_new")
    assert not filters.includes("app", "_users_old")
    assert not Filters(["app.users"], ["app._users_old"]).includes("app", "_users_old")


LATIN1, UTF8MB4 = 8, 255


def in_charset(sql: bytes, collation: int, *, mariadb: bool = False) -> Kind:
    query = QueryEvent("app", sql, variables={4: collation.to_bytes(2, "little") * 3})
    return classify(query, APP, Dialect(mariadb=mariadb), SETTINGS).kind


def test_what_a_server_may_have_worded_in_another_character_set_than_it_says_stops() -> None:
    like_a_temporary_one = "CREATE TABLE `lä` (\n  `id` int NOT NULL\n) ENGINE=InnoDB"
    assert in_charset(like_a_temporary_one.encode(), LATIN1) is Kind.CONCERNS
    assert in_charset(like_a_temporary_one.encode("latin1"), LATIN1) is Kind.CHANGES
    assert in_charset(like_a_temporary_one.encode(), UTF8MB4) is Kind.CHANGES
    view = "CREATE VIEW `vä` AS SELECT 1"
    assert in_charset(view.encode(), LATIN1) is Kind.CONCERNS
    assert in_charset(view.encode("latin1"), LATIN1, mariadb=True) is Kind.CHANGES
    assert in_charset("CREATE VIEW v AS SELECT 'é'".encode("latin1"), LATIN1) is Kind.CHANGES
