"""What a statement is and which objects it changes, against what changes on the servers that run
it, as it was sent and as they logged it."""

from collections.abc import Iterator
from contextlib import suppress

import pymysql
import pytest

from ddl_statements import BASE, MARIADB_BASE, OTHER, ROWS, Case, cases
from mysync_lab.sql import SqlServer
from mysync_lab.tables import Session, execute, rows
from mysync_schemas.sqltokens import Dialect
from mysync_schemas.statement import Statement, Verb, read_statement

pytestmark = pytest.mark.xdist_group("own servers")

Snapshot = dict[tuple[str, str], str]
"""By kind and "database.name": its definition, and a table's rows."""

_DATABASES = ("st", OTHER, "st_new")
_LISTS = {
    "trigger": "SELECT trigger_schema, trigger_name, action_statement, event_manipulation"
    " FROM information_schema.triggers WHERE trigger_schema LIKE 'st%'",
    "routine": "SELECT routine_schema, routine_name, routine_definition, routine_comment,"
    " security_type, routine_type"
    " FROM information_schema.routines WHERE routine_schema LIKE 'st%'",
    "event": "SELECT event_schema, event_name, interval_value, event_comment, definer"
    " FROM information_schema.events WHERE event_schema LIKE 'st%'",
}


def of(connection: Session) -> Snapshot:
    found: Snapshot = {}
    for db, collation in rows(
        connection,
        "SELECT schema_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name LIKE 'st%'",
    ):
        found["database", f"{db}."] = str(collation)
    for kind, sql in _LISTS.items():
        for db, name, *rest in rows(connection, sql):
            found[kind, f"{db}.{name}"] = str(rest)
    for db, name, kind in rows(
        connection,
        "SELECT table_schema, table_name, table_type FROM information_schema.tables"
        " WHERE table_schema LIKE 'st%'",
    ):
        quoted = f"`{db}`.`{name.replace('`', '``')}`"
        definition = rows(connection, f"SHOW CREATE TABLE {quoted}")[0][1]
        held = [] if kind == "VIEW" else rows(connection, f"SELECT * FROM {quoted}")
        found["table", f"{db}.{name}"] = f"{definition} {held}"
    return found


def changed(before: Snapshot, after: Snapshot) -> set[tuple[str, str]]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def _parts(name: str) -> list[str]:
    return [OTHER, name.removeprefix(f"{OTHER}.")] if name.startswith(f"{OTHER}.") else [name]


class Playground:
    """The databases that statements are run in, put back as they were after each."""

    def __init__(self, connection: Session, mariadb: bool) -> None:
        self.connection = connection
        self.base = BASE | (MARIADB_BASE if mariadb else {})
        self.build()
        self.before = of(connection)

    def build(self) -> None:
        sql = [f"DROP DATABASE IF EXISTS {db}" for db in _DATABASES]
        sql += [f"CREATE DATABASE {db} CHARACTER SET utf8mb4" for db in _DATABASES[:2]]
        sql += ["USE st", "SET foreign_key_checks = 1"]
        execute(self.connection, *sql, *self.base.values(), *ROWS.values())

    def rebuild(self, changed: set[tuple[str, str]]) -> None:
        """Tables are put back by themselves; after anything else, all."""
        names = [name.removeprefix("st.") for kind, name in changed if kind == "table"]
        if len(names) < len(changed) or {"v", "s", "w"} & set(names):
            self.build()
            return
        execute(self.connection, "SET foreign_key_checks = 0")
        for name in names:
            quoted = ".".join(f"`{part.replace('`', '``')}`" for part in _parts(name))
            for kind in ("VIEW", "SEQUENCE", "TABLE") if self.mariadb else ("VIEW", "TABLE"):
                with suppress(pymysql.err.Error):  # it may be another kind of thing
                    execute(self.connection, f"DROP {kind} IF EXISTS {quoted}")
        again = [self.base[name] for name in self.base if name in names]
        again += [ROWS[name] for name in self.base if name in names and name in ROWS]
        execute(self.connection, *again, "SET foreign_key_checks = 1")

    def run(self, sql: str) -> tuple[set[tuple[str, str]], list[str]]:
        """What it changed, and the statements that were logged for it."""
        status = "SHOW MASTER STATUS" if self.mariadb else "SHOW BINARY LOG STATUS"
        file, position = rows(self.connection, status)[0][:2]
        execute(self.connection, sql)
        found = changed(self.before, of(self.connection))
        events = rows(self.connection, f"SHOW BINLOG EVENTS IN '{file}' FROM {position}")
        logged = [info for _, _, kind, *_, info in events if kind == "Query"]
        if found:
            self.rebuild(found)
        return found, logged

    @property
    def mariadb(self) -> bool:
        return "s" in self.base


@pytest.fixture(params=["mysql", "mariadb"])
def playground(
    request: pytest.FixtureRequest, own_mysql: SqlServer, own_mariadb: SqlServer
) -> Iterator[Playground]:
    server = {"mysql": own_mysql, "mariadb": own_mariadb}[request.param]
    with server.connect(charset="utf8mb4") as connection:
        yield Playground(connection, request.param == "mariadb")
        execute(connection, *(f"DROP DATABASE IF EXISTS {db}" for db in _DATABASES))


def test_what_a_statement_changes_is_what_it_names(playground: Playground) -> None:
    mariadb = playground.mariadb
    dialect = Dialect(mariadb, 101118 if mariadb else 90704)
    wrong, count = [], 0
    for case in cases():
        if case.server not in ("both", "mariadb" if mariadb else "mysql"):
            continue
        if case.verb is Verb.ACCOUNT:
            execute(playground.connection, "CREATE USER st_one")
        try:
            found, logged = playground.run(case.sql)
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
        wrong += [f"{case.sql}: {why}" for why in problems(case, found, logged, dialect)]
    assert not wrong, "\n".join(wrong)
    print(f"{count} statements")
    assert count >= 250


def problems(
    case: Case, found: set[tuple[str, str]], logged: list[str], dialect: Dialect
) -> Iterator[str]:
    names = {name for _, name in found}
    if case.verb is Verb.DROP_DATABASE:
        names = {name for name in names if name.endswith(".")}
    if case.verb is Verb.DROP_TABLE:  # the triggers of it, too
        names = {name for kind, name in found if kind == "table"}
    if case.verb is Verb.ALTER_DATABASE:
        names &= set(case.objects)
    expected = set(case.objects)
    if not (names <= expected if case.unseen else names == expected):
        yield f"changed {sorted(names)}"
    verb, read = read_as([case.sql], dialect)
    if (verb, read) != ({case.verb}, expected):
        yield f"read as {verb} of {sorted(read)}"
    if logged:
        verb, read = read_as([of_log(sql) for sql in logged], dialect)
        rest = {Verb.BEGIN, Verb.COMMIT, Verb.EMPTY, Verb.ROWS}
        if not (verb - rest <= {case.verb} and names <= read <= expected):
            yield f"logged as {logged}, read as {verb} of {sorted(read)}"


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
