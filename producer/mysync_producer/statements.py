"""What a statement in the binary log means for the replicated tables.

A statement passes when it is of a kind that never changes a table, or when every object that it
changes is told for certain and none of them is replicated. One that concerns replicated tables is
carried, with what it does to them; of a list of tables only those that are replicated. What can't
be told, or can't be the same on another server, stops the producer, or what the settings say
instead: nothing is guessed.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum, auto

from mysync_producer.filters import Filters
from mysync_producer.queries import QueryEvent
from mysync_runtime.settings import DdlSettings
from mysync_schemas.collations import charset_of
from mysync_schemas.effects import Effects, effects
from mysync_schemas.rewrite import Spanning, cut, plain
from mysync_schemas.sqltokens import Dialect, Unreadable, decode, tokens_of
from mysync_schemas.statement import Statement, Verb, read_statement
from mysync_schemas.table import TableId, TableType

__all__ = ["Change", "Kind", "Meaning", "classify", "dialect_of"]


class Kind(Enum):
    BEGIN = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    SAVEPOINT = auto()
    ROLLBACK_TO = auto()  # to the savepoint `name`
    XA = auto()
    HARMLESS = auto()  # maintenance, accounts, or objects that aren't replicated
    CHANGES = auto()  # changes what is replicated: `change` is carried
    CONCERNS = auto()  # may change a replicated table and can't be carried: `why` says why
    WRITES = auto()  # may change rows of one


@dataclass(frozen=True)
class Change:
    """A statement that is carried: what of it is executed (`sql`), and what that does."""

    sql: bytes
    verb: Verb
    effects: Effects
    table_type: TableType = "BASE TABLE"  # of a table that it makes
    server_version: int = 0

    @property
    def dropped_database(self) -> str:
        """The database that it drops, with all tables."""
        return self.effects.database if self.verb is Verb.DROP_DATABASE else ""


@dataclass(frozen=True)
class Meaning:
    kind: Kind
    why: str = ""
    name: str = ""
    change: Change | None = None


# Frequent statements, recognised by their bytes.
_PLAIN = {
    b"BEGIN": Meaning(Kind.BEGIN),
    b"COMMIT": Meaning(Kind.COMMIT),
    b"ROLLBACK": Meaning(Kind.ROLLBACK),
}
_TRANSACTIONS = {
    Verb.BEGIN: Kind.BEGIN,
    Verb.COMMIT: Kind.COMMIT,
    Verb.ROLLBACK: Kind.ROLLBACK,
    Verb.SAVEPOINT: Kind.SAVEPOINT,
    Verb.ROLLBACK_TO: Kind.ROLLBACK_TO,
    Verb.XA: Kind.XA,
}
_HARMLESS = frozenset({Verb.EMPTY, Verb.RELEASE, Verb.TEMPORARY, Verb.SERVER, Verb.MAINTENANCE})
_DATABASES = frozenset({Verb.CREATE_DATABASE, Verb.ALTER_DATABASE, Verb.DROP_DATABASE})
# Their objects have names beside those of tables: a pattern of tables doesn't tell.
_OTHER_OBJECTS = frozenset({Verb.ROUTINE, Verb.EVENT, Verb.DROP_TRIGGER})
# The setting of `ddl` that decides on them.
_BY_SETTING = {
    Verb.CREATE_VIEW: "views",
    Verb.DROP_VIEW: "views",
    Verb.CREATE_TRIGGER: "triggers",
    Verb.DROP_TRIGGER: "triggers",
    Verb.ROUTINE: "routines",
    Verb.EVENT: "events",
    Verb.ACCOUNT: "accounts",
}

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def dialect_of(server: str) -> Dialect:
    """Of a server's version as its log files name it: "9.7.4", "10.11.18-MariaDB-log"."""
    found = _VERSION.match(server)
    version = 0
    if found is not None:
        major, minor, patch = map(int, found.groups())
        version = major * 10_000 + minor * 100 + patch
    return Dialect(mariadb="mariadb" in server.lower(), version=version)


def classify(
    query: QueryEvent, filters: Filters, server: Dialect, settings: DdlSettings
) -> Meaning:
    """What a QUERY (or EXECUTE_LOAD_QUERY) event means for the tables that `filters` include."""
    plain = _PLAIN.get(query.sql)
    if plain is not None:
        return plain
    if query.announces:
        return Meaning(Kind.HARMLESS, "an ALTER that is announced, or given up")
    dialect = replace(server, sql_mode=query.sql_mode, collation=query.client_collation)
    statement = read_statement(query.sql, dialect)
    verb = statement.verb
    if doubt := _doubt(query, statement, dialect):
        return _any_name(Kind.CONCERNS, doubt, query, filters, dialect)
    if verb in _TRANSACTIONS:
        return Meaning(_TRANSACTIONS[verb], name=statement.name)
    setting = _BY_SETTING.get(verb)
    if setting is not None and getattr(settings, setting) == "skip":
        return Meaning(Kind.HARMLESS, f"ddl.{setting} is skip")
    if verb in _HARMLESS:
        return Meaning(Kind.HARMLESS, verb.name)
    if verb is Verb.ROWS:
        return _any_name(Kind.WRITES, "a change of rows", query, filters, dialect)
    if verb is Verb.UNKNOWN:
        meaning = _any_name(Kind.CONCERNS, statement.why, query, filters, dialect)
        return _unknown(meaning, query, statement, dialect, settings)
    return _carried(_Reading(query, statement, filters, dialect, settings))


_UTF8 = frozenset({"utf8mb3", "utf8mb4"})
_AS_SHOWN = re.compile(rb"CREATE TABLE `(?:[^`]|``)*` \(\n  `")


