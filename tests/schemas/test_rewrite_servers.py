"""Statements run under other names on the servers: they change there what they changed under their
own."""

from collections.abc import Iterator

import pymysql
import pytest

from ddl_playground import ORIGINAL, Names, Playground, Ran
from ddl_statements import OTHER, Case, cases
from mysync_lab.sql import SqlServer
from mysync_schemas.rewrite import Unrewritable, with_if_exists
from mysync_schemas.statement import Verb, read_statement
from mysync_schemas.table import TableId

pytestmark = pytest.mark.xdist_group("own servers")

_SKIPPED = frozenset({Verb.ACCOUNT, Verb.SERVER, Verb.MAINTENANCE})
_KEPT = ("t", "w", "v")  # what the base's view and trigger name
_MOVED = ("u", "q")


def other_db(name: str) -> str:
    return f"zz_{name}"


def other_table(table: TableId) -> TableId:
    if table.table in _KEPT:
        return TableId(other_db(table.db), table.table)
    if table.db == "st" and table.table in _MOVED:
        return TableId(other_db(OTHER), f"zz_m_{table.table}")
    return TableId(other_db(table.db), f"zz_{table.table}")


OTHERS = {
    "databases": Names(lambda t: TableId(other_db(t.db), t.table), other_db),
    "databases and tables": Names(other_table, other_db),
}


@pytest.fixture(params=["mysql", "mariadb"])
def server(
    request: pytest.FixtureRequest, own_mysql: SqlServer, own_mariadb: SqlServer
) -> tuple[SqlServer, bool]:
    mariadb = request.param == "mariadb"
    return (own_mariadb if mariadb else own_mysql), mariadb


def test_a_statement_changes_the_same_under_the_names_of_the_target(
    server: tuple[SqlServer, bool],
) -> None:
    mariadb = server[1]
    wrong, count = [], 0
    with server[0].connect(charset="utf8mb4") as connection:
        original = Playground(connection, mariadb)
        expected = {case: ran(original, case) for case in chosen(original)}
        original.drop()
        for kind, names in OTHERS.items():
            playground = Playground(connection, mariadb, names)
            for case, wanted in expected.items():
                if names.table is other_table and case.verb is Verb.DROP_DATABASE:
                    continue  # which holds others there
                try:
                    sql = playground.called(case.sql)
                except Unrewritable:
                    assert read_statement(case.sql.encode(), playground.dialect).opaque, case.sql
                    continue
                if sql == case.sql:
                    continue  # with another default database
                found = ran(playground, case, sql)
                if found != wanted:
                    wrong.append(f"{kind}: {sql}: {found}, not {wanted}")
                count += 1
            playground.drop()
    assert not wrong, "\n".join(wrong)
    print(f"{count} statements")
    assert count >= 200


def chosen(playground: Playground) -> Iterator[Case]:
    """Those that change something, and the same each time."""
    for case in cases():
        statement = read_statement(case.sql.encode(), playground.dialect)
        here = case.server in ("both", "mariadb" if playground.mariadb else "mysql")
        if here and case.verb not in _SKIPPED and not statement.nondeterministic:
            yield case


def ran(playground: Playground, case: Case, sql: str = "") -> dict[tuple[str, str], str | None]:
    """What it changed, in the names of the original."""
    try:
        found: Ran = playground.run(sql or case.sql)
    except pymysql.err.Error as error:
        return {("error", case.sql): str(error)}
    back = playground.names.back
    return {
        (kind, back(name)): None if what is None else back(what)
        for (kind, name), what in found.changed.items()
    }


def test_a_drop_that_failed_halfway_is_repeated_where_all_is_there_and_where_nothing_is(
    server: tuple[SqlServer, bool],
) -> None:
    """MariaDB logs it as if it had worked; MySQL drops nothing of it."""
    with server[0].connect(charset="utf8mb4") as connection:
        playground = Playground(connection, server[1], ORIGINAL)
        sql = b"DROP TABLE u, nothing, q"
        again = with_if_exists(sql, read_statement(sql, playground.dialect)).decode()
        found = playground.run(again)
        assert {name for _, name in found.changed} == {"st.u", "st.q"}
        assert not playground.run(again.replace("u, ", "").replace(", q", "")).changed
        playground.drop()
