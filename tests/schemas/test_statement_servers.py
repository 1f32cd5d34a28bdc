"""What a statement is and which objects it changes, against what changes on the servers that run
it, as it was sent and as they logged it."""

from collections.abc import Iterator

import pymysql
import pytest

from ddl_playground import Playground, Ran
from ddl_statements import Case, cases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import execute
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Statement, Verb, read_statement

pytestmark = pytest.mark.xdist_group("own servers")


@pytest.fixture(params=["mysql", "mariadb"])
def playground(
    request: pytest.FixtureRequest, own_mysql: SqlServer, own_mariadb: SqlServer
) -> Iterator[Playground]:
    server = {"mysql": own_mysql, "mariadb": own_mariadb}[request.param]
    with server.connect(charset="utf8mb4") as connection:
        found = Playground(connection, request.param == "mariadb")
        yield found
        found.drop()


def test_what_a_statement_changes_is_what_it_names(playground: Playground) -> None:
    mariadb = playground.mariadb
    wrong, count = [], 0
    for case in cases():
        if case.server not in ("both", "mariadb" if mariadb else "mysql"):
            continue
        if case.verb is Verb.ACCOUNT:
            execute(playground.connection, "CREATE USER st_one")
        try:
            ran = playground.run(case.sql)
        except pymysql.err.Error as error:
            wrong.append(f"{case.sql}: {error}")
            continue
        finally:
            if case.verb is Verb.ACCOUNT:
                for user in ("st_one", "st_two", "st_somebody"):
                    execute(playground.connection, f"DROP USER IF EXISTS {user}")
                execute(playground.connection, "DROP ROLE IF EXISTS st_somebody")
            if case.verb is Verb.SERVER:
                execute(playground.connection, "DROP SERVER IF EXISTS st_server")
        count += 1
        wrong += [f"{case.sql}: {why}" for why in problems(case, ran, playground.dialect)]
    assert not wrong, "\n".join(wrong)
    print(f"{count} statements")
    assert count >= 250


def problems(case: Case, ran: Ran, dialect: Dialect) -> Iterator[str]:
    names = {name for _, name in ran.changed}
    if case.verb is Verb.DROP_DATABASE:
        names = {name for name in names if name.endswith(".")}
    if case.verb is Verb.DROP_TABLE:  # the triggers of it, too
        names = {name for kind, name in ran.changed if kind == "table"}
    if case.verb is Verb.ALTER_DATABASE:
        names &= set(case.objects)
    expected = set(case.objects)
    if not (names <= expected if case.unseen else names == expected):
        yield f"changed {sorted(names)}"
    verb, read = read_as([case.sql], dialect)
    if (verb, read) != ({case.verb}, expected):
        yield f"read as {verb} of {sorted(read)}"
    if ran.logged:
        verb, read = read_as([of_log(sql) for sql in ran.logged], dialect)
        rest = {Verb.BEGIN, Verb.COMMIT, Verb.EMPTY, Verb.ROWS}
        if not (verb - rest <= {case.verb} and names <= read <= expected):
            yield f"logged as {ran.logged}, read as {verb} of {sorted(read)}"


def of_log(shown: str) -> str:
    """Without the "use `st`; " and "/* xid=… */" that SHOW BINLOG EVENTS adds."""
    return shown.removeprefix("use `st`; ")


def read_as(sql: list[str], dialect: Dialect) -> tuple[set[Verb], set[str]]:
    statements = [read_statement(text.encode(), dialect) for text in sql]
    return {s.verb for s in statements}, {name for s in statements for name in named(s)}


def named(statement: Statement) -> Iterator[str]:
    if "DATABASE" in statement.verb.name:
        yield f"{statement.database or 'st'}."
    for each in statement.objects:
        yield f"{each.database or 'st'}.{each.name}"