def _doubt(query: QueryEvent, statement: Statement, dialect: Dialect) -> str:
    """Why a statement's character set can't be told: servers word some anew in UTF-8, and say the
    client's all the same (observed; replicas of their own read them wrongly). A table made LIKE a
    temporary one looks as SHOW CREATE TABLE would show it, as what a client sent may; of a view
    MySQL words the name alone."""
    if query.sql.isascii() or not dialect.collation or charset_of(dialect.collation) in _UTF8:
        return ""
    if statement.verb is Verb.CREATE_TABLE and _AS_SHOWN.match(query.sql) and _is_utf8(query.sql):
        return "its character set may be the client's or the server's"
    if statement.verb is Verb.CREATE_VIEW and not dialect.mariadb:
        names = b"".join(query.sql[n.start : n.end] for n in statement.objects)
        return "" if names.isascii() else "the view's name isn't in the client's character set"
    return ""


def _is_utf8(sql: bytes) -> bool:
    try:
        sql.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unknown(
    meaning: Meaning,
    query: QueryEvent,
    statement: Statement,
    dialect: Dialect,
    settings: DdlSettings,
) -> Meaning:
    """As `ddl.unknown` says, where it may concern a replicated table."""
    if meaning.kind is Kind.HARMLESS or settings.unknown == "stop":
        return meaning
    if settings.unknown == "skip":
        return Meaning(Kind.HARMLESS, f"ddl.unknown is skip: {meaning.why}")
    change = Change(query.sql, statement.verb, Effects(), server_version=dialect.version)
    return Meaning(Kind.CHANGES, meaning.why, change=change)


@dataclass(frozen=True)
class _Reading:
    query: QueryEvent
    statement: Statement
    filters: Filters
    dialect: Dialect
    settings: DdlSettings

    def includes(self, table: TableId) -> bool:
        return self.filters.includes(*self.filters.named(table))


def _carried(reading: _Reading) -> Meaning:
    """A statement whose objects are told for certain."""
    query, statement, filters = reading.query, reading.statement, reading.filters
    verb, database = statement.verb, query.database
    if verb in _DATABASES:
        return _of_database(reading)
    if verb in _OTHER_OBJECTS or verb is Verb.ACCOUNT:
        named = [each.database or database for each in statement.objects]
        if verb is not Verb.ACCOUNT and not any(map(filters.includes_some_of, named)):
            return _NOTHING
        return _change(reading, query.sql)
    if verb is Verb.CREATE_TRIGGER:
        (table,) = statement.others
        if not reading.includes(TableId(table.database or database, table.name)):
            return _NOTHING
        return _change(reading, query.sql)
    try:
        sql = cut(query.sql, statement, database, reading.includes)
    except Spanning as error:
        return Meaning(Kind.CONCERNS, str(error))
    if sql is None:
        return _NOTHING
    if statement.nondeterministic and reading.settings.nondeterministic == "stop":
        return Meaning(
            Kind.CONCERNS, f"{statement.nondeterministic}: rows would differ on the target"
        )
    return _change(reading, sql)


def _of_database(reading: _Reading) -> Meaning:
    filters = reading.filters
    database = filters.named(TableId(reading.statement.database or reading.query.database, "")).db
    if not filters.includes_some_of(database):
        return _NOTHING
    if reading.statement.verb is Verb.DROP_DATABASE and not filters.includes_all_of(database):
        return Meaning(
            Kind.CONCERNS, f"database {database}, of which some tables aren't replicated"
        )
    return _change(reading, reading.query.sql)


_NOTHING = Meaning(Kind.HARMLESS, "nothing of it is replicated")


def _change(reading: _Reading, sql: bytes) -> Meaning:
    """What of the statement is carried, read again: of a list only a part may be left."""
    dialect, database = reading.dialect, reading.query.database
    statement = read_statement(sql, dialect)
    sql = plain(sql, statement)
    kind: TableType = "BASE TABLE"
    if statement.verb is Verb.CREATE_SEQUENCE:
        kind = "SEQUENCE"
    elif statement.versioning:
        kind = "SYSTEM VERSIONED"
    change = Change(
        sql,
        statement.verb,
        effects(statement, database).mapped(reading.filters.named),
        kind,
        dialect.version,
    )
    return Meaning(Kind.CHANGES, ", ".join(map(str, change.effects.tables)), change=change)


def _any_name(
    kind: Kind, what: str, query: QueryEvent, filters: Filters, dialect: Dialect
) -> Meaning:
    """The last resort: any name, qualified or not, or the default database may be meant."""
    try:
        tokens = tokens_of(query.sql, dialect)
        names = [None if t.name is None else decode(t.name, dialect.collation) for t in tokens]
    except Unreadable as error:
        return Meaning(kind, str(error))
    for at, database in enumerate(names[:-2]):
        table = names[at + 2]
        if database is None or table is None or tokens[at + 1].word != ".":
            continue
        if filters.concerns(database, table) or filters.concerns_some_of(database):
            return Meaning(kind, f"{what}, naming {database}.{table}")
    if query.database and filters.concerns_some_of(query.database):
        return Meaning(kind, f"{what}, in database {query.database}")
    for name in names:
        if name and filters.concerns_some_of(name) and not _matches_everything(filters):
            return Meaning(kind, f"{what}, naming {name}")
    return Meaning(Kind.HARMLESS, f"{what}, naming nothing replicated")


def _matches_everything(filters: Filters) -> bool:
    """With `*.*` every column's name would be a database that might be replicated."""
    return filters.concerns_some_of("\x01no such database\x01")
