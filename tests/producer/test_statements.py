"""Which statements of the log stop the producer, and which tables' rows it takes."""

import pytest

from mysync_producer.filters import Filters
from mysync_producer.queries import QueryEvent
from mysync_producer.statements import Kind, classify
from mysync_schemas.sqltokens import Dialect


def kind_of(sql: str, filters: Filters, database: str = "") -> Kind:
    query = QueryEvent(database, sql.encode())
    return classify(query, filters, Dialect()).kind


@pytest.mark.parametrize(
    "sql",
    [
        "TRUNCATE TABLE APP.Users",
        "DROP TABLE App.USERS",
        "ALTER TABLE aPP.uSERS ADD COLUMN c INT",
        "DROP DATABASE APP",
        "CREATE INDEX i ON APP.Users (id)",
        "RENAME TABLE x.y TO App.Users",
    ],
)
def test_a_statement_concerns_a_table_however_its_name_is_written(sql: str) -> None:
    for filters in (Filters(["app.users", "app.*"]), Filters(["App.Users", "App.*"], fold=True)):
        assert kind_of(sql, filters) is Kind.CONCERNS
    assert kind_of(sql, Filters(["other.*"])) is Kind.HARMLESS


def test_a_statement_in_a_default_database_of_another_case_concerns_its_tables() -> None:
    assert kind_of("TRUNCATE Users", Filters(["app.users"]), "APP") is Kind.CONCERNS


def test_an_exclusion_of_another_case_leaves_a_replicated_table_a_concern() -> None:
    filters = Filters(["app.*"], ["app.Users"])
    assert kind_of("TRUNCATE TABLE app.users", filters) is Kind.CONCERNS
    assert kind_of("TRUNCATE TABLE app.Users", filters) is Kind.HARMLESS
    assert kind_of("TRUNCATE TABLE app.users", filters.folded(True)) is Kind.HARMLESS


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
